"""When a level is left: one level at a time, after everything needed was there and healthy for the whole window."""

import pytest

from engine.play import Play, condition, ladder_of, level
from stepdown.engine.decide import after_gap
from stepdown.engine.observation import Missing

CORE = level("core-only", condition("load", above="80%", clear="60%"))
READ_ONLY = level("read-only", condition("load", above="90%", clear="60%"))
STATIC = level("static", condition("errors", above="25%", clear="10%"))


def degraded(*levels, **spec) -> Play:
    """Down to the deepest level, and all well again."""
    play = Play(ladder_of(*levels, **spec))
    play.see(load=0.95, errors=0.4)
    assert play.level == levels[-1]["name"]
    play.values |= {"load": 0.1, "errors": 0.0}
    return play


def test_a_level_is_left_after_a_healthy_window():
    play = degraded(CORE)
    assert play.until(60) == ["core-only"] * 6
    assert play.decision.message == "healthy; up to full in 10s"
    assert play.see() == "full"
    assert (play.reason, play.decision.message) == ("Recovered", "every signal healthy for 1m: up to full")


def test_levels_are_left_one_at_a_time_each_after_its_own_window():
    play = degraded(CORE, READ_ONLY, STATIC)
    assert play.until(180 + 30) == [
        *["static"] * 6,
        *["read-only"] * 7,
        *["core-only"] * 7,
        "full",
    ]


def test_a_breach_within_the_clear_band_holds_the_level():
    play = Play(ladder_of(CORE))
    play.see(load=0.92)
    play.see(load=0.7)
    assert set(play.until(600)) == {"core-only"}
    assert (play.reason, play.decision.why) == ("HeldByBreach", "load 70%>60%")
    play.see(load=0.6)
    assert play.until(60)[-1] == "full"


def test_without_clear_the_threshold_ends_the_breach():
    play = Play(ladder_of(level("core-only", condition("load", above="80%"))))
    play.see(load=0.92)
    play.see(load=0.8)
    assert play.until(60)[-1] == "full"


def test_a_breach_below_clears_above():
    play = Play(ladder_of(level("core-only", condition("load", below="50%", clear="70%"))), load=0.9)
    play.see(load=0.4)
    play.see(load=0.69)
    assert set(play.until(600)) == {"core-only"}
    play.see(load=0.71)
    assert play.until(60)[-1] == "full"


@pytest.mark.parametrize("missing", Missing)
@pytest.mark.parametrize("signal", ["load", "errors"])
def test_any_missing_signal_holds_the_level_whatever_the_kind(missing, signal):
    play = degraded(CORE)
    play.see(**{signal: missing})
    assert set(play.until(3600, 60)) == {"core-only"}
    assert (play.reason, play.decision.message) == ("MissingData", f"holding: {signal} {missing}")


@pytest.mark.parametrize("missing", Missing)
@pytest.mark.parametrize("signal", ["load", "errors"])
def test_a_gap_in_any_signal_starts_the_healthy_window_again(missing, signal):
    play = degraded(CORE)
    play.until(50)
    play.see(10, **{signal: missing})
    play.see(10, load=0.1, errors=0.0)
    assert play.until(50) == ["core-only"] * 5
    assert play.see() == "full"


RATES = [{"name": "load", "query": "sum(rate(requests_total[5m])) / 100"}, {"name": "errors", "query": "errors"}]


@pytest.mark.row(32)
@pytest.mark.parametrize("missing", Missing)
@pytest.mark.parametrize("signal", ["load", "errors"])
def test_after_a_gap_in_any_signal_a_level_is_left_when_the_longest_window_is_full_again(missing, signal):
    play = degraded(CORE, signals=RATES)
    play.see(10, **{signal: missing})
    play.see(10, load=0.1, errors=0.0)
    assert play.until(290) == ["core-only"] * 29
    assert play.decision.message == "healthy; up to full in 10s"
    assert play.see() == "full"


@pytest.mark.row(32)
def test_the_window_of_a_preset_counts_too():
    preset = {"name": "load", "preset": "http-error-ratio", "window": "4m"}
    play = degraded(CORE, signals=[preset, {"name": "errors", "query": "errors"}])
    play.see(10, load=Missing.ERROR)
    play.see(10, load=0.1)
    assert play.until(230) == ["core-only"] * 23
    assert play.see() == "full"


def test_without_a_gap_the_healthy_window_is_all_that_is_waited_for():
    assert degraded(CORE, signals=RATES).until(70)[-2:] == ["core-only", "full"]


def test_a_gap_while_at_full_service_is_remembered():
    play = Play(ladder_of(CORE, signals=RATES))
    play.see(load=Missing.EMPTY)
    play.see(load=0.95)
    play.see(load=0.1)
    assert play.until(280) == ["core-only"] * 28
    assert play.see() == "full"


