"""Ways back that need no signals which the level made blind: a trial, and a probe."""

import pytest

from engine.play import Play, condition, ladder_of, level
from stepdown.engine.observation import Missing

CORE = level("core-only", condition("load", above="80%", clear="60%"))
TRIED = level(
    "static", condition("errors", above="25%"), recover={"trial": {"after": "5m", "watch": "1m", "max": "15m"}}
)
PROBE = {"http": {"deployment": "shop", "path": "/healthz"}, "successes": 3, "interval": "10s"}
PROBED = level("static", condition("errors", above="25%"), recover={"probe": PROBE})


def blind(*levels, **spec) -> Play:
    """At the deepest level, whose traffic is away: the signal of errors is empty."""
    play = Play(ladder_of(*levels, **spec))
    play.see(errors=0.4)
    assert play.level == "static"
    play.values["errors"] = Missing.EMPTY
    return play


def test_a_trial_steps_up_after_its_wait_although_the_signals_are_blind():
    play = blind(TRIED)
    assert play.until(290) == ["static"] * 29
    assert play.decision.message == "healthy; up to full in 10s"
    assert play.see() == "full"
    assert (play.reason, play.decision.message) == ("TrialStarted", "trying full (trial 1)")
    assert play.state.breaches == {}


@pytest.mark.parametrize("missing", [Missing.EMPTY, Missing.TOO_FEW, Missing.NOT_FINITE])
def test_a_blind_signal_does_not_hold_a_trial(missing):
    play = blind(TRIED)
    play.values["errors"] = missing
    assert play.until(300)[-1] == "full"


@pytest.mark.parametrize("missing", [Missing.ERROR, Missing.STALE, Missing.PARTIAL, Missing.NOT_SCALAR])
def test_a_source_that_fails_holds_a_trial(missing):
    play = blind(TRIED)
    play.values["errors"] = missing
    assert set(play.until(600)) == {"static"}
    assert play.reason == "MissingData"


def test_a_breach_that_is_still_seen_holds_a_trial():
    play = blind(TRIED)
    play.values["errors"] = 0.4
    assert set(play.until(600)) == {"static"}
    assert (play.reason, play.decision.why) == ("HeldByBreach", "errors 40%>25%")


def test_a_failed_trial_comes_back_at_once_and_waits_twice_as_long():
    play = blind(TRIED, stabilization={"up": "1m", "dwell": "10m"})
    play.until(600)
    assert play.level == "full"
    assert play.see(errors=0.5) == "static"
    assert (play.reason, play.decision.message) == ("TrialFailed", "errors 50%>25% during the trial: back to static")
    play.values["errors"] = Missing.EMPTY
    assert set(play.until(590)) == {"static"}
    assert play.see() == "full"
    assert play.decision.message == "trying full (trial 2)"


def test_a_step_down_between_two_trials_is_no_failed_trial():
    deeper = level("dark", condition("load", above="95%"))
    play = Play(ladder_of(TRIED, deeper))
    play.see(errors=0.4)
    play.values["errors"] = Missing.EMPTY
    play.until(300)
    assert (play.see(errors=0.5), play.reason) == ("static", "TrialFailed")
    assert (play.see(load=0.99), play.reason) == ("dark", "Breached")
    assert play.state.trial is not None
    assert play.state.trial.failures == 1


def test_the_wait_doubles_up_to_its_bound():
    play = blind(TRIED, budget={"transitions": 60, "per": "1s"})
    waits = []
    for _ in range(4):
        started = play.now
        while play.see(30) == "static":
            pass
        waits.append(play.now - started)
        play.see(errors=0.5)
        play.values["errors"] = Missing.EMPTY
    assert waits == [300, 600, 900, 900]


def test_a_thousand_failures_are_no_number_too_large():
    play = blind(TRIED, budget={"transitions": 60, "per": "1s"})
    assert play.state.trial is None
    trial = {"level": "static", "failures": 5000}
    play.state = type(play.state).model_validate({**play.state.model_dump(), "trial": trial})
    assert play.until(900, 30)[-1] == "full"


def test_a_trial_has_succeeded_once_it_was_healthy_for_its_time():
    play = blind(TRIED)
    play.until(300)
    play.see(errors=0.0)
    assert play.until(50)[-1] == "full"
    assert play.state.trial is not None
    play.see(10)
    assert play.state.trial is None
    assert play.state.healthy_since is None
    assert (play.see(errors=0.5), play.reason) == ("static", "Breached")


