"""Running the checks of a bug with the bug in the product, in a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from torture.zoo.bug import Bug

ROOT = Path(__file__).resolve().parents[2]

SIDE_BY_SIDE = 3
"""One more than most have cores: some checks wait."""

PATIENCE_SECONDS = 240.0
"""A check that hangs is no check that turns red."""


@dataclass(frozen=True)
class Run:
    """A run of some checks with a bug in the product, or (None) without any; `trouble` is empty for a good end."""

    bug: Bug | None
    checks: tuple[str, ...]
    seconds: float
    trouble: str = ""

    @property
    def is_well(self) -> bool:
        """Whether every check turned red with the bug, or stayed green without."""
        return not self.trouble


def catch_all(bugs: Sequence[Bug]) -> Iterator[Run]:
    """Each bug's run, after one of all their checks without a bug."""
    every = tuple(dict.fromkeys(check for bug in bugs for check in bug.caught_by))
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        unplanted = pool.submit(run_checks, None, every)
        planted = [pool.submit(run_checks, bug, bug.caught_by) for bug in bugs]
        for run in (unplanted, *planted):
            yield run.result()


def run_checks(bug: Bug | None, checks: tuple[str, ...]) -> Run:
    """Runs checks with a bug planted, and judges how they went."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Path(folder) / "outcomes.json"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "torture.zoo.planting", "-p", "no:cacheprovider"]
        command += ["--plant", bug.name] if bug is not None else []
        command += ["--outcomes", str(outcomes), *checks]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
                capture_output=True,
                text=True,
                timeout=PATIENCE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Run(bug, checks, time.monotonic() - started, f"no end within {PATIENCE_SECONDS:.0f} s")
        if not outcomes.exists():
            trouble = f"the checks did not run:\n{done.stdout[-1500:]}{done.stderr[-1500:]}"
        else:
            trouble = judge(bug, checks, json.loads(outcomes.read_text()))
    return Run(bug, checks, time.monotonic() - started, trouble)


def judge(bug: Bug | None, checks: Iterable[str], outcomes: dict[str, str]) -> str:
    """What is wrong with how the checks went, by test id; empty for nothing."""
    if not outcomes:
        return "no test was run"
    wrong = []
    for check in checks:
        of_check = [outcome for test, outcome in outcomes.items() if test == check or test.startswith(f"{check}[")]
        if not of_check:
            wrong.append(f"{check} was not run")
        elif bug is None and set(of_check) != {"passed"}:
            wrong.append(f"{check} is red without a bug")
        elif bug is not None and "failed" not in of_check:
            wrong.append(f"{check} stays green")
    return "; ".join(wrong)
