"""One tick of one policy: decide, plan, apply, report.

The only place that knows the order of things. It runs live, in `simulate` and in the tests; what differs are the
ports behind it. Observing comes first and for all due policies at once, so observations are handed in.

`tick` refuses nothing for good: whatever goes wrong is reported in the status and met again at the next tick.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from stepdown.actions import references
from stepdown.actions.planning import Plan
from stepdown.api.policy import Mode
from stepdown.api.status import EntryState, PolicyStatus
from stepdown.engine.decide import NO_LEVELS, Decision, after_gap, decide, initial_state
from stepdown.engine.fields import FieldChange, Ref
from stepdown.engine.ledger import FieldKey, Moment, target_of
from stepdown.engine.observation import Observation
from stepdown.engine.reasons import EventReason, Problem, Reason
from stepdown.engine.report import Report, render, with_transition
from stepdown.news import News
from stepdown.ports import Cluster, Event, Journal, Policy, Refused
from stepdown.prepared import Claims, Memory, Prepared, Problems
from stepdown.writer import Objects, Writer

VERIFY_SECONDS = 300.0
"""How often a policy at rest looks whether everything it names is still there."""

MISSING_TICKS = 3
"""How many intervals a signal is missing before MetricsAvailable turns False."""

RESTORE_DEADLINE_SECONDS = 600.0
"""How long a deletion may wait for what can't be restored."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """Ticks for one leadership: `epoch` is its number."""

    cluster: Cluster
    journal: Journal
    claims: Claims
    epoch: int

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
        if status is None:
            text = "its status was written by a newer version: nothing is changed; upgrade the operator"
            self._tell_once(policy, memory, EventReason.POLICY_NOT_READY, text)
            return policy
        self.claims.note(label(policy), status.ledger)
        held_still = prepared is not None and prepared.spec.suspend and not policy.deleting
        if status.ledger and status.epoch != self.epoch and not held_still:
            objects = await self._targets(policy, status)
            policy, status = await self._writer.claim(policy, status, objects, self.epoch)
        if policy.deleting:
            return await self._finish(policy, status, memory, now)
        if prepared is None:
            return await self._report_broken(policy, status, now, problems)
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
        spec, ladder = prepared.spec, prepared.ladder
        before = status.state or initial_state(ladder)
        if memory.looked_at is None or not 0 <= now - memory.looked_at <= 2 * spec.interval + 5:
            before = after_gap(before, now)
        memory.looked_at = now
        decision, state = decide(ladder, before, observations, now)
        acting = spec.mode is Mode.ENFORCE
        wanted: dict[FieldKey, FieldChange] = {}
        objects: Objects = {}
        undone: set[int] = set()
        if decision.level or decision.is_transition or status.ledger or _verification_due(policy, memory, now):
            try:
                snapshot = await self._snapshot(policy, prepared, status)
            except Refused as error:
                text = f"{error.message}; give the operator that right: nothing is changed until then"
                return await self._report_broken(policy, status, now, ((Problem.FORBIDDEN, text),))
            plan = Plan(label(policy), spec, status.ledger, snapshot, self.claims.holder)
            objects = plan.objects
            unavailable = NO_LEVELS
            while acting and decision.is_transition and plan.blocks(decision.level):
                unavailable |= {decision.level}
                decision, state = decide(ladder, before, observations, now, unavailable)
            wanted = plan.wanted(decision.level) if acting else {}
            undone = plan.undone(decision.level)
            waits = decision.reason is Reason.FALLBACK_NOT_READY
            memory.issues = plan.issues + plan.conflicts + plan.unready(undone | (unavailable if waits else NO_LEVELS))
            memory.verified_at, memory.verified_generation = now, policy.generation
        left, entered = ladder.steps[decision.came_from].name, ladder.steps[decision.level].name
        if decision.is_transition:
            status = with_transition(status, decision, left, entered, now)
        suspended = decision.reason is Reason.SUSPENDED
        contested: list[str] = []
        if (wanted or status.ledger) and not suspended:
            status = status.model_copy(update={"epoch": self.epoch, "state": state})
            moment = Moment(self.epoch, tuple(step.name for step in ladder.steps), now)
            upwards = decision.level < decision.came_from
            done = await self._writer.apply(policy, status, wanted, objects, moment, upwards=upwards)
            policy, status = done.policy, done.status
            undone |= {wanted[key].level for key in done.pending if key in wanted}
            memory.rejected = [(problem, text, decision.level) for problem, text, _ in done.problems]
            news = News(self.journal, policy)
            news.written(done, decision, objects)
            contested = news.found(done.facts, objects)
        elif not suspended:
            memory.rejected = []
        reached = _reached(decision.level, undone, memory) if acting else 0
        if suspended:
            reached = ladder.index(status.level) or 0
        report = Report(
            generation=policy.generation,
            now=now,
            reached=ladder.steps[reached].name,
            is_full=reached == 0,
            decision=decision,
            decided=entered,
            state=state,
            observing=not acting,
            problems=_problems(prepared, memory),
            missing=_missing(prepared, decision, memory, now),
            ledger=status.ledger,
            restoring=not suspended and any((target_of(e), e.path) not in wanted for e in status.ledger),
            contested=_contested(status, contested),
            budgets=_budgets(prepared, decision),
        )
        return await self._store(policy, status, report)

    async def _store(self, policy: Policy, status: PolicyStatus, report: Report) -> Policy:
        before = status_of(policy) or PolicyStatus()
        after = render(status, report)
        if after != before:
            policy = await self.journal.store(policy, after)
        self.claims.note(label(policy), after.ledger)
        news = News(self.journal, policy)
        if report.decision is not None and report.decision.is_transition:
            news.moved(report.decision, observing=report.observing)
        news.changed(before, after)
        if policy.has_finalizer and not after.ledger:
            policy = await self.journal.set_finalizer(policy, present=False)
            news.restored()
        return policy

    async def _report_broken(self, policy: Policy, status: PolicyStatus, now: float, problems: Problems) -> Policy:
        """Nothing can be decided: said in the status, and everything applied stays."""
        report = Report(
            generation=policy.generation,
            now=now,
            reached=status.level,
            is_full=not status.ledger,
            decision=None,
            decided=status.level,
            state=status.state,
            observing=False,
            problems=problems,
            missing={},
            ledger=status.ledger,
            restoring=False,
            contested=_contested(status, []),
            budgets={},
        )
        return await self._store(policy, status, report)

    async def _finish(self, policy: Policy, status: PolicyStatus, memory: Memory, now: float) -> Policy:
        """A deleted policy: everything back, then the finalizer goes; by a deadline it goes anyway."""
        if not policy.has_finalizer:
            return policy
        home = Ref("Namespace", policy.namespace)
        namespace = (await self.cluster.read(policy.namespace, [home])).get(home)
        ending = isinstance(namespace, dict) and "deletionTimestamp" in namespace["metadata"]
        if status.ledger and not ending:
            objects = await self._targets(policy, status)
            done = await self._writer.apply(policy, status, {}, objects, Moment(self.epoch, (), now), upwards=True)
            policy, status = done.policy, done.status
            news = News(self.journal, policy)
            news.written(done, None, objects)
            news.found(done.facts, objects)
            if status != status_of(policy):
                policy = await self.journal.store(policy, status)
            if status.ledger:
                memory.restoring_since = memory.restoring_since or now
                if now - memory.restoring_since < RESTORE_DEADLINE_SECONDS:
                    return policy
                news.gave_up(status.ledger, objects)
        if not status.ledger and not ending:
            News(self.journal, policy).restored()
        self.claims.note(label(policy), [])
        return await self.journal.set_finalizer(policy, present=False)

    @property
    def _writer(self) -> Writer:
        return Writer(self.cluster, self.journal)

    async def _snapshot(self, policy: Policy, prepared: Prepared, status: PolicyStatus) -> dict[Ref, Any]:
        spec = prepared.spec
        refs = [ref for level in spec.levels for action in level.actions for ref in references(action, spec)]
        refs += [Ref(entry.target.kind, entry.target.name) for entry in status.ledger]
        return dict(await self.cluster.read(policy.namespace, list(dict.fromkeys(refs))))

    async def _targets(self, policy: Policy, status: PolicyStatus) -> Objects:
        refs = dict.fromkeys(Ref(entry.target.kind, entry.target.name) for entry in status.ledger)
        found = await self.cluster.read(policy.namespace, list(refs))
        return {(r.kind, r.name or ""): obj if isinstance(obj, dict) else None for r, obj in found.items()}

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


