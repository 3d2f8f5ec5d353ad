"""The decision: from what was seen and what is remembered to a level, with its reason.

Pure and total: every situation gives a decision, and the same situation gives the same one. In order: a person's
word (suspend, override); down to the deepest breached level; up one level when everything that the way back
needs has held for long enough; else stay, and say what is waited for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from stepdown.api.durations import format_seconds
from stepdown.api.status import Breach, EngineState, TrialState
from stepdown.engine.breaches import BLINDED, advance, deepest_firing, value_of
from stepdown.engine.ladder import Ladder, Step
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.reasons import Reason

NO_LEVELS: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """The level to be at (its place on the ladder), why, and what was seen.

    `why` fits a column (value against threshold), `message` is the sentence. `came_from` is the level before.
    """

    level: int
    came_from: int
    reason: Reason
    message: str
    why: str
    observations: Mapping[str, Observation]

    @property
    def is_transition(self) -> bool:
        """Whether this decision moves the level."""
        return self.level != self.came_from


def initial_state(ladder: Ladder) -> EngineState:
    """The memory of a policy that was never seen: at full service."""
    return EngineState(level=ladder.steps[0].name)


def after_gap(state: EngineState, now: float) -> EngineState:
    """The memory after a time in which nobody looked: what was only waited for starts again.

    What had fired stays, because nothing is known against it.
    """
    breaches = {
        key: breach if breach.firing else Breach(since=now, paused=breach.paused and now)
        for key, breach in state.breaches.items()
    }
    if breaches == state.breaches and state.healthy_since is None and state.deeper_since is None:
        return state
    return state.model_copy(update={"breaches": breaches, "healthy_since": None, "deeper_since": None})


def decide(
    ladder: Ladder,
    state: EngineState,
    observations: Mapping[str, Observation],
    now: float,
    unavailable: frozenset[int] = NO_LEVELS,
) -> tuple[Decision, EngineState]:
    """The decision at `now` (seconds since the epoch) and the memory after it.

    `unavailable` are levels that can't be entered now, because a fallback isn't ready: the next deeper one is
    taken instead. The state comes back as the same object when nothing has changed.
    """
    current = ladder.index(state.level)
    if current is None:
        current = min(state.index, len(ladder.steps) - 1)
        state = state.model_copy(update={"level": ladder.steps[current].name, "index": current})
    breaches = advance(ladder, state.breaches, observations, now)
    if breaches is not state.breaches:
        state = state.model_copy(update={"breaches": breaches})
    turn = _Turn(ladder, state, observations, now, current, unavailable)
    if ladder.suspend:
        return turn.stay(Reason.SUSPENDED, "suspended: nothing is changed, what is applied stays")
    if ladder.override is not None and now < ladder.override_until:
        return turn.overridden(ladder.override)
    called = turn.called_for()
    if called > current:
        return turn.step_down(called)
    if state.deeper_since is not None:
        turn.state = state.model_copy(update={"deeper_since": None})
    turn.close_trial()
    if current == 0:
        return turn.at_full_service()
    return turn.step_up()


class _Turn:
    """One decision under way."""

    def __init__(
        self,
        ladder: Ladder,
        state: EngineState,
        observations: Mapping[str, Observation],
        now: float,
        current: int,
        unavailable: frozenset[int],
    ) -> None:
        self.ladder = ladder
        self.state = state
        self.observations = observations
        self.now = now
        self.current = current
        self.unavailable = unavailable

    def called_for(self) -> int:
        """The deepest breached level, or the next deeper one that is available; the current one if none is."""
        called = deepest_firing(self.ladder, self.state.breaches)
        while called > self.current and called in self.unavailable:
            called += 1
        return called if called < len(self.ladder.steps) else self.current

    def overridden(self, level: int) -> tuple[Decision, EngineState]:
        if level in self.unavailable:
            return self.stay(
                Reason.FALLBACK_NOT_READY, f"override to {self._name(level)} waits: its fallback isn't ready"
            )
        message = f"pinned to {self._name(level)}: {self.ladder.override_reason}"
        if level == self.current:
            return self.stay(Reason.OVERRIDDEN, message, why=f"override: {self.ladder.override_reason}")
        return self.move(level, Reason.OVERRIDDEN, message, why=f"override: {self.ladder.override_reason}")

    def step_down(self, called: int) -> tuple[Decision, EngineState]:
        breach = self._breach_text(called)
        trial = self.state.trial
        failed = trial is not None and trial.started is not None and called >= (self.ladder.index(trial.level) or 0)
        if self.state.deeper_since is None and self.ladder.down > 0:
            self.state = self.state.model_copy(update={"deeper_since": self.now})
        waited = self.now - (self.state.deeper_since if self.state.deeper_since is not None else self.now)
        if waited < self.ladder.down:
            return self.stay(Reason.STABILIZING, f"{breach}; {self._name(called)} is due when it lasts", why=breach)
        if not failed and (rest := self._dwell_left()) > 0:
            return self.stay(
                Reason.DWELLING,
                f"{breach}; {self._name(called)} is due in {format_seconds(rest)}",
                why=breach,
            )
        if failed and trial is not None:
            after = TrialState(level=trial.level, failures=trial.failures + 1)
            self.state = self.state.model_copy(update={"trial": after})
            return self.move(
                called,
                Reason.TRIAL_FAILED,
                f"{breach} during the trial: back to {self._name(called)}",
                why=breach,
            )
        return self.move(called, Reason.BREACHED, f"{breach}: down to {self._name(called)}", why=breach)

    def close_trial(self) -> None:
        """A running trial has succeeded once it was watched for its time without a breach or a gap."""
        trial = self.state.trial
        if trial is None or trial.started is None:
            return
        place = self.ladder.index(trial.level)
        watch = self.ladder.steps[place].trial if place is not None else None
        if watch is not None and (
            self.now - trial.started < watch.watch or self._missing() or self._pending(place or 0)
        ):
            return
        self.state = self.state.model_copy(update={"trial": None})

    def at_full_service(self) -> tuple[Decision, EngineState]:
        missing = self._missing()
        if missing:
            return self.stay(Reason.MISSING_DATA, f"holding: {_missing_text(missing)}", why=_missing_text(missing[:2]))
        blocked = deepest_firing(self.ladder, self.state.breaches)
        if blocked > 0:
            text = self._breach_text(blocked)
            return self.stay(
                Reason.FALLBACK_NOT_READY,
                f"{text}, but no level from {self._name(blocked)} on has a ready fallback",
                why=text,
            )
        return self.stay(Reason.STEADY, "every signal is within its thresholds")

    def step_up(self) -> tuple[Decision, EngineState]:
        step = self.ladder.steps[self.current]
        missing = self._missing()
        blind = frozenset[str]()
        if step.trial is not None or step.probe is not None:
            blind = self._blinded()
            missing = [(name, kind) for name, kind in missing if kind not in BLINDED]
        if deepest_firing(self.ladder, self.state.breaches, blind) >= self.current:
            return self._not_healthy(Reason.HELD_BY_BREACH, f"{self._breach_text(self.current)} has not cleared")
        if missing:
            return self._not_healthy(
                Reason.MISSING_DATA, f"holding: {_missing_text(missing)}", _missing_text(missing[:2])
            )
        if step.probe is not None and not self._probe_answers(step):
            detail = self.observations.get(step.probe_name, Observation()).detail
            return self._not_healthy(
                Reason.STABILIZING,
                f"the probe doesn't answer yet{': ' + detail if detail else ''}",
                "probe fails",
            )
        if self.state.healthy_since is None:
            self.state = self.state.model_copy(update={"healthy_since": self.now})
        left = self._wait_left(step)
        if left > 0:
            return self.stay(
                Reason.STABILIZING, f"healthy; up to {self._name(self.current - 1)} in {format_seconds(left)}"
            )
        if (rest := self._dwell_left()) > 0:
            return self.stay(
                Reason.DWELLING, f"healthy; up to {self._name(self.current - 1)} in {format_seconds(rest)}"
            )
        spent = [t for t in self.state.transitions if t > self.now - self.ladder.per]
        if len(spent) >= self.ladder.budget:
            wait = format_seconds(min(spent) + self.ladder.per - self.now)
            return self.stay(
                Reason.BUDGET_SPENT,
                f"healthy, but {len(spent)} transitions in {format_seconds(self.ladder.per)}; up in {wait}",
            )
        if self.current - 1 in self.unavailable:
            return self.stay(
                Reason.FALLBACK_NOT_READY,
                f"healthy, but {self._name(self.current - 1)} has no ready fallback",
            )
        return self._up(step)

    def _up(self, step: Step) -> tuple[Decision, EngineState]:
        above = self._name(self.current - 1)
        if step.trial is None and step.probe is None:
            return self.move(
                self.current - 1,
                Reason.RECOVERED,
                f"every signal healthy for {format_seconds(self.ladder.up)}: up to {above}",
            )
        kept = {key: b for key, b in self.state.breaches.items() if self._level_of(key) < self.current}
        self.state = self.state.model_copy(update={"breaches": kept})
        if step.probe is not None:
            return self.move(
                self.current - 1,
                Reason.PROBE_SUCCEEDED,
                f"{step.probe.successes} probes answered: up to {above}",
            )
        before = self.state.trial
        failures = before.failures if before is not None and before.level == step.name else 0
        trial = TrialState(level=step.name, failures=failures, started=self.now)
        self.state = self.state.model_copy(update={"trial": trial})
        return self.move(self.current - 1, Reason.TRIAL_STARTED, f"trying {above} (trial {failures + 1})")

    def _wait_left(self, step: Step) -> float:
        assert self.state.healthy_since is not None
        if step.probe is not None:
            return self.state.healthy_since + step.probe.successes * step.probe.interval - self.now
        if step.trial is not None:
            failures = self.state.trial.failures if self.state.trial and self.state.trial.level == step.name else 0
            wait = min(step.trial.after * 2.0**failures, step.trial.max)
            return max(self.state.since, 0.0) + wait - self.now
        return self.state.healthy_since + self.ladder.up - self.now

    def _not_healthy(self, reason: Reason, message: str, why: str | None = None) -> tuple[Decision, EngineState]:
        if self.state.healthy_since is not None:
            self.state = self.state.model_copy(update={"healthy_since": None})
        return self.stay(reason, message, why=self._breach_text(self.current) if why is None else why)

    def _probe_answers(self, step: Step) -> bool:
        seen = self.observations.get(step.probe_name)
        return seen is not None and seen.value is not None and seen.value >= 1

    def _missing(self) -> list[tuple[str, Missing]]:
        found = []
        for name in self.ladder.needed:
            seen = self.observations.get(name)
            if seen is None or seen.missing is not None:
                found.append((name, Missing.ERROR if seen is None or seen.missing is None else seen.missing))
        return found

    def _blinded(self) -> frozenset[str]:
        return frozenset(w.key for w in self.ladder.watches if value_of(w, self.observations) in BLINDED)

    def _pending(self, place: int) -> bool:
        return any(self._level_of(key) >= place for key in self.state.breaches)

    def _level_of(self, key: str) -> int:
        return next((w.level for w in self.ladder.watches if w.key == key), 0)

    def _dwell_left(self) -> float:
        return self.state.since + self.ladder.dwell - self.now if self.state.since else 0.0

    def _name(self, place: int) -> str:
        return self.ladder.steps[place].name

    def _breach_text(self, place: int) -> str:
        """The first firing condition of a level, or of the nearest one that has called for it."""
        for watch in sorted(self.ladder.watches, key=lambda w: (w.level > place, -w.level)):
            breach = self.state.breaches.get(watch.key)
            if breach is not None and breach.firing:
                value = value_of(watch, self.observations)
                return f"{watch.label} {value}" if isinstance(value, Missing) else watch.text(value)
        return ""

    def stay(self, reason: Reason, message: str, why: str = "") -> tuple[Decision, EngineState]:
        return Decision(self.current, self.current, reason, message, why, self.observations), self.state

    def move(self, level: int, reason: Reason, message: str, why: str = "") -> tuple[Decision, EngineState]:
        recent = [t for t in self.state.transitions if t > self.now - self.ladder.per][-59:]
        state = self.state.model_copy(
            update={
                "level": self._name(level),
                "index": level,
                "since": self.now,
                "deeper_since": None,
                "healthy_since": None,
                "transitions": [*recent, self.now],
            }
        )
        return Decision(level, self.current, reason, message, why, self.observations), state


def _missing_text(missing: list[tuple[str, Missing]]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in missing)
