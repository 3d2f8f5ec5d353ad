"""What a decision says: its reason, its sentence and the words for a column, each whole."""

from dataclasses import replace
from typing import Any

from engine.play import START, Play, condition, ladder_of, level, observed
from stepdown.api.status import Breach, EngineState, TrialState
from stepdown.engine.decide import after_gap, decide
from stepdown.engine.observation import Missing, Observation

LOW = level("low", condition("load"))
TRIAL = level("low", condition("load"), recover={"trial": {"after": "5m", "watch": "1m"}})
PROBE = level(
    "low", condition("load"), recover={"probe": {"http": {"deployment": "shop", "path": "/"}, "successes": 3}}
)


def said(play: Play) -> tuple[str, str, str]:
    """Reason, message and why of the last decision."""
    return play.reason, play.decision.message, play.decision.why


def overridden(**override: Any) -> Play:
    return Play(ladder_of(LOW, override={"reason": "sale", "until": "2099-01-01T00:00:00Z", **override}))


def test_at_full_service_every_signal_is_within_its_thresholds():
    assert said(Play(ladder_of(LOW))) == ("Steady", "every signal is within its thresholds", "")


def test_a_decision_to_stay_comes_from_where_it_stays_and_keeps_what_was_seen():
    play = Play(ladder_of(LOW))
    assert (play.decision.came_from, play.decision.level) == (0, 0)
    assert play.decision.observations == {"load": Observation(0.1), "errors": Observation(0.0)}


def test_a_step_keeps_what_was_seen():
    play = Play(ladder_of(LOW), load=0.9)
    assert (play.decision.came_from, play.decision.level) == (0, 1)
    assert play.decision.observations["load"] == Observation(0.9)


def test_suspension_changes_nothing():
    play = Play(ladder_of(LOW, suspend=True), load=0.9)
    assert said(play) == ("Suspended", "suspended: nothing is changed, what is applied stays", "")


def test_an_override_says_its_level_and_its_reason_when_it_moves_and_when_it_stays():
    play = overridden(level="low")
    assert said(play) == ("Overridden", "pinned to low: sale", "override: sale")
    play.see()
    assert said(play) == ("Overridden", "pinned to low: sale", "override: sale")


def test_a_step_down_says_value_against_threshold():
    assert said(Play(ladder_of(LOW), load=0.9)) == ("Breached", "load 90%>80%: down to low", "load 90%>80%")


def test_a_step_down_that_must_last_says_so():
    play = Play(ladder_of(LOW, stabilization={"down": "1m", "up": "1m", "dwell": "0s"}), load=0.9)
    assert said(play) == ("Stabilizing", "load 90%>80%; low is due when it lasts", "load 90%>80%")


def test_a_step_down_that_waits_for_dwell_says_for_how_long():
    ladder = ladder_of(
        LOW, level("lower", condition("errors")), stabilization={"down": "0s", "up": "1m", "dwell": "1m"}
    )
    play = Play(ladder, load=0.9)
    play.see(20, errors=0.9)
    assert said(play) == ("Dwelling", "errors 90%>80%; lower is due in 40s", "errors 90%>80%")


def test_a_fallback_that_is_not_ready_is_said_with_the_breach():
    play = Play(ladder_of(LOW))
    play.unavailable = frozenset({1})
    play.see(load=0.9)
    assert said(play) == (
        "FallbackNotReady",
        "load 90%>80%, but no level from low on has a ready fallback",
        "load 90%>80%",
    )


def test_a_failed_trial_goes_back_with_the_breach():
    play = Play(ladder_of(TRIAL), load=0.9)
    play.see(300, load=0.1)
    assert said(play) == ("TrialStarted", "trying full (trial 1)", "")
    play.see(10, load=0.9)
    assert said(play) == ("TrialFailed", "load 90%>80% during the trial: back to low", "load 90%>80%")


def test_a_recovery_says_how_long_all_was_well():
    play = Play(ladder_of(LOW), load=0.9)
    play.see(load=0.1)
    play.see(60)
    assert said(play) == ("Recovered", "every signal healthy for 1m: up to full", "")


def test_half_a_second_before_the_window_is_over_nothing_moves():
    play = Play(ladder_of(LOW), load=0.9)
    play.see(load=0.1)
    play.see(59.5)
    assert (play.reason, play.level) == ("Stabilizing", "low")


def test_half_a_second_before_dwell_is_over_nothing_moves_up():
    play = Play(ladder_of(LOW, stabilization={"down": "0s", "up": "10s", "dwell": "1m"}), load=0.9)
    play.see(20, load=0.1)
    play.see(39.5)
    assert (play.reason, play.level) == ("Dwelling", "low")


def test_a_probe_that_fails_says_what_it_has_met():
    play = Play(ladder_of(PROBE), load=0.9)
    play.see(load=0.1)
    assert said(play) == ("ProbeFailing", "the probe doesn't answer yet", "probe fails")
    seen = observed(play.values) | {"probe:low": Observation(0.0, detail="shop-0 answers 503")}
    decision, _ = decide(play.ladder, play.state, seen, play.now)
    assert decision.message == "the probe doesn't answer yet: shop-0 answers 503"


