"""One tick of one policy: decide, plan, apply, report.

The only place that knows the order of things. It runs live, in `simulate` and in the tests; what differs are the
ports behind it. Observing comes first and for all due policies at once, so observations are handed in.

`tick` refuses nothing for good: whatever goes wrong is reported in the status and met again at the next tick.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from stepdown.actions.planning import Plan
from stepdown.api.policy import Mode, PolicySpec
from stepdown.api.status import EngineState, PolicyStatus
from stepdown.engine.decide import NO_LEVELS, after_gap, decide, in_mode, initial_state
from stepdown.engine.fields import Ref
from stepdown.engine.ledger import Moment
from stepdown.engine.observation import Observation
from stepdown.engine.reasons import EventReason, Problem, Reason
from stepdown.engine.report import Report, render, with_transition
from stepdown.mass_guard import MassGuard, held_back, override_of
from stepdown.news import News, step_event
from stepdown.page_keeper import PageKeeper, keep_pages
from stepdown.ports import Cluster, Conflict, Event, Journal, Policy, Refused, Unknown
from stepdown.prepared import NO_TOUCHES, Claims, Memory, Prepared, Problems
from stepdown.refresher import Refresher
from stepdown.restarter import Restarter, restarts_of
from stepdown.snapshot import snapshot
from stepdown.tick import Tick, report_of, report_of_nothing, report_of_refusal
from stepdown.writer import Objects, Writer, read_targets

RESTORE_DEADLINE_SECONDS = 600.0
"""How long a deletion may wait for what can't be restored."""

NEWER = "its status was written by a newer version; upgrade the operator"


