"""One policy put back without its operator: every held field restored, the finalizer taken off.

The same writer and the same ledger as in the cycle, under a leadership of our own. What is done is said, one
sentence a field; what can't be done yet is tried again by who calls.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from stepdown.api.status import EngineState, Entry, PolicyStatus
from stepdown.cycle import label, status_of
from stepdown.engine.decide import Decision
from stepdown.engine.ledger import Fact, Moment
from stepdown.engine.reasons import EventReason, Problem, Reason
from stepdown.engine.refresh import REFRESH
from stepdown.engine.report import Report, render, with_transition
from stepdown.engine.turn import TRANSITIONS_MAX
from stepdown.engine.undo import undo
from stepdown.page_keeper import remove_pages
from stepdown.ports import Cluster, Journal, Pages, Policy, Refused
from stepdown.refresher import Refresher
from stepdown.writer import Writer, Written, read_targets


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why policies are put back, as their status tells it afterwards."""

    reason: Reason
    message: str
    problems: tuple[tuple[Problem, str], ...] = ()


BY_HAND = Occasion(Reason.SUSPENDED, "restored by hand and suspended")

UNINSTALL = Occasion(
    Reason.UNINSTALLED,
    "restored before an uninstall",
    ((Problem.UNINSTALLED, "the operator was uninstalled: nobody watches; a new installation goes on from here"),),
)

Suspend = Callable[[Policy], Awaitable[Policy]]
"""Sets spec.suspend, compared with the policy's resourceVersion. Raises Conflict, Refused and Unknown."""