def _verification_due(policy: Policy, memory: Memory, now: float) -> bool:
    return (
        memory.verified_at is None
        or memory.verified_generation != policy.generation
        or bool(memory.issues)
        or now - memory.verified_at >= VERIFY_SECONDS
    )


def _reached(decided: int, undone: set[int], memory: Memory) -> int:
    """The deepest level whose actions are all applied."""
    wrong = undone | {place for _, _, place in memory.rejected}
    return min([decided, *(place - 1 for place in wrong if 0 < place <= decided)])


def _problems(prepared: Prepared, memory: Memory) -> list[tuple[Problem, str]]:
    return [*prepared.problems, *((p, text) for p, text, _ in (*memory.rejected, *memory.issues))]


def _missing(prepared: Prepared, decision: Decision, memory: Memory, now: float) -> dict[str, str]:
    """Signals that have been missing for some intervals, with their kinds."""
    since = {}
    kinds = {}
    for name in prepared.ladder.needed:
        seen = decision.observations.get(name)
        if seen is not None and seen.missing is not None:
            since[name] = memory.missing_since.get(name, now)
            kinds[name] = f"{seen.missing}" + (f" ({seen.detail})" if seen.detail else "")
    memory.missing_since = since
    patience = (MISSING_TICKS - 1) * prepared.spec.interval
    return {name: kinds[name] for name, start in since.items() if now - start >= patience}


def _contested(status: PolicyStatus, new: list[str]) -> list[str]:
    """The contested fields of this episode: told now, or told before and kept in the condition."""
    if not any(entry.state is EntryState.CONTESTED for entry in status.ledger):
        return []
    kept = [c.message for c in status.conditions if c.type == "Contested" and c.status == "True"]
    return [*kept, *(text for text in new if text not in kept)]


def _budgets(prepared: Prepared, decision: Decision) -> dict[str, float]:
    """Share of each error budget that is left, where it was asked this time and known."""
    left = {}
    for objective in prepared.spec.objectives:
        seen = decision.observations.get(f"budget:{objective.name}")
        if seen is not None and seen.value is not None:
            left[objective.name] = 1 - seen.value / (1 - objective.target)
    return left
