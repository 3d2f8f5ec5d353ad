"""Every policy is evaluated, on time, whatever happens to one of them."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cycle.world import SPEC, objects, policy
from stepdown.adapters.metrics import Metrics
from stepdown.controller import evaluator as module
from stepdown.controller.evaluator import Evaluator
from stepdown.cycle import Cycle
from stepdown.engine.observation import Observation
from stepdown.engine.reasons import Problem
from stepdown.ports import Refused, Unknown
from stepdown.prepared import Claims
from stepdown.simulate.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("hasty")

QUICK = {**SPEC, "interval": "1s"}


class Numbers:
    """An observer that answers by the query's text, and may be told to raise."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {"load": 0.1, "errors": 0.0}
        self.fails = False
        self.batches: list[int] = []

    async def observe(self, questions: Any, at: float) -> dict[Any, Observation]:
        self.batches.append(len(questions))
        if self.fails:
            raise RuntimeError("a bug")
        return {q: Observation(value=self.values[q.promql], sampled=at) for q in questions}


class Subject:
    """An evaluator over a sandbox with one policy."""

    def __init__(self, spec: dict[str, Any] | None = None) -> None:
        self.sandbox = Sandbox([*objects(), policy(spec=spec or QUICK)])
        self.numbers = Numbers()
        self.metrics = Metrics()
        self.problems: tuple[tuple[Problem, str], ...] = ()
        cycle = Cycle(self.sandbox, self.sandbox, Claims(), 1)
        self.evaluator = Evaluator(cycle, self.numbers, self.metrics, lambda _ns, _endpoint: self.problems)

    def feed(self, name: str = "shop") -> None:
        self.evaluator.feed(self.sandbox.policy(name).raw, gone=False)

    def status(self, name: str = "shop") -> dict[str, Any]:
        return dict(self.sandbox.policy(name).raw.get("status") or {})

    def count(self, series: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(series, labels)

    def run(self, scene: Coroutine[Any, Any, None]) -> None:
        async def play() -> None:
            turning = asyncio.create_task(self.evaluator.run())
            try:
                await scene
            finally:
                await self.evaluator.stop()
                await turning

        asyncio.run(play())


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.005)


def test_a_policy_is_evaluated_as_soon_as_it_is_seen():
    subject = Subject({**SPEC, "interval": "1h"})

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.status().get("level") == "full")

    subject.run(scene())
    labels = {"namespace": "default", "name": "shop"}
    told = {name: subject.count(f"stepdown_{name}", **labels) for name in ("level", "ready", "degraded")}
    assert told == {"level": 0.0, "ready": 1.0, "degraded": 0.0}
    assert subject.count("stepdown_metrics_available", **labels) == 1.0


def test_an_edit_is_evaluated_at_once_and_not_at_the_next_interval():
    subject = Subject({**SPEC, "interval": "1h"})

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.status().get("observedGeneration") == 1)
        subject.sandbox.edit("DegradationPolicy", "shop", lambda p: p["spec"].update(suspend=True))
        subject.feed()
        await until(lambda: subject.status()["summary"]["state"] == "Suspended")

    subject.run(scene())


def test_an_older_view_of_a_policy_changes_nothing():
    subject = Subject({**SPEC, "interval": "1h"})
    old = subject.sandbox.policy("shop").raw

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.status().get("level"))
        batches = len(subject.numbers.batches)
        subject.evaluator.feed(old, gone=False)
        await asyncio.sleep(0.1)
        assert len(subject.numbers.batches) == batches

    subject.run(scene())


def test_a_breach_makes_the_policy_come_round_every_second():
    subject = Subject({**SPEC, "interval": "10m"})
    subject.numbers.values["load"] = 0.92

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.status().get("level") == "core-only")
        seen = len(subject.numbers.batches)
        await until(lambda: len(subject.numbers.batches) >= seen + 2)

    subject.run(scene())
    reasons = {"namespace": "default", "name": "shop", "reason": "Breached"}
    assert subject.count("stepdown_transitions_total", **reasons) == 1.0


@pytest.mark.row(55)
def test_row_55_an_observer_that_raises_is_missing_data_and_the_loop_goes_on(caplog):
    subject = Subject()
    subject.numbers.fails = True

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.status().get("summary", {}).get("state") == "NoData")
        subject.numbers.fails = False
        await until(lambda: subject.status()["summary"]["state"] == "Full")

    subject.run(scene())


