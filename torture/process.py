"""One replica of the operator: the real Lease, and while it leads the real Cycle over what it has seen of policies.

It stands for controller/app.py and the evaluator, whose loops wait: here time passes only where the world says so.
"""

import asyncio
import copy
from collections.abc import Coroutine, Generator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self, TypeVar

from stepdown.adapters.versions import Versions
from stepdown.controller.lease import Lease
from stepdown.controller.preparing import prepare
from stepdown.controller.watched import Watched
from stepdown.cycle import Cycle, label, status_of
from stepdown.ports import Conflict, Object, Policy, Refused, Unknown
from stepdown.prepared import Claims, Memory
from torture import oracles
from torture.faults import Kind
from torture.line import Crash, Line, Standstill
from torture.server import LEASE, NAMESPACE, LeaseServer
from torture.shop import INTERVAL

if TYPE_CHECKING:
    from torture.world import World

LEASE_SECONDS = 3 * INTERVAL

Turn = Coroutine[Standstill, None, None]
Thing = TypeVar("Thing")


class _Yield:
    def __await__(self) -> Generator["_Yield", None, None]:
        yield self


async def _sleep(_seconds: float) -> None:
    await _Yield()


class Clock:
    """The time of a world, and the way of a Lease to its server."""

    def __init__(self, process: "Process") -> None:
        self._process = process
        self.api = LeaseServer(self.leases)

    def leases(self) -> Any:
        """Where Leases are."""
        return self._process.world.server.leases

    def now(self) -> float:
        """Seconds."""
        return self._process.world.now


