"""A tick that couldn't store what it saw, or couldn't look at the targets, says nothing untrue then or afterwards."""

import copy
from typing import Any

import pytest

from cycle.world import SPEC, World
from stepdown.engine.observation import Missing
from stepdown.ports import Conflict, Refused, Unknown

SLOW: dict[str, Any] = copy.deepcopy(SPEC)
SLOW["levels"][1]["enter"]["any"][0]["for"] = "5m"


def cut(when: str, what: str) -> None:
    """No status can be stored."""
    if when == "before" and what == "store status":
        raise Unknown("the connection was cut")


def deny(when: str, what: str) -> None:
    """No object can be read."""
    if when == "before" and what == "read":
        raise Refused(403, "services is forbidden: cannot get resource")


def condition(world: World, kind: str) -> dict[str, Any]:
    (found,) = (c for c in world.status["conditions"] if c["type"] == kind)
    return dict(found)


@pytest.mark.parametrize("fault", [cut, deny])
def test_a_breach_that_has_cleared_meanwhile_begins_anew_although_that_was_stored_nowhere(fault):
    world = World(SLOW)
    world.ticks(2)
    world.values["load"] = 0.92
    world.tick()
    world.sandbox.on_call = fault
    world.memories["shop"].verified_at = None
    world.values["load"] = 0.1
    world.ticks(30)
    world.sandbox.on_call = lambda *_: None
    world.values["load"] = 0.92
    world.tick()

    assert world.level == "full"


def test_a_breach_that_lasts_is_acted_on_at_its_time_although_it_was_stored_nowhere_meanwhile():
    world = World(SLOW)
    world.ticks(2)
    world.values["load"] = 0.92
    world.tick()
    world.sandbox.on_call = cut
    world.ticks(29)
    world.sandbox.on_call = lambda *_: None
    world.tick()

    assert world.level == "core-only"


@pytest.mark.parametrize("fault", [cut, deny])
def test_a_healthy_time_that_was_broken_meanwhile_begins_anew(fault):
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    world.values["load"] = 0.1
    world.tick()
    world.sandbox.on_call = fault
    world.values |= {"load": 0.7, "errors": Missing.ERROR}
    world.ticks(7)
    world.sandbox.on_call = lambda *_: None
    world.values |= {"load": 0.1, "errors": 0.0}
    world.tick()

    assert world.level == "core-only"


def test_a_step_down_that_was_never_stored_is_none():
    world = World()
    world.ticks(2)
    world.sandbox.on_call = cut
    world.values["load"] = 0.92
    world.tick()
    world.sandbox.on_call = lambda *_: None
    world.values["load"] = 0.1
    world.tick()

    assert (world.level, world.status["history"]) == ("full", [])
    assert "LevelEntered" not in [str(event.reason) for event in world.sandbox.events]


def test_a_step_is_told_once_although_its_tick_ended_before_that():
    world = World()
    world.ticks(2)
    stores: list[str] = []

    def second(when: str, what: str) -> None:
        if when == "before" and what == "store status":
            stores.append(what)
            if len(stores) == 2:
                raise Conflict(409, "the object has been modified")

    world.sandbox.on_call = second
    world.values["load"] = 0.92
    world.ticks(4)

    told = [str(event.reason) for event in world.sandbox.events]
    assert (world.level, told.count("LevelEntered")) == ("core-only", 1)


def test_a_policy_whose_targets_cant_be_read_stays_as_degraded_as_it_was():
    spec = copy.deepcopy(SPEC)
    spec["levels"][1]["actions"] = [{"restart": {}}]
    world = World(spec)
    world.values["load"] = 0.92
    world.ticks(3)
    before = condition(world, "Degraded")
    world.sandbox.on_call = deny
    world.tick()

    assert (world.status["ledger"], before["status"]) == ([], "True")
    assert (condition(world, "Ready")["status"], condition(world, "Degraded")) == ("False", before)


def test_what_the_signals_say_is_told_while_targets_cant_be_read():
    world = World()
    world.values["load"] = 0.92
    world.ticks(3)
    world.sandbox.on_call = deny
    world.values["errors"] = Missing.ERROR
    world.ticks(4)

    assert condition(world, "MetricsAvailable")["message"] == "errors: Error; the level is held until data is back"


def test_data_that_is_missing_across_a_restart_is_not_said_to_be_back():
    world = World()
    world.ticks(2)
    world.values["load"] = Missing.ERROR
    world.ticks(5)
    before, told = condition(world, "MetricsAvailable"), len(world.sandbox.events)
    world.start(2)
    world.ticks(3)

    assert before["status"] == "False"
    assert (condition(world, "MetricsAvailable"), world.sandbox.events[told:]) == (before, [])


