"""What people are told, and that nothing that happened is left out of the history."""

import pytest

from cycle.world import SPEC, World, objects
from stepdown.api.model import format_timestamp
from stepdown.engine.observation import Missing


def told(world: World) -> list[tuple[str, bool]]:
    """Reasons of the Events on the policy itself, each with whether it warns."""
    return [(str(e.reason), e.warning) for e in world.sandbox.events if e.about is None]


def test_a_step_down_and_up_is_told_once_each():
    world = World()
    world.values["load"] = 0.92
    world.ticks(4)
    world.values["load"] = 0.1
    world.ticks(12)
    assert told(world) == [("LevelEntered", True), ("LevelLeft", False), ("RestoreVerified", False)]


def test_touched_objects_are_told_what_was_set_and_what_was_put_back():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    world.values["load"] = 0.1
    world.ticks(12)
    about = [(str(e.reason), e.about.kind, e.about.name) for e in world.sandbox.events if e.about is not None]
    assert about == [
        ("ActionApplied", "ConfigMap", "flags"),
        ("ActionApplied", "Deployment", "shop"),
        ("ActionApplied", "Deployment", "extras"),
        ("Restored", "Deployment", "shop"),
        ("Restored", "Deployment", "extras"),
        ("Restored", "ConfigMap", "flags"),
    ]


def test_missing_metrics_are_told_when_they_go_and_when_they_are_back():
    world = World()
    world.ticks(2)
    world.values["load"] = Missing.ERROR
    world.ticks(6)
    world.values["load"] = 0.1
    world.ticks(2)
    assert told(world) == [("MetricsUnavailable", True), ("MetricsAvailable", False)]


def test_observe_tells_what_would_have_been_and_writes_no_target():
    world = World({**SPEC, "mode": "Observe"})
    world.values["load"] = 0.92
    world.ticks(4)
    assert told(world) == [("WouldEnter", True)]
    assert world.sandbox.writes == []
    assert world.status["summary"] == {
        "level": "full",
        "state": "Observing",
        "why": "would be core-only: load 92%>80%",
    }


def test_a_persons_word_is_told_when_it_comes_and_when_it_ends():
    world = World()
    world.ticks(2)
    world.sandbox.edit("DegradationPolicy", "shop", lambda p: p["spec"].update(suspend=True))
    world.ticks(2)
    world.sandbox.edit("DegradationPolicy", "shop", lambda p: p["spec"].update(suspend=False))
    world.ticks(2)
    assert told(world) == [("Suspended", False), ("Released", False)]


def test_what_is_wrong_is_told_once_and_that_it_is_well_again():
    world = World()
    world.sandbox.delete("ConfigMap", "flags")
    world.ticks(5)
    world.sandbox.create(next(o for o in objects() if o["kind"] == "ConfigMap"))
    world.ticks(2)
    assert told(world) == [("PolicyNotReady", True), ("PolicyReady", False)]


@pytest.mark.row(13)
def test_row_13_a_crash_after_the_intent_leaves_the_transition_in_the_history():
    world = World()
    world.ticks(1)
    world.values["load"] = 0.92

    class Crash(BaseException):
        pass

    def crash(when: str, what: str) -> None:
        if when == "after" and what == "store status":
            world.sandbox.on_call = lambda _when, _what: None
            raise Crash

    world.sandbox.on_call = crash
    with pytest.raises(Crash):
        world.tick()
    world.start(epoch=2)
    world.ticks(2)
    assert [(t["from"], t["to"], t["reason"]) for t in world.status["history"]] == [("full", "core-only", "Breached")]


@pytest.mark.row(18)
def test_row_18_a_clock_that_is_set_back_an_hour_stops_nothing():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    world.now -= 3600
    world.values["load"] = 0.1
    world.ticks(12)
    assert world.level == "full"
    assert world.as_at_first()


@pytest.mark.row(18)
def test_row_18_a_clock_that_is_set_forward_an_hour_ends_no_waiting():
    spec = {**SPEC, "levels": [dict(level) for level in SPEC["levels"]]}
    spec["levels"][1]["enter"] = {"any": [{"signal": "load", "above": "80%", "for": "5m"}]}
    world = World(spec)
    world.values["load"] = 0.92
    world.ticks(2)
    world.now += 3600
    world.ticks(2)
    assert world.level == "full"


def test_a_suspended_policys_targets_are_not_touched_by_a_takeover():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    world.sandbox.edit("DegradationPolicy", "shop", lambda p: p["spec"].update(suspend=True))
    world.ticks(1)
    before = len(world.sandbox.writes)
    world.start(epoch=2)
    world.ticks(3)
    assert len(world.sandbox.writes) == before
    world.sandbox.edit("DegradationPolicy", "shop", lambda p: p["spec"].update(suspend=False))
    world.values["load"] = 0.1
    world.ticks(12)
    assert world.as_at_first()


def test_each_change_is_logged_with_the_command_that_takes_it_back():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    event = next(e for e in world.sandbox.events if e.about is not None and e.about.name == "extras")
    assert event.message == "Deployment extras: set /spec/replicas=0; load 92%>80%"
    uid = event.about.uid if event.about else ""
    assert event.undo == (
        "kubectl -n default patch deployments extras --subresource=scale --type=json -p"
        f' \'[{{"op":"test","path":"/metadata/uid","value":"{uid}"}},'
        '{"op":"test","path":"/spec/replicas","value":null},{"op":"add","path":"/spec/replicas","value":3}]\'',
    )


def test_a_new_level_shows_the_numbers_that_led_to_it():
    spec = {**SPEC, "levels": [dict(level) for level in SPEC["levels"]]}
    spec["levels"][1]["enter"] = {"any": [{"signal": "load", "above": "80%", "for": "30s"}]}
    world = World(spec)
    world.values["load"] = 0.81
    world.ticks(3)
    world.values["load"] = 0.97
    world.ticks(2)
    assert world.status["summary"] == {"level": "core-only", "state": "Degraded", "why": "load 97%>80%"}
    world.values["load"] = 0.99
    world.ticks(2)
    assert world.status["summary"]["why"] == "load 97%>80%"


def message(world: World, kind: str) -> str:
    return str(next(c["message"] for c in world.status["conditions"] if c["type"] == kind))


def test_the_severity_of_the_level_is_said_with_it():
    spec = {**SPEC, "levels": [dict(level) for level in SPEC["levels"]]}
    spec["levels"][1]["severity"] = "P2"
    world = World(spec)
    world.values["load"] = 0.92
    world.ticks(1)
    assert message(world, "Degraded") == "at core-only (P2): load 92%>80%: down to core-only"


@pytest.mark.parametrize(
    ("seconds", "said"), [(3600, "pinned to core-only: trying"), (-3600, "the override to core-only")]
)
def test_an_override_is_said_while_it_holds_and_when_it_is_over(seconds, said):
    until = format_timestamp(1_000_000.0 + seconds)
    world = World({**SPEC, "override": {"level": "core-only", "reason": "trying", "until": until}})
    world.ticks(2)
    assert message(world, "Held").startswith(said)
    assert world.level == ("core-only" if seconds > 0 else "full")
