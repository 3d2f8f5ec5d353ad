"""The way up: one level, when everything that it needs has held for the whole of its window.

Every signal is present and healthy for `stabilization.up`; or for the time of a trickle, where a share of the traffic
stays for the signals to see. For signals that the level made blind there is a probe of the workload that traffic left,
or a trial, which steps up after a wait and comes back if that was wrong. A status page that names none of them has a
trial, once the target's pods are ready.

After a gap a rate that has not seen all of its window yet is lower than what is true. So a healthy time counts only
when the longest window of the signals has passed, too.
"""

from stepdown.api.durations import format_seconds
from stepdown.api.status import EngineState, TrialState
from stepdown.engine.breaches import BLINDED, deepest_breached
from stepdown.engine.ladder import Step
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.reasons import Reason
from stepdown.engine.turn import Decision, Turn

DOUBLINGS_MAX = 32
"""How often a trial's wait doubles at most; `max` ends it long before, and 2.0 ** 1024 is no number."""

READY_SHARE = 0.8
"""Share of the target's pods that must be ready before a status page is left: one that never starts mustn't hold it."""

READY_SECONDS = 10.0
"""How long they must have been, for a pod that crashes is ready for a moment too."""

Obstacle = tuple[Reason, str, str]


def step_up(turn: Turn) -> tuple[Decision, EngineState]:
    """Up one level, or the reason to stay."""
    obstacle = _obstacle(turn)
    if obstacle is not None:
        turn.remember(healthy_since=None)
    elif turn.state.healthy_since is None and (turn.current > 0 or _running(turn)):
        turn.remember(healthy_since=turn.now)
    _close_trial(turn)
    if turn.current == 0:
        return _at_full_service(turn, obstacle)
    if obstacle is not None:
        return turn.stay(*obstacle)
    step = turn.ladder.steps[turn.current]
    above = turn.name(turn.current - 1)
    if (left := _wait_left(turn, step)) > 0:
        return turn.stay(Reason.STABILIZING, f"healthy; up to {above} in {format_seconds(left)}")
    if (rest := turn.dwell_left()) > 0:
        return turn.stay(Reason.DWELLING, f"healthy; up to {above} in {format_seconds(rest)}")
    per = turn.ladder.per
    spent = [t for t in turn.state.transitions if t > turn.now - per]
    if len(spent) >= turn.ladder.budget:
        wait = format_seconds(sorted(spent)[len(spent) - turn.ladder.budget] + per - turn.now)
        text = f"healthy, but {len(spent)} transitions in {format_seconds(per)}; up in {wait}"
        return turn.stay(Reason.BUDGET_SPENT, text)
    if turn.current - 1 in turn.unavailable:
        return turn.stay(Reason.FALLBACK_NOT_READY, f"healthy, but nobody would answer at {above}")
    return _up(turn, step)


def note_gap(turn: Turn) -> None:
    """Remembers since when a signal is missing, and then since when none is any more."""
    since = turn.state.missing_since
    if since is None and turn.missing():
        turn.remember(missing_since=turn.now)
    elif since is not None and not turn.missing():
        turn.remember(missing_since=None, complete_since=turn.now)


def _at_full_service(turn: Turn, obstacle: Obstacle | None) -> tuple[Decision, EngineState]:
    if obstacle is None:
        return turn.stay(Reason.STEADY, "every signal is within its thresholds")
    if obstacle[0] is Reason.HELD_BY_BREACH:
        text = turn.breach_text(len(turn.ladder.steps))
        return turn.stay(Reason.STABILIZING, f"{text}: a step down is due if it lasts", text)
    return turn.stay(*obstacle)


def _obstacle(turn: Turn) -> Obstacle | None:
    """What speaks against a step up now: a breach of this level or of a deeper one, missing data, a silent probe."""
    step = turn.ladder.steps[turn.current]
    missing, breaches = turn.missing(), turn.state.breaches
    unseen = frozenset(key for key, breach in breaches.items() if breach.paused is not None)
    if missing and (step.trial is not None or step.probe is not None):
        missing = [(name, kind) for name, kind in missing if kind not in BLINDED]
    if breaches and deepest_breached(turn.ladder, breaches, unseen) >= max(turn.current, 1):
        text = turn.breach_text(turn.current)
        return Reason.HELD_BY_BREACH, f"{text} has not cleared", text
    if missing:
        return _missing_obstacle(missing)
    return _silence(turn, step) if step.probe_name else None


