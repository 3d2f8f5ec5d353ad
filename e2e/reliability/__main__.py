"""`python -m reliability`: writes or checks docs/reliability.md and the scenarios of docs/performance.md.

At the end of a run it says what that has shown.
"""

import argparse
import sys

from reliability import scenarios
from reliability.marks import shown_rows
from reliability.page import PAGE, page, sections
from reliability.results import Results, add_figure, begin, read_results, record, record_scenarios


def main() -> int:
    """Exit code 1 where the page has drifted, or a run has not shown what the page says."""
    parser = argparse.ArgumentParser(prog="python -m reliability", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("write", help="write the page")
    commands.add_parser("check", help="fail where the page isn't what the tests' marks say")
    commands.add_parser("begin", help="forget the results of the run before")
    commands.add_parser("end", help="print the figures; fail where a row's test was not run or did not pass")
    commands.add_parser("figures", help="print the figures so far")
    commands.add_parser("record", help="keep the figures of the last run for the page")
    commands.add_parser("scenarios", help="keep what the scenarios of the last run came to, for docs/performance.md")
    figure = commands.add_parser("figure", help="hand a figure over to the end of the run")
    figure.add_argument("name")
    figure.add_argument("value")
    figure.add_argument("unit", nargs="?", default="")
    given = parser.parse_args()
    match given.command:
        case "write":
            PAGE.write_text(page())
            scenarios.PAGE.write_text(scenarios.page())
        case "check":
            return _check()
        case "begin":
            begin()
        case "end":
            return _end()
        case "figures":
            _print_figures(read_results())
        case "record":
            record(list(read_results().figures.values()))
        case "scenarios":
            record_scenarios(read_results().scenarios)
        case _:
            add_figure(given.name, given.value, given.unit)
    return 0


def _check() -> int:
    pages = {PAGE: page(), scenarios.PAGE: scenarios.page()}
    drifted = [path.name for path, text in pages.items() if path.read_text() != text]
    for name in drifted:
        print(f"docs/{name} is not what the tests' marks and the recorded runs say: run make generate", file=sys.stderr)
    return 1 if drifted else 0


def _end() -> int:
    results = read_results()
    _print_figures(results)
    numbers = {row.number for rows in sections().values() for row in rows}
    shown = shown_rows()
    silent = sorted(numbers - shown.keys())
    missing = sorted({(s.path, s.test) for tests in shown.values() for s in tests} - results.passed)
    tests = {(s.path, s.test) for of_row in shown.values() for s in of_row}
    print(f"{len(numbers) - len(silent)} of {len(numbers)} faults shown by {len(tests)} tests")
    for number in silent:
        print(f"row {number} is shown by no test", file=sys.stderr)
    for path, test in missing:
        print(f"{path}::{test} was not run or did not pass", file=sys.stderr)
    return 1 if silent or missing else 0


def _print_figures(results: Results) -> None:
    width = max((len(name) for name in results.figures), default=0)
    print("figures of this run")
    for figure in results.figures.values():
        print(f"  {figure.name:<{width}}  {figure.text}")


if __name__ == "__main__":
    sys.exit(main())
