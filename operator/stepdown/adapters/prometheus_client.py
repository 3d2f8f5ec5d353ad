"""Prometheus' answers, read strictly: rows of finite shape, with the warnings and the type that the client drops.

The client's own code builds and sends the queries and takes `data.result` out of the answer. What it takes is put
there by us: the whole answer, checked. Whatever is not exactly as documented is refused with one sentence, for a
page of HTML, an error with status 200 or half an answer must not be taken for a value.
"""

import json
import math
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any

import requests
from prometheus_api_client.prometheus_connect import PrometheusConnect

from stepdown.adapters.prometheus_connection import TooLong, TooSlow, Untrusted
from stepdown.adapters.prometheus_session import GuardedSession
from stepdown.api.endpoint import EndpointSpec
from stepdown.engine.observation import Missing

_VALUE = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?|[-+]?Inf|NaN")
_TRUNCATED = "truncated due to limit"
_PARTS_MIN = 50_000
_PARTS_PER_SERIES = 12
_BYTES_PER_PART = 12
_BYTES_PER_CHARACTER = 4
"""What a character takes in memory in a text with only one that is far from ASCII."""

_HINTS = {
    200: ": is the URL a Prometheus?",
    404: ": is the URL a Prometheus?",
    401: ": it wants other credentials",
    403: ": it wants other credentials",
}
_reading = threading.Lock()
"""Answers are taken apart one at a time: what they take in memory meanwhile is that of one."""


class Blame(Enum):
    """Whose fault it is that there is no answer."""

    SOURCE = auto()  # the endpoint's: another query would fare no better
    QUERY = auto()  # the query's: without the bad part of it there would be an answer
    TIME = auto()  # the query's or the endpoint's: it took too long


class Unusable(Exception):
    """A query without an answer that can be used; the message is one bounded line."""

    def __init__(self, message: str, blame: Blame, missing: Missing = Missing.ERROR) -> None:
        super().__init__(message)
        self.blame = blame
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Row:
    """One series: its labels, and its points of time (seconds since the epoch) and value."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A checked answer. `warnings` are the source's, `infos` are none."""

    rows: tuple[Row, ...]
    warnings: tuple[str, ...]


class _Checked(requests.Response):
    """A response whose JSON is the checked answer, in the one place where the client looks."""

    answer: Answer

    def json(self, **_: Any) -> Any:
        return {"data": {"result": self.answer}}


