"""When a level is entered: what is valid and bad now, for long enough, and never more than that."""

import pytest

from engine.play import Play, condition, ladder_of, level
from stepdown.engine.observation import Missing, Observation

CORE = level("core-only", condition("load", above="80%", clear="60%"))
STATIC = level("static", condition("errors", above="25%", clear="10%"))


def test_a_breach_enters_its_level_at_once_where_no_time_is_asked():
    play = Play(ladder_of(CORE, STATIC))
    assert play.see(load=0.92) == "core-only"
    assert (play.reason, play.decision.why) == ("Breached", "load 92%>80%")
    assert play.decision.message == "load 92%>80%: down to core-only"
    assert (play.decision.came_from, play.decision.is_transition) == (0, True)
    assert (play.state.level, play.state.index, play.state.since) == ("core-only", 1, play.now)


def test_the_threshold_itself_is_no_breach():
    play = Play(ladder_of(CORE))
    assert play.see(load=0.8) == "full"
    assert play.see(load=0.8000001) == "core-only"


def test_below_is_breached_by_what_is_smaller():
    play = Play(ladder_of(level("core-only", condition("load", below="50%", clear="70%"))), load=0.9)
    assert play.see(load=0.5) == "full"
    assert play.see(load=0.49) == "core-only"
    assert play.decision.why == "load 49%<50%"


def test_the_deepest_breached_level_is_entered_and_the_ones_between_are_skipped():
    play = Play(ladder_of(CORE, STATIC))
    assert play.see(load=0.92, errors=0.4) == "static"
    assert play.decision.why == "errors 40%>25%"


def test_a_deeper_level_is_entered_without_the_one_between_being_breached():
    play = Play(ladder_of(CORE, STATIC))
    assert play.see(errors=0.4) == "static"


def test_a_condition_must_hold_for_its_time_without_a_break():
    play = Play(ladder_of(level("core-only", condition("load", **{"for": "1m"}))))
    assert play.see(load=0.92) == "full"
    assert play.see(50) == "full"
    assert play.see(10) == "core-only"


def test_one_good_sample_starts_the_time_again():
    play = Play(ladder_of(level("core-only", condition("load", **{"for": "1m"}))))
    play.see(load=0.92)
    play.see(50, load=0.79)
    play.see(10, load=0.92)
    assert play.see(50) == "full"
    assert play.see(10) == "core-only"


def test_a_breach_that_is_waited_for_is_said_at_full_service():
    play = Play(ladder_of(level("core-only", condition("load", **{"for": "1m"}))))
    play.see(load=0.92)
    assert (play.reason, play.decision.why) == ("Stabilizing", "load 92%>80%")
    assert play.decision.message == "load 92%>80%: a step down is due if it lasts"


def test_all_needs_every_condition():
    both = level("core-only", condition("load", above="80%"), condition("errors", above="5%"), every=True)
    play = Play(ladder_of(both))
    assert play.see(load=0.92) == "full"
    assert play.see(load=0.1, errors=0.4) == "full"
    assert play.see(load=0.92) == "core-only"


def test_any_needs_one_condition():
    either = level("core-only", condition("load", above="80%"), condition("errors", above="5%"))
    assert Play(ladder_of(either)).see(load=0.92) == "core-only"
    assert Play(ladder_of(either)).see(errors=0.4) == "core-only"


@pytest.mark.parametrize("missing", Missing)
def test_missing_data_never_enters_a_level(missing):
    play = Play(ladder_of(CORE, STATIC))
    play.see(load=missing, errors=missing)
    assert set(play.until(3600, 60)) == {"full"}
    assert play.reason == "MissingData"
    assert play.decision.message == f"holding: load {missing}, errors {missing}"
    assert play.decision.why == f"load {missing}, errors {missing}"


def test_a_signal_that_nobody_observed_is_missing():
    play = Play(ladder_of(CORE))
    del play.values["load"]
    play.see()
    assert play.decision.message == "holding: load Error"


