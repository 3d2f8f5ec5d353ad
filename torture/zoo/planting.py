"""For pytest: `--plant NAME` runs tests with a bug of the zoo in the product, `--outcomes FILE` says how they went.

The product has no switch. A planted module is loaded from its own source with the bug's edits in it, in this one
process; a planted chart is a copy, which the tests of the chart render instead (`$CHART`).
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from torture.zoo.bug import Bug, edited
from torture.zoo.catalogue import BUGS

CHART = Path(__file__).resolve().parents[2] / "helm" / "stepdown"


class _PlantedLoader(SourceFileLoader):
    """Compiles a module's source with a bug in it; never from, nor into, a compiled file."""

    bug: Bug

    def get_code(self, fullname: str) -> CodeType:
        source = Path(self.path).read_text()
        return compile(edited(source, self.bug.edits, fullname), self.path, "exec", dont_inherit=True)


class Planted(MetaPathFinder):
    """Finds the modules of one bug before anything else does. `loaded` are those that were."""

    def __init__(self, bug: Bug) -> None:
        self._bug = bug
        self._modules = {edit.module for edit in bug.edits if not edit.is_in_the_chart}
        self.loaded: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See MetaPathFinder."""
        if fullname not in self._modules:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(f"{fullname}, which {self._bug.name} is planted in, isn't there")
        loader = _PlantedLoader(fullname, found.origin)
        loader.bug = self._bug
        self.loaded.add(fullname)
        return spec_from_file_location(fullname, found.origin, loader=loader)

    @property
    def missing(self) -> set[str]:
        """Modules that no test has imported: the bug was not there."""
        return self._modules - self.loaded


def plant_chart(bug: Bug, folder: Path) -> None:
    """Writes a copy of the chart with the bug in it to a folder."""
    shutil.copytree(CHART, folder)
    for name in {edit.module for edit in bug.edits if edit.is_in_the_chart}:
        path = folder / name
        path.write_text(edited(path.read_text(), bug.edits, name))


class Outcomes:
    """How each test went: `passed`, `failed`, or what else its worst phase was."""

    def __init__(self, planted: Planted | None, path: str) -> None:
        self._planted = planted
        self._path = path
        self._found: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for each phase of each test."""
        if report.outcome != "passed" or report.when == "call":
            before = self._found.get(report.nodeid)
            self._found[report.nodeid] = before if before == "failed" else report.outcome

    def pytest_sessionfinish(self) -> None:
        """Writes them down, unless the bug was not there."""
        if self._planted is not None and self._planted.missing:
            raise pytest.UsageError(f"no test has imported {', '.join(sorted(self._planted.missing))}")
        Path(self._path).write_text(json.dumps(self._found))


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two options."""
    parser.addoption("--plant", help="a bug of the zoo to run the tests with")
    parser.addoption("--outcomes", help="where to write how each test went")


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Plants before any test's module, and so any of the product's, is imported."""
    options = early_config.known_args_namespace
    planted = None
    if options.plant is not None:
        bug = BUGS[options.plant]
        planted = Planted(bug)
        if any(edit.is_in_the_chart for edit in bug.edits):
            folder = tempfile.TemporaryDirectory()
            early_config.add_cleanup(folder.cleanup)
            plant_chart(bug, Path(folder.name) / "stepdown")
            os.environ["CHART"] = str(Path(folder.name) / "stepdown")
        early = sys.modules.keys() & planted.missing
        if early:
            raise pytest.UsageError(f"{', '.join(early)} was imported before the bug was planted")
        sys.meta_path.insert(0, planted)
    if options.outcomes is not None:
        early_config.pluginmanager.set_blocked("reliability-recorder")  # a planted run shows nothing
        early_config.pluginmanager.register(Outcomes(planted, options.outcomes), "zoo-outcomes")
