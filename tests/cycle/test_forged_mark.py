"""A mark that somebody else has put on a workload, whose replicas we hold without one, or has taken away."""

import json
from typing import Any

import pytest

from cycle.world import World


def forge(world: World) -> None:
    """The annotation that our own entry would have, on the Deployment that it scales."""
    entry = next(e for e in world.status["ledger"] if e["target"]["name"] == "extras")
    facts = {entry["id"]: {"policy": "shop", "path": entry["path"], "original": "3", "applied": "0"}}
    mark = {"stepdown.dev/ledger": json.dumps(facts)}
    world.sandbox.edit("Deployment", "extras", lambda obj: obj["metadata"].update(annotations=mark))


def test_a_forged_mark_on_a_scaled_workload_keeps_nothing_from_being_restored():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    forge(world)
    world.values["load"] = 0.1
    world.ticks(20)
    assert world.level == "full"
    assert world.status["ledger"] == []
    assert world.replicas("extras") == 3


def test_a_forged_mark_on_a_scaled_workload_holds_no_deletion():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    forge(world)
    world.sandbox.delete("DegradationPolicy", "shop")
    world.ticks(3)
    assert world.sandbox.get("DegradationPolicy", "shop") is None
    assert world.replicas("extras") == 3


MARK = "stepdown.dev/ledger"


@pytest.mark.parametrize("edit", [lambda notes: notes.pop(MARK), lambda notes: notes.update({MARK: "?"})])
def test_a_mark_that_was_taken_away_is_set_again_before_its_field_goes_back(edit: Any):
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    world.sandbox.edit("ConfigMap", "flags", lambda obj: edit(obj["metadata"]["annotations"]))
    seen = []

    def look(when: str, what: str) -> None:
        if (when, what) == ("after", "patch ConfigMap/flags"):
            flags = world.sandbox.get("ConfigMap", "flags")
            notes = flags["metadata"].get("annotations") or {}
            seen.append((MARK in notes, '"defaultVariant": "off"' in flags["data"]["flags.json"].splitlines()[2]))

    world.sandbox.on_call = look
    world.values["load"] = 0.1
    world.ticks(20)
    assert world.level == "full"
    assert world.as_at_first()
    assert seen == [(True, True), (False, False)]
