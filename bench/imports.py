"""`import`: `stepdown --help` beside `python -c pass`, each a fresh process, in turn."""

import resource
import subprocess
import sys
import time
from pathlib import Path

from bench.outcome import Outcome, at_most


def measure(*, quick: bool) -> Outcome:
    """Medians of some runs; the first of each fills the caches and is left out."""
    rounds = 3 if quick else 15
    program = Path(sys.executable).with_name("stepdown")
    commands = {"help": [str(program), "--help"], "python": [sys.executable, "-c", "pass"]}
    taken: dict[str, list[float]] = {name: [] for name in commands}
    used: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            started, cpu = time.perf_counter(), _children_cpu()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            if number:
                taken[name].append(time.perf_counter() - started)
                used[name].append(_children_cpu() - cpu)
    middle = {name: sorted(found)[rounds // 2] for name, found in taken.items()}
    return Outcome(
        what="time of stepdown --help, a fresh process",
        figures={
            "help_seconds": round(middle["help"], 3),
            "help_seconds_max": round(max(taken["help"]), 3),
            "help_cpu_seconds": round(sorted(used["help"])[rounds // 2], 3),
            "python_seconds": round(middle["python"], 3),
        },
        ratios={"help_per_python": round(middle["help"] / middle["python"], 1)},
        goals=(at_most("help_seconds", 0.3),),
    )


def _children_cpu() -> float:
    """CPU seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
