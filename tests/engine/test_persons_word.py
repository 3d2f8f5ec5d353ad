"""Suspend and override beat the signals; an edited ladder is met where it is."""

import pytest

from engine.play import START, Play, condition, ladder_of, level
from stepdown.api.status import TrialState
from stepdown.engine.decide import after_gap, decide, in_mode, initial_state
from stepdown.engine.ladder import build_ladder
from stepdown.engine.observation import Missing

CORE = level("core-only", condition("load", above="80%", clear="60%"))
STATIC = level("static", condition("errors", above="25%"))
UNTIL = "1970-01-12T14:46:40Z"
"""START and an hour."""


def pinned(name: str) -> dict[str, object]:
    return {"override": {"level": name, "reason": "migration", "until": UNTIL}}


def edited(play: Play, *levels, **spec) -> Play:
    """The same policy after an edit of its spec."""
    play.ladder = ladder_of(*levels, **spec)
    return play


def test_an_override_moves_at_once_to_its_level_and_says_why():
    play = Play(ladder_of(CORE, STATIC, **pinned("static")))
    assert play.level == "static"
    assert (play.reason, play.decision.message) == ("Overridden", "pinned to static: migration")
    assert play.decision.why == "override: migration"


def test_an_override_keeps_its_level_whatever_the_signals_say():
    play = Play(ladder_of(CORE, STATIC, **pinned("core-only")), errors=0.9, load=Missing.ERROR)
    assert set(play.until(3000)) == {"core-only"}
    assert play.reason == "Overridden"


def test_an_override_to_full_service_goes_all_the_way_up():
    play = Play(ladder_of(CORE, STATIC))
    play.see(load=0.9, errors=0.9)
    assert play.level == "static"
    assert edited(play, CORE, STATIC, **pinned("full")).see() == "full"


def test_an_override_ends_at_its_time_and_the_signals_decide_again():
    play = Play(ladder_of(CORE, STATIC, **pinned("core-only")), errors=0.9)
    play.now = START + 3590
    assert play.see(9) == "core-only"
    assert (play.see(1), play.reason) == ("static", "Breached")


def test_after_an_override_a_step_up_needs_a_whole_healthy_window_of_its_own():
    play = Play(ladder_of(CORE))
    play.see(load=0.9)
    play.see(load=0.1)
    play.until(50)
    edited(play, CORE, **pinned("core-only"))
    play.until(600)
    edited(play, CORE)
    assert play.until(60) == ["core-only"] * 6
    assert play.see() == "full"


def test_an_override_waits_for_a_fallback_that_is_not_ready():
    play = Play(ladder_of(CORE, STATIC))
    play.unavailable = frozenset({2})
    assert edited(play, CORE, STATIC, **pinned("static")).see() == "full"
    assert (play.reason, play.decision.message) == (
        "FallbackNotReady",
        "override to static waits: nobody would answer there",
    )


def test_an_override_to_the_level_of_now_needs_no_ready_fallback():
    play = Play(ladder_of(CORE))
    play.see(load=0.9)
    play.unavailable = frozenset({1})
    edited(play, CORE, **pinned("core-only")).see()
    assert play.reason == "Overridden"


def test_suspend_stays_where_it_is_even_against_an_override():
    play = Play(ladder_of(CORE, STATIC))
    play.see(load=0.9)
    edited(play, CORE, STATIC, suspend=True, **pinned("static"))
    assert play.see(errors=0.9) == "core-only"
    assert (play.reason, play.decision.why) == ("Suspended", "")


def test_after_suspend_a_step_up_needs_a_whole_healthy_window_of_its_own():
    play = Play(ladder_of(CORE))
    play.see(load=0.9)
    play.see(load=0.1)
    play.until(50)
    edited(play, CORE, suspend=True).see(load=Missing.ERROR)
    edited(play, CORE).see(10, load=0.1)
    assert play.until(50) == ["core-only"] * 5
    assert play.see() == "full"


def test_while_suspended_timers_go_on():
    slow = level("core-only", condition("load", **{"for": "1m"}))
    play = Play(ladder_of(slow, suspend=True), load=0.9)
    play.until(60)
    assert edited(play, slow).see(0) == "core-only"


def test_a_renamed_level_is_kept_by_its_place():
    play = Play(ladder_of(CORE, STATIC))
    play.see(errors=0.9)
    renamed = {**STATIC, "name": "page"}
    assert edited(play, CORE, renamed).see() == "page"
    assert (play.state.level, play.state.index) == ("page", 2)


