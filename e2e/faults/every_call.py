"""One fault at every call of an episode: each point is an episode of its own, many at a time, one a world."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

from faults.calls import Exchange
from faults.episode import Episode
from faults.plan import Cut, Fault, Hang, Lose, Refuse, Stale, Where
from faults.proxy import FaultProxy
from faults.world import World

Kind = tuple[str, str]
"""Verb and resource; Events are counted whatever is done to them, for a repeated one is patched."""

ANY = "any"
TRIES = 3
"""How often a point is played until its call comes: how many ticks an episode has depends on the scrapes."""

SAMPLED: tuple[tuple[str, Fault], ...] = (("never answered", Hang()), ("answer never comes", Lose(hangs=True)))
"""Faults that cost the five seconds of a call's deadline: at the first call of each kind only."""


@dataclass(frozen=True)
class Point:
    """A fault at the nth call of a kind."""

    kind: Kind
    nth: int
    name: str
    fault: Fault

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

    def play(world: World) -> tuple[Counter[Kind], list[str]]:
        episode = Episode(world, proxy)
        wrong = episode.play()
        return Counter(kind_of(exchange) for exchange in episode.log), wrong

    with ThreadPoolExecutor(len(worlds)) as pool:
        played = list(pool.map(play, worlds))
    least = played[0][0]
    for counts, _ in played:
        least &= counts
    return least, [text for _, wrong in played for text in wrong]


def points(calls: Counter[Kind]) -> list[Point]:
    """Every fault at every call."""
    found = []
    for kind, count in sorted(calls.items()):
        for nth in range(1, count + 1):
            faults: list[tuple[str, Fault]] = [
                (f"{status} before" if (status := (500, 503, 504)[nth % 3]) else "", Refuse(status)),
                ("answer lost", Lose()),
                ("answer cut", Cut()),
            ]
            if kind[0] in ("get", "list"):
                faults.append(("stale answer", Stale()))
            if nth == 1:
                faults += SAMPLED
            found += [Point(kind, nth, name, fault) for name, fault in faults]
    return found


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
    for _ in range(TRIES):
        outcome = play()
        wrong += outcome.wrong
        if outcome.was_struck:
            break
    return Outcome(point, tuple(wrong), outcome.was_struck)


def _play(point: Point, world: World, proxy: FaultProxy) -> Outcome:
    episode = Episode(world, proxy)
    rule = proxy.plan.add(point.where(world.namespace), point.fault, point.nth)
    try:
        return Outcome(point, tuple(episode.play()), rule.struck > 0)
    finally:
        proxy.plan.remove(rule)
