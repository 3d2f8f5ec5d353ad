"""The page on reliability says what tests say, and a run that has not shown it fails."""

from dataclasses import replace
from pathlib import Path

import pytest

from reliability import __main__ as command
from reliability import marks, results, scenarios
from reliability.blocks import with_block
from reliability.marks import Shown, shown_rows
from reliability.results import (
    Figure,
    Scenario,
    add_figure,
    add_passed,
    add_scenario,
    read_results,
    record_scenarios,
    recorded_scenarios,
)

MODULE = """
import pytest

pytestmark = pytest.mark.row(8)

@pytest.mark.row(3)
@pytest.mark.row(4)
def test_two(): ...

@pytest.mark.parametrize("kind", [pytest.param(1, marks=pytest.mark.row(5)), 2])
def test_cases(kind): ...

def not_a_test(): ...
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (marks, results):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(results, "RESULTS", tmp_path / ".run" / "results.jsonl")
    monkeypatch.setattr(results, "SCENARIOS", tmp_path / "scenarios.json")
    results.SCENARIOS.write_text("[]")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(MODULE)
    return tmp_path


def test_marks_of_tests_of_their_cases_and_of_their_module_are_found(project):
    two, cases = Shown("unit", "tests/test_it.py", "test_two"), Shown("unit", "tests/test_it.py", "test_cases")
    assert shown_rows() == {3: [two], 4: [two], 5: [cases], 8: [two, cases]}


def test_figures_and_passed_tests_of_all_suites_are_kept_together(project):
    add_figure("trials", 31204)
    add_figure("failover p99", 3.25, "s")
    add_passed("tests/test_it.py", "test_two")
    found = read_results()
    assert [figure.text for figure in found.figures.values()] == ["31,204", "3.25 s"]
    assert found.passed == {("tests/test_it.py", "test_two")}


def test_a_run_without_a_test_that_the_page_names_fails_and_names_it(project, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["reliability", "end"])
    add_passed("tests/test_it.py", "test_two")
    assert command.main() == 1
    assert "tests/test_it.py::test_cases was not run or did not pass" in capsys.readouterr().err


def test_a_figure_is_printed_as_people_read_it():
    assert Figure("lost", 0).text == "0"
    assert Figure("time", 0.5, "s").text == "0.50 s"
    assert Figure("mutants killed", "93 %").text == "93 %"


def launch(errors: int) -> Scenario:
    return Scenario("The launch", 12_000, 10_900, errors, "none after the first step", "e2e/node_tests/test_launch.py")


def test_a_scenario_that_is_played_again_takes_the_place_of_what_was_recorded(project):
    other = replace(launch(3), name="Health check")
    record_scenarios({"The launch": launch(7), "Health check": other})
    add_scenario(launch(0))
    record_scenarios(read_results().scenarios)
    assert recorded_scenarios() == [launch(0), other]


def test_the_table_of_scenarios_stands_between_its_marks_and_all_else_stays(project, monkeypatch):
    page = project / "performance.md"
    page.write_text("before\n<!-- written by make scenarios -->\nold\n<!-- end -->\nafter\n")
    monkeypatch.setattr(scenarios, "PAGE", page)
    record_scenarios({"The launch": launch(7)})
    first, mark, *table, end, last = scenarios.page().splitlines()
    assert (first, mark, end, last) == ("before", "<!-- written by make scenarios -->", "<!-- end -->", "after")
    assert table[-1] == (
        "| The launch | 12,000 | 10,900 | 7 | none after the first step | `pytest e2e/node_tests/test_launch.py` |"
    )


def test_a_page_without_the_marks_says_which_lines_are_missing(project):
    page = project / "performance.md"
    page.write_text("before\n")
    with pytest.raises(ValueError, match=r"performance\.md has no lines <!-- written by make scenarios -->"):
        with_block(page, "make scenarios", ["| row |"])
