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
    named = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    missing = [link for link in named if not (ROOT / page).parent.joinpath(link).exists()]
    missing += [
        path
        for path in re.findall(r"`((?:docs|operator|examples|helm|e2e)/[\w./-]+)`", text)
        if not (ROOT / path).exists()
    ]
    assert missing == []


def test_every_fault_that_is_said_to_be_shown_has_a_test_with_its_number():
    said = re.findall(r"^\| (\d+) \|.*\| (.+?) \|$", (ROOT / "docs/reliability.md").read_text(), re.MULTILINE)
    shown = {"unit": shown_under("tests"), "plane": shown_under("e2e/tests")}
    untrue = [f"{row} on {place}" for row, text in said for place in shown if place in text and row not in shown[place]]

    assert [row for row, _ in said] == [str(number) for number in range(1, 57)]
    assert untrue == []


def shown_under(folder: str) -> set[str]:
    """Numbers of faults in the marks and names of tests."""
    text = "".join(path.read_text() for path in (ROOT / folder).rglob("test_*.py"))
    named = re.findall(r"mark\.row\((\d+)\)|def test_rows?_(\d+(?:_\d+)*)_", text)
    return {number for mark, name in named for number in (mark or name).split("_")}