class Process:
    """Stands by or leads; `epoch` is the number of its leadership.

    `is_blind`: a read of its tick was refused; `is_deaf`: what a watch has lost wasn't listed since. `measured` is what
    its tick decides on, which a call in flight doesn't learn of any more.
    """

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.lives = 0
        self.begin()

    def begin(self) -> None:
        """A new process: it remembers nothing."""
        self.lives += 1
        clock = Clock(self)
        self.lease = Lease(
            clock.api,
            NAMESPACE,
            LEASE,
            f"{self.name}{self.lives}",
            duration=LEASE_SECONDS,
            renew_every=INTERVAL,
            clock=clock.now,
            sleep=_sleep,
            wall=clock.now,
        )
        self._stand_by()

    def _stand_by(self) -> None:
        self.epoch = 0
        self.cycle: Cycle | None = None
        self.watched: dict[str, Watched] = {}
        self.heard = 0
        self.is_blind = False
        self.is_deaf = False
        self.measured = self.world.values

    def fork(self, world: "World") -> Self:
        """The same process in another world."""
        other = copy.copy(self)
        other.world = world
        clock = Clock(other)
        other.lease = _copied(self.lease, _api=clock.api, _clock=clock.now, _wall=clock.now)
        other.watched = {key: replace(found, memory=_remembered(found.memory)) for key, found in self.watched.items()}
        if self.cycle is not None:
            other.versions = _copied(self.versions, _clock=clock.now)
            line = Line(other)
            other.cycle = Cycle(line, line, _copied(self.cycle.claims), self.epoch)
        return other

    def turn(self) -> None:
        """What it does in one interval."""
        self.is_blind = False
        if self.cycle is None:
            if not self._acquire():
                return
        else:
            _steps(self.lease.hold(), 2)
            if not self.lease.is_leader():
                self._stand_by()
                return
        self._listen()
        for watched in list(self.watched.values()):
            if self.cycle is not None:
                self.go(self._tick(self.cycle, watched))

    def _acquire(self) -> bool:
        epoch = _steps(self.lease.acquire(), 1)
        if epoch is None:
            return False
        self.epoch = epoch
        self.versions = Versions(Clock(self).now)
        line = Line(self)
        self.cycle = Cycle(line, line, Claims(), epoch)
        self.heard = len(self.world.server.news)
        self.list()
        return True

    def list(self) -> None:
        """Sees everything that there is, and forgets what is gone."""
        self.is_deaf = False
        found = dict(self.world.server.policies)
        self.watched = {key: watched for key, watched in self.watched.items() if watched.policy.name in found}
        for raw in found.values():
            self._see(raw, gone=False)

    def _listen(self) -> None:
        """Hears what a watch has brought since the last turn, in the order that the world has made of it."""
        news = self.world.server.news[self.heard :]
        self.heard = len(self.world.server.news)
        match self.world.hearing:
            case Kind.UNHEARD:
                self.is_deaf |= bool(news)
                news = []
            case Kind.TWICE:
                news = [*news, *news]
            case Kind.BACKWARDS:
                news = news[::-1]
            case _:
                pass
        for raw, gone in news:
            self._see(raw, gone=gone)

    def _see(self, raw: Object, *, gone: bool) -> None:
        assert self.cycle is not None
        policy = Policy(raw)
        key = label(policy)
        known = self.watched.get(key)
        if gone:
            if known is not None and known.policy.uid == policy.uid:
                del self.watched[key]
                self.cycle.claims.note(key, [])
        elif known is not None and known.policy.uid == policy.uid:
            known.see(policy)
        elif policy.name in self.world.server.policies:
            self.watched[key] = Watched(policy, *_prepared(_Hashed(policy)))
            status = status_of(policy)
            self.cycle.claims.note(key, status.ledger if status is not None else [])

    async def _tick(self, cycle: Cycle, watched: Watched) -> None:
        """One tick, as the evaluator makes it."""
        policy = watched.policy
        self.measured = self.world.values
        seen = {} if policy.deleting else self.world.observations()
        try:
            after = await cycle.tick(policy, watched.prepared, seen, watched.memory, self.world.now, watched.problems)
        except (Conflict, Refused, Unknown):
            try:
                found = await cycle.journal.load(policy)
            except (Refused, Unknown):
                return
            if found is not None:
                watched.see(found)
            else:
                self.watched.pop(watched.key, None)
            return
        if int(after.resource_version) >= int(watched.policy.resource_version):
            watched.policy = after
        if after.deleting and not after.has_finalizer:
            self.watched.pop(watched.key, None)
        self.world.ticked = True
        if not self.is_blind and self.world.policy is after.raw:  # else it stood still after it had reported
            oracles.judge_report(self.world, after)

    def go(self, turn: Turn) -> None:
        """Drives a turn until it ends, the process dies, or stands still."""
        try:
            standstill = turn.send(None)
        except StopIteration:
            return
        except Crash:
            self.begin()
        except asyncio.CancelledError:
            _steps(self.lease.release(), 1)
            self.begin()
        except Exception as error:
            self.world.violated("nothing_is_raised", f"{type(error).__name__}: {error}")
            self.begin()
        else:
            self.world.stop(self, turn, standstill.kind)


def _steps(work: Coroutine[Any, Any, Any], count: int) -> Any:
    """What a coroutine gives within some waits; None when it waits on, and is left there."""
    try:
        for _ in range(count):
            work.send(None)
    except StopIteration as end:
        return end.value
    work.close()
    return None


def _copied(thing: Thing, **others: object) -> Thing:
    """A copy with dictionaries of its own, whose values nobody changes, and with some attributes of another world."""
    other = copy.copy(thing)
    vars(other).update({name: dict(value) for name, value in vars(thing).items() if isinstance(value, dict)}, **others)
    return other


def _remembered(memory: Memory) -> Memory:
    return replace(
        memory,
        issues=list(memory.issues),
        rejected=list(memory.rejected),
        told=set(memory.told),
    )


class _Hashed:
    """A policy by uid and edit: what `prepare` makes of it is the same every time."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._key = repr(policy.raw["spec"])

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and self._key == other._key


@lru_cache(maxsize=256)
def _prepared(hashed: _Hashed) -> tuple[Any, Any]:
    return prepare(hashed.policy)
