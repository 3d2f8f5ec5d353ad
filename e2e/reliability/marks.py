"""Which tests show which rows: read from the tests' own marks, without running or importing them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reliability.results import ROOT

TIERS = {"unit": "tests", "model": "torture", "plane": "e2e/tests"}
"""What a test stands on, and the folder of such tests."""


@dataclass(frozen=True, order=True)
class Shown:
    """A test that shows a row. `path` is relative to the project."""

    tier: str
    path: str
    test: str


def shown_rows() -> dict[int, list[Shown]]:
    """The tests of each row, in the order of the tiers."""
    rows: dict[int, list[Shown]] = {}
    for tier, folder in TIERS.items():
        for path in sorted((ROOT / folder).rglob("test_*.py")):
            for number, test in _marked(path):
                rows.setdefault(number, []).append(Shown(tier, path.relative_to(ROOT).as_posix(), test))
    return rows


def _marked(path: Path) -> Iterator[tuple[int, str]]:
    module = ast.parse(path.read_text())
    of_all = [number for node in module.body if isinstance(node, ast.Assign) for number in _rows_of_module(node)]
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            marks = [number for decorator in node.decorator_list for number in _rows(decorator)]
            for number in dict.fromkeys([*of_all, *marks]):
                yield number, node.name


def _rows_of_module(node: ast.Assign) -> Iterator[int]:
    if any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets):
        yield from _rows(node.value)


def _rows(tree: ast.expr) -> Iterator[int]:
    """The numbers in `pytest.mark.row(number)`, wherever they stand in an expression; also in a case of a table."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "row":
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, int))
