"""`python -m torture`: explore everything of one and two faults, go on at random, or replay one schedule's line."""

import argparse
import logging
import random
import sys

from torture.explore import Result, explore, replay, workers
from torture.faults import Call, Schedule, parse
from torture.soak import soak


def main() -> int:
    """Exit code 1 where an oracle has found something."""
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("explore", help="every schedule of one and of two faults")
    one = commands.add_parser("replay", help="run one schedule again, and show what happens")
    one.add_argument("line", help="such as '12:crash 31:edit=Service/shop'")
    long = commands.add_parser("soak", help="schedules of three to five faults and state machines, for some minutes")
    long.add_argument("--minutes", type=float, default=10.0)
    long.add_argument("--seed", type=int, default=None, help="of a run before; a new one where none is given")
    given = parser.parse_args()
    if given.command == "soak":
        return soak(given.minutes * 60, given.seed if given.seed is not None else random.SystemRandom().getrandbits(32))
    if given.command == "replay":
        return _replay(parse(given.line))
    return _explore()


def _explore() -> int:
    found = explore(processes=workers())
    _show(found)
    return 1 if found.violations else 0


def _show(found: Result) -> None:
    for violation in found.violations[:20]:
        print(violation, file=sys.stderr)
    print(found)


def _replay(schedule: Schedule) -> int:
    world = replay(schedule)
    faults = {place: [str(fault) for fault in schedule if fault.place == place] for place in range(world.place)}
    for call in world.calls:
        print(_shown(call, faults.get(call.place, [])))
    for text in world.told:
        print(f"told  {text}")
    for found in world.violations:
        print(f"VIOLATION {found.oracle}: {found.text}")
    print(f"{world.turns} turns, {world.place} calls, {len(world.violations)} violations")
    return 1 if world.violations else 0


def _shown(call: Call, faults: list[str]) -> str:
    what = f"{call.verb} {' '.join(call.touched)}".strip()
    return f"{call.place:>4}  {what}" + (f"   <- {' '.join(faults)}" if faults else "")


if __name__ == "__main__":
    sys.exit(main())