@pytest.mark.parametrize(
    "held",
    [{"suspend": True}, {"override": {"level": "static", "reason": "drill", "until": "1970-01-12T15:00:00Z"}}],
    ids=["suspended", "overridden"],
)
def test_a_held_policy_that_begins_to_act_does_so_from_full_service(held):
    world = World({**SPEC, "mode": "Observe"})
    world.values["errors"] = 0.4
    world.ticks(3)
    world.values["errors"] = 0.0
    world.edit_spec(**held)
    world.tick()

    def enforce(obj: dict[str, Any]) -> None:
        obj["spec"]["mode"] = "Enforce"
        for name in held:
            del obj["spec"][name]

    world.sandbox.edit("DegradationPolicy", "shop", enforce)
    world.ticks(2)

    assert (world.level, world.selector()["app"], world.replicas("extras")) == ("full", "shop", 3)


def test_what_was_applied_is_left_step_by_step_though_the_policy_only_observed_for_a_moment():
    world = World()
    world.values["errors"] = 0.4
    world.ticks(2)
    world.values["errors"] = 0.0
    for change in ({"suspend": True}, {"mode": "Observe"}, {"mode": "Enforce"}, {"suspend": False}):
        world.edit_spec(**change)
        world.tick(1)

    assert (world.level, world.selector()) == ("static", {"app": "shop-static"})


def test_a_step_that_was_refused_and_taken_again_in_the_same_second_is_told_once():
    world = World()
    world.ticks(2)
    refused: list[str] = []

    def first(when: str, what: str) -> None:
        if when == "before" and what == "store status" and not refused:
            refused.append(what)
            raise Conflict(409, "the object has been modified")

    world.sandbox.on_call = first
    world.values["load"] = 0.92
    world.tick()
    world.tick(0.2)

    told = [str(event.reason) for event in world.sandbox.events]
    assert (world.level, told.count("LevelEntered")) == ("core-only", 1)


def test_steps_that_cant_be_stored_are_not_gathered():
    world = World()
    world.ticks(2)
    world.sandbox.on_call = cut
    world.values["load"] = 0.92
    world.ticks(50)

    assert len(world.memories["shop"].untold) == 20


def test_a_step_whose_store_was_never_heard_of_is_told():
    world = World()
    world.ticks(2)
    unheard: list[str] = []

    def lose(when: str, what: str) -> None:
        if when == "after" and what == "store status" and not unheard:
            unheard.append(what)
            raise Unknown("no answer")

    world.sandbox.on_call = lose
    stale = world.sandbox.policy("shop")
    world.values["load"] = 0.92
    world.tick()
    current, world.sandbox.policy = world.sandbox.policy, lambda _name: stale
    world.tick()
    world.sandbox.policy = current
    world.ticks(2)

    told = [str(event.reason) for event in world.sandbox.events]
    assert (world.level, told.count("LevelEntered")) == ("core-only", 1)


def test_what_a_person_has_taken_back_is_not_held_though_targets_cant_be_read():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    world.edit_spec(suspend=True)
    world.ticks(2)
    world.sandbox.on_call = deny
    world.edit_spec(suspend=False)
    world.ticks(2)

    assert (condition(world, "Held")["status"], condition(world, "Degraded")["status"]) == ("False", "True")


def test_a_spec_that_cant_be_understood_leaves_held_as_it_was():
    world = World()
    world.edit_spec(suspend=True)
    world.ticks(2)
    before = condition(world, "Held")
    world.invalid()

    assert (before["status"], condition(world, "Held")) == ("True", before)


def test_a_policy_that_observed_for_one_look_begins_to_act_from_full_service():
    world = World()
    world.values["errors"] = 0.4
    world.ticks(2)
    world.values["errors"] = 0.0
    for mode in ("Observe", "Enforce"):
        world.edit_spec(mode=mode)
        world.tick(1)

    assert (world.level, world.selector()["app"], world.status["ledger"]) == ("full", "shop", [])


def test_a_suspended_policy_whose_targets_cant_be_read_stays_suspended():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    world.edit_spec(suspend=True)
    world.ticks(2)
    before, told = condition(world, "Held"), len(world.sandbox.events)
    world.sandbox.on_call = deny
    world.ticks(2)

    assert (before["status"], condition(world, "Held")) == ("True", before)
    assert [str(event.reason) for event in world.sandbox.events[told:]] == ["ActionFailed"]
