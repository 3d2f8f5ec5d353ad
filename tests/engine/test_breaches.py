"""The timers of conditions at their edges: thresholds, pauses, windows of a burn rate."""

from typing import Any

import pytest

from engine.play import START, Play, condition, ladder_of, level
from stepdown.api.status import Breach, EngineState
from stepdown.engine.breaches import value_of
from stepdown.engine.observation import Missing, Observation

OBJECTIVE = {
    "name": "availability",
    "target": "90%",
    "window": "30d",
    "errors": "rate(errors[$window])",
    "total": "rate(all[$window])",
}
BELOW = level("low", condition(below="50%", clear="75%"))


def burning(values: dict[str, float], *windows: str) -> float | Missing:
    """The burn rate over these error ratios by window, with a budget of a tenth."""
    burn_rate = {"above": 2, "windows": list(windows)}
    ladder = ladder_of(level("low", {"objective": "availability", "burnRate": burn_rate}), objectives=[OBJECTIVE])
    return value_of(ladder.watches[0], {f"availability[{name}]": Observation(value) for name, value in values.items()})


def kept(**breach: Any) -> Breach | None:
    """A breach of `load` above 80% for a minute, after ten seconds of 90%."""
    state = EngineState(level="full", breaches={"low/load>0.8": Breach(**breach)})
    ladder = ladder_of(level("low", condition(**{"for": "1m"})))
    return Play(ladder, state, load=0.9).state.breaches.get("low/load>0.8")


def test_a_burn_rate_is_the_error_ratio_over_the_budget():
    assert burning({"5m": 0.25}, "5m") == pytest.approx(2.5)


def test_a_burn_rate_over_windows_is_the_smallest_of_them():
    assert burning({"1h": 0.0, "5m": 0.5}, "1h", "5m") == 0.0


def test_a_burn_rate_with_a_window_that_nobody_asked_for_is_missing():
    assert burning({"5m": 0.5}, "1h", "5m") is Missing.ERROR


def test_a_value_at_a_lower_threshold_is_no_breach():
    assert Play(ladder_of(BELOW), load=0.5).state.breaches == {}
    assert Play(ladder_of(BELOW), load=0.49).level == "low"


def test_a_lower_threshold_clears_at_its_clear_value():
    play = Play(ladder_of(BELOW), load=0.4)
    play.see(load=0.69)
    assert list(play.state.breaches) == ["low/load<0.5"]
    play.see(load=0.75)
    assert play.state.breaches == {}


def test_a_condition_for_one_second_does_not_fire_at_once():
    play = Play(ladder_of(level("low", condition(**{"for": "1s"}))), load=0.9)
    assert play.level == "full"
    assert play.see(1) == "low"


def test_a_breach_of_a_condition_that_is_gone_is_forgotten():
    state = EngineState(level="full", breaches={"gone/load>0.8": Breach(since=START, firing=True)})
    assert Play(ladder_of(BELOW), state, load=0.6).state.breaches == {}


def test_a_pause_of_half_a_second_counts_half_a_second():
    breach = kept(since=START - 10, paused=START - 0.5)
    assert breach == Breach(since=START - 9.5)


def test_a_breach_that_fires_and_is_seen_again_is_not_paused_any_more():
    breach = kept(since=START - 100, paused=START - 30, firing=True)
    assert breach == Breach(since=START - 70, firing=True)


def test_a_breach_of_a_signal_that_may_be_missing_is_forgotten_when_it_is():
    signals = [{"name": "load", "query": "load", "whenMissing": "Ignore"}, {"name": "errors", "query": "errors"}]
    play = Play(ladder_of(level("low", condition(**{"for": "1m"})), signals=signals), load=0.9)
    assert list(play.state.breaches) == ["low/load>0.8"]
    play.see(load=Missing.EMPTY)
    assert play.state.breaches == {}
