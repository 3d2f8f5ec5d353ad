"""Many expressions in few requests, so that one bad expression costs the others nothing but a moment.

A query that is refused is halved until the bad expression is alone; that one is quarantined, and asked alone every
five minutes. A query that takes too long is not halved at once, for each half may take as long again: its
expressions come back in smaller groups with the next turns, until the slow one is alone. Before expressions are
blamed for being slow, the source is asked the simplest question that there is: if it has no answer to that either,
they are innocent, and the rest of the turn is not asked at all.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from stepdown.adapters.prometheus_client import Answer, Blame, Unusable
from stepdown.engine.forms import Form, Item, groups
from stepdown.engine.observation import Missing

BAD_SECONDS = 300.0
SLOW_SECONDS = 60.0
"""How long a quarantine lasts for a query that is refused, and for one that takes too long."""

APART_SECONDS = 300.0
SHRINK = 14
"""Into how many groups a slow one comes back: two hundred, fourteen, one."""

PROBE_SECONDS = 1.0
GRACE_SECONDS = 0.5
OWN_WARNING = "PromQL warning:"
"""How Prometheus begins a warning about a query; others are about its data."""

_log = logging.getLogger(__name__)

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back for one item: the points of its rows, or why there are none to trust."""

    rows: tuple[Points, ...] = ()
    failure: Missing | None = None
    detail: str = ""
    warning: str = ""


@dataclass(slots=True)
class Turn:
    """One batch's time: `deadline` in monotonic seconds; `dead` says why the source is not asked any more.

    `slots` keep a long turn from standing before a short one with all that it has to ask.
    """

    deadline: float
    slots: asyncio.Semaphore
    dead: str = ""


@dataclass(frozen=True, slots=True)
class _Quarantine:
    until: float
    problem: Unusable


Ask = Callable[[str, float], Answer]
"""Asks a query with that many seconds to answer; blocks; raises Unusable."""

Key = tuple[Form, Item]


