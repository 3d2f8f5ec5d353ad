"""The one evaluator: every policy, in batches, on time.

kopf feeds it (`feed`), `run` turns. Due policies of one endpoint are observed as one batch and then ticked side
by side; a slow endpoint delays only its own. A policy is never ticked twice at once. Nothing that happens to one
policy ends the loop.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stepdown.adapters.metrics import Metrics
from stepdown.controller.preparing import prepare
from stepdown.controller.schedule import PENDING_INTERVAL, DueTimes, Phase, on_grid
from stepdown.cycle import Cycle, label, status_of
from stepdown.engine.observation import Missing, Observation
from stepdown.ports import Conflict, Observer, Policy, Refused, Unknown
from stepdown.prepared import Memory, Prepared, Problems, questions

log = logging.getLogger("stepdown.evaluator")

BUDGET_SECONDS = 300.0
"""How often error budgets over whole windows are asked."""

TICK_SECONDS = 30.0
"""Longest tick: some calls of at most five seconds each."""

COALESCE_SECONDS = 0.02
"""Policies due this soon join the batch."""

SIDE_BY_SIDE = 16
"""Ticks under way at once."""

TURN_SECONDS = 90.0
"""Longest turn of a policy: its endpoint's time-outs, at most 60 s, and its tick."""


@dataclass(slots=True)
class Watched:
    """One policy under watch."""

    policy: Policy
    prepared: Prepared | None
    problems: Problems
    memory: Memory = field(default_factory=Memory)
    phase: Phase = field(default_factory=Phase)
    evaluated: float = field(default_factory=time.monotonic)
    budgets_at: float = float("-inf")
    moved_at: float = 0.0
    busy: bool = False
    retries: int = 0
    again: bool = False

    @property
    def interval(self) -> float:
        """Seconds between evaluations."""
        return self.prepared.spec.interval if self.prepared is not None else 15.0

    @property
    def endpoint(self) -> str:
        """What its batch is grouped by."""
        return self.prepared.spec.metrics_endpoint if self.prepared is not None else ""


