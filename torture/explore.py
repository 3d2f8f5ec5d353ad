"""All schedules of one and of two faults, each run to its end.

A schedule of two shares its way with the schedule of its first fault until the second one strikes: a world is kept
for each turn, and forked. Nothing else is shared and nothing is left out: every schedule has an end of its own,
over which every oracle is asked.
"""

import gc
import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from torture.ending import judge_end
from torture.faults import ACTS, ALONE, Call, Fault, Kind, Schedule, faults_at, line_of
from torture.world import World

CHUNK = 4
"""First faults that a worker takes at once."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What an oracle found after a schedule; `python -m torture replay 'LINE'` shows it again."""

    oracle: str
    line: str
    text: str

    def __str__(self) -> str:
        return f"{self.oracle}: {self.text}\n  python -m torture replay '{self.line}'"


@dataclass(slots=True)
class Result:
    """What an exploration came to; `kinds` counts the schedules that each kind of fault is in."""

    schedules: int = 0
    violations: list[Violation] = field(default_factory=list)
    seconds: float = 0.0
    kinds: dict[str, int] = field(default_factory=dict)

    def add(self, world: World) -> None:
        """Counts a world that has come to its end."""
        self.schedules += 1
        for kind in {fault.kind for fault in world.schedule}:
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
        line = line_of(world.schedule)
        self.violations += [Violation(found.oracle, line, found.text) for found in world.violations]

    def merge(self, other: "Result") -> None:
        """Takes another part of the same exploration in."""
        self.schedules += other.schedules
        self.violations += other.violations
        for kind, count in other.kinds.items():
            self.kinds[kind] = self.kinds.get(kind, 0) + count

    def __str__(self) -> str:
        return f"{self.schedules:,} schedules, {len(self.violations):,} violations, {self.seconds:.0f} s"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is explored: of all faults those of some kinds, at calls of some verbs; None for all.

    `paired` leaves out those that only make schedules of one fault.
    """

    kinds: frozenset[Kind] | None = None
    verbs: frozenset[str] | None = None
    paired: bool = False

    def has(self, call: Call, fault: Fault) -> bool:
        """Whether a fault is one of them."""
        of_kind = self.kinds is None or fault.kind in self.kinds
        of_kind = of_kind and not (self.paired and fault.kind in ALONE)
        return of_kind and (self.verbs is None or call.verb in self.verbs)


@dataclass(frozen=True, slots=True)
class Course:
    """A world at its end, with the worlds before each of its turns."""

    end: World
    before: list[World]

    def latest(self, place: int) -> World:
        """A world of its own that has not yet passed a place."""
        return max((world for world in self.before if world.place <= place), key=lambda world: world.place).fork()


def run(world: World, schedule: Schedule, *, keep: bool = False) -> Course:
    """A world run to its end under a schedule, of which it may have met a part already.

    `keep` is for going on from it: calls are noted, and worlds kept.
    """
    world.schedule = schedule
    world.noting = keep
    before: list[World] = []
    while world.advance():
        if keep and world.stopped is None:
            before.append(world.fork())
        world.turn()
    judge_end(world)
    return Course(world, before)


def replay(schedule: Schedule) -> World:
    """The end of a schedule that is run from the start."""
    return run(World(), schedule, keep=True).end


def explore(
    *,
    stop_at_first: bool = False,
    faults: int = 2,
    kinds: frozenset[Kind] | None = None,
    verbs: frozenset[str] | None = None,
    processes: int = 1,
    progress: Callable[[Result], None] = lambda _result: None,
    begin: Callable[[], World] = World,
) -> Result:
    """Runs every schedule of up to so many faults (1 or 2), of these kinds and at these calls; the one without first.

    `stop_at_first` ends at the first violation; schedules of one fault are run before those of two. With more
    than one process the work is shared by forks of this one, so that what was patched here is patched there.
    """
    started = time.monotonic()
    chosen = Chosen(kinds, verbs)
    result = Result()
    with _without_collections():
        first = run(begin(), (), keep=True)
        _explore(result, first, chosen, processes, progress, started, stop_at_first=stop_at_first, faults=faults)
    result.seconds = time.monotonic() - started
    return result


@contextmanager
def _without_collections() -> Iterator[None]:
    """Worlds are many and short: the collector would look at all of them again and again, so it is called by hand."""
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def _explore(
    result: Result,
    first: Course,
    chosen: Chosen,
    processes: int,
    progress: Callable[[Result], None],
    started: float,
    *,
    stop_at_first: bool,
    faults: int,
) -> None:
    result.add(first.end)
    singles: list[Schedule] = [(fault,) for fault in _next_faults(first.end.calls, (), chosen)]
    paired = replace(chosen, paired=True)
    for schedule in singles:
        if stop_at_first and result.violations:
            break
        result.add(run(first.latest(schedule[0].place), schedule).end)
    if faults > 1 and not (stop_at_first and result.violations):
        gc.freeze()  # the worlds that all pairs begin with stay to the end
        firsts: list[Schedule] = [(fault,) for fault in _next_faults(first.end.calls, (), paired)]
        for part in _parts(first, firsts, paired, processes, stop_at_first=stop_at_first):
            result.merge(part)
            result.seconds = time.monotonic() - started
            progress(result)
            if stop_at_first and result.violations:
                break


def _parts(
    first: Course,
    singles: list[Schedule],
    chosen: Chosen,
    processes: int,
    *,
    stop_at_first: bool,
) -> Iterator[Result]:
    """The schedules of two faults, by their first ones."""
    if processes <= 1:
        for single in singles:
            yield _pairs(first, single, chosen, stop_at_first=stop_at_first)
        return
    global _SHARED  # noqa: PLW0603 - what forks find; nothing else can be handed to them unpickled
    _SHARED = (first, singles, chosen, stop_at_first)
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield from pool.imap(_shared_pairs, range(len(singles)), CHUNK)


_SHARED: tuple[Course, list[Schedule], Chosen, bool] | None = None


def _shared_pairs(number: int) -> Result:
    assert _SHARED is not None
    first, singles, chosen, stop_at_first = _SHARED
    return _pairs(first, singles[number], chosen, stop_at_first=stop_at_first)


def _pairs(first: Course, single: Schedule, chosen: Chosen, *, stop_at_first: bool) -> Result:
    """Every schedule that begins with this fault and has one more."""
    result = Result()
    gc.collect()
    course = run(first.latest(single[0].place), single, keep=True)
    before = [*[world for world in first.before if world.place <= single[0].place][-1:], *course.before]
    course = Course(course.end, before)
    for fault in _next_faults(course.end.calls, single, chosen):
        result.add(run(course.latest(fault.place), (*single, fault)).end)
        if stop_at_first and result.violations:
            break
    return result


def _next_faults(calls: Iterable[Call], schedule: Schedule, chosen: Chosen) -> Iterator[Fault]:
    """The faults that may come after those of a schedule: later ones, and at the same call what it strikes by then."""
    last = schedule[-1] if schedule else None
    for call in calls:
        for fault in faults_at(call):
            if not chosen.has(call, fault):
                continue
            later = last is None or fault.place > last.place
            same = last is not None and fault.place == last.place and last.kind in ACTS and fault.kind not in ACTS
            if later or same:
                yield fault


def wander(chance: random.Random, faults: int) -> World:
    """The end of a schedule of so many faults, each drawn from all that may still strike by then."""
    schedule: Schedule = ()
    course = run(World(), schedule, keep=True)
    for _ in range(faults):
        following = list(_next_faults(course.end.calls, schedule, Chosen()))
        if not following:
            break
        schedule = (*schedule, chance.choice(following))
        course = run(World(), schedule, keep=True)
    return course.end


def workers() -> int:
    """Processes to share an exploration by."""
    return min(os.cpu_count() or 1, 8)
