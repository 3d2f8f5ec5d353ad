"""The figures in docs/performance.md, written from bench/results so that the two never differ."""

import json
from pathlib import Path
from typing import Any

from bench import delay_page
from reliability.blocks import with_block

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


def write() -> None:
    """Replaces the parts between marks, and the plot. Raises ValueError where a mark is missing."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    delay = found.pop("delay", None)
    PAGE.write_text(with_block(PAGE, "make bench", _lines(found)), encoding="utf-8")
    if delay is not None:
        PAGE.write_text(with_block(PAGE, "python -m bench delay", delay_page.lines(delay)), encoding="utf-8")
        delay_page.PLOT.write_text(delay_page.plot(delay["details"]), encoding="utf-8")


def _lines(found: dict[str, dict[str, Any]]) -> list[str]:
    machine = next(iter(found.values()))["machine"]
    loads = ", ".join(f"{name} {result['machine']['load_before']:g}" for name, result in found.items())
    lines = [
        f"Recorded on {machine['cores']} cores of {machine['cpu']} ({machine['system']}), Python {machine['python']},"
        f" Kubernetes {machine['kubernetes']}, Prometheus {machine['prometheus']}, Alertmanager"
        f" {machine['alertmanager']}.",
        f"Load of the machine before each: {loads}. Above 1, others were at work on it.",
        "",
        "| benchmark | figure | value | goal | |",
        "| --- | --- | ---: | --- | --- |",
    ]
    for name, result in found.items():
        goals = {goal["figure"]: goal for goal in result["goals"]}
        for figure, value in {**result["figures"], **result["ratios"]}.items():
            goal = goals.get(figure, {"goal": "", "met": None})
            verdict = {True: "met", False: "**missed**", None: ""}[goal["met"]]
            lines.append(f"| {name} | {figure.replace('_', ' ')} | {value:,.10g} | {goal['goal']} | {verdict} |")
    return lines
