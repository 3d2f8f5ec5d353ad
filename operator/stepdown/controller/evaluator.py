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
from dataclasses import dataclass, replace
from typing import Any

from stepdown.adapters.metrics import Metrics
from stepdown.api.status import PolicyStatus
from stepdown.controller.preparing import prepare
from stepdown.controller.schedule import DueTimes
from stepdown.controller.watched import Watched
from stepdown.cycle import Cycle, label, status_of
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.questions import ProbeQuestion, Question
from stepdown.ports import Conflict, Observer, Policy, Refused, Unknown
from stepdown.prepared import Problems

log = logging.getLogger("stepdown.evaluator")

OBSERVE_SECONDS = 75.0
"""Longest time for a batch's answers: an endpoint's time-outs, at most 60 s, and some more."""

TICK_SECONDS = 30.0
"""Longest tick: some calls of at most five seconds each."""

COALESCE_SECONDS = 0.02
"""Policies due this soon join the batch."""

SIDE_BY_SIDE = 16
"""Ticks under way at once."""

PATIENCE_SECONDS = 30.0
"""How long answers may wait for their tick; later they are asked again."""

TURN_SECONDS = OBSERVE_SECONDS + TICK_SECONDS + 5.0
"""Longest turn of a policy: its answers, its tick, and a look at what is stored."""