class _CheckingSession(GuardedSession):
    """Lets only checked answers through; raises Unusable for all others."""

    def __init__(self, endpoint: EndpointSpec, on_request: Callable[[], None], **guards: Any) -> None:
        super().__init__(endpoint, **guards)
        self._series = endpoint.limits.series
        self._bytes = endpoint.limits.response_bytes
        self._on_request = on_request

    def request(self, method: Any, url: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        self._on_request()
        try:
            response = super().request(method, url, **kwargs)
        except TooSlow as error:
            raise Unusable(str(error), Blame.TIME) from None
        except TooLong as error:
            raise Unusable(str(error), Blame.QUERY) from None
        except Untrusted as error:
            raise Unusable(str(error), Blame.SOURCE) from None
        except requests.RequestException as error:
            raise Unusable(f"it can't be asked ({type(error).__name__})", Blame.SOURCE) from None
        checked = _Checked()
        checked.status_code = 200
        with _reading:
            checked.answer = self._check(response, "matrix" if str(url).endswith("/query_range") else "vector")
        return checked

    def _check(self, response: requests.Response, expected: str) -> Answer:
        document = self._document(response, expected)
        if document.get("status") != "success" or response.status_code != 200:
            self._refuse(response.status_code, document)
        data = document.get("data")
        if not isinstance(data, dict) or not isinstance(data.get("result"), list):
            raise Unusable("its answer has no result", Blame.SOURCE)
        if data.get("resultType") != expected:
            kind = self.line(str(data.get("resultType")))[:20]
            raise Unusable(f"its answer is of type {kind}", Blame.SOURCE, Missing.NOT_SCALAR)
        try:
            rows = tuple(_row(row, expected) for row in data["result"])
            warnings = _warnings(document.get("warnings"))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise Unusable(f"its answer has rows of another shape ({error})"[:200], Blame.SOURCE) from None
        if len(rows) > self._series or any(_TRUNCATED in warning for warning in warnings):
            raise Unusable(f"its answer has more than {self._series} series", Blame.QUERY)
        return Answer(rows, tuple(self.line(warning) or "a warning without words" for warning in warnings))

    def _document(self, response: requests.Response, expected: str) -> dict[str, Any]:
        """The JSON of an answer. It is refused before it becomes objects of many times its size."""
        status, body = response.status_code, response.content
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
        if kind.lower() != "application/json":
            said = self.line(kind)[:40] or "no content type"
            hint = _HINTS.get(status, "")
            raise Unusable(f"its answer ({status}) is {said}, not JSON{hint}", Blame.SOURCE)
        parts = max(_PARTS_MIN, _PARTS_PER_SERIES * self._series)
        if expected == "matrix":
            parts = max(parts, self._bytes // _BYTES_PER_PART)
        elif len(body) > self._bytes // _BYTES_PER_CHARACTER and not body.isascii():
            raise Unusable("its answer has too many characters that are not ASCII", Blame.QUERY)
        if sum(map(body.count, (b"{", b"[", b","))) > parts:
            raise Unusable("its answer has too many parts", Blame.QUERY)
        try:
            document = json.loads(body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            raise Unusable(f"its answer ({status}) is not JSON", Blame.SOURCE) from None
        if not isinstance(document, dict):
            raise Unusable(f"its answer ({status}) is JSON of another kind", Blame.SOURCE)
        return document

    def _refuse(self, status: int, document: dict[str, Any]) -> None:
        kind, said = document.get("errorType"), document.get("error")
        message = self.line(f"{status}: {said if isinstance(said, str) and said else 'an error without words'}")
        blame = Blame.SOURCE
        if document.get("status") == "error" and status in (400, 422) and kind in ("bad_data", "execution"):
            blame = Blame.QUERY
        elif document.get("status") == "error" and status in (422, 503) and kind == "timeout":
            blame = Blame.TIME
        raise Unusable(message, blame)


class Client(PrometheusConnect):  # type: ignore[misc]
    """The client of one endpoint, for several threads. Its methods raise Unusable."""

    def __init__(self, endpoint: EndpointSpec, on_request: Callable[[], None], **guards: Any) -> None:
        session = _CheckingSession(endpoint, on_request, **guards)
        super().__init__(url=endpoint.url.rstrip("/"), session=session, method="POST")
        self._series = endpoint.limits.series

    def instant(self, query: str, seconds: float) -> Answer:
        """A query at the server's own present, with that many seconds to answer."""
        answer = self.custom_query(query, params=self._limits(seconds), timeout=seconds)
        assert isinstance(answer, Answer)
        return answer

    def range(self, query: str, start: float, end: float, step: float, seconds: float) -> Answer:
        """A query at each step (in seconds) of a time; the client would round its ends, so they are given twice."""
        exact = {"start": f"{start:.3f}", "end": f"{end:.3f}"}
        answer = self.custom_query_range(
            query,
            datetime.fromtimestamp(start, UTC),
            datetime.fromtimestamp(end, UTC),
            f"{step:.3f}",
            params=self._limits(seconds) | exact,
            timeout=seconds,
        )
        assert isinstance(answer, Answer)
        return answer

    def _limits(self, seconds: float) -> dict[str, str]:
        """The server is told to give up a little earlier than we do, so that it can say so."""
        return {"timeout": f"{max(1, round(seconds * 900))}ms", "limit": str(self._series)}


def _row(row: Any, expected: str) -> Row:
    labels = row["metric"]
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise TypeError("labels that are not text")
    points = row["values"] if expected == "matrix" else [row["value"]]
    if not isinstance(points, list):
        raise TypeError("no list of values")
    return Row(labels, tuple(map(_point, points)))


def _point(point: Any) -> tuple[float, float]:
    seconds, value = point
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
        raise TypeError("a time that is no number")
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise TypeError("a value that is no number")
    return float(seconds), float(value)


def _warnings(found: Any) -> list[str]:
    """Prometheus before 3.0 had what it calls infos among the warnings."""
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(warning, str) for warning in found):
        raise TypeError("warnings that are not text")
    return [warning for warning in found if not warning.startswith("PromQL info:")]


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. Of two values under one name nobody knows which is meant."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name that is there twice")
    return found
