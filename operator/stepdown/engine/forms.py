"""How many expressions become one query, and its rows the answers of each again.

Joined: free expressions, each row marked with a number. Grouped: a preset over many targets, rows told apart by
their labels. A policy never notices which.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from stepdown.api.signals import Preset
from stepdown.engine.presets import Target, grouped, labels_of
from stepdown.engine.promql import Selector, is_scalar

MARK = "stepdown_query"
JOINED_MAX = 200
TARGETS_MAX = 200
JOINED_CHARACTERS_MAX = 65_536
TARGETS_CHARACTERS_MAX = 8_192

_MARKS = frozenset(map(str, range(JOINED_MAX)))


@dataclass(frozen=True, slots=True)
class Joined:
    """Expressions that give vectors, joined by `or`. Items are their texts."""

    size: int = JOINED_MAX
    characters: int = JOINED_CHARACTERS_MAX

    def query(self, items: Sequence[Any]) -> str:
        """One query for all; at equal labels `or` would drop rows, the marks keep them apart."""
        return _any_of([f'label_replace({text}, "{MARK}", "{number}", "", "")' for number, text in enumerate(items)])

    def owner(self, labels: Mapping[str, str], items: Sequence[Any]) -> Any:
        """The item that a row answers; None for a row without a mark of ours."""
        mark = labels.get(MARK, "")
        return items[int(mark)] if mark in _MARKS and int(mark) < len(items) else None


def _any_of(expressions: Sequence[str]) -> str:
    """Expressions joined by `or` in a balanced tree.

    Each `or` looks at every row of its left side, so that a plain chain costs the square of its length: 200
    expressions took Prometheus 157 ms in a chain and 65 ms like this.
    """
    if len(expressions) <= 2:
        return " or ".join(expressions)
    half = len(expressions) // 2
    return f"({_any_of(expressions[:half])}) or ({_any_of(expressions[half:])})"


Part = Literal["value", "volume", "freshness"]


@dataclass(frozen=True, slots=True)
class Grouped:
    """One part of a preset over many targets. Items are the targets."""

    preset: Preset
    window: str
    quantile: int
    part: Part
    size: int = TARGETS_MAX
    characters: int = TARGETS_CHARACTERS_MAX

    def query(self, items: Sequence[Any]) -> str:
        """One query for all targets."""
        return str(getattr(grouped(self.preset, items, self.window, self.quantile), self.part))

    def owner(self, labels: Mapping[str, str], items: Sequence[Any]) -> Any:  # noqa: ARG002 - as Joined has it
        """The target that a row is about; it may be a pair of names that wasn't asked for."""
        namespace, name = (labels.get(label, "") for label in labels_of(self.preset))
        return namespace, name


Form = Joined | Grouped
Item = str | Target


def groups(items: Sequence[Item], size: int, characters: int) -> Iterator[list[Item]]:
    """Runs of items, in order, of bounded number and length; an item that is too long by itself is alone."""
    group: list[Item] = []
    length = 0
    for item in items:
        longer = len(item) if isinstance(item, str) else sum(map(len, item))
        if group and (len(group) >= size or length + longer > characters):
            yield group
            group, length = [], 0
        group.append(item)
        length += longer
    if group:
        yield group


def value_of(promql: str) -> str:
    """A checked query as an item: a vector of two rows at most, so that one tenant's thousands don't spoil a batch.

    The line breaks end a comment in it. Raises promql.Malformed.
    """
    if is_scalar(promql):
        return f"vector((\n{promql}\n))"
    return f"topk(2, (\n{promql}\n))"


def newest_of(selector: Selector) -> str:
    """The time of a selector's newest sample."""
    return f"max(timestamp({selector.text}))"


def presence_of(selector: Selector, longest: float) -> str:
    """1 where a selector of the past had samples in its window, in the last `longest` seconds at most."""
    seconds = max(1, round(min(selector.window or 0.0, longest)))
    return f"max(present_over_time({selector.text}[{seconds}s]))"