def test_a_level_that_was_moved_is_kept_by_its_name():
    play = Play(ladder_of(CORE, STATIC))
    play.see(load=0.9)
    assert edited(play, STATIC, CORE).see() == "core-only"
    assert (play.state.level, play.state.index) == ("core-only", 2)


def test_on_a_shortened_ladder_the_deepest_level_that_is_left_is_kept():
    play = Play(ladder_of(CORE, STATIC))
    play.see(errors=0.9)
    assert edited(play, CORE).see() == "core-only"
    assert (play.state.level, play.state.index) == ("core-only", 1)


def test_a_condition_put_before_another_does_not_inherit_its_time():
    slow = condition("errors", above="25%", **{"for": "1m"})
    play = Play(ladder_of(level("core-only", condition("load", **{"for": "1m"}))))
    play.see(load=0.9)
    play.see(50)
    edited(play, level("core-only", slow, condition("load", **{"for": "1m"})))
    assert play.see(9, errors=0.9) == "full"
    assert play.see(1) == "core-only"
    assert play.decision.why == "load 90%>80%"


def test_a_threshold_that_was_edited_starts_its_time_anew():
    play = Play(ladder_of(level("core-only", condition("load", above="80%", **{"for": "1m"}))))
    play.see(load=0.9)
    play.see(50)
    edited(play, level("core-only", condition("load", above="70%", **{"for": "1m"})))
    assert play.see(10) == "full"
    assert play.see(60) == "core-only"


def test_two_conditions_that_compare_the_same_keep_their_own_times():
    slow, slower = (condition("load", **{"for": time}) for time in ("1m", "2m"))
    play = Play(ladder_of(level("core-only", slow, slower, every=True)))
    play.see(load=0.9)
    assert play.see(60) == "full"
    assert play.see(60) == "core-only"


def test_after_a_gap_what_was_only_waited_for_starts_again():
    play = Play(ladder_of(level("core-only", condition("load", **{"for": "1m"}))))
    play.see(load=0.9)
    play.now += 600
    play.state = after_gap(play.state, play.now)
    assert play.see(0) == "full"
    assert play.see(59) == "full"
    assert play.see(1) == "core-only"


def test_after_a_gap_a_timer_that_stood_still_counts_from_the_next_value():
    play = Play(ladder_of(level("core-only", condition("load", **{"for": "1m"}))))
    play.see(load=0.9)
    play.see(load=Missing.STALE)
    play.now += 600
    play.state = after_gap(play.state, play.now)
    play.see(10, load=0.9)
    assert play.see(59) == "full"
    assert play.see(1) == "core-only"


def test_after_a_gap_what_had_fired_still_holds_its_level():
    play = Play(ladder_of(CORE))
    play.see(load=0.9)
    play.see(load=0.7)
    play.state = after_gap(play.state, play.now)
    assert set(play.until(600)) == {"core-only"}


def test_after_a_gap_the_healthy_window_starts_again():
    play = Play(ladder_of(CORE))
    play.see(load=0.9)
    play.see(load=0.1)
    play.until(50)
    play.state = after_gap(play.state, play.now)
    assert play.until(60) == ["core-only"] * 6
    assert play.see() == "full"


def test_what_was_only_said_begins_at_full_service_and_what_is_known_of_the_signals_stays():
    play = Play(ladder_of(CORE))
    play.see(load=0.9)
    before = play.state
    told = before.model_copy(
        update={
            "deeper_since": START,
            "healthy_since": START,
            "trial": TrialState(level="core-only", started=START),
            "observing": True,
        }
    )
    after = in_mode(play.ladder, told, observing=False, holds=False)
    assert after == before.model_copy(update={"index": 0, "level": "full"})
    assert (after.deeper_since, after.healthy_since, after.trial, after.breaches) == (None, None, None, before.breaches)
    play.state = after
    assert (play.see(), play.reason) == ("core-only", "Breached")


@pytest.mark.parametrize("observing", [False, True])
def test_a_memory_of_the_same_mode_is_left_as_it_is(observing):
    play = Play(ladder_of(CORE))
    play.see(load=0.9)
    state = play.state.model_copy(update={"observing": observing})
    assert in_mode(play.ladder, state, observing=observing, holds=False) is state


