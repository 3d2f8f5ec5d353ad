"""One decision under way: what it starts from, and the ways in which it can end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stepdown.api.status import EngineState
from stepdown.engine.breaches import value_of
from stepdown.engine.ladder import Ladder, Watch
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.reasons import Reason

TRANSITIONS_MAX = 60
"""How many transitions the memory holds, as many as a budget can have."""


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


@dataclass(slots=True)
class Turn:
    """A ladder at `current`, what was seen at `now`, and the memory, which changes until `stay` or `move`."""

    ladder: Ladder
    state: EngineState
    observations: Mapping[str, Observation]
    now: float
    current: int
    unavailable: frozenset[int]

    def remember(self, **changes: Any) -> None:
        """Changes the memory; the same object stays where nothing differs."""
        if any(getattr(self.state, name) != value for name, value in changes.items()):
            self.state = self.state.model_copy(update=changes)

    def stay(self, reason: Reason, message: str, why: str = "") -> tuple[Decision, EngineState]:
        """Ends it at the level where it began."""
        return Decision(self.current, self.current, reason, message, why, self.observations), self.state

    def move(self, level: int, reason: Reason, message: str, why: str = "") -> tuple[Decision, EngineState]:
        """Ends it at another level; everything that was waited for starts again."""
        recent = [t for t in self.state.transitions if t > self.now - self.ladder.per][-(TRANSITIONS_MAX - 1) :]
        self.remember(
            level=self.name(level),
            index=level,
            since=self.now,
            deeper_since=None,
            healthy_since=None,
            transitions=[*recent, max([self.now, *recent])],
        )
        return Decision(level, self.current, reason, message, why, self.observations), self.state

    def name(self, place: int) -> str:
        """The name of a level."""
        return self.ladder.steps[place].name

    def dwell_left(self) -> float:
        """Seconds until the least time at this level is over."""
        return self.state.since + self.ladder.dwell - self.now if self.state.since else 0.0

    def missing(self) -> list[tuple[str, Missing]]:
        """Everything needed that has no value, with its kind."""
        found = []
        for name in self.ladder.needed:
            seen = self.observations.get(name)
            if seen is None:
                found.append((name, Missing.ERROR))
            elif seen.missing is not None:
                found.append((name, seen.missing))
        return found

    def breach_text(self, place: int) -> str:
        """Value against threshold of the breach that best explains a level: seen, firing, of this level or near it."""
        breached = [watch for watch in self.ladder.watches if watch.key in self.state.breaches]
        if not breached:
            return ""
        breaches = self.state.breaches

        def paused(watch: Watch) -> bool:
            return breaches[watch.key].paused is not None

        best = min(breached, key=lambda w: (paused(w), not breaches[w.key].firing, w.level > place, -w.level))
        value = value_of(best, self.observations)
        return f"{best.label} {value}" if isinstance(value, Missing) else best.text(value)
