"""A deletion ends, whatever can't be read or written; a takeover that was interrupted is gone on with."""

from typing import Any

import pytest

from cycle.world import World
from stepdown.ports import Refused, Unknown

FORBIDDEN = Refused(403, "get deployments shop: forbidden")


def degraded() -> World:
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    assert world.replicas("shop") == 6
    return world


def unreadable(world: World, error: Exception) -> None:
    """From now on no target can be read; the namespace can."""
    read = world.sandbox.read

    async def refuse(namespace: str, refs: Any) -> Any:
        if any(ref.kind != "Namespace" for ref in refs):
            raise error
        return await read(namespace, refs)

    world.sandbox.read = refuse  # type: ignore[method-assign]


def told(world: World, reason: str) -> list[str]:
    return [event.message for event in world.sandbox.events if event.reason == reason]


def exists(world: World) -> bool:
    return ("DegradationPolicy", "shop") in world.sandbox


@pytest.mark.parametrize("error", [FORBIDDEN, Unknown("500: failed calling webhook")], ids=["refused", "unknown"])
@pytest.mark.row(46)
def test_row_46_a_deletion_whose_targets_cannot_be_read_ends_at_its_deadline_with_what_was_there(error: Exception):
    world = degraded()
    unreadable(world, error)
    world.sandbox.delete("DegradationPolicy", "shop")
    world.tick()
    world.tick(599)
    assert exists(world)
    world.tick(2)
    assert not exists(world)
    (text,) = told(world, "RestoreIncomplete")
    assert "Deployment shop: /spec/replicas was 2" in text
    assert str(error) in text


@pytest.mark.row(47)
def test_row_47_the_finalizer_goes_at_once_in_an_ending_namespace_also_if_nothing_else_can_be_read():
    world = degraded()
    world.sandbox.create(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "default", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        }
    )
    unreadable(world, FORBIDDEN)
    world.sandbox.delete("DegradationPolicy", "shop")
    world.start(epoch=2)
    world.tick()
    assert not exists(world)


def newer(obj: dict[str, Any]) -> None:
    obj["status"]["fromTheFuture"] = True


@pytest.mark.row(50)
def test_row_50_a_status_of_a_newer_version_holds_a_deletion_until_its_deadline_and_no_longer():
    world = degraded()
    world.sandbox.edit("DegradationPolicy", "shop", newer)
    world.sandbox.delete("DegradationPolicy", "shop")
    world.tick()
    world.tick(599)
    assert exists(world)
    assert world.replicas("shop") == 6
    world.tick(2)
    assert not exists(world)
    (text,) = told(world, "RestoreIncomplete")
    assert "newer version" in text


@pytest.mark.row(50)
def test_row_50_a_status_of_a_newer_version_does_not_hold_an_ending_namespace():
    world = degraded()
    world.sandbox.edit("DegradationPolicy", "shop", newer)
    world.sandbox.create(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "default", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        }
    )
    world.sandbox.delete("DegradationPolicy", "shop")
    world.tick()
    assert not exists(world)


@pytest.mark.row(16)
def test_row_16_a_takeover_that_was_interrupted_touches_the_other_targets_with_the_next_tick():
    world = degraded()
    world.start(epoch=2)
    reads = 0

    def interrupt(when: str, call: str) -> None:
        nonlocal reads
        if when != "before":
            return
        if call == "patch ConfigMap/flags" and reads < 2:
            raise Unknown("no answer")
        if call == "read":
            reads += 1
            if reads == 2:
                raise Unknown("no answer")

    world.sandbox.on_call = interrupt
    world.tick()
    flags = world.sandbox.get("ConfigMap", "flags")
    assert flags is not None
    assert '"epoch":2' not in flags["metadata"]["annotations"]["stepdown.dev/ledger"]
    world.tick()
    flags = world.sandbox.get("ConfigMap", "flags")
    assert flags is not None
    assert '"epoch":2' in flags["metadata"]["annotations"]["stepdown.dev/ledger"]
