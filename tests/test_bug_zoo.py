"""The zoo's bugs fit the product as it is, and one that gets away is said."""

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest
from torture.zoo.bug import Edit, edited
from torture.zoo.bugs import admission
from torture.zoo.catalogue import BUGS, SECTIONS
from torture.zoo.planting import CHART, plant_chart
from torture.zoo.running import ROOT, judge

BUG = next(iter(BUGS.values()))
CHECK = "tests/test_x.py::test_it"


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_still_fits_into_the_product_and_changes_it(name):
    for module in {edit.module for edit in BUGS[name].edits if not edit.is_in_the_chart}:
        spec = find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).read_text()
        planted = edited(source, BUGS[name].edits, module)
        assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(source))


@pytest.mark.parametrize("name", [bug.name for bug in admission.BUGS])
def test_a_bug_of_the_chart_changes_each_file_that_it_names(name, tmp_path):
    plant_chart(BUGS[name], tmp_path / "chart")
    for edit in BUGS[name].edits:
        assert (tmp_path / "chart" / edit.module).read_text() != (CHART / edit.module).read_text()


def test_every_bug_has_a_name_of_its_own_and_tests_that_exist():
    assert sum(len(bugs) for bugs in SECTIONS.values()) == len(BUGS)
    tests: dict[str, set[str]] = {}
    for bug in BUGS.values():
        assert bug.caught_by
        for check in bug.caught_by:
            path, _, test = check.partition("::")
            if path not in tests:
                tree = ast.parse((ROOT / path).read_text())
                tests[path] = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            assert test.partition("[")[0] in tests[path]


@pytest.mark.parametrize("source", ["a = 2\n", "a = 1\na = 1\n"], ids=["not there", "twice"])
def test_a_piece_that_is_not_there_once_is_an_error(source):
    with pytest.raises(LookupError, match="times, not once: plant the bug anew"):
        edited(source, (Edit("m", "a = 1\n", "a = 3\n"),), "m")


def test_an_edit_is_made_in_its_own_module_only():
    edits = (Edit("m", "a = 1\n", "a = 3\n"), Edit("other", "b", "c"))
    assert edited("a = 1\n", edits, "m") == "a = 3\n"


@pytest.mark.parametrize(
    ("bug", "outcomes", "trouble"),
    [
        (BUG, {f"{CHECK}[a]": "passed", f"{CHECK}[b]": "failed"}, ""),
        (BUG, {f"{CHECK}[a]": "passed"}, f"{CHECK} stays green"),
        (BUG, {f"{CHECK}_too": "failed"}, f"{CHECK} was not run"),
        (BUG, {}, "no test was run"),
        (None, {CHECK: "passed"}, ""),
        (None, {f"{CHECK}[a]": "passed", f"{CHECK}[b]": "failed"}, f"{CHECK} is red without a bug"),
        (None, {CHECK: "skipped"}, f"{CHECK} is red without a bug"),
    ],
)
def test_a_check_must_be_red_with_the_bug_and_green_without(bug, outcomes, trouble):
    assert judge(bug, (CHECK,), outcomes) == trouble
