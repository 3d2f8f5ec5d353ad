"""Many questions in few requests; one bad query harms no other for long."""

import time

import pytest

from adapters.hostile import NOW, Request, asking, error, items, oracle, vector
from adapters.test_prometheus import errors, observe, promql
from stepdown.engine.observation import Missing, Observation

BAD = error("execution", "many-to-many matching not allowed", 422)


def test_equal_questions_and_equal_selectors_are_asked_once() -> None:
    questions = [promql(f"sum(load) + {n % 10}") for n in range(30)]
    with asking(oracle({})) as (observer, server):
        seen = observe(observer, *questions)
        (request,) = server.requests
    assert len(items(request.query)) == 11
    assert seen == [Observation(1.0, sampled=NOW - 5)] * 30


def test_two_hundred_expressions_are_joined_and_values_share_batches_with_freshness() -> None:
    questions = [promql(f"x{n}") for n in range(210)]
    with asking(oracle({f"(\nx{n}\n)": [n] for n in range(210)})) as (observer, server):
        seen = observe(observer, *questions)
        sizes = sorted(len(items(request.query)) for request in server.requests)
    assert sizes == [20, 200, 200]
    assert [s.value for s in seen] == list(range(210))


def test_a_bad_query_is_found_by_halving_and_then_asked_alone_only_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    questions = [promql(f"{name}_x") for name in ("a", "b", "bad", "c")]
    with asking(oracle({"(\nbad_x": BAD})) as (observer, server):
        first = observe(observer, *questions)
        asked_first = len(server.requests)
        second = observe(observer, *questions)
        asked_second = len(server.requests) - asked_first
        monkeypatch.setattr(observer._batches, "_clock", lambda: time.monotonic() + 301)
        server.requests.clear()
        third = observe(observer, *questions)
        asked_third = [len(items(request.query)) for request in server.requests]
        server.answer = oracle({})
        monkeypatch.setattr(observer._batches, "_clock", lambda: time.monotonic() + 700)
        healed = observe(observer, *questions)
        again = observe(observer, *questions)
    good = Observation(1.0, sampled=NOW - 5)
    detail = "422: many-to-many matching not allowed"
    assert first == [good, good, Observation(missing=Missing.ERROR, detail=detail), good]
    assert asked_first == 7
    assert second == [good, good, Observation(missing=Missing.ERROR, detail=f"{detail} (asked again in 300s)"), good]
    assert asked_second == 1
    assert third[2].detail == detail
    assert sorted(asked_third) == [1, 7]
    assert healed == again == [good] * 4


def test_a_bad_target_of_a_preset_is_found_by_halving_too() -> None:
    def answer(request: Request) -> bytes:
        if "huge" in request.query:
            return error("execution", "query processing would load too many samples into memory", 422)
        number = NOW if "timestamp(" in request.query else 0.5
        return vector([({"namespace": "shop", "service": name}, number) for name in "abc"])

    with asking(answer) as (observer, server):
        seen = observe(observer, *(errors(name) for name in ("a", "b", "c", "huge")))
        server.requests.clear()
        observe(observer, *(errors(name) for name in ("a", "b", "c", "huge")))
        assert len(server.requests) == 3
    assert [s.value for s in seen] == [0.5, 0.5, 0.5, None]
    assert seen[3].detail == "422: query processing would load too many samples into memory"


def test_targets_are_asked_two_hundred_at_once() -> None:
    with asking(lambda _: vector([])) as (observer, server):
        observe(observer, *(errors(f"s{n:03}") for n in range(401)))
        sizes = sorted(request.query.count("|") + 1 for request in server.requests if "timestamp" in request.query)
    assert sizes == [1, 200, 200]


def test_an_answer_that_was_truncated_is_asked_in_halves() -> None:
    def answer(request: Request) -> bytes:
        if "|" in request.query:
            return vector([], warnings=["results truncated due to limit"])
        name = "a" if '"a"' in request.query else "b"
        return vector([({"namespace": "shop", "service": name}, NOW if "timestamp(" in request.query else 1)])

    with asking(answer) as (observer, _):
        assert [s.value for s in observe(observer, errors("a"), errors("b"))] == [1.0, 1.0]


def test_a_warning_about_one_query_makes_only_that_one_partial() -> None:
    warning = "PromQL warning: quantile value should be between 0 and 1"

    def answer(request: Request) -> bytes:
        rows = [
            ({"stepdown_query": mark}, NOW if "timestamp" in t else 1.0) for mark, t in items(request.query).items()
        ]
        return vector(rows, **({"warnings": [warning]} if "odd" in request.query else {}))  # type: ignore[arg-type]

    with asking(answer) as (observer, server):
        first = observe(observer, promql("vector(1)"), promql("vector(2)"), promql("histogram_quantile(2, odd)"))
        server.requests.clear()
        second = observe(observer, promql("vector(1)"), promql("vector(2)"), promql("histogram_quantile(2, odd)"))
        assert len(server.requests) == 3
    assert [s.missing for s in first] == [s.missing for s in second] == [None, None, Missing.PARTIAL]


@pytest.mark.row(29)
def test_a_warning_about_the_data_makes_all_of_a_batch_partial_without_halving() -> None:
    with asking(lambda _: vector([], warnings=["store 2 is down"])) as (observer, server):
        seen = observe(observer, *(promql(f"x{n}") for n in range(20)))
        assert len(server.requests) == 1
    assert {s.missing for s in seen} == {Missing.PARTIAL}


def test_a_source_that_fails_is_no_reason_to_halve() -> None:
    with asking(lambda _: error("internal", "oops", 500)) as (observer, server):
        observe(observer, *(promql(f"x{n}") for n in range(20)))
        assert len(server.requests) == 1


@pytest.mark.row(52)
def test_no_query_can_speak_for_another() -> None:
    """Its own mark is replaced by ours, and text that would close our brackets isn't sent."""
    forged = 'label_replace(vector(9), "stepdown_query", "1", "", "")'
    with asking(oracle({})) as (observer, server):
        observe(observer, promql(forged), promql("load"))
        assert f'label_replace(topk(2, (\n{forged}\n)), "stepdown_query", "0", "", "")' in server.requests[0].query
        server.requests.clear()
        (seen,) = observe(observer, promql(f"vector(1) #\r)) or {forged} or topk(2, (vector(1)"))
        assert seen.missing is Missing.ERROR
        assert server.requests == []


def test_at_most_so_many_requests_are_under_way_as_the_endpoint_allows() -> None:
    under_way, most = [0], [0]

    def answer(request: Request) -> bytes:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        time.sleep(0.01)
        under_way[0] -= 1
        return vector([])

    with asking(answer, limits={"concurrentQueries": 2}) as (observer, _):
        observe(observer, *(errors(f"s{n}") for n in range(1000)))
    assert most[0] == 2


@pytest.mark.row(52)
def test_a_query_that_the_parser_does_not_survive_harms_no_other() -> None:
    with asking(oracle({})) as (observer, _):
        seen = observe(observer, promql("load"), promql("rate(a[1e30])"), promql("rate(a[5000000y])"))
    assert seen[0] == Observation(1.0, sampled=NOW - 5)
    assert [s.detail for s in seen[1:]] == ["1:5: a duration is out of range"] * 2