def test_a_policy_that_only_watches_from_now_on_is_at_the_level_where_it_was():
    play = Play(ladder_of(CORE))
    play.see(load=0.9)
    after = in_mode(play.ladder, play.state, observing=True, holds=False)
    assert after == play.state.model_copy(update={"observing": True})


def test_a_suspended_policy_that_holds_something_does_not_observe():
    play = Play(ladder_of(CORE))
    play.see(load=0.9)
    suspended = ladder_of(CORE, suspend=True)
    assert in_mode(suspended, play.state, observing=True, holds=True) is play.state
    assert in_mode(suspended, play.state, observing=True, holds=False).observing
    assert in_mode(play.ladder, play.state, observing=True, holds=True).observing


def test_a_gap_changes_nothing_where_nothing_is_waited_for():
    state = initial_state(ladder_of(CORE))
    assert after_gap(state, START) is state


def test_a_clock_that_was_set_back_stops_no_timer():
    play = Play(ladder_of(CORE, STATIC, stabilization={"up": "1m", "dwell": "1m"}, budget={"transitions": 2}))
    play.see(load=0.9)
    play.now -= 3600
    play.state = after_gap(play.state, play.now)
    assert play.see(errors=0.9) == "core-only"
    assert play.see(60) == "static"


def test_an_example_with_everything_gives_the_same_state_object_while_nothing_changes():
    ladder = ladder_of(CORE, STATIC)
    state = initial_state(ladder)
    from engine.play import observed

    for now in (START, START + 10, START + 20):
        _, after = decide(ladder, state, observed({"load": 0.1, "errors": 0.0}), now)
        assert after is state


@pytest.mark.parametrize("values", [{"load": 0.9}, {"load": 0.7}, {"load": Missing.STALE}])
def test_a_held_level_gives_the_same_state_object_while_nothing_changes(values):
    play = Play(ladder_of(CORE))
    play.see(load=0.9)
    play.see(**values)
    state = play.state
    play.until(100)
    assert play.state is state


BURNING = {
    "objectives": [{"name": "availability", "target": "99%", "preset": "http-error-ratio"}],
    "levels": [
        {"name": "full"},
        {
            "name": "core-only",
            "enter": {"any": [{"objective": "availability", "burnRate": {"above": 10, "windows": ["1h", "5m"]}}]},
        },
    ],
}


def burning(**values) -> Play:
    from stepdown.api.policy import PolicySpec

    spec = {
        "target": {"service": "shop"},
        "signals": [{"name": "load", "query": "load"}],
        "stabilization": {"up": "1m", "dwell": "0s"},
        **BURNING,
    }
    return Play(build_ladder(PolicySpec.model_validate(spec)), **values)


def test_a_budget_that_burns_in_every_window_enters_the_level():
    play = burning(**{"availability[1h]": 0.11, "availability[5m]": 0.2})
    assert play.level == "core-only"
    assert play.decision.why == "availability burn rate 11>10"


@pytest.mark.parametrize("calm", ["1h", "5m"])
def test_a_budget_that_burns_in_one_window_only_does_not(calm):
    burns = {"availability[1h]": 0.5, "availability[5m]": 0.5, f"availability[{calm}]": 0.09}
    assert burning(**burns).level == "full"


@pytest.mark.parametrize("gone", ["1h", "5m"])
def test_a_window_without_data_holds(gone):
    play = burning(**{"availability[1h]": 0.5, "availability[5m]": 0.5})
    play.values |= {"availability[1h]": 0.0, "availability[5m]": 0.0, f"availability[{gone}]": Missing.EMPTY}
    assert set(play.until(600)) == {"core-only"}
    assert play.reason == "MissingData"


@pytest.mark.row(18)
def test_leaders_that_take_turns_with_clocks_two_hours_apart_spend_one_budget():
    play = Play(ladder_of(CORE, stabilization={"up": "1m", "dwell": "0s"}, budget={"transitions": 3}))

    def take_over(apart: float) -> None:
        play.now += apart
        play.state = after_gap(play.state, play.now)

    assert play.see(load=0.9) == "core-only"
    take_over(-7200)
    play.see(load=0.1)
    assert play.see(60) == "full"
    take_over(7200)
    assert play.see(load=0.9) == "core-only"
    take_over(-7200)
    play.see(load=0.1)
    assert set(play.until(600)) == {"core-only"}
