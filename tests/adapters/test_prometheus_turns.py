"""Time: turns that overlap or end, queries that are slow, sources that are."""

import asyncio
import threading
import time

import pytest

from adapters.hostile import NOW, Request, asking, oracle
from adapters.test_prometheus import observe, promql
from stepdown.adapters import prometheus_batches
from stepdown.adapters.prometheus_batches import Batches
from stepdown.adapters.prometheus_client import Answer, Blame, Row, Unusable
from stepdown.engine.forms import Joined
from stepdown.engine.observation import Observation


class Slow:
    """Answers joined queries, but takes all its time for those with a text in them. No HTTP."""

    def __init__(self, slow: str) -> None:
        self.slow = slow
        self.sizes: list[int] = []

    def __call__(self, query: str, seconds: float) -> Answer:
        if query != "vector(1)":
            self.sizes.append(query.count("label_replace"))
        if self.slow in query:
            raise Unusable(f"no answer within {seconds:g}s", Blame.TIME)
        return Answer(tuple(Row({"stepdown_query": str(n)}, ((NOW, 1.0),)) for n in range(query.count("or ") + 1)), ())


def read(batches: Batches, names: list[str]) -> list[str]:
    """The names without a value."""
    outcomes = asyncio.run(batches.read(Joined(), names, batches.turn(10)))
    return [name for name in names if not outcomes[name].rows]


def test_a_slow_query_is_found_in_smaller_groups_turn_by_turn_and_set_apart_for_a_minute() -> None:
    now = [0.0]
    ask = Slow("n117")
    batches = Batches(ask, 4, 5, clock=lambda: now[0])
    names = [f"n{n}" for n in range(200)]
    missing = [len(read(batches, names)) for _ in range(4)]
    assert missing == [200, 14, 1, 1]
    ask.sizes.clear()
    assert read(batches, names) == ["n117"]
    assert ask.sizes == [199]
    now[0] = 61
    ask.slow = "nothing"
    assert read(batches, names) == []
    batches.close()


@pytest.mark.row(24)
def test_no_query_is_blamed_when_the_source_answers_nothing_at_all() -> None:
    ask = Slow("")
    batches = Batches(ask, 1, 5, clock=lambda: 0.0)
    names = [f"n{n}" for n in range(800)]
    assert read(batches, names) == names
    assert ask.sizes == [200]
    ask.slow = "nothing"
    assert read(batches, names) == []
    assert ask.sizes == [200, 200, 200, 200, 200]
    batches.close()


def test_what_is_left_when_a_turn_is_over_is_missing_and_not_blamed() -> None:
    now = [0.0]

    def ask(query: str, seconds: float) -> Answer:
        now[0] += 4
        if seconds < 4:
            raise Unusable("no answer", Blame.TIME)
        return Slow("nothing")(query, seconds)

    batches = Batches(ask, 1, 5, clock=lambda: now[0])
    names = [f"n{n}" for n in range(800)]
    assert len(read(batches, names)) == 400
    assert (batches._quarantined, batches._apart) == ({}, {})
    batches.close()


def test_a_bug_of_ours_costs_the_query_that_shows_it_and_no_other() -> None:
    def ask(query: str, seconds: float) -> Answer:
        if "n3" in query:
            raise ZeroDivisionError
        return Slow("nothing")(query, seconds)

    batches = Batches(ask, 4, 5)
    names = [f"n{n}" for n in range(6)]
    assert read(batches, names) == ["n3"]
    batches.close()


class Busy:
    """Answers after some seconds, and knows how many queries were under way at once."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.under_way = self.most = self.asked = 0
        self.lock = threading.Lock()

    def __call__(self, query: str, seconds: float) -> Answer:
        with self.lock:
            self.asked += 1
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        time.sleep(self.seconds)
        with self.lock:
            self.under_way -= 1
        return Slow("nothing")(query, seconds)


@pytest.mark.row(24)
def test_turns_that_overlap_share_the_places_and_to_wait_for_one_is_not_to_be_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prometheus_batches, "GRACE_SECONDS", 0)
    ask = Busy(0.3)
    batches = Batches(ask, 1, 0.55)
    alone = Joined(size=1)

    async def both() -> list[int]:
        reads = [
            batches.read(alone, [f"{turn}{n}" for n in range(count)], batches.turn(10))
            for turn, count in (("long", 4), ("short", 1))
        ]
        order: list[int] = []
        for done in asyncio.as_completed(reads):
            outcomes = await done
            assert all(outcome.rows for outcome in outcomes.values())
            order.append(len(outcomes))
        return order

    assert asyncio.run(both()) == [1, 4]
    assert (ask.most, ask.asked) == (1, 5)
    assert (batches._quarantined, batches._apart) == ({}, {})
    batches.close()


def test_an_endpoint_that_is_closed_while_it_is_asked_gives_observations_all_the_same() -> None:
    questions = [promql(f"x{n}") for n in range(400)]

    def answer(request: Request) -> bytes:
        time.sleep(0.05)
        return oracle({})(request) or b""

    async def closing() -> list[Observation]:
        task = asyncio.create_task(observer.observe(questions, NOW))
        await asyncio.sleep(0.02)
        observer.close()
        seen = await task
        return [seen[question] for question in questions]

    with asking(answer, limits={"concurrentQueries": 2}) as (observer, server):
        seen = asyncio.run(closing())
        assert len(server.requests) == 2
    assert {s.detail for s in seen if s.missing} == {"not asked: the endpoint was changed"}
    assert observe(observer, promql("load"))[0].detail == "not asked: the endpoint was changed"


def test_what_nobody_asks_any_more_is_forgotten() -> None:
    now = [0.0]

    def ask(query: str, seconds: float) -> Answer:
        raise Unusable("bad", Blame.QUERY)

    batches = Batches(ask, 1, 5, clock=lambda: now[0])
    read(batches, ["a"])
    assert len(batches._quarantined) == 1
    now[0] = 3 * prometheus_batches.BAD_SECONDS + 1
    read(batches, [])
    assert batches._quarantined == {}
    batches.close()
