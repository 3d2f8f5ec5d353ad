"""A policy whose status was lost while it held something: what was there before stays in an annotation."""

import copy
import json
from typing import Any

from cycle.world import SPEC, World, policy
from stepdown.api.status import PolicyStatus
from stepdown.engine import marks
from stepdown.engine.ledger import entry_id
from stepdown.engine.undo import undo


def flags_only(variant: str) -> dict[str, Any]:
    spec = copy.deepcopy(SPEC)
    action = {"flags": {"set": {"reviews": variant}, "in": {"flagd": {"configMap": "flags"}}}}
    spec["levels"][1]["actions"] = [action]
    return spec


def variants(default: str) -> str:
    flag = {"state": "ENABLED", "variants": {"a": "a", "b": "b", "c": "c"}, "defaultVariant": default}
    return json.dumps({"flags": {"reviews": flag}})


def forgotten(again: str) -> World:
    """A policy at core-only that is let go by hand and applied once more, with another variant perhaps."""
    world = World(flags_only("b"))
    world.sandbox.edit("ConfigMap", "flags", lambda obj: obj["data"].update({"flags.json": variants("a")}))
    world.values["load"] = 0.92
    world.ticks(2)
    assert world.flags() == variants("b")
    world.sandbox.edit("DegradationPolicy", "shop", lambda obj: obj["metadata"].update(finalizers=[]))
    world.sandbox.delete("DegradationPolicy", "shop")
    world.sandbox.create(policy(spec=flags_only(again)))
    world.start(2)
    return world


def mark(world: World) -> dict[str, Any]:
    found = world.sandbox.get("ConfigMap", "flags")
    assert found is not None
    return dict(found["metadata"].get("annotations") or {})


def ready(world: World) -> tuple[str, str, str]:
    (found,) = (c for c in world.status["conditions"] if c["type"] == "Ready")
    return found["status"], found["reason"], found["message"]


SAID = (
    "False",
    "Conflict",
    "ConfigMap flags holds what an earlier policy of this name has set, and its annotation alone says what was there"
    " before; put it back by what `stepdown restore --print` prints",
)


def test_what_it_left_is_said_at_full_service_too():
    world = forgotten("b")
    world.values["load"] = 0.1
    world.ticks(2)

    assert (world.level, ready(world)) == ("full", SAID)


def test_nothing_is_written_over_it_so_that_the_original_stays_in_the_annotation():
    world = forgotten("c")
    before = mark(world)
    world.ticks(3)

    assert (world.flags(), mark(world), world.status["ledger"]) == (variants("b"), before, [])
    assert (world.level, ready(world)) == ("full", SAID)


def test_once_it_was_put_back_the_level_is_entered_as_ever():
    world = forgotten("c")
    world.ticks(3)

    def put_back(obj: dict[str, Any]) -> None:
        obj["data"]["flags.json"] = variants("a")
        del obj["metadata"]["annotations"]

    world.sandbox.edit("ConfigMap", "flags", put_back)
    world.ticks(2)

    assert (world.level, world.flags(), ready(world)[:2]) == ("core-only", variants("c"), ("True", "Watching"))
    assert [entry["original"] for entry in world.status["ledger"]] == ['"a"']


def test_an_annotation_that_is_no_longer_true_keeps_nobody_from_acting():
    world = forgotten("c")
    world.sandbox.edit("ConfigMap", "flags", lambda obj: obj["data"].update({"flags.json": variants("a")}))
    world.ticks(2)

    assert (world.level, world.flags()) == ("core-only", variants("c"))
    assert [entry["original"] for entry in world.status["ledger"]] == ['"a"']


def both_flags() -> dict[str, Any]:
    """Each level sets a flag of the same document."""
    spec = copy.deepcopy(SPEC)
    where = {"flagd": {"configMap": "flags"}}
    spec["levels"][1]["actions"] = [{"flags": {"disable": ["reviews"], "in": where}}]
    spec["levels"][2]["actions"] = [{"flags": {"enable": ["read-only"], "in": where}}]
    return spec


