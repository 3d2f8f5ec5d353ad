"""`python -m torture.zoo`: plants each bug in turn, and fails where a check named for it does not turn red.

`run` does that, `write` and `check` keep docs/bug-zoo.md what the zoo says. Checks must be green without any bug, too.
"""

import argparse
import sys

from reliability.results import add_figure
from torture.zoo.catalogue import BUGS
from torture.zoo.page import PAGE, page
from torture.zoo.running import Run, catch_all


def main() -> int:
    """Exit code 1 where a bug gets away, a check is red without one, or the page has drifted."""
    parser = argparse.ArgumentParser(prog="python -m torture.zoo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="plant each bug and run its checks")
    run.add_argument("names", nargs="*", metavar="BUG", help="these bugs only")
    commands.add_parser("write", help="write docs/bug-zoo.md")
    commands.add_parser("check", help="fail where docs/bug-zoo.md isn't what the zoo says")
    given = parser.parse_args()
    match given.command:
        case "write":
            PAGE.write_text(page())
            return 0
        case "check":
            return _check()
        case _:
            return _run(given.names)


def _check() -> int:
    if PAGE.exists() and PAGE.read_text() == page():
        return 0
    print("docs/bug-zoo.md is not what the zoo says: run make generate", file=sys.stderr)
    return 1


def _run(names: list[str]) -> int:
    unknown = [name for name in names if name not in BUGS]
    if unknown:
        print(f"no such bug: {', '.join(unknown)}; the names are in docs/bug-zoo.md", file=sys.stderr)
        return 2
    bugs = [BUGS[name] for name in names] or list(BUGS.values())
    runs = []
    for run in catch_all(bugs):
        print(_line(run), flush=True)
        runs.append(run)
    planted = [run for run in runs if run.bug is not None]
    caught = sum(run.is_well for run in planted)
    print(f"{caught} of {len(planted)} bugs caught")
    if not names:
        add_figure("bugs planted", len(planted))
        add_figure("bugs caught", caught)
    return 0 if all(run.is_well for run in runs) else 1


def _line(run: Run) -> str:
    name = run.bug.name if run.bug is not None else "(no bug)"
    if run.is_well:
        what = f"{len(run.checks)} checks are green" if run.bug is None else f"caught by {len(run.checks)} checks"
        return f"  {name:<44} {what}, {run.seconds:.1f} s"
    return f"  {name:<44} {run.trouble}"


if __name__ == "__main__":
    sys.exit(main())
