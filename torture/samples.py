"""A generator of bad samples: rows of an answer that are no fresh finite number, and answers that are none.

Every kind has a name, so that a run can say that it has met them all. What is random is drawn from the caller's
`random.Random`: a seed gives the same samples again. Values and times are otherwise good, and say what the caller
wants: what is wrong with an answer is all that keeps it from being believed.
"""

import json
import random
from collections.abc import Callable
from typing import Any

from adapters.hostile import NOW, http, items
from torture.spoiling import SPOILING

Row = dict[str, Any]

Value = Callable[[int], str]
"""What the question of a policy is answered with, by its number: that of its series `load_<number>`."""

Marks = dict[str, str]
"""The marks under which a policy's `value` and its `newest` sample's time were asked; after halving one of them."""

NUMBERS = ("NaN", "Inf", "+Inf", "-Inf", "9" * 400, "-1e999")
"""Values as Prometheus writes them that are not finite."""

FOREIGN = ("", " 0", "0 ", "+0", "00", "0.0", "0x0", "\u0660", "-1", "200", "10000000000000000000", "\u0000", "zero")
"""Marks that are not ours, however much they look like it."""


def row(mark: str, value: object, at: float = NOW, **labels: str) -> Row:
    """A row as Prometheus gives it."""
    return {"metric": {"stepdown_query": mark, **labels}, "value": [at, str(value)]}


def good_rows(marks: Marks, value: str) -> list[Row]:
    """A policy's answer: its value, and a newest sample of five seconds ago."""
    told = {"value": value, "newest": repr(NOW - 5)}
    return [row(mark, told[part]) for part, mark in marks.items()]


def of_several(chance: random.Random, marks: Marks, value: str) -> list[Row]:
    """Two series or more where one is needed."""
    more = [row(marks["value"], value, pod=str(number)) for number in range(chance.randint(1, 4))]
    return [*good_rows(marks, value), *more]


def of_nobody(chance: random.Random, marks: Marks, value: str) -> list[Row]:
    """A row under a mark that is nobody's."""
    return [*good_rows({**marks, "value": chance.choice(FOREIGN)}, value)]


def not_finite(chance: random.Random, marks: Marks, _: str) -> list[Row]:
    """A value that no threshold can be compared with."""
    return good_rows(marks, chance.choice(NUMBERS))


def absent(_: random.Random, marks: Marks, value: str) -> list[Row]:
    """No series."""
    return good_rows({part: mark for part, mark in marks.items() if part == "newest"}, value)


def _newest(marks: Marks, value: str, *times: object) -> list[Row]:
    rest = good_rows({part: mark for part, mark in marks.items() if part == "value"}, value)
    return [*rest, *(row(marks["newest"], time, pod=str(number)) for number, time in enumerate(times))]


def stale(chance: random.Random, marks: Marks, value: str) -> list[Row]:
    """A sample that only the lookback keeps alive."""
    return _newest(marks, value, NOW - 60 - 10 ** chance.uniform(0, 12))


def future(chance: random.Random, marks: Marks, value: str) -> list[Row]:
    """A sample that was not made yet."""
    return _newest(marks, value, NOW + 30 + 10 ** chance.uniform(0, 12))


def timeless(chance: random.Random, marks: Marks, value: str) -> list[Row]:
    """A sample whose time is no number, alone or beside one that is."""
    times = [chance.choice(NUMBERS), NOW - 5]
    return _newest(marks, value, *times[: chance.randint(1, 2)])


OF_VALUES = {"several": of_several, "nobody's": of_nobody, "not finite": not_finite, "absent": absent}
OF_TIMES = {"stale": stale, "future": future, "timeless": timeless}
KINDS = {*OF_VALUES, *OF_TIMES, *SPOILING}


def answer(query: str, value: Value, rows: Callable[[Marks, str], list[Row]] = good_rows) -> dict[str, Any]:
    """The document that answers a query, with each policy's rows."""
    marks: dict[int, Marks] = {}
    for mark, text in items(query).items():
        number = int(text.partition("load_")[2].rstrip("\n) "))
        marks.setdefault(number, {})["newest" if text.startswith("max(") else "value"] = mark
    found = [row("", 1)] if not marks else []
    for number, named in marks.items():
        found += rows(named, value(number))
    return {"status": "success", "data": {"resultType": "vector", "result": found}}


def bad_answer(chance: random.Random, query: str, value: Value) -> tuple[list[str], bytes]:
    """A reply to a query with the kinds of bad samples in it: one for a spoilt answer, else one of each policy."""
    made: list[str] = []

    def bad_rows(marks: Marks, told: str) -> list[Row]:
        kinds = {**(OF_VALUES if "value" in marks else {}), **(OF_TIMES if "newest" in marks else {})}
        kind = chance.choice(list(kinds))
        made.append(kind)
        return kinds[kind](chance, marks, told)

    if chance.random() < 0.4:
        kind = chance.choice(list(SPOILING))
        return [kind], SPOILING[kind](chance, answer(query, value))
    document = answer(query, value, bad_rows)
    return made, http(json.dumps(document).encode())
