"""docs/reliability.md: each fault, what holds, and the tests that show it; then the figures of a recorded run."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from reliability.marks import TIERS, Shown, shown_rows
from reliability.results import ROOT, Figure, recorded

PAGE = ROOT / "docs" / "reliability.md"

NOTHING = "\N{EN DASH}"

LINKS = 2
"""Tests of a tier that a row links to; the others are counted."""

HEAD = """\
# Reliability

What may go wrong, and what holds then. Each row links to tests that show it: `unit` on a cluster in memory, a fake
clock or a hostile server; `model` in every schedule of faults that the explorer tries; `plane` on a real API server
and a real Prometheus. `make test` runs them all, and ends with an error where a test that is named here was not run
or did not pass.

"Hold" means: stay at this level, and count the sample as missing.

| # | fault | what holds | shown |
| --- | --- | --- | --- |
"""

FIGURES = """
## Figures

From one run of `make test` on a machine of two cores, 2026-11-25, and one of `make mutants` over the same code.
`make test` prints those of its own run, and `make figures` records them.

| | |
| --- | --- |
"""


@dataclass(frozen=True)
class Row:
    """A fault of the table."""

    number: int
    fault: str
    holds: str


def sections() -> dict[str, list[Row]]:
    """The table's rows under their headings."""
    found = tomllib.loads((Path(__file__).parent / "rows.toml").read_text())
    return {section["name"]: [Row(**row) for row in section["rows"]] for section in found["sections"]}


def page() -> str:
    """The page as it should be."""
    shown = shown_rows()
    lines = []
    for name, rows in sections().items():
        lines.append(f"| | **{name}** | | |")
        lines += [f"| {row.number} | {row.fault} | {row.holds} | {_links(shown.get(row.number, []))} |" for row in rows]
    return HEAD + "\n".join(lines) + "\n" + _figures(recorded())


def _links(tests: list[Shown]) -> str:
    parts = []
    for tier in TIERS:
        of_tier = list(dict.fromkeys(shown for shown in tests if shown.tier == tier))
        if of_tier:
            links = ", ".join(f'[{number}](../{s.path} "{s.test}")' for number, s in enumerate(of_tier[:LINKS], 1))
            more = f" +{len(of_tier) - LINKS}" if len(of_tier) > LINKS else ""
            parts.append(f"{tier} {links}{more}")
    return "; ".join(parts) or NOTHING


def _figures(figures: list[Figure]) -> str:
    return FIGURES + "".join(f"| {figure.name} | {figure.text} |\n" for figure in figures)
