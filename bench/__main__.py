"""`python -m bench [NAME…]`: runs benchmarks, writes bench/results/NAME.json and docs/performance.md, prints a table.

One that needs a real node is left out where there can be none.

With BENCH_QUICK=1 runs are short and nothing is written: to try a change, not to quote. Exit code 1 when a goal was
missed, 2 when a benchmark could not be run.
"""

import json
import os
import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

from bench import machine, page
from bench.outcome import Outcome, say
from node.real_node import CannotRun
from plane.binaries import CannotBuild

MODULES = {"engine": "engine", "import": "imports", "reaction": "reaction", "quiet": "quiet", "delay": "delay"}


def main(names: list[str]) -> int:
    """The exit code."""
    unknown = [name for name in names if name not in MODULES]
    if unknown:
        say(f"no benchmark {unknown[0]}: there are {', '.join(MODULES)}")
        return 2
    quick = os.environ.get("BENCH_QUICK", "") not in ("", "0")
    outcomes: dict[str, Outcome] = {}
    for name in names or list(MODULES):
        before = machine.load()
        say(f"{name}: begins, load {before}")
        try:
            outcomes[name] = import_module(f"bench.{MODULES[name]}").measure(quick=quick)
        except CannotBuild as error:
            say(f"{name}: {error}")
            return 2
        except CannotRun as error:
            say(f"{name} isn't measured: {error}")
            continue
        if not quick:
            _write(name, outcomes[name], before)
    _show(outcomes)
    if quick:
        say("a quick run: nothing was written to bench/results")
    else:
        page.write()
    missed = [goal for found in outcomes.values() for goal in found.document()["goals"] if goal["met"] is False]
    return 1 if missed else 0


def _write(name: str, outcome: Outcome, load: float) -> None:
    page.RESULTS.mkdir(exist_ok=True)
    document = {**outcome.document(), "machine": {**machine.describe(), "load_before": load}}
    (page.RESULTS / f"{name}.json").write_text(
        json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _show(outcomes: dict[str, Outcome]) -> None:
    table = Table("benchmark", "figure", "value", "goal", "", box=None, header_style="bold")
    for name, outcome in outcomes.items():
        goals = {goal.figure: goal for goal in outcome.goals}
        shown = {**outcome.figures, **outcome.ratios, **{g: None for g in goals if outcome.value(g) is None}}
        for place, (figure, value) in enumerate(shown.items()):
            goal = goals.get(figure)
            verdict = (
                "" if goal is None else "not measured" if value is None else "met" if goal.met(value) else "MISSED"
            )
            text = "-" if value is None else f"{value:,g}" if value < 1e6 else f"{value:,.0f}"
            title = name if place == 0 else ""
            table.add_row(title, figure.replace("_", " "), text, "" if goal is None else goal.text(), verdict)
    console = Console(width=100) if not sys.stdout.isatty() else Console()
    console.print(table)
    for name, outcome in outcomes.items():
        for note in outcome.notes:
            console.print(f"{name}: {note}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
