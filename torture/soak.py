"""For as long as it is told: random schedules of three to five faults, and state machines, in turn."""

import random
import sys
import time

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from torture.explore import Result, wander
from torture.machine import Torture, Unkept

PROGRESS_SECONDS = 10.0
WANDERINGS = 200
MACHINES = 50
STEPS = 40
FAULTS = (3, 5)


def machine_settings(machines: int, phases: tuple[Phase, ...]) -> settings:
    """Settings of so many state machines; the seed is given, and nothing is kept between runs."""
    return settings(
        max_examples=machines,
        stateful_step_count=STEPS,
        phases=phases,
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )


def soak(seconds: float, start: int) -> int:
    """Exit code 1 where an oracle has found something; every finding is printed with its line at once."""
    print(f"seed {start}", flush=True)
    began = time.monotonic()
    told = began
    wandered = Result()
    found = 0
    turn = 0
    while time.monotonic() - began < seconds:
        chance = random.Random(f"{start}/{turn}")
        for _ in range(WANDERINGS):
            before = len(wandered.violations)
            wandered.add(wander(chance, chance.randint(*FAULTS)))
            found += _tell([str(violation) for violation in wandered.violations[before : before + 1]])
            if time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                _count(told - began, wandered, found)
            if time.monotonic() - began >= seconds:
                break
        found += _tell(_machines(start + turn))
        turn += 1
    _count(time.monotonic() - began, wandered, found)
    return 1 if found else 0


def _machines(number: int) -> list[str]:
    """What some state machines have found, made as short as they can be."""
    numbered = seed(number)(type("Numbered", (Torture,), {}))
    try:
        run_state_machine_as_test(numbered, settings=machine_settings(MACHINES, (Phase.generate, Phase.shrink)))
    except Unkept as unkept:
        return [str(unkept)]
    return []


def _tell(violations: list[str]) -> int:
    for violation in violations:
        print(violation, file=sys.stderr, flush=True)
    return len(violations)


def _count(seconds: float, wandered: Result, found: int) -> None:
    print(
        f"{seconds:.0f} s: {wandered.schedules:,} schedules of {FAULTS[0]} to {FAULTS[1]} faults,"
        f" {Torture.runs:,} state machines, {found} violations",
        flush=True,
    )