class Batches:
    """Asks items in groups through `ask`, each within `timeout` seconds, at most `concurrent` at once.

    Turns that overlap share the places. A query's time begins when it has one: to wait for others isn't slow.
    """

    def __init__(
        self,
        ask: Ask,
        concurrent: int,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._timeout = timeout
        self._clock = clock
        self._threads = ThreadPoolExecutor(concurrent, thread_name_prefix="prometheus")
        self._concurrent = concurrent
        self._slots: tuple[asyncio.AbstractEventLoop | None, asyncio.Semaphore] = (None, asyncio.Semaphore(concurrent))
        self._closed = False
        self._quarantined: dict[Key, _Quarantine] = {}
        self._apart: dict[Key, tuple[int, float]] = {}

    def close(self) -> None:
        """Lets go of the threads; what is under way is not waited for, and nothing more is asked."""
        self._closed = True
        self._threads.shutdown(wait=False)

    def turn(self, seconds: float) -> Turn:
        """A turn that ends after some seconds."""
        return Turn(self._clock() + seconds, asyncio.Semaphore(self._concurrent))

    async def read(self, form: Form, items: Sequence[Item], turn: Turn) -> Mapping[Item, Outcome]:
        """An outcome for each item."""
        self._forget()
        outcomes: dict[Item, Outcome] = {}
        asked: list[Item] = []
        alone: list[list[Item]] = []
        for item in dict.fromkeys(items):
            kept = self._quarantined.get((form, item))
            if kept is None:
                asked.append(item)
            elif self._clock() >= kept.until:
                alone.append([item])
            else:
                again = f"{kept.problem} (asked again in {kept.until - self._clock():.0f}s)"
                outcomes[item] = Outcome(failure=kept.problem.missing, detail=again)
        planned = [*self._groups(form, asked), *alone]
        for part in await asyncio.gather(*(self._read_group(form, group, turn) for group in planned)):
            outcomes |= part
        return outcomes

    def _groups(self, form: Form, items: Sequence[Item]) -> Iterator[list[Item]]:
        by_size: dict[int, list[Item]] = {}
        for item in items:
            size, _ = self._apart.get((form, item), (form.size, 0.0))
            by_size.setdefault(size, []).append(item)
        for size, same in by_size.items():
            yield from groups(same, size, form.characters)

    async def _read_group(self, form: Form, group: list[Item], turn: Turn) -> dict[Item, Outcome]:
        try:
            answer = await self._answer(form.query(group), turn)
        except Unusable as problem:
            if problem.blame is Blame.QUERY and len(group) > 1:
                return await self._halves(form, group, turn)
            if problem.blame is Blame.TIME and len(group) > 1:
                until = self._clock() + APART_SECONDS
                self._apart |= {(form, item): (max(1, len(group) // SHRINK), until) for item in group}
            elif problem.blame is not Blame.SOURCE:
                seconds = SLOW_SECONDS if problem.blame is Blame.TIME else BAD_SECONDS
                self._quarantined[form, group[0]] = _Quarantine(self._clock() + seconds, problem)
            return dict.fromkeys(group, Outcome(failure=problem.missing, detail=str(problem)))
        if any(warning.startswith(OWN_WARNING) for warning in answer.warnings):
            if len(group) > 1:
                return await self._halves(form, group, turn)
            self._apart[form, group[0]] = (1, self._clock() + APART_SECONDS)
        else:
            for item in group:
                self._apart.pop((form, item), None)
        for item in group:
            self._quarantined.pop((form, item), None)
        return _sorted(form, group, answer)

    async def _halves(self, form: Form, group: list[Item], turn: Turn) -> dict[Item, Outcome]:
        half = len(group) // 2
        first, second = await asyncio.gather(
            self._read_group(form, group[:half], turn), self._read_group(form, group[half:], turn)
        )
        return first | second

    async def _answer(self, query: str, turn: Turn) -> Answer:
        """The answer to one query. Who is to blame for a slow one is found out before the slot is given on."""
        async with turn.slots, self._places():
            if turn.dead:
                raise Unusable(turn.dead, Blame.SOURCE)
            try:
                return await self._in_thread(query, self._timeout, turn)
            except Unusable as problem:
                if problem.blame is not Blame.TIME:
                    raise
                if await self._is_alive(turn):
                    raise
                turn.dead = turn.dead or str(problem)
                raise Unusable(str(problem), Blame.SOURCE) from None

    def _places(self) -> asyncio.Semaphore:
        """Those of the loop that runs: a simulation has several, one after the other."""
        loop = asyncio.get_running_loop()
        if self._slots[0] is not loop:
            self._slots = (loop, asyncio.Semaphore(self._concurrent))
        return self._slots[1]

    async def _is_alive(self, turn: Turn) -> bool:
        if turn.dead:
            return False
        try:
            await self._in_thread("vector(1)", PROBE_SECONDS, turn)
        except Unusable:
            return False
        return True

    async def _in_thread(self, query: str, seconds: float, turn: Turn) -> Answer:
        if self._closed:
            raise Unusable("not asked: the endpoint was changed", Blame.SOURCE)
        left = turn.deadline - self._clock()
        if left <= 0:
            raise Unusable("not asked: the answers before it took all the time", Blame.SOURCE)
        given = min(seconds, left)
        call = asyncio.get_running_loop().run_in_executor(self._threads, self._asked, query, given)
        try:
            # The name's resolution is the one thing that no deadline of ours ends, so its thread is left behind.
            async with asyncio.timeout(given + GRACE_SECONDS):
                found = await call
        except TimeoutError:
            found = Unusable(f"no answer within {given:.3g}s", Blame.TIME)
        if isinstance(found, Answer):
            return found
        if found.blame is Blame.TIME and given < seconds:
            raise Unusable(f"{found}: the answers before it took the rest", Blame.SOURCE)
        raise found

    def _asked(self, query: str, seconds: float) -> Answer | Unusable:
        """In a thread: the answer, or why there is none as a new problem.

        The one that was raised holds the frames that it came through, and with them an answer of any size.
        """
        try:
            return self._ask(query, seconds)
        except Unusable as error:
            return Unusable(str(error), error.blame, error.missing)
        except Exception as error:
            # A bug of ours shall cost the query that shows it, and not all others.
            _log.exception("a query could not be asked")
            return Unusable(f"unexpected {type(error).__name__}, see the log", Blame.QUERY)

    def _forget(self) -> None:
        """Drops what belongs to expressions that nobody asks any more."""
        now = self._clock()
        self._quarantined = {k: v for k, v in self._quarantined.items() if now < v.until + 2 * BAD_SECONDS}
        self._apart = {k: v for k, v in self._apart.items() if now < v[1]}


def _sorted(form: Form, group: Sequence[Item], answer: Answer) -> dict[Item, Outcome]:
    """The rows of an answer by the item that they belong to."""
    rows: dict[Item, list[Points]] = {item: [] for item in group}
    for row in answer.rows:
        owner = form.owner(row.labels, group)
        if owner in rows:
            rows[owner].append(row.points)
    warning = next(iter(answer.warnings), "")
    return {item: Outcome(tuple(found), warning=warning) for item, found in rows.items()}
