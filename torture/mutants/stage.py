"""The place that mutmut works in, and its results.

mutmut (3.8) names a mutant after its file's path, and finds it only where that is the module's name, or `src/` and
that: under `operator/` it would see no test reach any mutant. So it gets a tree of its own, `src/stepdown` and the
tests, beside which it keeps its results; a run that was interrupted is gone on with.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

MODULES = (
    "annotation",
    "breaches",
    "decide",
    "ladder",
    "ledger",
    "patch",
    "readings",
    "recovery",
    "settlement",
    "turn",
)
"""Of `stepdown.engine`."""

QUICK = (
    "tests/engine",
    "--ignore=tests/engine/test_properties.py",
    "--deselect=tests/engine/test_document.py::test_a_value_replaced_and_put_back_leaves_the_same_bytes",
)
"""Without the tests that walk through thousands of cases or run whole ticks; they are for what survives these."""

ALL = ("tests/engine", "tests/cycle")

_CONFTEST = """\
from hypothesis import Phase, settings

settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate])  # a killed mutant needs no small example
settings.load_profile("mutants")
"""

_KILLED = {1: "killed", 3: "killed", 24: "timeout", -24: "timeout", 36: "timeout", 152: "timeout", 255: "timeout"}


@dataclass(frozen=True)
class Stage:
    """One tree: its folder, the modules that are mutated in it and the tests that are run."""

    folder: Path
    modules: Sequence[str] = MODULES
    quick: bool = True

    def build(self) -> None:
        """Brings the tree up to date; results of functions that haven't changed are kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for source, target in (("operator/stepdown", "src/stepdown"), ("tests/engine", "tests/engine")):
            _mirror(ROOT / source, self.folder / target)
        _mirror(ROOT / "tests/cycle", self.folder / "tests/cycle")
        shutil.copytree(ROOT / "examples", self.folder / "examples", dirs_exist_ok=True)
        (self.folder / "conftest.py").write_text(_CONFTEST)
        (self.folder / "pyproject.toml").write_text(self._settings())

    def run(self, names: Iterable[str] = (), *, at_once: int) -> int:
        """Tries the mutants of these names, or all that were not tried yet; gives mutmut's exit code."""
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(at_once), *names]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(command, cwd=self.folder, env=environment, check=False).returncode

    def results(self) -> dict[str, str]:
        """Each mutant's fate: killed, timeout, survived, or not tried."""
        found: dict[str, str] = {}
        for module in self.modules:
            path = self.folder / f"mutants/src/stepdown/engine/{module}.py.meta"
            if path.exists():
                codes = json.loads(path.read_text())["exit_code_by_key"]
                found |= {name: _fate(code) for name, code in codes.items()}
        return found

    def _settings(self) -> str:
        only = ", ".join(f'"src/stepdown/engine/{module}.py"' for module in self.modules)
        selection = ", ".join(f'"{option}"' for option in (QUICK if self.quick else ALL))
        return f"""\
[tool.pytest.ini_options]
pythonpath = ["tests"]
addopts = "--strict-markers --import-mode=importlib"
markers = ["row(number): as in the project"]

[tool.mutmut]
source_paths = ["src/stepdown"]
only_mutate = [{only}]
also_copy = ["conftest.py", "examples"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:xdist"]
pytest_add_cli_args_test_selection = [{selection}]
timeout_constant = 4.0
timeout_multiplier = 8.0
use_git_change_detection = false
"""


def _fate(code: int | None) -> str:
    if code is None:
        return "not tried"
    return _KILLED.get(code, "survived")


def _mirror(source: Path, target: Path) -> None:
    """A copy whose files keep their times: mutmut makes mutants again of what is newer only."""
    if target.exists():
        wanted = {path.relative_to(source) for path in source.rglob("*.py")}
        for path in target.rglob("*.py"):
            if path.relative_to(target) not in wanted:
                path.unlink()
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