@pytest.mark.parametrize("nonsense", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_missing_and_no_value(nonsense):
    seen = Observation(value=nonsense)
    assert (seen.value, seen.missing) == (None, Missing.NOT_FINITE)


def test_an_observation_of_nothing_is_missing():
    assert Observation().missing is Missing.ERROR


def test_time_without_data_does_not_count_for_a_breach_nor_against_it():
    play = Play(ladder_of(level("core-only", condition("load", **{"for": "1m"}))))
    play.see(load=0.92)
    play.see(40)
    play.see(10, load=Missing.STALE)
    play.see(600)
    assert play.see(10, load=0.92) == "full"
    assert play.see(9) == "full"
    assert play.see(1) == "core-only"


def test_a_breach_of_old_does_not_enter_a_deeper_level_while_its_data_is_missing():
    play = Play(ladder_of(CORE, STATIC, stabilization={"up": "1m", "dwell": "1m"}))
    play.see(load=0.92)
    play.see(10, errors=0.4)
    assert (play.level, play.reason) == ("core-only", "Dwelling")
    play.see(10, errors=Missing.ERROR)
    assert set(play.until(600)) == {"core-only"}
    assert play.see(errors=0.4) == "static"


def test_a_breach_that_has_only_not_cleared_does_not_enter_a_deeper_level():
    play = Play(ladder_of(CORE, STATIC, stabilization={"up": "1m", "dwell": "1m"}))
    play.see(load=0.92)
    play.see(10, errors=0.4)
    play.see(10, errors=0.2)
    assert set(play.until(600)) == {"core-only"}
    assert play.see(errors=0.26) == "static"


def test_a_step_down_waits_for_its_stabilization_window():
    play = Play(ladder_of(CORE, STATIC, stabilization={"down": "30s", "up": "1m", "dwell": "0s"}))
    assert play.see(load=0.92) == "full"
    assert (play.reason, play.decision.why) == ("Stabilizing", "load 92%>80%")
    assert play.see(20) == "full"
    assert play.see(10) == "core-only"


def test_the_window_of_a_step_down_starts_again_when_the_breach_pauses():
    play = Play(ladder_of(CORE, stabilization={"down": "30s", "up": "1m", "dwell": "0s"}))
    play.see(load=0.92)
    play.see(20, load=Missing.EMPTY)
    play.see(20, load=0.92)
    assert play.see(20) == "full"
    assert play.see(10) == "core-only"


def test_a_deeper_call_within_the_window_takes_over():
    play = Play(ladder_of(CORE, STATIC, stabilization={"down": "30s", "up": "1m", "dwell": "0s"}))
    play.see(load=0.92)
    play.see(20, errors=0.4)
    assert play.see(10) == "static"


def test_the_next_step_down_waits_for_the_least_time_at_a_level():
    play = Play(ladder_of(CORE, STATIC, stabilization={"up": "1m", "dwell": "1m"}))
    assert play.see(load=0.92) == "core-only"
    assert play.see(20, errors=0.4) == "core-only"
    assert play.decision.message == "errors 40%>25%; static is due in 40s"
    assert play.see(39) == "core-only"
    assert play.see(1) == "static"


def test_the_first_step_down_waits_for_no_least_time():
    play = Play(ladder_of(CORE, stabilization={"up": "1m", "dwell": "1h"}))
    assert play.see(load=0.92) == "core-only"


def test_the_next_deeper_level_is_taken_where_a_fallback_is_not_ready():
    play = Play(ladder_of(CORE, STATIC))
    play.unavailable = frozenset({1})
    assert play.see(load=0.92) == "static"


def test_without_any_ready_fallback_the_level_is_kept_and_that_is_said():
    play = Play(ladder_of(CORE, STATIC))
    play.unavailable = frozenset({1, 2})
    assert play.see(load=0.92) == "full"
    assert play.reason == "FallbackNotReady"
    assert play.decision.message == "load 92%>80%, but no level from core-only on has a ready fallback"


def test_an_unready_fallback_is_said_at_every_level():
    play = Play(ladder_of(CORE, STATIC))
    play.see(load=0.92)
    play.unavailable = frozenset({2})
    assert play.see(errors=0.4) == "core-only"
    assert play.decision.message == "errors 40%>25%, but no level from static on has a ready fallback"


def test_a_level_at_which_nobody_is_answered_any_more_is_left_for_a_deeper_one_at_once():
    play = Play(ladder_of(CORE, STATIC, stabilization={"down": "1m", "up": "1m", "dwell": "5m"}))
    play.see(load=0.92)
    assert play.until(60)[-1] == "core-only"
    play.unavailable = frozenset({1})
    assert play.see() == "static"
    assert play.reason == "FallbackNotReady"
    assert play.decision.message == "nobody is answered at core-only any more: down to static"


def test_a_level_at_which_nobody_is_answered_any_more_is_kept_where_no_deeper_one_answers():
    play = Play(ladder_of(CORE, STATIC))
    play.see(load=0.92)
    play.unavailable = frozenset({1, 2})
    assert set(play.until(600)) == {"core-only"}
    assert play.reason == "HeldByBreach"


def test_a_missing_signal_that_is_to_be_ignored_counts_as_healthy():
    signals = [{"name": "load", "query": "load", "whenMissing": "Ignore"}, {"name": "errors", "query": "errors"}]
    play = Play(ladder_of(CORE, signals=signals))
    play.see(load=Missing.EMPTY)
    assert (play.level, play.reason) == ("full", "Steady")
    assert play.see(load=0.92) == "core-only"
    play.see(load=Missing.EMPTY)
    assert play.until(60)[-1] == "full"
