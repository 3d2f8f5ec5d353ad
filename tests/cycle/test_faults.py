"""What a tick keeps to whatever it meets: a field that others change, a policy that changes or goes while it holds."""

import json

import pytest

from cycle.world import World

EPISODE = [
    *[{}] * 2,
    *[{"load": 0.92}] * 3,
    *[{"errors": 0.4}] * 3,
    *[{"errors": 0.0}] * 10,
    *[{"load": 0.1}] * 9,
]
"""What Prometheus answers from each tick on: down to core-only, to static, and back."""


def test_what_a_tick_has_read_it_never_writes_into():
    world = World()
    seen: list[tuple[object, str]] = []
    read = world.sandbox.read

    async def remembering(*arguments):
        found = await read(*arguments)
        seen.extend((obj, json.dumps(obj)) for obj in found.values())
        return found

    world.sandbox.read = remembering
    for values in EPISODE:
        world.values |= values
        world.tick()
    assert len(seen) > 100
    assert [json.dumps(obj) for obj, _ in seen] == [text for _, text in seen]


def test_no_target_is_written_without_an_earlier_entry_with_its_original():
    world = World()
    world.values |= {"load": 0.92}
    seen: list[bool] = []

    def watching(when: str, what: str) -> None:
        if when == "before" and what.startswith("patch "):
            name = what.split()[1].split("/")[1]
            held = {e["target"]["name"] for e in world.status["ledger"]}
            seen.append(name in held)

    world.sandbox.on_call = watching
    world.ticks(2)
    assert seen == [True, True, True]


@pytest.mark.row(39)
def test_row_39_a_persons_edit_of_a_held_field_is_contested_and_stays():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    world.sandbox.edit("Deployment", "shop", lambda obj: obj["spec"].update(replicas=9))
    world.ticks(2)
    assert world.replicas("shop") == 9
    contested = {c["type"]: c for c in world.status["conditions"]}["Contested"]
    assert contested["status"] == "True"
    assert "/spec/replicas of Deployment shop is 9" in contested["message"]
    world.values["load"] = 0.1
    world.ticks(10)
    assert world.replicas("shop") == 9
    assert world.replicas("extras") == 3


@pytest.mark.row(41)
def test_row_41_a_reverting_tool_is_met_three_times_and_then_named():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    writes = 0
    for _ in range(8):
        world.sandbox.edit("Deployment", "extras", lambda obj: obj["spec"].update(replicas=3))
        before = len(world.sandbox.writes)
        world.tick()
        writes += len(world.sandbox.writes) - before
    assert writes == 3
    assert world.status["ledger"][3]["state"] == "Contested"
    contested = next(c["message"] for c in world.status["conditions"] if c["type"] == "Contested")
    assert contested.startswith(
        "/spec/replicas of Deployment extras was set back to 3 more than 3 times: it is left so."
    )
    assert world.replicas("extras") == 3


@pytest.mark.row(38)
def test_row_38_a_target_created_anew_is_orphaned_and_never_restored():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    from cycle.world import deployment

    world.sandbox.delete("Deployment", "extras")
    world.values["load"] = 0.7
    world.tick()
    world.sandbox.create(deployment("extras", 5))
    world.values["load"] = 0.1
    world.ticks(10)
    assert world.level == "full"
    assert world.replicas("extras") == 5
    assert "Orphaned" in [str(event.reason) for event in world.sandbox.events]


@pytest.mark.row(46)
def test_row_46_deleting_a_policy_while_degraded_restores_and_then_lets_it_go():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    world.sandbox.delete("DegradationPolicy", "shop")
    world.start(2)
    world.ticks(3)
    assert world.sandbox.get("DegradationPolicy", "shop") is None
    assert world.as_at_first()


@pytest.mark.row(45)
def test_row_45_a_target_taken_out_of_the_policy_is_restored():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)

    def without_extras(obj):
        del obj["spec"]["levels"][1]["actions"][2]

    world.sandbox.edit("DegradationPolicy", "shop", without_extras)
    world.ticks(2)
    assert world.replicas("extras") == 3
    assert world.replicas("shop") == 6
    assert world.level == "core-only"


@pytest.mark.row(49)
def test_row_49_a_second_policy_on_a_held_field_gets_conflict_and_writes_nothing():
    from cycle.world import SPEC, policy

    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    world.sandbox.create(policy("second", {**SPEC, "levels": SPEC["levels"][:2]}))
    writes = len(world.sandbox.writes)
    for _ in range(3):
        world.tick(name="second")
    second = world.sandbox.get("DegradationPolicy", "second")
    assert second is not None
    assert second["status"]["summary"]["state"] == "Conflict"
    assert {c["type"]: c["reason"] for c in second["status"]["conditions"]}["Ready"] == "Conflict"
    assert len(world.sandbox.writes) == writes
