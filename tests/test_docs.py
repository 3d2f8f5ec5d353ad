"""What users are told to look up is there to be found."""

import re
from pathlib import Path

import pytest

from stepdown.adapters.metrics import Metrics
from stepdown.engine.reasons import EventReason, Problem, Reason

ROOT = Path(__file__).resolve().parent.parent
REASONS = (ROOT / "docs/reasons.md").read_text()


def rows(heading: str) -> set[str]:
    """The codes of the first column under a heading."""
    part = REASONS.split(f"## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([A-Za-z_]+)`", part, re.MULTILINE))


@pytest.mark.parametrize(
    ("heading", "codes"),
    [("Why a policy is not ready", Problem), ("Why a level is what it is", Reason), ("Events", EventReason)],
)
def test_every_reason_is_documented_and_no_other(heading, codes):
    assert rows(heading) == {str(code) for code in codes}


def test_every_metric_is_documented_and_no_other():
    exposed = set()
    for family in Metrics().registry.collect():
        exposed.add(family.name + ("_total" if family.type == "counter" else ""))
    assert rows("Metrics") == exposed


PAGES = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")]


@pytest.mark.parametrize("page", sorted(p.relative_to(ROOT).as_posix() for p in PAGES))
def test_links_and_files_that_a_page_names_are_there(page):
    text = (ROOT / page).read_text()
    named = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    missing = [link for link in named if not (ROOT / page).parent.joinpath(link).exists()]
    missing += [
        path
        for path in re.findall(r"`((?:docs|operator|examples|helm|e2e)/[\w./-]+)`", text)
        if not (ROOT / path).exists()
    ]
    assert missing == []


THREATS = (ROOT / "docs/threat-model.md").read_text()


@pytest.mark.parametrize("page", sorted(p.relative_to(ROOT).as_posix() for p in PAGES))
def test_tests_that_a_page_names_are_there(page):
    named = re.findall(r"`((?:tests|e2e|torture)/[\w/]+\.py)::(test_\w+)`", (ROOT / page).read_text())
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).exists() or f"def {test}(" not in (ROOT / file).read_text()
    ]
    assert missing == []


def test_every_threat_has_a_control_and_a_test():
    rows = [row for part in THREATS.split("| threat |")[1:] for row in part.split("\n\n")[0].split("\n")[2:]]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if row]
    assert len(cells) > 25
    assert [row[0] for row in cells if len(row) != 3 or not all(row) or "::test_" not in row[2]] == []
