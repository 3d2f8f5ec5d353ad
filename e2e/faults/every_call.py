"""One fault at every call of an episode: each point is an episode of its own, many at a time, one a world."""

import functools
import operator
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from faults.calls import Exchange
from faults.episode import Episode
from faults.plan import TEST_FAILED, Cut, Fault, Hang, Lose, Refuse, Stale, Where
from faults.proxy import FaultProxy
from faults.world import World
from plane.processes import wait_for

Kind = tuple[str, str]
"""Verb and resource; Events are counted whatever is done to them, for a repeated one is patched."""

ANY = "any"
STREAK = 5
"""Calls in a row that a fault without an effect strikes: as often as the operator tries one, so that its tick fails."""

TRIES = 8
"""How often a point is played until its call comes: see SCRAPE_SECONDS."""

SCRAPE_SECONDS = 1.0
"""Seconds between two scrapes. How many ticks an episode has depends on where between them it begins.

So the episodes that are counted begin at as many places, and so does each further try of a point: side by side they
would all have a tick that others lack, and a try that follows at once would begin where the last one did.
"""

EVENTS_SECONDS = 60.0
"""By when the Events of an episode were sent: those of all policies wait in one queue."""

SAMPLED: tuple[tuple[str, Fault], ...] = (("never answered", Hang()), ("answer never comes", Lose(hangs=True)))
"""Faults that cost the five seconds of a call's deadline: at the first call of each kind only."""


@dataclass(frozen=True)
class Point:
    """A fault at the nth call of a kind."""

    kind: Kind
    nth: int
    name: str
    fault: Fault
    times: int = 1

    def __str__(self) -> str:
        verb, resource = self.kind
        return f"{self.name} at {verb} {resource} {self.nth}"

    def where(self, namespace: str) -> Where:
        """Its calls in one world."""
        verb, resource = self.kind
        return Where(namespace, None if verb == ANY else verb, resource)


@dataclass(frozen=True)
class Outcome:
    """A point that was played, what was wrong then, and whether its call came at all."""

    point: Point
    wrong: tuple[str, ...]
    was_struck: bool


def kind_of(exchange: Exchange) -> Kind:
    """What its calls are counted by."""
    verb, resource = exchange.request.kind
    return (ANY if resource == "events" else verb), resource


def record(worlds: Sequence[World], proxy: FaultProxy) -> tuple[Counter[Kind], list[str]]:
    """The calls that every episode without a fault has, from one in each world; and what was wrong in these."""
    episodes = [Episode(world, proxy) for world in worlds]

    def play(nth: int) -> list[str]:
        time.sleep(SCRAPE_SECONDS * nth / len(episodes))
        return episodes[nth].play()

    with ThreadPoolExecutor(len(worlds)) as pool:
        wrong = list(pool.map(play, range(len(episodes))))
    _wait_told(episodes)
    counts = [Counter(kind_of(exchange) for exchange in episode.log) for episode in episodes]
    return functools.reduce(operator.and_, counts), [text for found in wrong for text in found]


def _wait_told(episodes: Sequence[Episode]) -> None:
    """Waits until the last Event of each episode was sent."""

    def holds() -> bool:
        return all(any(e.request.is_write and _is_last(e.request.body) for e in episode.log) for episode in episodes)

    wait_for("the Events of every episode", holds, EVENTS_SECONDS)


def _is_last(body: Any) -> bool:
    return isinstance(body, dict) and body.get("reason") == "RestoreVerified"


def points(calls: Counter[Kind]) -> list[Point]:
    """Every fault at every call. A read has no effect: that its answer is lost says no more than that it is cut."""
    found = []
    for kind, count in sorted(calls.items()):
        for nth in range(1, count + 1):
            status = (500, 503, 504)[nth % 3]
            faults: list[tuple[str, Fault]] = [(f"{status} before", Refuse(status)), ("answer cut", Cut())]
            faults.append(("stale answer", Stale()) if kind[0] in ("get", "list") else ("answer lost", Lose()))
            if kind[0] == "patch":
                conflict = Refuse(409, "the object has been modified") if nth % 2 else Refuse(422, TEST_FAILED)
                faults.append((f"{conflict.status} before", conflict))
            if nth == 1:
                faults += SAMPLED
            found += [Point(kind, nth, name, fault, _times(kind, fault)) for name, fault in faults]
    return found


def _times(kind: Kind, fault: Fault) -> int:
    again = isinstance(fault, Refuse) and fault.status >= 500
    return STREAK if again or (isinstance(fault, Cut) and kind[0] in ("get", "list")) else 1


def play_all(todo: Iterable[Point], worlds: Sequence[World], proxy: FaultProxy) -> list[Outcome]:
    """Plays each point, as many at a time as there are worlds."""
    free: SimpleQueue[World] = SimpleQueue()
    for world in worlds:
        free.put(world)

    def play(point: Point) -> Outcome:
        world = free.get()
        try:
            return _until_struck(point, lambda: _play(point, world, proxy))
        finally:
            free.put(world)

    with ThreadPoolExecutor(len(worlds)) as pool:
        return list(pool.map(play, todo))


def _until_struck(point: Point, play: Callable[[], Outcome]) -> Outcome:
    wrong: list[str] = []
    for nth in range(TRIES):
        time.sleep(SCRAPE_SECONDS * nth / TRIES)
        outcome = play()
        wrong += outcome.wrong
        if outcome.was_struck:
            break
    return Outcome(point, tuple(wrong), outcome.was_struck)


def _play(point: Point, world: World, proxy: FaultProxy) -> Outcome:
    episode = Episode(world, proxy)
    rule = proxy.plan.add(point.where(world.namespace), point.fault, point.nth, point.times)
    try:
        wrong = episode.play()
        if point.kind[0] == ANY:
            proxy.log.wait(world.namespace, lambda: rule.struck > 0, EVENTS_SECONDS)
        return Outcome(point, tuple(wrong), rule.struck > 0)
    finally:
        proxy.plan.remove(rule)
