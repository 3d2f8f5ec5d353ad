"""The table and the plot of `delay`: each way with its name for people, a point for each breach."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

PLOT = Path(__file__).parents[1] / "docs" / "delay.svg"
WAYS = {
    "by_hand": "one PATCH by hand, the floor",
    "stepdown": "Stepdown",
    "rules_tuned": "rules every second, group_wait 0s, a script",
    "rules_default": "rules every 15 s, group_wait 30s, a script",
    "autoscaler": "an autoscaler on CPU, alone",
}
FLAGS = {"flag_touched": "`refresh: Pods`, the default", "flag_left": "`refresh: None`"}
_COLUMNS = {
    "write": "scrape to write",
    "answer": "write to first good answer",
    "whole": "breach to first good answer",
}
_LEFT, _RIGHT, _TOP, _ROW = 290, 760, 16, 34
_FIRST, _LAST = -2, 2
"""Powers of ten, in seconds, that the plot shows."""
_STYLE = (
    "text{font:13px sans-serif;fill:#1f2328}line{stroke:#8c959f;stroke-width:.5}circle{fill:#0969da;fill-opacity:.5}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}circle{fill:#58a6ff}}"
)


def lines(result: Mapping[str, Any]) -> list[str]:
    """The block of the page."""
    machine, details = result["machine"], result["details"]
    shown = [
        f"{len(details['stepdown_whole'])} breaches each, on {machine['cores']} cores of {machine['cpu']}, load before:"
        f" {machine['load_before']:g}. Seconds, median / longest. Errors: {_errors(result['figures'])}.",
        "",
        f"| way | {' | '.join(_COLUMNS.values())} |",
        "| --- | ---: | ---: | ---: |",
    ]
    for way, name in WAYS.items():
        if f"{way}_whole" in details:
            cells = [_cell(details[f"{way}_{column}"]) for column in _COLUMNS]
            shown.append(f"| {name} | {' | '.join(cells)} |")
    shown += ["", "| a flag in a mounted ConfigMap | its write to a pod that sees it |", "| --- | ---: |"]
    shown += [f"| {text} | {_cell(details[name])} |" for name, text in FLAGS.items()]
    return [*shown, "", f"![From the breach to the first good answer, a point for each breach]({PLOT.name})"]


def _errors(figures: Mapping[str, float]) -> str:
    counts = {name: figures[f"{way}_errors"] for way, name in WAYS.items() if figures.get(f"{way}_errors")}
    return ", ".join(f"{count:g} ({name})" for name, count in counts.items()) or "none"


def _cell(seconds: list[float]) -> str:
    return f"{median(seconds):.2f} / {max(seconds):.2f}"


def plot(details: Mapping[str, list[float]]) -> str:
    """An SVG: a row for each way, on it the whole delay of each breach, to the right on a logarithmic scale."""
    found = {way: details[f"{way}_whole"] for way in WAYS if f"{way}_whole" in details}
    return "\n".join(_shapes(found)) + "\n"


def _shapes(found: Mapping[str, list[float]]) -> Iterator[str]:
    bottom = _TOP + _ROW * len(found)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_RIGHT + 30} {bottom + 44}" role="img">'
    yield f"<title>From the breach to the first good answer</title><style>{_STYLE}</style>"
    for power in range(_FIRST, _LAST + 1):
        x = _place(10.0**power)
        yield f'<line x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}"/>'
        yield f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{10.0**power:g} s</text>'
    for row, way in enumerate(found):
        y = _TOP + _ROW * row + _ROW // 2
        yield f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{WAYS[way]}</text>'
        yield from (f'<circle cx="{_place(seconds)}" cy="{y}" r="5"/>' for seconds in sorted(found[way]))
    middle = (_LEFT + _RIGHT) // 2
    yield f'<text x="{middle}" y="{bottom + 38}" text-anchor="middle">from the breach to the first good answer</text>'
    yield "</svg>"


def _place(seconds: float) -> float:
    share = (math.log10(seconds) - _FIRST) / (_LAST - _FIRST)
    return round(_LEFT + (_RIGHT - _LEFT) * min(1.0, max(0.0, share)), 1)
