"""STATE and conditions say which way a policy is going, and claim nothing that was not looked at."""

from typing import Any

from cycle.world import SPEC, World

DWELLING: dict[str, Any] = {**SPEC, "stabilization": {"up": "1m", "dwell": "1m"}}


def state(world: World) -> str:
    return str(world.status["summary"]["state"])


def metrics(world: World) -> tuple[str, str]:
    (found,) = (c for c in world.status["conditions"] if c["type"] == "MetricsAvailable")
    return found["status"], found["reason"]


def test_a_level_that_waits_for_the_step_up_is_recovering() -> None:
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    before = state(world)
    world.values["load"] = 0.1
    world.ticks(2)

    assert (before, world.level, state(world)) == ("Degraded", "core-only", "Recovering")


def test_a_level_that_waits_for_the_next_step_down_is_not_recovering() -> None:
    world = World(DWELLING)
    world.values["load"] = 0.92
    world.ticks(2)
    world.values |= {"load": 0.1, "errors": 0.4}
    world.ticks(2)

    assert world.status["conditions"][3]["message"].endswith("errors 40%>25%; static is due in 40s")
    assert (world.level, state(world)) == ("core-only", "Degraded")


def test_a_trial_is_recovering() -> None:
    world = World()
    world.values |= {"load": 0.1, "errors": 0.4}
    world.ticks(2)
    world.values["errors"] = 0.0
    world.ticks(6)

    assert (world.status["history"][-1]["reason"], state(world)) == ("TrialStarted", "Recovering")


def test_where_no_signal_was_looked_at_none_is_said_to_have_a_value() -> None:
    world = World()
    world.invalid()

    assert metrics(world) == ("Unknown", "NotEvaluated")


def test_what_was_seen_of_the_signals_last_stays_where_none_is_looked_at_any_more() -> None:
    world = World()
    world.ticks(2)
    world.invalid()

    assert metrics(world) == ("True", "Present")


def test_a_suspended_policy_whose_level_was_renamed_stays_degraded() -> None:
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)

    def rename(obj: dict[str, Any]) -> None:
        obj["spec"]["levels"][1]["name"] = "smaller"
        obj["spec"]["suspend"] = True

    world.sandbox.edit("DegradationPolicy", "shop", rename)
    world.ticks(2)

    assert (world.level, world.status["conditions"][3]["status"]) == ("smaller", "True")