@dataclass(frozen=True, slots=True)
class _Look:
    """A policy that is due, with what it asks."""

    watched: Watched
    asked: Mapping[str, Question]

    @property
    def batch(self) -> tuple[str, str]:
        """Who is observed together: those of an endpoint, and who asks pods directly alone, for pods may be slow."""
        probes = any(isinstance(question, ProbeQuestion) for question in self.asked.values())
        return self.watched.endpoint, self.watched.key if probes else ""


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
                self._forget(known)
            return
        if known is not None and known.policy.uid == policy.uid:
            if known.see(policy):
                self._schedule(key, 0.0)
            return
        prepared, problems = prepare(policy)
        self._watched[key] = Watched(policy, prepared, problems, moved_at=_moved_at(policy))
        status = status_of(policy) or PolicyStatus()
        self._cycle.claims.note(key, status.ledger)
        self._cycle.guard.note(key, status, prepared)
        self._schedule(key, 0.0)

    def known(self, namespace: str | None) -> list[Mapping[str, Any]]:
        """The policies under watch, in one namespace or in all."""
        policies = [watched.policy for watched in self._watched.values()]
        return [policy.raw for policy in policies if namespace in (None, policy.namespace)]

    def _forget(self, watched: Watched) -> None:
        """Leaves nothing of a policy that is gone; its tick, if one is under way, does so again when it ends."""
        if self._watched.get(watched.key) is watched:
            del self._watched[watched.key]
            self._due.remove(watched.key)
        if watched.key not in self._watched:
            self._cycle.claims.note(watched.key, [])
            self._cycle.guard.forget(watched.key)
            self._metrics.forget(watched.policy.namespace, watched.policy.name)

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
        overdue = min((w.evaluated + 3 * w.interval for w in list(self._watched.values())), default=now)
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
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
                continue
            batches: dict[tuple[str, str], list[_Look]] = {}
            for key in self._due.pop(time.monotonic() + COALESCE_SECONDS):
                watched = self._watched[key]
                watched.busy = True
                look = _Look(watched, watched.due_questions(time.monotonic()))
                batches.setdefault(look.batch, []).append(look)
            for looks in batches.values():
                task = asyncio.create_task(self._batch(looks))
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

    async def _batch(self, looks: list[_Look]) -> None:
        started = time.monotonic()
        answers = await self._observe({question for look in looks for question in look.asked.values()})
        seen_at = time.monotonic()
        await asyncio.gather(*(self._tick(look, answers, seen_at) for look in looks))
        self._metrics.evaluation_seconds.observe(time.monotonic() - started)

    async def _observe(self, every: set[Question]) -> Mapping[Question, Observation]:
        """An answer to each question, whatever the observer does."""
        answers: Mapping[Question, Observation] = {}
        why = "not answered"
        try:
            async with asyncio.timeout(OBSERVE_SECONDS):
                answers = await self._observer.observe(every, time.time()) if every else {}
        except TimeoutError:
            why = f"no answer within {OBSERVE_SECONDS:.0f} s"
        except Exception as error:
            log.exception("observing failed")
            why = type(error).__name__
        nothing = Observation(missing=Missing.ERROR, detail=why)
        return {question: answers.get(question, nothing) for question in every}

    async def _tick(self, look: _Look, answers: Mapping[Question, Observation], seen_at: float) -> None:
        watched = look.watched
        observations: dict[str, Observation] | None = None
        retry = False
        try:
            async with self._slots:
                if self._stopping or self._watched.get(watched.key) is not watched:
                    return
                if time.monotonic() - seen_at <= PATIENCE_SECONDS:
                    observations = watched.observations(look.asked, answers, seen_at)
                if observations is None:
                    watched.again = True
                    return
                retry = await self._tick_once(watched, observations)
                watched.evaluated = time.monotonic()
        except Exception as error:
            log.exception("a tick failed", extra={"policy": watched.key})
            self._metrics.failures.labels(type(error).__name__).inc()
            watched.evaluated = time.monotonic()
        finally:
            self._done(watched, observations or {}, retry=retry)

    def _done(self, watched: Watched, observations: Mapping[str, Observation], *, retry: bool) -> None:
        """After its turn a policy is due again, or gone."""
        watched.busy = False
        self._moved = time.monotonic()
        metadata = watched.policy.raw["metadata"]
        ended = watched.policy.deleting and not metadata.get("finalizers")
        if ended or self._watched.get(watched.key) is not watched:
            self._forget(watched)
        elif not self._stopping:
            due_in = 0.0 if watched.again else self._next(watched, observations, retry=retry)
            watched.again = False
            self._schedule(watched.key, due_in)

    def _next(self, watched: Watched, observations: Mapping[str, Observation], *, retry: bool) -> float:
        """Seconds until a policy is looked at again; never none."""
        memory = watched.memory
        troubled = bool(memory.issues or memory.rejected or self._endpoint_problems(watched))
        try:
            return watched.next_look(observations, retry=retry, troubled=troubled) - time.time()
        except Exception:
            log.exception("it can't be told when a policy is due", extra={"policy": watched.key})
            return watched.interval

    def _endpoint_problems(self, watched: Watched) -> Problems:
        if watched.prepared is None or not watched.prepared.needs_endpoint:
            return ()
        return self._allowed(watched.policy.namespace, watched.prepared.spec.metrics_endpoint)

    async def _tick_once(self, watched: Watched, observations: dict[str, Observation]) -> bool:
        """One tick; whether it must be looked at again soon."""
        self._metrics.count_missing(observations)
        prepared, policy = watched.prepared, watched.policy
        problems = watched.problems
        if prepared is not None:
            problems = prepared.problems + self._endpoint_problems(watched)
            prepared = replace(prepared, problems=problems)
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
        self._metrics.mass_held.set(self._cycle.guard.held)
        self._measure(watched, after)
        return False

    async def _look_again(self, watched: Watched) -> None:
        """What is stored now is not what was thought: a write of ours without an answer, or somebody else's."""
        try:
            found = await self._cycle.journal.load(watched.policy)
        except (Refused, Unknown):
            return
        if found is not None:
            self.feed(found.raw, gone=False)
        else:
            self._forget(watched)

    def _measure(self, watched: Watched, policy: Policy) -> None:
        status = policy.raw.get("status") or {}
        self._metrics.level.labels(policy.namespace, policy.name).set((status.get("state") or {}).get("index", 0))
        true = {c["type"] for c in status.get("conditions") or [] if c["status"] == "True"}
        for condition, gauge in self._metrics.conditions.items():
            gauge.labels(policy.namespace, policy.name).set(condition in true)
        moved_at = _moved_at(policy)
        if moved_at != watched.moved_at and status.get("history"):
            self._metrics.transitions.labels(policy.namespace, policy.name, status["history"][-1]["reason"]).inc()
        watched.moved_at = moved_at


def _moved_at(policy: Policy) -> float:
    """The time of the last transition; 0 for never."""
    return float(((policy.raw.get("status") or {}).get("state") or {}).get("since", 0.0))
