"""A write without an answer that arrives when all is over: it finds another object, or somebody who waits for it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cycle.world import World, run
from stepdown.engine.fields import Target
from stepdown.ports import Conflict, JsonPatch, Object, Refused, Unknown

Sent = tuple[str, Target, JsonPatch, str]


class Slow:
    """A world whose API server takes its time with the writes of one kind: they get no answer, and come later."""

    def __init__(self, kind: str, values: dict[str, float]) -> None:
        self.world = World()
        self.sent: list[Sent] = []
        self.arrive: Callable[..., Any] = self.world.sandbox.patch
        self._kind = kind
        self.world.ticks(2)
        self.world.sandbox.patch = self._patch  # type: ignore[method-assign]
        self.world.values |= values

    async def _patch(self, namespace: str, target: Target, patch: JsonPatch, subresource: str = "") -> Object:
        if target.kind == self._kind:
            self.sent.append((namespace, target, patch, subresource))
            raise Unknown("no answer within 5 s")
        found: Object = await self.arrive(namespace, target, patch, subresource)
        return found

    def answers_again(self) -> None:
        """From now on there are answers; what was sent is still under way."""
        self.world.sandbox.patch = self.arrive  # type: ignore[method-assign]

    def all_arrive(self) -> int:
        """What is under way is done now, if it still can be; gives how many writes were."""
        done = 0
        for call in self.sent:
            try:
                run(self.arrive(*call))
                done += 1
            except Conflict:
                continue
        return done


@pytest.mark.parametrize(
    ("kind", "values"), [("Service", {"errors": 0.4}), ("ConfigMap", {"load": 0.92})], ids=["selector", "flag"]
)
@pytest.mark.row(6)
def test_row_6_a_write_that_arrives_after_its_policy_was_deleted_changes_nothing(
    kind: str, values: dict[str, float]
) -> None:
    slow = Slow(kind, values)
    slow.world.tick()
    slow.answers_again()
    slow.world.sandbox.delete("DegradationPolicy", "shop")
    slow.world.ticks(6)

    assert ("DegradationPolicy", "shop") not in slow.world.sandbox
    assert slow.sent
    assert slow.all_arrive() == 0
    assert slow.world.as_at_first()


@pytest.mark.row(12)
def test_row_12_what_was_intended_and_is_refused_to_the_end_is_held_no_longer_than_it_is_wanted() -> None:
    world = World()
    world.ticks(2)
    patch = world.sandbox.patch

    async def refusing(namespace: str, target: Target, operations: JsonPatch, subresource: str = "") -> Object:
        if target.kind == "ConfigMap":
            raise Refused(403, "the flags are frozen")
        return await patch(namespace, target, operations, subresource)

    world.sandbox.patch = refusing  # type: ignore[method-assign]
    world.values["load"] = 0.92
    world.ticks(3)
    held = {entry["state"] for entry in world.status["ledger"] if entry["target"]["kind"] == "ConfigMap"}
    world.values["load"] = 0.1
    world.ticks(10)

    assert held == {"Intent"}
    assert world.at_rest()


@pytest.mark.row(6)
def test_row_6_a_deletion_waits_for_replicas_that_were_written_again_and_again_without_an_answer() -> None:
    slow = Slow("Deployment", {"load": 0.92})
    slow.world.ticks(8)
    last = slow.world.now
    slow.world.sandbox.delete("DegradationPolicy", "shop")
    slow.answers_again()
    slow.world.tick(50)
    waited = ("DegradationPolicy", "shop") in slow.world.sandbox
    slow.all_arrive()
    slow.world.tick(5)
    slow.world.ticks(3)

    assert (waited, slow.world.now - last < 120) == (True, True)
    assert ("DegradationPolicy", "shop") not in slow.world.sandbox
    assert slow.world.as_at_first()


@pytest.mark.row(16)
def test_row_16_a_takeover_whose_mark_got_no_answer_three_times_is_gone_on_with() -> None:
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    patch, failures = world.sandbox.patch, 3

    async def failing(namespace: str, target: Target, operations: JsonPatch, subresource: str = "") -> Object:
        nonlocal failures
        if target.kind == "ConfigMap" and failures:
            failures -= 1
            raise Unknown("no answer within 5 s")
        return await patch(namespace, target, operations, subresource)

    world.sandbox.patch = failing  # type: ignore[method-assign]
    world.start(epoch=2)
    world.tick()
    before = marks(world)
    world.tick()

    assert (before, marks(world)) == ({1}, {2})


def marks(world: World) -> set[int]:
    """The epochs in our annotation of the flags."""
    flags = world.sandbox.get("ConfigMap", "flags")
    assert flags is not None
    facts = json.loads(flags["metadata"]["annotations"]["stepdown.dev/ledger"])
    return {fact["epoch"] for fact in facts.values()}
