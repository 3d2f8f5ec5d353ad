"""A simulation for people: one page of text per policy, coloured on a terminal only."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.style import Style
from rich.text import Text

from stepdown.api.durations import format_seconds
from stepdown.api.lines import one_line
from stepdown.simulate.record import FLAP_SECONDS, Record

VALUE_MAX = 60

_TITLE = Style(bold=True)
_DOWN = Style(color="red")
_UP = Style(color="green")
_QUIET = Style(dim=True)
_WARNING = Style(color="yellow")

Line = tuple[str, Style]


def show(console: Console, records: Sequence[Record]) -> None:
    """Prints each record."""
    for number, record in enumerate(records):
        if number:
            console.print()
        for text, style in _page(record):
            console.print(Text(_printable(text), style), soft_wrap=True)


def _page(record: Record) -> Iterator[Line]:
    found = record.document()
    step, asked = record.step / 1000, (record.to - record.asked_from + record.step) / 1000
    time = f"{format_seconds(asked)} up to {found['to']}, every {step:g}s"
    yield f"{record.namespace}/{record.name}: {time}", _TITLE
    if record.data_from is None:
        text = "no signal had data in all this time: nothing was simulated; check the queries, or give a longer --last"
        yield f"  {text}", _WARNING
    elif record.data_from != record.asked_from:
        yield f"  data exist since {found['dataFrom']} only: simulated from there", _WARNING
    yield from _transitions(found, [level.name for level in record.spec.levels])
    yield from _table(
        "level",
        [
            [v["name"], format_seconds(v["seconds"]), _percent(v["share"]), f"entered {_count(v['entered'], 'time')}"]
            for v in found["levels"]
        ],
    )
    gaps = [[v["signal"], v["kind"], format_seconds(v["seconds"]), _percent(v["share"])] for v in found["missing"]]
    yield from _table("missing data", gaps or [["none"]])
    yield from _table("would have changed", [_change(v) for v in found["changes"]] or [["nothing"]])
    if found["objectives"]:
        yield from _table("error budget left", [[v["name"], v["budgetLeft"]] for v in found["objectives"]])
    for title, sentences, style in (
        ("not as it should be", [f"{v['time']}  {v['reason']}: {v['message']}" for v in found["problems"]], _WARNING),
        ("assumed", found["assumed"], _QUIET),
    ):
        if sentences:
            yield "", _QUIET
            yield f"  {title}", _TITLE
            yield from ((f"    {sentence}", style) for sentence in sentences)


def _transitions(found: dict[str, Any], order: list[str]) -> Iterator[Line]:
    moves, flaps = found["transitions"], found["flaps"]["count"]
    yield "", _QUIET
    within = format_seconds(FLAP_SECONDS)
    counted = f"{_count(len(moves), 'transition')}, {_count(flaps, 'flap')}"
    yield f"  {counted} (a flap: down into a level again within {within} of leaving it)", _TITLE
    rows = [[v["time"], f"{v['from']} → {v['to']}", v["reason"], v["why"]] for v in moves]
    styles = [_DOWN if order.index(v["to"]) > order.index(v["from"]) else _UP for v in moves]
    yield from zip(_aligned(rows), styles, strict=True)


def _change(found: dict[str, Any]) -> list[str]:
    before, after = (_short(found[key]) if key in found else "absent" for key in ("before", "after"))
    return [found["level"], f"{found['kind']} {found['name']}", found["path"], f"{before} → {after}"]


def _table(title: str, rows: list[list[str]]) -> Iterator[Line]:
    yield "", _QUIET
    yield f"  {title}", _TITLE
    yield from ((line, Style()) for line in _aligned(rows))


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "    " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _percent(share: float) -> str:
    return f"{share * 100:.1f}%"


def _short(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text if len(text) <= VALUE_MAX else text[: VALUE_MAX - 3] + "..."


def _printable(text: str) -> str:
    """What files and Prometheus say can't write to a terminal but in letters."""
    return one_line(text, len(text))