@dataclass(slots=True)
class Outcome:
    """The policy as stored, and sentences: fields that are back, and what keeps the others, with commands for them.

    `hopeless` says that trying again changes nothing.
    """

    policy: Policy
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    hopeless: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether nothing is held any more."""
        return not self.left


@dataclass(frozen=True, slots=True)
class Restorer:
    """Restores under one leadership, whose number is `epoch`. Raises Conflict, Refused and Unknown of the journal.

    Without a way to suspend, it is the operator that won't be there any more: its status pages go too, by `pages`.
    """

    cluster: Cluster
    journal: Journal
    suspend: Suspend | None
    epoch: int
    pages: Pages | None = None
    claiming: set[str] = field(default_factory=set)
    """Policies, by uid, whose targets are not all marked as ours yet."""

    async def restore(self, policy: Policy, now: float) -> Outcome:
        """Brings one policy as far back as the cluster lets us."""
        if status_of(policy) is None:
            text = f"{label(policy)}: its status was written by a newer version; restore with that one"
            return Outcome(policy, left=[text], hopeless=True)
        outcome = Outcome(policy)
        if self.suspend is not None and not policy.deleting and not policy.raw["spec"].get("suspend"):
            outcome.policy = await self.suspend(policy)
        status = status_of(outcome.policy)
        assert status is not None
        was_held = bool(status.ledger)
        if was_held:
            status = await self._put_back(outcome, status, now)
        moves = was_held or status.level not in ("", _full(policy))
        if not status.ledger and (moves or self.suspend is None):
            status = _at_full_service(outcome.policy, status, self._occasion, now)
        if self.pages is not None:
            status = await self._remove_pages(outcome, status, self.pages)
        if status != status_of(outcome.policy):
            outcome.policy = await self.journal.store(outcome.policy, status)
        if not status.ledger and outcome.policy.has_finalizer and await self._forget_touches(outcome):
            outcome.policy = await self.journal.set_finalizer(outcome.policy, present=False)
        return outcome

    async def _remove_pages(self, outcome: Outcome, status: PolicyStatus, port: Pages) -> PolicyStatus:
        """Takes the status pages away. One that we have no right to delete any more keeps nobody waiting."""
        policy = outcome.policy
        status, kept = await remove_pages(self.cluster, port, policy, status, status.pages)
        for name in status.pages:
            about, error = f"{label(policy)}: Deployment {name}, a status page,", kept.get(name)
            if isinstance(error, Refused) and error.lacks_right:
                outcome.done.append(f"{about} stays until the policy is deleted: {error.message}")
            else:
                outcome.left.append(f"{about} is not deleted yet" + (f": {error}" if error is not None else ""))
        return status

    async def _forget_touches(self, outcome: Outcome) -> bool:
        """Takes our annotation off pods; whether nothing is left to be tried again."""
        done = await Refresher(self.cluster).refresh(outcome.policy.namespace)
        about = f"{label(outcome.policy)}: pods that carry the annotation {REFRESH} keep it"
        if not done.complete:
            outcome.left.append(f"{about}: {done.refusal or 'the write had no effect yet'}")
        elif done.refusal:
            outcome.done.append(f"{about} until they are replaced, which harms nobody: {done.refusal}")
        return done.complete

    @property
    def _occasion(self) -> Occasion:
        return BY_HAND if self.suspend is not None else UNINSTALL

    async def _put_back(self, outcome: Outcome, status: PolicyStatus, now: float) -> PolicyStatus:
        policy, held = outcome.policy, list(status.ledger)
        objects = await read_targets(self.cluster, policy.namespace, held)
        writer = Writer(self.cluster, self.journal)
        if status.epoch != self.epoch or policy.uid in self.claiming:
            self.claiming.add(policy.uid)
            policy, status, is_done = await writer.claim(policy, status, objects, self.epoch)
            if is_done:
                self.claiming.discard(policy.uid)
        written = await writer.apply(policy, status, {}, objects, Moment(self.epoch, (), now), upwards=True)
        outcome.policy = written.policy
        left = {entry.id for entry in written.status.ledger}
        outcome.done = [_fate(policy, entry, written.facts) for entry in held if entry.id not in left]
        outcome.left = _left(policy, written)
        outcome.commands = undo(policy.namespace, policy.name, written.status.ledger, objects).commands
        outcome.hopeless = bool(written.problems) and all(p is Problem.NOT_AUTHORIZED for p, _, _ in written.problems)
        return written.status


def _fate(policy: Policy, entry: Entry, facts: Sequence[Fact]) -> str:
    where = f"{label(policy)}: {entry.target.kind} {entry.target.name} {entry.path}"
    for fact in facts:
        if fact.path == entry.path and (fact.target.kind, fact.target.name) == (entry.target.kind, entry.target.name):
            verb = "needs no restore" if fact.reason is EventReason.ORPHANED else "left as it is"
            return f"{where} {verb}: {fact.message}"
    return f"{where} put back"


def _left(policy: Policy, written: Written) -> list[str]:
    """A sentence for each field that is still held."""
    refused = {(target.kind, target.name): text for _, text, target in written.problems}
    sentences = []
    for entry in written.status.ledger:
        why = refused.get((entry.target.kind, entry.target.name), "the write had no effect yet")
        sentences.append(f"{label(policy)}: {entry.target.kind} {entry.target.name} {entry.path} not put back: {why}")
    return sentences


def _full(policy: Policy) -> str:
    return str(policy.raw["spec"]["levels"][0]["name"])


def _at_full_service(policy: Policy, status: PolicyStatus, occasion: Occasion, now: float) -> PolicyStatus:
    """The status of a policy that holds nothing: at its first level, whatever its signals said before."""
    levels = [str(level["name"]) for level in policy.raw["spec"]["levels"]]
    full, state = levels[0], status.state or EngineState(level=levels[0])
    came_from = levels.index(state.level) if state.level in levels else 0
    decision = Decision(0, came_from, occasion.reason, occasion.message, "", {})
    if decision.is_transition:
        status = with_transition(status, decision, state.level, full, now)
        state = EngineState(level=full, since=now, transitions=[*state.transitions, now][-TRANSITIONS_MAX:])
    report = Report(
        generation=policy.generation,
        now=now,
        reached=full,
        is_full=True,
        decision=decision,
        decided=full,
        state=state,
        observing=False,
        problems=occasion.problems,
        missing={},
        ledger=(),
        restoring=False,
        contested=(),
        budgets={},
    )
    return render(status, report)