def test_a_value_beyond_the_threshold_starts_the_healthy_window_again_even_before_it_is_a_breach():
    play = Play(ladder_of(level("core-only", condition("load", above="80%", clear="60%", **{"for": "30s"}))))
    play.see(load=0.92)
    assert play.until(30)[-1] == "core-only"
    play.see(load=0.5)
    play.until(50)
    play.see(5, load=0.81)
    assert (play.reason, play.decision.why) == ("HeldByBreach", "load 81%>80%")
    play.see(5, load=0.5)
    assert play.until(50) == ["core-only"] * 5
    assert play.see() == "full"


def test_a_breach_of_a_shallower_level_does_not_hold_a_deeper_one():
    play = Play(ladder_of(CORE, STATIC))
    play.see(load=0.92, errors=0.4)
    play.see(errors=0.0)
    assert play.until(60)[-1] == "core-only"
    assert set(play.until(600)) == {"core-only"}


def test_a_call_for_a_deeper_level_that_did_not_last_spoils_the_window():
    play = Play(ladder_of(CORE, STATIC, stabilization={"down": "30s", "up": "1m", "dwell": "0s"}))
    play.see(load=0.92)
    assert play.until(30)[-1] == "core-only"
    play.see(load=0.1)
    play.until(50)
    play.see(5, errors=0.4)
    assert play.reason == "Stabilizing"
    play.see(5, errors=0.0)
    assert play.until(50) == ["core-only"] * 5
    assert play.see() == "full"


def test_a_deeper_level_without_a_ready_fallback_spoils_the_window():
    play = Play(ladder_of(CORE, STATIC))
    play.see(load=0.92)
    play.see(load=0.1)
    play.until(50)
    play.unavailable = frozenset({2})
    play.see(5, errors=0.4)
    assert play.reason == "FallbackNotReady"
    play.see(5, errors=0.0)
    assert play.until(50) == ["core-only"] * 5
    assert play.see() == "full"


def test_part_of_what_all_asks_does_not_hold_the_level():
    both = level("core-only", condition("load", above="80%"), condition("errors", above="5%"), every=True)
    play = Play(ladder_of(both))
    assert play.see(load=0.92, errors=0.4) == "core-only"
    play.see(errors=0.0)
    assert play.until(60)[-1] == "full"


def test_a_step_up_waits_for_the_least_time_at_a_level():
    play = degraded(CORE, stabilization={"up": "10s", "dwell": "1m"})
    assert play.until(50) == ["core-only"] * 5
    assert play.decision.message == "healthy; up to full in 10s"
    assert play.reason == "Dwelling"
    assert play.see() == "full"


def test_a_spent_budget_holds_a_step_up_and_says_until_when():
    play = Play(ladder_of(CORE, budget={"transitions": 1, "per": "1h"}))
    play.see(load=0.92)
    play.see(load=0.1)
    assert set(play.until(3580)) == {"core-only"}
    assert play.reason == "BudgetSpent"
    assert play.decision.message == "healthy, but 1 transitions in 1h; up in 10s"
    assert play.see() == "full"


def test_a_spent_budget_never_holds_a_step_down():
    play = Play(ladder_of(CORE, READ_ONLY, STATIC, budget={"transitions": 1, "per": "1h"}))
    assert play.see(load=0.85) == "core-only"
    assert play.see(load=0.95) == "read-only"
    assert play.see(errors=0.4) == "static"
    assert play.state.transitions == [1_000_010.0, 1_000_020.0, 1_000_030.0]


def test_a_budget_overdrawn_by_steps_down_holds_until_enough_of_them_have_passed():
    play = Play(ladder_of(CORE, READ_ONLY, STATIC, budget={"transitions": 1, "per": "1h"}))
    play.see(load=0.85)
    play.see(load=0.95)
    play.see(errors=0.4)
    play.see(load=0.1, errors=0.0)
    play.until(60)
    assert play.decision.message == "healthy, but 3 transitions in 1h; up in 58m50s"


def test_the_budget_survives_a_restart():
    play = Play(ladder_of(CORE, budget={"transitions": 1, "per": "1h"}))
    play.see(load=0.92)
    again = Play(play.ladder, type(play.state).model_validate_json(play.state.model_dump_json()))
    again.now = play.now
    again.see(load=0.1)
    assert set(again.until(3500)) == {"core-only"}
    assert again.reason == "BudgetSpent"


def test_a_restart_is_no_new_budget():
    play = Play(ladder_of(CORE, budget={"transitions": 1, "per": "1h"}))
    play.see(load=0.92)
    play.state = after_gap(play.state, play.now)
    play.see(load=0.1)
    assert set(play.until(3500)) == {"core-only"}
    assert play.reason == "BudgetSpent"


def test_a_level_above_without_a_ready_fallback_is_not_entered():
    play = degraded(CORE, STATIC)
    play.unavailable = frozenset({1})
    assert set(play.until(600)) == {"static"}
    assert (play.reason, play.decision.message) == ("FallbackNotReady", "healthy, but nobody would answer at core-only")
