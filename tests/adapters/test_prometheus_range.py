"""The past, asked in pieces and judged at each of its times."""

import asyncio
from typing import Any

import pytest

from adapters.hostile import Request, asking, document, error, items
from adapters.test_prometheus import errors, promql
from stepdown.adapters.prometheus_range import range_observations
from stepdown.engine.observation import Missing, Observation

START = 1_800_000_000.0


def matrix(request: Request, series: list[tuple[dict[str, str], Any]]) -> bytes:
    """`series` are labels and a function from a time to a value or None, evaluated at the request's times."""
    first, last, step = (round(1000 * float(request.params[name])) for name in ("start", "end", "step"))
    result = []
    for labels, value in series:
        points = [
            [ms / 1000, str(value(ms / 1000))] for ms in range(first, last + 1, step) if value(ms / 1000) is not None
        ]
        if points:
            result.append({"metric": labels, "values": points})
    return document({"resultType": "matrix", "result": result})


def history(request: Request) -> bytes:
    """`load` rises by one a second, its samples end after 20 s; `twice` is two series from 10 s on."""
    series: list[tuple[dict[str, str], Any]] = []
    for mark, text in items(request.query).items():
        if "timestamp(" in text:
            series.append(({"stepdown_query": mark}, lambda at: min(at, START + 20)))
        elif "twice" in text:
            series.append(({"stepdown_query": mark, "row": "1"}, lambda _: 1))
            series.append(({"stepdown_query": mark, "row": "2"}, lambda at: 2 if at >= START + 10 else None))
        elif "bad" in text:
            return error("execution", "multiple matches for labels", 422)
        else:
            series.append(({"stepdown_query": mark}, lambda at: at - START))
    return matrix(request, series)


def past(observer: Any, *questions: Any, seconds: float, step: float) -> list[list[tuple[float, Observation]]]:
    seen = asyncio.run(range_observations(observer, questions, START, START + seconds, step))
    return [[(at - START, observation) for at, observation in seen[question]] for question in questions]


def test_each_time_has_an_observation_as_it_would_have_been_seen() -> None:
    load, twice, bad, wrong = promql("load", stale_after=15), promql("twice"), promql("bad"), promql("sum(x")
    with asking(history) as (observer, server):
        seen = past(observer, load, twice, bad, wrong, seconds=40, step=10)
        assert server.requests[0].path == "/api/v1/query_range"
    assert seen[0] == [
        (0.0, Observation(0.0, sampled=START)),
        (10.0, Observation(10.0, sampled=START + 10)),
        (20.0, Observation(20.0, sampled=START + 20)),
        (30.0, Observation(30.0, sampled=START + 20)),
        (40.0, Observation(missing=Missing.STALE, sampled=START + 20, detail="newest sample 20s old")),
    ]
    assert [o.missing for _, o in seen[1]] == [None, *[Missing.NOT_SCALAR] * 4]
    assert [o.detail for _, o in seen[2]] == ["422: multiple matches for labels"] * 5
    assert [o.detail for _, o in seen[3]] == ["1:4: unclosed left parenthesis"] * 5


def test_presets_of_the_past_are_grouped_too() -> None:
    def answer(request: Request) -> bytes:
        labels = {"namespace": "shop", "service": "cart"}
        fresh, value = "timestamp(" in request.query, " / " in request.query
        return matrix(request, [(labels, lambda at: at if fresh else 0.25 if value else at - START)])

    with asking(answer) as (observer, server):
        (seen, other) = past(observer, errors("cart"), errors("pay"), seconds=2, step=1)
        assert len(server.requests) == 3
    assert [(at, o.value, o.missing) for at, o in seen] == [
        (0.0, None, Missing.TOO_FEW),
        (1.0, 0.25, None),
        (2.0, 0.25, None),
    ]
    assert [o.missing for _, o in other] == [Missing.EMPTY] * 3


def test_a_long_time_is_asked_in_pieces_that_fit_an_answer() -> None:
    with asking(history, limits={"responseBytes": 80_000}) as (observer, server):
        (seen,) = past(observer, promql("load"), seconds=250, step=1)
        spans = [(float(r.params["start"]) - START, float(r.params["end"]) - START) for r in server.requests]
    assert spans == [(0, 99), (100, 199), (200, 250)]
    assert [at for at, _ in seen] == list(range(251))
    assert seen[15] == (15, Observation(15.0, sampled=START + 15))


def test_no_piece_has_more_points_than_a_server_gives() -> None:
    with asking(history, limits={"responseBytes": 67_108_864}, timeout="30s") as (observer, server):
        past(observer, promql("load", stale_after=1), seconds=12_000, step=1)
        spans = [float(r.params["end"]) - float(r.params["start"]) for r in server.requests]
    assert spans == [9_999, 2_000]


def test_times_between_seconds_are_kept() -> None:
    with asking(history) as (observer, server):
        (seen,) = past(observer, promql("load"), seconds=1, step=0.25)
        assert server.requests[0].params["step"] == "0.250"
    assert [(at, o.value) for at, o in seen] == [(0, 0), (0.25, 0.25), (0.5, 0.5), (0.75, 0.75), (1, 1)]


def test_a_rate_that_outlives_its_series_is_stale_only_then() -> None:
    def answer(request: Request) -> bytes:
        series: list[tuple[dict[str, str], Any]] = []
        for mark, text in items(request.query).items():
            value = {
                "timestamp(": lambda at: at if at < START + 10 else None,
                "present_over_time(": lambda at: 1 if at < START + 20 else None,
            }.get(next((f for f in ("timestamp(", "present_over_time(") if f in text), ""), lambda _: 5)
            series.append(({"stepdown_query": mark}, value))
        return matrix(request, series)

    with asking(answer) as (observer, _):
        (seen,) = past(observer, promql("rate(x[10s]) or vector(5)"), seconds=25, step=5)
    assert [o.missing for _, o in seen] == [None, None, Missing.STALE, Missing.STALE, None, None]


def test_a_step_of_nothing_is_refused() -> None:
    with asking(history) as (observer, _), pytest.raises(ValueError, match="a step of 0s is too short"):
        past(observer, promql("load"), seconds=1, step=0)
