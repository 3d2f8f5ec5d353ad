"""A Prometheus on loopback that remembers what a test says, and whose present is always the same."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from adapters.hostile import Request, Server, document, items, vector

NOW = 1_800_000_000.0
"""2027-01-15T08:00:00Z, the end of every simulation."""

Series = Callable[[float], float | None]
"""A value or nothing at a time, in seconds before the end."""


def steady(value: float) -> Series:
    return lambda _: value


def during(begin: float, end: float, inside: float, outside: float) -> Series:
    """`inside` from `begin` (included) to `end` (excluded) seconds before the end, else `outside`."""
    return lambda ago: inside if begin >= ago > end else outside


def _matrix(request: Request, rows: list[tuple[dict[str, str], Series]]) -> bytes:
    first, last, step = (round(1000 * float(request.params[name])) for name in ("start", "end", "step"))
    result = []
    for labels, series in rows:
        values = [(at, series(NOW - at / 1000)) for at in range(first, last + 1, step)]
        points = [[at / 1000, str(value)] for at, value in values if value is not None]
        if points:
            result.append({"metric": labels, "values": points})
    return document({"resultType": "matrix", "result": result})


def answering(series: dict[str, Series]) -> Callable[[Request], bytes]:
    """Answers queries by the text that they contain; samples are as fresh as can be where there is a value."""

    def of(text: str) -> Series | None:
        return next((found for fragment, found in series.items() if fragment in text), None)

    def answer(request: Request) -> bytes:
        if request.query == "vector(time())":
            return vector([({}, NOW)])
        rows: list[tuple[dict[str, str], Series]] = []
        for mark, text in items(request.query).items():
            found = of(text)
            if found is not None:
                rows.append(({"stepdown_query": mark}, _fresh(found) if "timestamp(" in text else found))
        if "http_requests_total" in request.query:
            found = of("http_requests_total")
            assert found is not None
            is_value = " / " in request.query
            series_of = _fresh(found) if "timestamp(" in request.query else found if is_value else steady(100)
            rows.append(({"namespace": "default", "service": "shop"}, series_of))
        return _matrix(request, rows)

    return answer


def _fresh(series: Series) -> Series:
    return lambda ago: None if series(ago) is None else NOW - ago


@contextmanager
def prometheus(series: dict[str, Series]) -> Iterator[Server]:
    server = Server(answering(series))
    try:
        yield server
    finally:
        server.close()


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


def policy(name: str = "shop", **spec: Any) -> dict[str, Any]:
    """Looks every 10 s; `core-only` after 30 s above 80 %, up after a minute at or below 60 %."""
    return {
        "apiVersion": "stepdown.dev/v1alpha1",
        "kind": "DegradationPolicy",
        "metadata": {"name": name},
        "spec": {
            "target": {"service": "shop", "deployment": "shop"},
            "interval": "10s",
            "signals": [{"name": "load", "query": "load"}],
            "stabilization": {"up": "1m", "dwell": "0s"},
            "levels": [
                {"name": "full"},
                {
                    "name": "core-only",
                    "enter": {"any": [{"signal": "load", "above": "80%", "clear": "60%", "for": "30s"}]},
                    "actions": [{"scale": {"to": 6}}],
                },
            ],
        }
        | spec,
    }
