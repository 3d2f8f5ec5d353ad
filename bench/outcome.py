"""What a benchmark gives back: figures, the ratios between them, and the goals that they meet or miss."""

import sys
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound for one figure or ratio."""

    figure: str
    bound: float
    is_floor: bool

    def met(self, value: float) -> bool:
        """Whether a value is on the right side of the bound."""
        return value >= self.bound if self.is_floor else value <= self.bound

    def text(self) -> str:
        """As a table shows it."""
        return f"{'≥' if self.is_floor else '≤'} {self.bound:,g}"


def at_least(figure: str, bound: float) -> Goal:
    """Met by values from the bound on."""
    return Goal(figure, bound, is_floor=True)


def at_most(figure: str, bound: float) -> Goal:
    """Met by values up to the bound."""
    return Goal(figure, bound, is_floor=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One benchmark's result. `figures` and `ratios` are rounded numbers by name, units in the names.

    `notes` are sentences about what the run left out.
    """

    what: str
    figures: dict[str, float]
    ratios: dict[str, float]
    goals: tuple[Goal, ...]
    details: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def value(self, name: str) -> float | None:
        """A figure or a ratio; None for one that this run didn't measure."""
        return self.figures.get(name, self.ratios.get(name))

    def document(self) -> dict[str, Any]:
        """As JSON is written."""
        goals = []
        for goal in self.goals:
            value = self.value(goal.figure)
            met = None if value is None else goal.met(value)
            goals.append({"figure": goal.figure, "goal": goal.text(), "value": value, "met": met})
        kept = {key: item for key, item in asdict(self).items() if key != "goals" and item not in ({}, ())}
        return {**kept, "goals": goals}


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)