def test_a_gap_during_a_trial_starts_its_time_again():
    play = blind(TRIED)
    play.until(300)
    play.see(errors=0.0)
    play.until(50)
    play.see(errors=Missing.ERROR)
    play.see(errors=0.0)
    play.until(50)
    assert play.state.trial is not None
    play.see()
    assert play.state.trial is None


def test_a_trial_that_nobody_watched_has_not_succeeded():
    from stepdown.engine.decide import after_gap

    play = blind(TRIED)
    play.until(300)
    play.see(errors=0.0)
    play.now += 600
    play.state = after_gap(play.state, play.now)
    play.see(10)
    assert play.state.trial is not None
    assert (play.see(errors=0.5), play.reason) == ("static", "TrialFailed")


def test_a_breach_that_is_pending_keeps_a_trial_running():
    slow = level(
        "static", condition("errors", above="25%", **{"for": "2m"}), recover={"trial": {"after": "5m", "watch": "1m"}}
    )
    play = Play(ladder_of(slow), errors=0.4)
    play.until(120)
    play.values["errors"] = Missing.EMPTY
    play.until(300)
    assert play.level == "full"
    play.see(errors=0.4)
    assert set(play.until(110)) == {"full"}
    assert (play.see(), play.reason) == ("static", "TrialFailed")


def test_a_trial_goes_up_one_level_and_that_level_has_its_own_way_back():
    play = blind(CORE, TRIED)
    assert play.until(300)[-1] == "core-only"
    play.see(errors=0.0)
    assert play.until(60)[-1] == "full"


def test_a_level_below_one_whose_traffic_is_away_takes_its_way_back():
    deeper = level("dark", condition("load", above="95%"))
    play = Play(ladder_of(TRIED, deeper))
    play.see(errors=0.4, load=0.99)
    assert play.level == "dark"
    play.values |= {"errors": Missing.EMPTY, "load": 0.1}
    assert play.until(300)[-1] == "static"
    assert play.until(300)[-1] == "full"


def test_a_probe_must_answer_for_its_successes():
    play = blind(PROBED)
    play.values["probe:static"] = 0.0
    assert set(play.until(600)) == {"static"}
    assert (play.decision.message, play.decision.why) == ("the probe doesn't answer yet", "probe fails")
    play.values["probe:static"] = 1.0
    assert play.until(30) == ["static"] * 3
    assert play.see() == "full"
    assert (play.reason, play.decision.message) == ("ProbeSucceeded", "3 probes answered: up to full")


def test_one_silent_probe_starts_the_count_again():
    play = blind(PROBED)
    play.values["probe:static"] = 1.0
    play.until(30)
    play.see(**{"probe:static": 0.0})
    play.see(**{"probe:static": 1.0})
    assert play.until(20) == ["static"] * 2
    assert play.see() == "full"


def test_a_probe_that_was_not_asked_is_silent():
    play = blind(PROBED)
    assert set(play.until(600)) == {"static"}


ROUTE = {"route": {"httpRoute": "web", "to": {"service": "static"}}}
TRICKLED = level(
    "static",
    condition("errors", above="25%", clear="2%"),
    actions=[ROUTE],
    recover={"trickle": {"weight": 5, "for": "2m"}},
)


def test_under_a_trickle_every_signal_must_be_healthy_for_its_time():
    play = blind(TRICKLED)
    assert set(play.until(50, 10)) == {"static"}
    assert play.reason == "MissingData"
    play.values["errors"] = 0.4
    assert set(play.until(300)) == {"static"}
    assert play.reason == "HeldByBreach"
    play.values["errors"] = 0.01
    assert play.until(120) == ["static"] * 12
    assert play.decision.message == "healthy; up to full in 10s"
    assert play.see() == "full"
    assert (play.reason, play.decision.message) == (
        "Recovered",
        "every signal healthy for 2m under 5% of the traffic: up to full",
    )


def test_a_deeper_level_without_a_way_back_of_its_own_keeps_the_trickle_above():
    play = Play(ladder_of(TRICKLED, level("dark", condition("load", above="95%"))))
    play.see(load=0.99)
    play.values["load"] = 0.1

    assert play.until(130).index("static") == 12