@dataclass(frozen=True, slots=True)
class Cycle:
    """Ticks for one leadership: `epoch` is its number. Without a keeper no status pages are made."""

    cluster: Cluster
    journal: Journal
    claims: Claims
    epoch: int
    guard: MassGuard = field(default_factory=MassGuard)
    keeper: PageKeeper | None = None

    async def tick(
        self,
        policy: Policy,
        prepared: Prepared | None,
        observations: Mapping[str, Observation],
        memory: Memory,
        now: float,
        problems: Problems = (),
    ) -> Policy:
        """Brings one policy one step further; gives it as last stored.

        `prepared` is None for a spec that can't be understood (`problems` say why): then everything applied
        stays as it is, unless the policy is being deleted. Raises Conflict, Refused or Unknown when the journal
        couldn't be written; nothing was assumed then, and the next tick finds out.
        """
        status = status_of(policy)
        if policy.deleting:
            return await self._finish(policy, status, memory, now)
        if status is None:
            self._tell_once(policy, memory, EventReason.POLICY_NOT_READY, f"{NEWER}: nothing is changed")
            return policy
        self.claims.note(label(policy), status.ledger)
        if prepared is None or not prepared.spec.suspend:
            policy, status = await self._claimed(policy, status, memory)
        if prepared is None:
            return await self._store(policy, status, report_of_nothing(policy, status, now, problems), memory, None)
        return await self._evaluate(policy, status, prepared, observations, memory, now)

    async def _evaluate(
        self,
        policy: Policy,
        status: PolicyStatus,
        prepared: Prepared,
        observations: Mapping[str, Observation],
        memory: Memory,
        now: float,
    ) -> Policy:
        ladder, observing = prepared.ladder, prepared.spec.mode is Mode.OBSERVE
        known = memory.latest(status.state) or initial_state(ladder)
        before = in_mode(ladder, known, observing=observing, holds=bool(status.ledger))
        if memory.looked_at is None or not 0 <= now - memory.looked_at <= 2 * prepared.spec.interval + 5:
            before = after_gap(before, now)
        memory.looked_at = now
        if not policy.has_finalizer:
            memory.touched = NO_TOUCHES
        decision, state = decide(ladder, before, observations, now)
        memory.seen = (status.state, before if decision.is_transition else state)
        tick = Tick(policy, status, prepared, memory, now, decision, state)
        due = memory.must_verify(policy, now) or not prepared.pages.keys() >= set(status.pages)
        if decision.level or decision.is_transition or status.ledger or due:
            try:
                await self._plan(tick, before)
            except Refused as error:
                refusal = report_of_refusal(tick, error)
                return await self._store(tick.policy, tick.status, refusal, memory, prepared.spec)
        if tick.decision.is_transition:
            tick.status = with_transition(tick.status, tick.decision, tick.left, tick.entered, now)
            memory.tell_later(tick.status.history, step_event(tick.decision, observing=observing))
        if tick.decision.reason is not Reason.MASS_DEGRADATION:
            self.guard.let_go(label(policy))
        if not tick.is_suspended:
            await self._apply(tick)
        await self._refresher.look(policy, prepared.spec, memory, now)
        stored = await self._store(tick.policy, tick.status, report_of(tick), memory, prepared.spec)
        if not tick.is_suspended:
            await Restarter(self.cluster, self.journal).go_on(stored, tick)
        self.guard.note(label(policy), tick.status, prepared)
        return stored

    async def _plan(self, tick: Tick, before: EngineState) -> None:
        """What the level decided on means for what is there; a level that can't be entered is decided on again."""
        policy, prepared, memory = tick.policy, tick.prepared, tick.memory
        found = await snapshot(self.cluster, policy, prepared.spec, tick.status.ledger)
        wrong = await keep_pages(self.keeper, tick, found)
        plan = Plan(label(policy), prepared.spec, tick.status.ledger, found, self.claims.holder)
        unavailable, seen = NO_LEVELS, tick.decision.observations
        while tick.is_acting and tick.decision.level not in unavailable and plan.answers_nobody(tick.decision):
            unavailable |= {tick.decision.level}
            tick.decision, tick.state = decide(prepared.ladder, before, seen, tick.now, unavailable)
        held = self._guarded(tick, before)
        tick.plan, tick.objects = plan, plan.objects
        tick.wanted = plan.wanted(tick.decision.level) if tick.is_acting else {}
        tick.undone = plan.undone(tick.decision.level)
        waiting = unavailable if tick.decision.reason is Reason.FALLBACK_NOT_READY else NO_LEVELS
        faulty = plan.faulty() if tick.is_acting and not tick.is_suspended else NO_LEVELS
        memory.issues = wrong + plan.issues + plan.conflicts + plan.unready(tick.undone | waiting | faulty)
        memory.issues += (plan.amiss(tick.decision.level, waiting) if tick.is_acting else []) + held
        memory.verified_at, memory.verified_generation = tick.now, policy.generation
        tick.restarts = restarts_of(tick, found)
        tick.status = tick.status.model_copy(update={"restarts": tick.restarts.remembered})

    def _guarded(self, tick: Tick, before: EngineState) -> list[tuple[Problem, str, int]]:
        """Holds a policy at full service where too many would leave it at once; gives what is wrong then."""
        policy, decision, now = tick.policy, tick.decision, tick.now
        leaves_full = decision.is_transition and decision.came_from == 0 and decision.reason is Reason.BREACHED
        if not tick.is_acting or not leaves_full:
            return []
        if (reason := override_of(policy)) != "":
            tick.decision = replace(decision, message=f"{decision.message}; although many do: {reason}")
            return []
        if self.guard.admits(label(policy), now):
            return []
        nowhere = frozenset(range(1, len(tick.prepared.ladder.steps)))
        stayed, tick.state = decide(tick.prepared.ladder, before, decision.observations, now, nowhere)
        tick.decision = held_back(stayed, self.guard.text)
        text = f"held at full service: {self.guard.text}; {self.guard.cure(policy)}"
        if self.guard.hold(label(policy), now):
            self.journal.tell(policy, Event(EventReason.MASS_DEGRADATION, text, warning=True))
        return [(Problem.MASS_DEGRADATION, text, 0)]

    async def _apply(self, tick: Tick) -> None:
        """Brings what is wanted about, and what is held and no longer wanted back."""
        tick.memory.rejected = []
        if not tick.wanted and not tick.status.ledger:
            return
        decision = tick.decision
        status = tick.status.model_copy(update={"epoch": self.epoch, "state": tick.state})
        moment = Moment(self.epoch, tuple(step.name for step in tick.prepared.ladder.steps), tick.now)
        upwards = decision.level < decision.came_from
        done = await self._writer.apply(tick.policy, status, tick.wanted, tick.objects, moment, upwards=upwards)
        tick.policy, tick.status = done.policy, done.status
        for key in done.pending & tick.wanted.keys():
            tick.undone |= {tick.wanted[key].level} | (tick.plan.unlike(key, decision.level) if tick.plan else set())
        tick.memory.rejected = [(problem, text, decision.level) for problem, text, _ in done.problems]
        news = News(self.journal, tick.policy)
        news.written(done, decision, tick.objects)
        tick.contested = news.found(done.facts, done.judged)

    async def _store(
        self, policy: Policy, status: PolicyStatus, report: Report, memory: Memory, spec: PolicySpec | None
    ) -> Policy:
        """Says what is true; where nothing could be decided everything applied stays. Then pods are told of flags."""
        before = status_of(policy) or PolicyStatus()
        after = render(status, report)
        if after != before:
            policy = await self.journal.store(policy, after)
        self.claims.note(label(policy), after.ledger)
        news = News(self.journal, policy)
        news.moved(memory.untold, after.history)
        memory.untold = ()
        news.changed(before, after)
        if policy.has_finalizer:
            no_pod_waits = await self._refresher.keep(policy, spec, after.ledger, memory)
            if no_pod_waits and not after.ledger:
                policy = await self.journal.set_finalizer(policy, present=False)
                news.restored()
        return policy

    async def _finish(self, policy: Policy, status: PolicyStatus | None, memory: Memory, now: float) -> Policy:
        """A deleted policy: everything back, then the finalizer goes; by a deadline it goes anyway.

        The deadline holds for whatever stands in the way: a right that was taken away, a status that can't be read.
        """
        if not policy.has_finalizer:
            return policy
        if not await self._home_is_ending(policy):
            if memory.restoring_since is None:
                memory.restoring_since = now
            is_late = now - memory.restoring_since >= RESTORE_DEADLINE_SECONDS
            objects: Objects = {}
            obstacle = NEWER if status is None else ""
            try:
                if status is not None:
                    policy, status, objects = await self._put_back(policy, status, memory, now)
            except Conflict:
                raise
            except Exception as error:
                if not is_late:
                    raise
                obstacle = str(error)
            news = News(self.journal, policy)
            no_pod_waits = status is not None and await self._refresher.keep(policy, None, status.ledger, memory)
            if status is not None and not status.ledger and (no_pod_waits or is_late):
                news.restored()
            elif is_late:
                news.gave_up(status.ledger if status is not None else [], objects, obstacle)
            else:
                if status is None:
                    self._tell_once(policy, memory, EventReason.POLICY_NOT_READY, f"{NEWER}: nothing is restored")
                return policy
        self.claims.note(label(policy), [])
        return await self.journal.set_finalizer(policy, present=False)

    async def _home_is_ending(self, policy: Policy) -> bool:
        """Whether its namespace is being deleted, and everything in it with it."""
        home = Ref("Namespace", policy.namespace)
        try:
            namespace = (await self.cluster.read(policy.namespace, [home])).get(home)
        except (Refused, Unknown):
            return False
        return isinstance(namespace, dict) and "deletionTimestamp" in namespace["metadata"]

    async def _put_back(
        self, policy: Policy, status: PolicyStatus, memory: Memory, now: float
    ) -> tuple[Policy, PolicyStatus, Objects]:
        self.claims.note(label(policy), status.ledger)
        policy, status = await self._claimed(policy, status, memory)
        objects = await read_targets(self.cluster, policy.namespace, status.ledger)
        done = await self._writer.apply(policy, status, {}, objects, Moment(self.epoch, (), now), upwards=True)
        policy, status = done.policy, done.status
        news = News(self.journal, policy)
        news.written(done, None, objects)
        news.found(done.facts, done.judged)
        if status != status_of(policy):
            policy = await self.journal.store(policy, status)
        return policy, status, objects

    async def _claimed(self, policy: Policy, status: PolicyStatus, memory: Memory) -> tuple[Policy, PolicyStatus]:
        """The policy taken over from the leader before us; one that was interrupted in it is gone on with."""
        memory.is_claiming = bool(status.ledger) and (status.epoch != self.epoch or memory.is_claiming)
        if memory.is_claiming:
            objects = await read_targets(self.cluster, policy.namespace, status.ledger)
            policy, status, is_done = await self._writer.claim(policy, status, objects, self.epoch)
            memory.is_claiming = not is_done
        return policy, status

    @property
    def _refresher(self) -> Refresher:
        return Refresher(self.cluster)

    @property
    def _writer(self) -> Writer:
        return Writer(self.cluster, self.journal, lambda policy, entries: self.claims.note(label(policy), entries))

    def _tell_once(self, policy: Policy, memory: Memory, reason: EventReason, text: str) -> None:
        if text not in memory.told:
            memory.told.add(text)
            self.journal.tell(policy, Event(reason, text, warning=True))


def label(policy: Policy) -> str:
    """`namespace/name`."""
    return f"{policy.namespace}/{policy.name}"


def status_of(policy: Policy) -> PolicyStatus | None:
    """The stored status; None when it was written by a version that we don't know."""
    try:
        return PolicyStatus.model_validate(policy.raw.get("status") or {})
    except ValidationError:
        return None
