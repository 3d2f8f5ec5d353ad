"""The decision: from what was seen and what is remembered to a level, with its reason.

Pure and total: every situation gives a decision, and the same situation gives the same one. In order: a person's
word (suspend, override); down to the deepest level that is called for; up one level when everything that the way
back needs has held for long enough (recovery.py); else stay, and say what is waited for.
"""

from collections.abc import Mapping

from stepdown.api.durations import format_seconds
from stepdown.api.status import Breach, EngineState, TrialState
from stepdown.engine.breaches import advance, deepest_called
from stepdown.engine.ladder import Ladder
from stepdown.engine.observation import Observation
from stepdown.engine.reasons import Reason
from stepdown.engine.recovery import note_gap, step_up
from stepdown.engine.turn import Decision, Turn

__all__ = ["NO_LEVELS", "Decision", "after_gap", "decide", "initial_state"]

NO_LEVELS: frozenset[int] = frozenset()

AHEAD_SECONDS = 7200.0
"""How far ahead a transition is counted: two replicas' clocks may be off by an hour each."""


def initial_state(ladder: Ladder) -> EngineState:
    """The memory of a policy that was never seen: at full service."""
    return EngineState(level=ladder.steps[0].name)


def in_mode(ladder: Ladder, state: EngineState, *, observing: bool, holds: bool) -> EngineState:
    """The memory in a mode. A policy that begins to act does so at full service: what it only said was never done.

    What is known of its conditions stays, so that a step down is due at once where it was, as a step like any other.
    One that `holds` something has done what it said: while it is suspended that stays so, and it doesn't observe.
    """
    if state.observing == observing or (observing and holds and ladder.suspend):
        return state
    if observing:
        return state.model_copy(update={"observing": True})
    cleared = {"deeper_since": None, "healthy_since": None, "trial": None, "observing": False}
    return state.model_copy(update={"index": 0, "level": ladder.steps[0].name, **cleared})


def after_gap(state: EngineState, now: float) -> EngineState:
    """The memory after a time in which nobody looked, or the clock was set: what was only waited for starts again.

    What had fired stays, because nothing is known against it. Times that lie ahead become now: a clock that was
    set back must not stop every timer until it has caught up. Only the budget counts what another replica's clock,
    or an earlier one, has seen before its time; else leaders that take turns would each find it unspent.
    """

    def past(time: float | None) -> float | None:
        return None if time is None else min(time, now)

    breaches = {
        key: Breach(
            since=min(breach.since, now) if breach.firing else now,
            paused=past(breach.paused) if breach.firing or breach.paused is None else now,
            firing=breach.firing,
        )
        for key, breach in state.breaches.items()
    }
    trial = state.trial.model_copy(update={"started": past(state.trial.started)}) if state.trial else None
    after = state.model_copy(
        update={
            "breaches": breaches,
            "healthy_since": None,
            "deeper_since": None,
            "since": min(state.since, now),
            "missing_since": past(state.missing_since),
            "complete_since": now if state.index > 0 else past(state.complete_since),
            "trial": trial,
            "transitions": [time if time <= now + AHEAD_SECONDS else now for time in state.transitions],
        }
    )
    return state if after == state else after


def decide(
    ladder: Ladder,
    state: EngineState,
    observations: Mapping[str, Observation],
    now: float,
    unavailable: frozenset[int] = NO_LEVELS,
) -> tuple[Decision, EngineState]:
    """The decision at `now` (seconds since the epoch) and the memory after it.

    `unavailable` are levels that can't be entered now, because a fallback isn't ready: the next deeper one is
    taken instead. Where the present level is one of them, nobody is answered at it any more, and it is left for a
    deeper one at once. The state comes back as the same object when nothing has changed.
    """
    current = ladder.index(state.level)
    if current is None:
        current = min(state.index, len(ladder.steps) - 1)
    turn = Turn(ladder, state, observations, now, current, unavailable)
    if current != state.index or state.level != ladder.steps[current].name:
        turn.remember(level=ladder.steps[current].name, index=current)
    breaches = advance(ladder, state.breaches, observations, now)
    if breaches is not state.breaches:
        turn.remember(breaches=breaches)
    note_gap(turn)
    if ladder.suspend:
        turn.remember(healthy_since=None, deeper_since=None)
        return turn.stay(Reason.SUSPENDED, "suspended: nothing is changed, what is applied stays")
    if ladder.override is not None and now < ladder.override_until:
        turn.remember(healthy_since=None, deeper_since=None)
        return _overridden(turn, ladder.override)
    called = deepest_called(ladder, breaches, observations)
    if current in unavailable and (deeper := _available(turn, max(called, current + 1))) > current:
        text = f"nobody is answered at {turn.name(current)} any more: down to {turn.name(deeper)}"
        return turn.move(deeper, Reason.FALLBACK_NOT_READY, text, "fallback gone")
    available = _available(turn, called)
    if available > current:
        return _step_down(turn, available)
    if turn.state.deeper_since is not None:
        turn.remember(deeper_since=None)
    if called > current:
        turn.remember(healthy_since=None)
        text = turn.breach_text(called)
        message = f"{text}, but no level from {turn.name(called)} on has a ready fallback"
        return turn.stay(Reason.FALLBACK_NOT_READY, message, text)
    return step_up(turn)


def _available(turn: Turn, called: int) -> int:
    """The level called for, or the next deeper one that can be entered; the current one if there is none."""
    while called > turn.current and called in turn.unavailable:
        called += 1
    return called if called < len(turn.ladder.steps) else turn.current


def _overridden(turn: Turn, level: int) -> tuple[Decision, EngineState]:
    if level != turn.current and level in turn.unavailable:
        text = f"override to {turn.name(level)} waits: nobody would answer there"
        return turn.stay(Reason.FALLBACK_NOT_READY, text)
    reason = turn.ladder.override_reason
    message, why = f"pinned to {turn.name(level)}: {reason}", f"override: {reason}"
    if level == turn.current:
        return turn.stay(Reason.OVERRIDDEN, message, why)
    return turn.move(level, Reason.OVERRIDDEN, message, why)


def _step_down(turn: Turn, level: int) -> tuple[Decision, EngineState]:
    breach, name = turn.breach_text(level), turn.name(level)
    trial = turn.state.trial
    failed = trial is not None and trial.started is not None and level >= (turn.ladder.index(trial.level) or 0)
    turn.remember(healthy_since=None)
    if turn.ladder.down > 0:
        if turn.state.deeper_since is None:
            turn.remember(deeper_since=turn.now)
        assert turn.state.deeper_since is not None
        if turn.now - turn.state.deeper_since < turn.ladder.down:
            return turn.stay(Reason.STABILIZING, f"{breach}; {name} is due when it lasts", breach)
    if not failed and (rest := turn.dwell_left()) > 0:
        return turn.stay(Reason.DWELLING, f"{breach}; {name} is due in {format_seconds(rest)}", breach)
    if failed and trial is not None:
        turn.remember(trial=TrialState(level=trial.level, failures=trial.failures + 1))
        return turn.move(level, Reason.TRIAL_FAILED, f"{breach} during the trial: back to {name}", breach)
    return turn.move(level, Reason.BREACHED, f"{breach}: down to {name}", breach)
