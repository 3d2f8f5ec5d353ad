"""What happens to a policy while its numbers are asked for, or while its tick is under way."""

import asyncio
from typing import Any

import pytest

from controller.test_evaluator import QUICK, Numbers, Subject, until
from cycle.world import SPEC, policy
from stepdown.controller import preparing
from stepdown.engine.observation import Observation
from stepdown.engine.questions import ProbeQuestion

pytestmark = pytest.mark.usefixtures("hasty")

SLOW = {**SPEC, "interval": "1h"}
PODS_ONLY: dict[str, Any] = {
    **SPEC,
    "signals": [{"name": "ready", "pods": {"deployment": "shop"}}],
    "levels": [
        {"name": "full"},
        {
            "name": "more",
            "enter": {"any": [{"signal": "ready", "below": "50%"}]},
            "actions": [{"scale": {"to": 6}}],
        },
    ],
}


class Gated(Numbers):
    """Answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.asked: list[set[str]] = []

    async def observe(self, questions: Any, at: float) -> dict[Any, Observation]:
        self.asked.append({getattr(q, "promql", "a probe") for q in questions})
        answers = {
            q: Observation(
                value=1.0 if isinstance(q, ProbeQuestion) else self.values.get(getattr(q, "promql", ""), 0.1)
            )
            for q in questions
        }
        await self.gate.wait()
        return answers


def gated(spec: dict[str, Any]) -> tuple[Subject, Gated]:
    subject, numbers = Subject(spec), Gated()
    subject.evaluator._observer = numbers
    return subject, numbers


def test_numbers_of_a_query_that_was_edited_meanwhile_are_not_held_against_the_new_thresholds():
    subject, numbers = gated(SLOW)
    numbers.values |= {"load": 70.0, "load / 100": 0.7}

    def in_percent(obj: dict[str, Any]) -> None:
        obj["spec"]["signals"][0]["query"] = "load / 100"

    async def scene() -> None:
        subject.feed()
        await until(lambda: numbers.asked)
        subject.sandbox.edit("DegradationPolicy", "shop", in_percent)
        subject.feed()
        numbers.gate.set()
        await until(lambda: subject.status().get("observedGeneration") == 2)

    subject.run(scene())
    assert subject.status()["level"] == "full"
    assert subject.sandbox.writes == []
    assert numbers.asked == [{"load", "errors"}, {"load / 100", "errors"}]


def test_an_override_made_while_prometheus_is_slow_is_followed_with_the_numbers_under_way():
    subject, numbers = gated(SLOW)

    def pin(obj: dict[str, Any]) -> None:
        until_then = "2100-01-01T00:00:00Z"
        obj["spec"]["override"] = {"level": "core-only", "reason": "a drill", "until": until_then}

    async def scene() -> None:
        subject.feed()
        await until(lambda: numbers.asked)
        subject.sandbox.edit("DegradationPolicy", "shop", pin)
        subject.feed()
        numbers.gate.set()
        numbers.gate.clear()  # whoever asks from now on waits
        await until(lambda: subject.status().get("level") == "core-only")
        numbers.gate.set()

    subject.run(scene())


def test_a_policy_that_is_created_anew_meanwhile_is_ticked_once_at_a_time_and_not_with_the_old_ones_numbers():
    subject, numbers = gated(SLOW)
    numbers.values["load"] = 0.92
    ticks: list[tuple[str, dict[str, Observation]]] = []
    under_way = 0
    tick_once = subject.evaluator._tick_once

    async def watch(seen: Any, observations: dict[str, Observation]) -> bool:
        nonlocal under_way
        assert under_way == 0, "ticked twice at once"
        under_way += 1
        ticks.append((seen.policy.uid, observations))
        await asyncio.sleep(0.01)
        try:
            return await tick_once(seen, observations)
        finally:
            under_way -= 1

    subject.evaluator._tick_once = watch  # type: ignore[method-assign]
    calm = {**SLOW, "signals": [{"name": "load", "query": "calm"}, SPEC["signals"][1]]}

    async def scene() -> None:
        subject.feed()
        await until(lambda: numbers.asked)
        old = subject.sandbox.policy("shop").raw
        subject.sandbox.delete("DegradationPolicy", "shop")
        subject.sandbox.create(policy(spec=calm))
        subject.evaluator.feed(old, gone=True)
        subject.feed()
        await until(lambda: len(numbers.asked) == 2)
        numbers.gate.set()
        await until(lambda: subject.status().get("level"))

    subject.run(scene())
    new = subject.sandbox.policy("shop").uid
    assert [uid for uid, _ in ticks] == [new]
    assert ticks[0][1]["load"].value == 0.1


def test_a_policy_that_goes_during_its_tick_leaves_no_series_and_holds_no_field():
    subject = Subject(QUICK)
    subject.numbers.values["load"] = 0.92
    removed = False

    def vanish(when: str, what: str) -> None:
        nonlocal removed
        if when == "after" and what == "store status" and not removed and subject.sandbox.writes:
            removed = True
            subject.evaluator.feed(subject.sandbox.policy("shop").raw, gone=True)

    subject.sandbox.on_call = vanish

    async def scene() -> None:
        subject.feed()
        await until(lambda: removed)
        await until(lambda: not subject.evaluator._tasks)

    subject.run(scene())
    labels = {"namespace": "default", "name": "shop"}
    assert subject.count("stepdown_level", **labels) is None
    deployment = subject.sandbox.get("Deployment", "shop")
    assert deployment is not None
    assert subject.evaluator._cycle.claims.holder(deployment["metadata"]["uid"], "/spec/replicas") is None


def test_a_policy_that_is_gone_leaves_no_count_of_its_transitions():
    subject = Subject(QUICK)
    subject.numbers.values["load"] = 0.92
    labels = {"namespace": "default", "name": "shop", "reason": "Breached"}

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.count("stepdown_transitions_total", **labels))
        subject.evaluator.feed(subject.sandbox.policy("shop").raw, gone=True)
        await until(lambda: not subject.evaluator._tasks)

    subject.run(scene())
    assert subject.count("stepdown_transitions_total", **labels) is None


def test_a_deleted_policy_is_forgotten_once_its_finalizer_is_off_even_if_nobody_says_that_it_is_gone():
    subject = Subject(QUICK)
    subject.numbers.values["load"] = 0.92

    async def scene() -> None:
        subject.feed()
        await until(lambda: subject.status().get("level") == "core-only")
        subject.sandbox.delete("DegradationPolicy", "shop")
        subject.feed()
        await until(lambda: ("DegradationPolicy", "shop") not in subject.sandbox)
        await until(lambda: not subject.evaluator._watched)

    subject.run(scene())


def test_a_policy_that_makes_the_code_fail_is_said_to_be_invalid_and_the_others_go_on(monkeypatch, caplog):
    subject = Subject(QUICK)
    subject.sandbox.create(policy("other", {**QUICK, "mode": "Observe"}))
    parse = preparing.parse_policy

    def fail(raw: dict[str, Any]) -> Any:
        if raw["metadata"]["name"] == "shop":
            raise RecursionError
        return parse(raw)

    monkeypatch.setattr(preparing, "parse_policy", fail)

    async def scene() -> None:
        subject.feed()
        subject.feed("other")
        await until(lambda: subject.status().get("conditions") and subject.status("other").get("level"))

    subject.run(scene())
    ready = next(c for c in subject.status()["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "InvalidSpec")
    assert "RecursionError" in ready["message"]


@pytest.mark.row(22)
def test_row_22_an_older_view_brings_no_old_spec_back():
    subject = Subject({**SPEC, "interval": "1h"})
    old = subject.sandbox.policy("shop").raw

    async def scene() -> None:
        subject.feed()
        subject.sandbox.edit("DegradationPolicy", "shop", lambda obj: obj["spec"].update(mode="Observe"))
        subject.feed()
        subject.evaluator.feed(old, gone=False)
        assert [raw["spec"].get("mode") for raw in subject.evaluator.known("default")] == ["Observe"]

    subject.run(scene())


@pytest.mark.parametrize("turns", range(5))
def test_an_evaluator_that_is_woken_and_ended_at_once_ends(turns):
    subject = Subject()

    async def scene() -> None:
        turning = asyncio.create_task(subject.evaluator.run())
        await asyncio.sleep(0.01)
        subject.feed()
        for _ in range(turns):
            await asyncio.sleep(0)
        turning.cancel()
        await asyncio.wait([turning], timeout=5)
        assert turning.cancelled()
        await subject.evaluator.stop()

    asyncio.run(scene())
