"""What is asked when, and what a thing that hangs or fails may hold up."""

import asyncio
import time
from typing import Any

import pytest

from controller.test_evaluator import QUICK, Numbers, Subject, until
from controller.test_evaluator_meanwhile import PODS_ONLY, SLOW, Gated, gated
from cycle.world import SPEC, policy
from stepdown.controller import evaluator as module
from stepdown.engine.observation import Observation
from stepdown.engine.questions import ProbeQuestion
from stepdown.engine.reasons import Problem
from stepdown.ports import FINALIZER

pytestmark = pytest.mark.usefixtures("hasty")


@pytest.mark.row(55)
def test_row_55_an_observer_that_never_answers_holds_nothing_up_for_longer_than_its_time(monkeypatch):
    monkeypatch.setattr(module, "OBSERVE_SECONDS", 0.1)
    subject, _never = gated(QUICK)

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.status().get("summary", {}).get("state") == "NoData")

    subject.run(scene())


@pytest.mark.row(55)
def test_row_55_a_due_time_that_cannot_be_told_does_not_end_the_evaluation_of_its_policy(monkeypatch, caplog):
    subject = Subject(QUICK)
    broken = 1
    see = module.Watched.next_look

    def fail(seen: Any, *args: Any, **named: Any) -> float:
        nonlocal broken
        if broken:
            broken -= 1
            raise OverflowError
        return see(seen, *args, **named)

    monkeypatch.setattr(module.Watched, "next_look", fail)

    async def scene() -> None:
        subject.feed()
        await until(lambda: len(subject.numbers.batches) >= 3)

    subject.run(scene())


def test_numbers_that_have_waited_too_long_for_their_tick_are_asked_again(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    subject = Subject({**SLOW, "mode": "Observe"})
    subject.numbers.values["load"] = 0.92
    subject.evaluator._slots = asyncio.Semaphore(0)

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.numbers.batches)
        subject.numbers.values["load"] = 0.1
        await asyncio.sleep(0.3)
        subject.evaluator._slots.release()
        await until(lambda: subject.status().get("level"))

    subject.run(scene())
    assert subject.status()["summary"]["state"] == "Observing"
    assert subject.status()["summary"]["why"] == ""
    assert subject.status()["state"]["level"] == "full"


def test_pods_alone_need_no_metrics_endpoint():
    subject = Subject({**PODS_ONLY, "interval": "1h"})
    subject.evaluator._observer = Gated()
    subject.evaluator._observer.gate.set()
    subject.problems = ((Problem.ENDPOINT_NOT_ALLOWED, "there is no endpoint default"),)

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.status().get("conditions"))

    subject.run(scene())
    ready = next(c for c in subject.status()["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "Watching")


def probing(interval: str) -> dict[str, Any]:
    probe = {"http": {"deployment": "shop", "path": "/healthz"}, "interval": interval}
    *others, static = SPEC["levels"]
    return {**SPEC, "levels": [*others, {**static, "recover": {"probe": probe}}]}


def test_a_probe_is_asked_once_in_its_interval_although_the_policy_comes_round_every_second():
    subject, numbers = gated({**probing("10s"), "interval": "1s"})
    numbers.values["errors"] = 0.9
    numbers.gate.set()

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.status().get("level") == "static")
        seen = len(numbers.asked)
        await until(lambda: len(numbers.asked) >= seen + 4)
        assert sum("a probe" in asked for asked in numbers.asked) == 1
        numbers.values["errors"] = 0.0
        await until(lambda: subject.status()["state"].get("healthySince"))
        assert subject.status()["summary"]["why"] != "probe fails"

    subject.run(scene())


def test_a_policy_that_probes_is_a_batch_of_its_own_so_that_slow_pods_delay_nobody_else():
    subject = Subject({**probing("10s"), "interval": "1s"})
    other = {**QUICK, "mode": "Observe"}
    subject.sandbox.create(policy("other", other))

    class SlowPods(Numbers):
        async def observe(self, questions: Any, at: float) -> dict[Any, Observation]:
            if any(isinstance(q, ProbeQuestion) for q in questions):
                await asyncio.sleep(30)
            return {q: Observation(value=self.values[q.promql], sampled=at) for q in questions}

    numbers = SlowPods()
    numbers.values["errors"] = 0.9
    subject.evaluator._observer = numbers

    async def scene() -> None:
        subject.feed()
        subject.feed("other")
        await until(lambda: subject.status().get("level") == "static" and subject.status("other").get("level"))
        await until(lambda: subject.evaluator._watched["default/shop"].busy)
        await asyncio.sleep(0.3)
        assert subject.evaluator._watched["default/shop"].busy
        before = subject.evaluator._watched["default/other"].evaluated
        await until(lambda: subject.evaluator._watched["default/other"].evaluated > before, 3)

    subject.run(scene())


def test_a_policy_whose_target_is_missing_is_looked_at_less_and_less_often():
    spec = {**QUICK, "interval": "1h", "levels": [*SPEC["levels"][:1], {**SPEC["levels"][1]}]}
    spec["levels"][1]["actions"] = [{"scale": {"deployment": "nowhere", "to": 2}}]
    subject = Subject(spec)
    looks: list[float] = []
    observe = subject.numbers.observe

    async def counted(questions: Any, at: float) -> dict[Any, Observation]:
        looks.append(time.monotonic())
        return await observe(questions, at)

    subject.numbers.observe = counted  # type: ignore[method-assign]

    async def scene() -> None:
        subject.feed()
        await until(lambda: len(looks) >= 6)

    subject.run(scene())
    assert looks[5] - looks[0] > 1.0


def test_a_finalizer_of_somebody_else_keeps_a_deleted_policy_under_watch():
    subject = Subject(QUICK)

    def finalize(obj: dict[str, Any]) -> None:
        obj["metadata"]["finalizers"] = ["somebody.example/else", FINALIZER]

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.status().get("level"))
        subject.sandbox.edit("DegradationPolicy", "shop", finalize)
        subject.sandbox.delete("DegradationPolicy", "shop")
        raw = subject.sandbox.policy("shop").raw
        subject.evaluator.feed(
            {**raw, "metadata": {**raw["metadata"], "finalizers": ["somebody.example/else"]}}, gone=False
        )
        await asyncio.sleep(0.3)
        assert list(subject.evaluator._watched) == ["default/shop"]

    subject.run(scene())