def test_a_status_that_was_put_back_from_a_shallower_level_loses_no_original():
    world = World(both_flags())
    first = world.flags()
    partly_lost(world)
    world.ticks(2)
    assert ready(world) == SAID
    world.values |= {"load": 0.1, "errors": 0.0}
    world.ticks(20)

    (left,) = json.loads(mark(world)["stepdown.dev/ledger"]).values()
    assert (world.level, ready(world)) == ("full", SAID)
    assert (left["path"], left["original"]) == ("/data/flags.json#/flags/read-only/defaultVariant", '"off"')
    assert world.flags() == first.replace('"defaultVariant": "off" }', '"defaultVariant": "on" }')


def test_a_mark_names_no_more_fields_than_a_ledger_has_however_long_somebody_has_made_it(monkeypatch):
    world = World()
    forged = {f"{number:012x}": {"policy": "shop", "path": f"/data/{number}"} for number in range(3000)}
    note = {"stepdown.dev/ledger": json.dumps(forged)}
    world.sandbox.edit("ConfigMap", "flags", lambda obj: obj["metadata"].update(annotations=note))
    looked_at: list[str] = []

    def counted(target: Any, path: str) -> str:
        looked_at.append(path)
        return entry_id(target, path)

    monkeypatch.setattr(marks, "entry_id", counted)
    world.tick()

    assert len(set(looked_at)) == 64


def partly_lost(world: World) -> None:
    """A status that was put back from core-only while the policy was at static."""
    world.values["load"] = 0.92
    world.ticks(2)
    backup = copy.deepcopy(world.status)
    world.values["errors"] = 0.4
    world.ticks(2)
    world.sandbox.edit("DegradationPolicy", "shop", lambda obj: obj.update(status=backup))
    world.start(2)


def test_the_commands_of_what_is_known_keep_what_is_said_of_the_rest():
    world = World(both_flags())
    partly_lost(world)
    entries = PolicyStatus.model_validate(world.status).ledger
    obj = world.sandbox.get("ConfigMap", "flags")
    objects = {("ConfigMap", "flags"): obj}
    (command,) = undo("default", "shop", entries, objects).commands

    after = objects["ConfigMap", "flags"]["metadata"]["annotations"]["stepdown.dev/ledger"]
    (left,) = json.loads(after).values()
    assert left["path"] == "/data/flags.json#/flags/read-only/defaultVariant"
    assert json.dumps(after)[1:-1] in command


def test_what_is_said_of_a_document_that_cant_be_read_is_kept():
    world = World(both_flags())
    partly_lost(world)
    before = world.flags()
    world.sandbox.edit("ConfigMap", "flags", lambda obj: obj["data"].update({"flags.json": before + "}"}))
    world.ticks(2)
    world.sandbox.edit("ConfigMap", "flags", lambda obj: obj["data"].update({"flags.json": before}))
    world.values |= {"load": 0.1, "errors": 0.0}
    world.ticks(20)

    (left,) = json.loads(mark(world)["stepdown.dev/ledger"]).values()
    assert (left["path"], left["original"]) == ("/data/flags.json#/flags/read-only/defaultVariant", '"off"')


def test_the_shallowest_level_that_names_what_is_left_is_not_reached():
    world = forgotten("c")
    spec = flags_only("c")
    spec["levels"][2]["actions"] = [*spec["levels"][1]["actions"]]
    world.sandbox.edit("DegradationPolicy", "shop", lambda obj: obj.update(spec=spec))
    world.ticks(3)

    assert (world.level, ready(world)) == ("full", SAID)


def test_one_stale_look_at_a_mark_that_is_gone_is_no_conflict():
    world = World(flags_only("b"))
    world.sandbox.edit("ConfigMap", "flags", lambda obj: obj["data"].update({"flags.json": variants("a")}))
    world.values["load"] = 0.92
    world.ticks(2)
    stale, read = world.sandbox.get("ConfigMap", "flags"), world.sandbox.read
    world.values["load"] = 0.1
    world.ticks(20)
    assert (world.level, mark(world)) == ("full", {})
    lagging = [stale]

    async def late(namespace: str, refs: Any) -> Any:
        found = dict(await read(namespace, refs))
        return found | {ref: lagging.pop() for ref in found if ref.name == "flags" and lagging}

    world.sandbox.read = late  # type: ignore[method-assign]
    world.start(2)
    world.tick()

    assert (lagging, ready(world)[:2]) == ([], ("True", "Watching"))
