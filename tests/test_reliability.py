"""The page on reliability says what tests say, and a run that has not shown it fails."""

from pathlib import Path

import pytest

from reliability import __main__ as command
from reliability import marks, results
from reliability.marks import Shown, shown_rows
from reliability.results import Figure, add_figure, add_passed, read_results

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
