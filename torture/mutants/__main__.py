"""`python -m torture.mutants`: changes the engine and the ledger in every small way, and sees that a test notices.

An interrupted run is gone on with. It fails where one survives that is not listed in survivors.toml with its reason.
`--sample` tries some of every function's, by the quick tests only: a minute, for every run of all tests.
"""

import argparse
import json
import os
import subprocess
import sys

from reliability.results import ROOT, add_figure
from torture.mutants import difference
from torture.mutants.known import Results, survivors
from torture.mutants.stage import Stage

WORK = ROOT / ".run"

LEAST = 0.9
"""Share of mutants that tests must notice."""

SAMPLE = ("*__mutmut_7", "*__mutmut_23")
"""The sample: two of each function, where it has so many."""

AT_ONCE = os.cpu_count() or 2


def main() -> int:
    """Exit code 1 where a mutant survives that isn't listed, or too many do."""
    parser = argparse.ArgumentParser(prog="python -m torture.mutants", description=__doc__)
    parser.add_argument("--sample", action="store_true", help="try a sample, not all")
    return _sample() if parser.parse_args().sample else _all()


def _sample() -> int:
    quick = Stage(WORK / "mutants-sample")
    quick.build()
    if quick.run(SAMPLE, at_once=AT_ONCE) != 0:
        return 1
    fates = {name: fate for name, fate in quick.results().items() if fate != "not tried"}
    alive = set(_lines(quick, [name for name, fate in fates.items() if fate == "survived"]).values())
    print(f"{len(fates) - len(alive)} of {len(fates)} mutants of the sample killed")
    add_figure("mutants killed, of a sample", f"{len(fates) - len(alive)} of {len(fates)}")
    return 1 if _unlisted(alive, survivors()) else 0


def _all() -> int:
    quick = Stage(WORK / "mutants")
    quick.build()
    if quick.run(at_once=AT_ONCE) != 0:
        return 1
    fates = quick.results()
    left = [name for name, fate in fates.items() if fate == "survived"]
    lines, known = _lines(quick, left), survivors()
    print(
        f"{len(fates) - len(left)} of {len(fates)} are noticed by the quick tests; the long ones try what isn't listed"
    )
    walks = Stage(WORK / "mutants-walks", quick=False)
    walks.build()
    unlisted = [name for name in left if lines[name] not in known]
    todo = [name for name in unlisted if walks.results().get(name, "not tried") == "not tried"]
    if todo and walks.run(todo, at_once=AT_ONCE) != 0:
        return 1
    fates |= {name: fate for name, fate in walks.results().items() if name in set(unlisted)}
    by_walks = [name for name in unlisted if fates[name] == "killed"]
    results = Results(
        tried=len(fates),
        killed=sum(fate == "killed" for fate in fates.values()),
        timeouts=sum(fate == "timeout" for fate in fates.values()),
        by_walks=tuple(sorted({lines[name] for name in by_walks})),
    )
    results.keep()
    add_figure("mutants killed", f"{results.share:.1%} of {results.tried:,}")
    alive = {lines[name] for name in left if fates[name] == "survived"}
    print(f"{results.killed} of {results.tried} mutants killed, {results.timeouts} hang: {results.share:.1%}")
    for line in sorted(known.keys() - alive):
        print(f"listed, and doesn't survive any more: {line}", file=sys.stderr)
    return 1 if _unlisted(alive, known) or known.keys() - alive or results.share < LEAST else 0


def _unlisted(alive: set[str], known: dict[str, str]) -> bool:
    for line in sorted(alive - known.keys()):
        print(f"survives, and isn't listed in torture/mutants/survivors.toml: {line}", file=sys.stderr)
    return bool(alive - known.keys())


def _lines(stage: Stage, names: list[str]) -> dict[str, str]:
    """What each mutant changes."""
    if not names:
        return {}
    command = [sys.executable, difference.__file__, *names]
    done = subprocess.run(command, cwd=stage.folder, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    sys.exit(main())