@pytest.mark.row(55)
def test_row_55_a_tick_that_raises_ends_neither_its_policy_nor_the_others():
    subject = Subject()
    subject.sandbox.create(policy("other", {**QUICK, "mode": "Observe"}))
    broken = 2

    def fail(when: str, what: str) -> None:
        nonlocal broken
        if when == "before" and what == "store status" and broken:
            broken -= 1
            raise ZeroDivisionError

    subject.sandbox.on_call = fail

    async def scene() -> None:
        subject.feed()
        subject.feed("other")
        await until(lambda: subject.status().get("level") and subject.status("other").get("level"))

    subject.run(scene())
    assert subject.count("stepdown_tick_failures_total", kind="ZeroDivisionError") == 2.0


def test_a_server_that_does_not_answer_is_one_warning_without_a_traceback(caplog):
    subject = Subject()
    down = True

    def fail(when: str, what: str) -> None:
        if when == "before" and down:
            raise Unknown("no answer within 5 s")

    subject.sandbox.on_call = fail

    async def scene() -> None:
        nonlocal down
        subject.feed()
        await until(lambda: subject.count("stepdown_tick_failures_total", kind="Unknown"))
        down = False
        await until(lambda: subject.status().get("level"))

    subject.run(scene())
    said = [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    assert {(r.getMessage(), r.why, r.exc_info) for r in said} == {  # type: ignore[attr-defined]
        ("a tick could not be finished", "no answer within 5 s", None)
    }


@pytest.mark.row(9)
def test_row_9_a_read_that_is_forbidden_is_said_in_the_status_and_changes_nothing():
    subject = Subject()
    subject.numbers.values["load"] = 0.92

    def fail(when: str, what: str) -> None:
        if when == "before" and what == "read":
            raise Refused(403, 'get deployments shop: User "stepdown" cannot get resource "deployments"')

    subject.sandbox.on_call = fail

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.status().get("conditions"))

    subject.run(scene())
    ready = next(c for c in subject.status()["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "NotAuthorized")
    assert ready["message"] == (
        'get deployments shop: User "stepdown" cannot get resource "deployments"; nothing is changed until then'
    )
    assert subject.sandbox.writes == []


def test_a_policy_that_is_gone_leaves_no_series_and_is_not_evaluated_again():
    subject = Subject()

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.status().get("level"))
        subject.evaluator.feed(subject.sandbox.policy("shop").raw, gone=True)
        batches = len(subject.numbers.batches)
        await asyncio.sleep(0.4)
        assert len(subject.numbers.batches) == batches

    subject.run(scene())
    assert subject.count("stepdown_level", namespace="default", name="shop") is None


def test_a_policy_whose_end_was_not_seen_is_forgotten_when_it_cannot_be_found():
    subject = Subject()

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.status().get("level"))
        subject.sandbox.delete("DegradationPolicy", "shop")
        subject.numbers.values["load"] = 0.92
        await until(lambda: subject.count("stepdown_level", namespace="default", name="shop") is None)

    subject.run(scene())


def test_an_endpoint_that_may_not_be_used_is_said_with_its_cure():
    subject = Subject()
    subject.problems = ((Problem.ENDPOINT_NOT_ALLOWED, "ask an administrator"),)

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.status().get("conditions"))

    subject.run(scene())
    ready = next(c for c in subject.status()["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"], ready["message"]) == (
        "False",
        "EndpointNotAllowed",
        "ask an administrator",
    )


@pytest.mark.row(54)
def test_row_54_health_fails_when_nothing_due_is_evaluated_any_more(monkeypatch):
    subject = Subject({**SPEC, "interval": "10s"})
    assert subject.evaluator.is_moving
    subject.feed()
    now = time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 3 + module.TURN_SECONDS - 1)
    assert subject.evaluator.is_moving
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 3 + module.TURN_SECONDS + 1)
    assert not subject.evaluator.is_moving


def test_nothing_is_written_while_nothing_changes():
    subject = Subject()

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.status().get("level"))
        version = subject.sandbox.policy("shop").resource_version
        seen = len(subject.numbers.batches)
        await until(lambda: len(subject.numbers.batches) >= seen + 3)
        assert subject.sandbox.policy("shop").resource_version == version

    subject.run(scene())