def test_missing_data_names_every_signal_in_the_sentence_and_two_in_the_column():
    signals = [{"name": name, "query": name} for name in ("load", "errors", "third")]
    play = Play(ladder_of(LOW, signals=signals), load=0.9, errors=0.1, third=0.1)
    play.see(load=Missing.EMPTY, errors=Missing.STALE, third=Missing.EMPTY)
    assert said(play) == ("MissingData", "holding: load Empty, errors Stale, third Empty", "load Empty, errors Stale")


def test_the_breach_that_is_told_is_one_that_is_seen():
    play = Play(ladder_of(level("low", condition("load"), condition("errors"))), load=0.9, errors=0.9)
    play.see(load=Missing.EMPTY)
    assert said(play) == ("HeldByBreach", "errors 90%>80% has not cleared", "errors 90%>80%")


def test_a_level_that_has_moved_on_the_ladder_is_known_by_its_name():
    ladder = ladder_of(level("middle", condition("errors")), LOW)
    play = Play(ladder, EngineState(level="low", index=1, since=START))
    assert (play.level, play.state.index) == ("low", 2)


def test_a_person_ends_the_wait_for_a_deeper_level():
    for word in ({"suspend": True}, {"override": {"level": "full", "reason": "x", "until": "2099-01-01T00:00:00Z"}}):
        stabilization = {"down": "1m", "up": "1m", "dwell": "0s"}
        play = Play(ladder_of(LOW, stabilization=stabilization), load=0.9)
        assert play.state.deeper_since == START
        play.ladder = ladder_of(LOW, stabilization=stabilization, **word)
        play.see()
        assert play.state.deeper_since is None


def test_a_window_of_one_second_is_waited_for_and_none_is_not():
    one = Play(ladder_of(LOW, stabilization={"down": "1s", "up": "1m", "dwell": "0s"}), load=0.9)
    assert (one.reason, one.state.deeper_since) == ("Stabilizing", START)
    one.see(1)
    assert (one.level, one.state.deeper_since) == ("low", None)
    none = Play(ladder_of(LOW, stabilization={"down": "0s", "up": "1m", "dwell": "1m"}), since_now(), load=0.9)
    assert (none.reason, none.state.deeper_since) == ("Dwelling", None)


def since_now() -> EngineState:
    return EngineState(level="full", since=START)


def test_a_breach_of_a_level_above_the_one_on_trial_is_no_failed_trial():
    ladder = ladder_of(level("middle", condition("errors")), TRIAL)
    state = EngineState(level="full", trial=TrialState(level="low", started=START - 10), healthy_since=START - 10)
    play = Play(ladder, state, errors=0.9)
    assert (play.reason, play.level) == ("Breached", "middle")


def test_a_trial_of_a_level_that_is_gone_ends():
    state = EngineState(level="full", trial=TrialState(level="gone", started=START - 10), healthy_since=START - 10)
    assert Play(ladder_of(LOW), state).state.trial is None


def test_as_many_transitions_are_remembered_as_a_budget_can_have_and_none_that_is_as_old_as_its_window():
    ladder = replace(ladder_of(LOW), per=3600.0)
    many = EngineState(level="full", transitions=[START - 100 + number for number in range(60)])
    assert len(Play(ladder, many, load=0.9).state.transitions) == 60
    old = EngineState(level="full", transitions=[START - 3600.0])
    assert Play(ladder, old, load=0.9).state.transitions == [START]


def test_a_breach_that_is_seen_holds_a_level_on_trial_although_another_signal_is_blind():
    ladder = ladder_of(level("low", condition("load"), condition("errors"), recover={"trial": {"after": "1m"}}))
    play = Play(ladder, load=0.9)
    play.see(load=0.7, errors=Missing.EMPTY)
    play.see(load=0.9)
    assert play.reason == "HeldByBreach"


def test_after_a_gap_what_was_only_waited_for_begins_again_and_nothing_lies_ahead():
    now = START
    state = EngineState(
        level="low",
        index=1,
        since=now + 500,
        breaches={
            "fires": Breach(since=now - 50, firing=True),
            "fires, unseen": Breach(since=now - 50, paused=now - 20, firing=True),
            "fires, unseen ahead": Breach(since=now + 50, paused=now + 60, firing=True),
            "waits": Breach(since=now - 50),
            "waits, unseen": Breach(since=now - 50, paused=now - 20),
        },
        deeper_since=now - 5,
        healthy_since=now - 5,
        missing_since=now + 5,
        complete_since=now - 500,
        trial=TrialState(level="low", failures=2, started=now + 20),
        transitions=[now - 10, now + 7200, now + 7201],
    )
    assert after_gap(state, now) == EngineState(
        level="low",
        index=1,
        since=now,
        breaches={
            "fires": Breach(since=now - 50, firing=True),
            "fires, unseen": Breach(since=now - 50, paused=now - 20, firing=True),
            "fires, unseen ahead": Breach(since=now, paused=now, firing=True),
            "waits": Breach(since=now),
            "waits, unseen": Breach(since=now, paused=now),
        },
        missing_since=now,
        complete_since=now,
        trial=TrialState(level="low", failures=2, started=now),
        transitions=[now - 10, now + 7200, now],
    )


def test_after_a_gap_at_full_service_a_window_that_was_full_stays_so():
    state = EngineState(level="full", since=START - 900, complete_since=START - 500, healthy_since=START - 5)
    assert after_gap(state, START).complete_since == START - 500