class Evaluator:
    """Evaluates every policy that it was fed.

    `allowed` says what is wrong, if anything, with a namespace's use of an endpoint.
    """

    def __init__(
        self, cycle: Cycle, observer: Observer, metrics: Metrics, allowed: Callable[[str, str], Problems]
    ) -> None:
        self._cycle = cycle
        self._observer = observer
        self._metrics = metrics
        self._allowed = allowed
        self._watched: dict[str, Watched] = {}
        self._due: DueTimes[str] = DueTimes()
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(SIDE_BY_SIDE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._moved = time.monotonic()
        metrics.evaluation_age.set_function(lambda: time.monotonic() - self._oldest())

    def feed(self, body: Mapping[str, Any], *, gone: bool) -> None:
        """A policy was seen as `body`, or seen to be gone. A new generation is due at once."""
        policy = Policy(dict(body))
        key = label(policy)
        known = self._watched.get(key)
        if gone:
            if known is not None and known.policy.uid == policy.uid:
                self._forget(key, policy)
            return
        if known is not None and known.policy.uid == policy.uid:
            if int(policy.resource_version) <= int(known.policy.resource_version):
                return
            edited = policy.generation != known.policy.generation or policy.deleting != known.policy.deleting
            known.policy = policy
            if edited:
                known.prepared, known.problems = prepare(policy)
                self._schedule(key, 0.0)
            return
        prepared, problems = prepare(policy)
        self._watched[key] = Watched(policy, prepared, problems, moved_at=_moved_at(policy))
        status = status_of(policy)
        self._cycle.claims.note(key, status.ledger if status is not None else [])
        self._schedule(key, 0.0)

    def _forget(self, key: str, policy: Policy) -> None:
        del self._watched[key]
        self._due.remove(key)
        self._cycle.claims.note(key, [])
        self._metrics.forget(policy.namespace, policy.name)

    def _schedule(self, key: str, seconds: float) -> None:
        """Makes a policy due in some seconds. Due times are monotonic: a wall clock that is set moves none."""
        watched = self._watched.get(key)
        if watched is not None and watched.busy:
            watched.again = True
            return
        self._due.set(key, time.monotonic() + seconds)
        self._wake.set()

    @property
    def is_moving(self) -> bool:
        """Whether evaluations are moving: one has ended lately, or none was due.

        However slow Prometheus or the API server are, a turn ends by its deadlines, so that only a loop that is
        stuck stops this.
        """
        now = time.monotonic()
        overdue = min((w.evaluated + 3 * w.interval for w in self._watched.values()), default=now)
        return now < max(overdue, self._moved) + TURN_SECONDS

    def _oldest(self) -> float:
        return min((w.evaluated for w in list(self._watched.values())), default=time.monotonic())

    async def run(self) -> None:
        """Turns until `stop`."""
        while not self._stopping:
            first = self._due.next()
            self._wake.clear()
            wait = 1.0 if first is None else min(1.0, first - time.monotonic())
            if wait > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait)
                continue
            batches: dict[str, list[str]] = {}
            for key in self._due.pop(time.monotonic() + COALESCE_SECONDS):
                watched = self._watched[key]
                watched.busy = True
                batches.setdefault(watched.endpoint, []).append(key)
            for keys in batches.values():
                task = asyncio.create_task(self._batch(keys))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def stop(self, patience: float = 1.0) -> None:
        """Starts nothing more; what is under way gets `patience` seconds to end at a place where it may stop."""
        self._stopping = True
        self._wake.set()
        if self._tasks:
            _, left = await asyncio.wait(list(self._tasks), timeout=patience)
            for task in left:
                task.cancel()

    async def _batch(self, keys: list[str]) -> None:
        started = time.monotonic()
        asked: dict[str, dict[str, Any]] = {}
        for key in keys:
            watched = self._watched.get(key)
            if watched is not None and watched.prepared is not None and not watched.policy.deleting:
                with_budgets = started - watched.budgets_at >= BUDGET_SECONDS
                watched.budgets_at = started if with_budgets else watched.budgets_at
                asked[key] = questions(watched.policy, watched.prepared, with_budgets=with_budgets)
        every = {question for named in asked.values() for question in named.values()}
        try:
            answers = await self._observer.observe(every, time.time()) if every else {}
        except Exception as error:
            log.exception("observing failed")
            answers = {q: Observation(missing=Missing.ERROR, detail=type(error).__name__) for q in every}
        nothing = Observation(missing=Missing.ERROR, detail="not answered")
        await asyncio.gather(
            *(self._tick(key, {n: answers.get(q, nothing) for n, q in asked.get(key, {}).items()}) for key in keys)
        )
        self._metrics.evaluation_seconds.observe(time.monotonic() - started)

    async def _tick(self, key: str, observations: dict[str, Observation]) -> None:
        watched = self._watched.get(key)
        if watched is None:
            return
        retry = False
        try:
            async with self._slots:
                retry = await self._tick_once(watched, observations)
        except Exception as error:
            log.exception("a tick failed", extra={"policy": key})
            self._metrics.failures.labels(type(error).__name__).inc()
        finally:
            watched.busy = False
            watched.evaluated = self._moved = time.monotonic()
            if self._watched.get(key) is watched and not self._stopping:
                again, watched.again = watched.again, False
                due_in = 0.0 if again else self._next(watched, observations, retry=retry) - time.time()
                self._schedule(key, due_in)

    async def _tick_once(self, watched: Watched, observations: dict[str, Observation]) -> bool:
        """One tick; whether it must be looked at again soon."""
        self._metrics.count_missing(observations)
        prepared, policy = watched.prepared, watched.policy
        problems = watched.problems
        if prepared is not None:
            endpoint = self._allowed(policy.namespace, prepared.spec.metrics_endpoint)
            problems = prepared.problems + endpoint
            prepared = Prepared(prepared.spec, prepared.ladder, prepared.questions, problems)
        try:
            async with asyncio.timeout(TICK_SECONDS):
                after = await self._cycle.tick(policy, prepared, observations, watched.memory, time.time(), problems)
        except (Conflict, Refused, Unknown, TimeoutError) as error:
            if not isinstance(error, Conflict):
                why = str(error)[:300] or f"it took longer than {TICK_SECONDS:.0f} s"
                log.warning("a tick could not be finished", extra={"policy": label(policy), "why": why})
                self._metrics.failures.labels(type(error).__name__).inc()
            await self._look_again(watched)
            return True
        if int(after.resource_version) >= int(watched.policy.resource_version):
            watched.policy = after
        self._metrics.evaluations.inc()
        self._measure(watched, after)
        return False

    async def _look_again(self, watched: Watched) -> None:
        """What is stored now is not what was thought: a write of ours without an answer, or somebody else's."""
        key, policy = label(watched.policy), watched.policy
        try:
            found = await self._cycle.journal.load(policy)
        except (Refused, Unknown):
            return
        if found is not None:
            self.feed(found.raw, gone=False)
        elif self._watched.get(key) is watched:
            self._forget(key, policy)

    def _measure(self, watched: Watched, policy: Policy) -> None:
        status = policy.raw.get("status") or {}
        self._metrics.level.labels(policy.namespace, policy.name).set((status.get("state") or {}).get("index", 0))
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or [])
        self._metrics.ready.labels(policy.namespace, policy.name).set(1 if ready else 0)
        moved_at = _moved_at(policy)
        if moved_at != watched.moved_at and status.get("history"):
            self._metrics.transitions.labels(policy.namespace, policy.name, status["history"][-1]["reason"]).inc()
        watched.moved_at = moved_at

    def _next(self, watched: Watched, observations: Mapping[str, Observation], *, retry: bool) -> float:
        now = time.time()
        interval = watched.interval
        status = watched.policy.raw.get("status") or {}
        watched.retries = min(watched.retries + 1, 10) if retry else 0
        if retry or watched.policy.deleting:
            return now + min(PENDING_INTERVAL * 2.0 ** max(0, watched.retries - 1), max(interval, PENDING_INTERVAL))
        state = status.get("state") or {}
        pending = any(not b.get("firing") for b in (state.get("breaches") or {}).values()) or "deeperSince" in state
        soon = pending or "healthySince" in state or bool(watched.memory.issues or watched.memory.rejected)
        if soon or status.get("ledger"):
            interval = min(interval, PENDING_INTERVAL)
        watched.phase.see(max((o.sampled for o in observations.values() if o.sampled is not None), default=None))
        expected = watched.phase.next_after(now, interval)
        return expected if expected is not None else on_grid(now, interval)


def _moved_at(policy: Policy) -> float:
    """The time of the last transition; 0 for never."""
    return float(((policy.raw.get("status") or {}).get("state") or {}).get("since", 0.0))