def _silence(turn: Turn, step: Step) -> Obstacle | None:
    """What the way back's own question says against it: a probe, or the ready share of the target's pods."""
    seen = turn.observations.get(step.probe_name, Observation())
    detail = f": {seen.detail}" if seen.detail else ""
    if step.probe is not None:
        if seen.value is None or seen.value < 1:
            return Reason.PROBE_FAILING, f"the probe doesn't answer yet{detail}", "probe fails"
        return None
    if seen.value is None or seen.value < READY_SHARE:
        detail = f": {seen.value:.0%} are, {READY_SHARE:.0%} are needed" if seen.value is not None else detail
        return Reason.PROBE_FAILING, f"the target's pods aren't ready yet{detail}", "pods not ready"
    return None


def _missing_obstacle(missing: list[tuple[str, Missing]]) -> Obstacle:
    return Reason.MISSING_DATA, f"holding: {_missing_text(missing)}", _missing_text(missing[:2])


def _missing_text(missing: list[tuple[str, Missing]]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in missing)


def _wait_left(turn: Turn, step: Step) -> float:
    """Seconds until the window of the step's way back is over."""
    assert turn.state.healthy_since is not None
    if step.probe is not None:
        return turn.state.healthy_since + step.probe.successes * step.probe.interval - turn.now
    if step.trial is not None:
        wait = min(step.trial.after * 2.0 ** min(_failures(turn, step), DOUBLINGS_MAX), step.trial.max)
        steady = turn.state.healthy_since + READY_SECONDS if step.probe_name else 0.0
        return max(turn.state.since + wait, steady) - turn.now
    full = (turn.state.complete_since or 0.0) + turn.ladder.window
    return max(turn.state.healthy_since + _window(turn, step), full) - turn.now


def _window(turn: Turn, step: Step) -> float:
    """Seconds for which every signal must be healthy."""
    return turn.ladder.up if step.trickle is None else step.trickle.for_


def _up(turn: Turn, step: Step) -> tuple[Decision, EngineState]:
    above = turn.current - 1
    if step.trial is None and step.probe is None:
        under = "" if step.trickle is None else f" under {step.trickle.weight}% of the traffic"
        healthy = f"every signal healthy for {format_seconds(_window(turn, step))}{under}"
        text = f"{healthy}: up to {turn.name(above)}"
        return turn.move(above, Reason.RECOVERED, text)
    # What is blind says nothing of the level above: its breaches begin anew once there is traffic to see.
    levels = {watch.key: watch.level for watch in turn.ladder.watches}
    kept = {key: breach for key, breach in turn.state.breaches.items() if levels[key] < turn.current}
    turn.remember(breaches=kept)
    if step.probe is not None:
        text = f"{step.probe.successes} probes answered: up to {turn.name(above)}"
        return turn.move(above, Reason.PROBE_SUCCEEDED, text)
    failures = _failures(turn, step)
    turn.remember(trial=TrialState(level=step.name, failures=failures, started=turn.now))
    return turn.move(above, Reason.TRIAL_STARTED, f"trying {turn.name(above)} (trial {failures + 1})")


def _failures(turn: Turn, step: Step) -> int:
    trial = turn.state.trial
    return trial.failures if trial is not None and trial.level == step.name else 0


def _running(turn: Turn) -> bool:
    return turn.state.trial is not None and turn.state.trial.started is not None


def _close_trial(turn: Turn) -> None:
    """A running trial has succeeded once it was watched for its time without a breach or a gap."""
    trial = turn.state.trial
    if trial is None or trial.started is None:
        return
    place = turn.ladder.index(trial.level)
    watch = turn.ladder.steps[place].trial if place is not None else None
    healthy = turn.state.healthy_since
    if watch is not None and (healthy is None or turn.now - healthy < watch.watch):
        return
    turn.remember(trial=None, healthy_since=healthy if turn.current > 0 else None)
