"""What people are told about a tick: one Event for each fact, on the policy and on the touched object.

A change of a condition is a fact; a condition that stays as it is was told when it came.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stepdown.api.status import Entry, PolicyStatus, StatusCondition, Transition
from stepdown.engine.decide import Decision
from stepdown.engine.fields import KINDS
from stepdown.engine.ledger import Fact, short, target_of
from stepdown.engine.reasons import EventReason, Problem, Reason
from stepdown.engine.rivals import cure, manager_of
from stepdown.engine.undo import undo
from stepdown.ports import Event, Journal, Policy
from stepdown.writer import Objects, Written

_FAILED = (Problem.ACTION_REJECTED, Problem.NOT_AUTHORIZED)

NOTHING_HELD = "nothing is held any more"


@dataclass(frozen=True, slots=True)
class News:
    """Tells a journal about one policy."""

    journal: Journal
    policy: Policy

    def written(self, done: Written, decision: Decision | None, objects: Objects) -> None:
        """Fields that were set or put back, with the decision behind it (None: the policy was deleted)."""
        why = (decision.why or decision.message) if decision is not None else "the policy was deleted"
        for write in done.applied:
            reason, verb = (EventReason.RESTORED, "put back") if write.restores else (EventReason.ACTION_APPLIED, "set")
            fields = ", ".join(f"{path}={short(text)}" for path, text in write.texts.items())
            text = f"{write.target.kind} {write.target.name}: {verb} {fields}; {why}"
            held = [entry for entry in done.status.ledger if target_of(entry) == write.target]
            commands = undo(self.policy.namespace, self.policy.name, held, dict(objects)).commands
            self.journal.tell(self.policy, Event(reason, text, about=write.target, undo=tuple(commands)))

    def found(self, facts: Sequence[Fact], objects: Objects) -> list[str]:
        """What the writer found; gives the contested fields with the rival's name and the cure."""
        contested = []
        for fact in facts:
            text, target = fact.message, fact.target
            if fact.reason is EventReason.CONTESTED:
                obj = objects.get((target.kind, target.name))
                manager = manager_of(obj, fact.path) if obj is not None else "somebody"
                remedy = cure(manager, KINDS[target.kind].group, target.kind, target.name, fact.path)
                text = f"{text}. Written by {manager}. {remedy}"
                contested.append(text)
            about = target if fact.reason is not EventReason.ORPHANED else None
            warning = fact.reason is not EventReason.REAPPLIED
            self.journal.tell(self.policy, Event(fact.reason, text, warning, about))
        return contested

    def moved(self, untold: Sequence[tuple[Transition, Event]], history: Sequence[Transition]) -> None:
        """Steps that are in the stored history; one may have got there by a tick that ended before it was told."""
        for step, event in untold:
            if step in history:
                self.journal.tell(self.policy, event)

    def changed(self, before: PolicyStatus, after: PolicyStatus) -> None:
        """Conditions that came or went."""
        old = {condition.type: condition for condition in before.conditions}
        for condition in after.conditions:
            for event in _news_of(old.get(condition.type), condition):
                self.journal.tell(self.policy, event)

    def restored(self) -> None:
        """Everything is back, and no mark of ours is left."""
        self.journal.tell(self.policy, Event(EventReason.RESTORE_VERIFIED, NOTHING_HELD))

    def gave_up(self, ledger: Sequence[Entry], objects: Objects, obstacle: str) -> None:
        """What a deletion couldn't wait for any longer: as commands for a person, or as what was there before.

        `obstacle` says why nothing could be read; commands need what is there now.
        """
        commands: tuple[str, ...] = ()
        if obstacle:
            held = [f"{e.target.kind} {e.target.name}: {e.path} was {short(e.original)}" for e in ledger]
            text = "; ".join([f"not restored by the deadline ({obstacle}), do it by hand", *held])
        else:
            left = undo(self.policy.namespace, self.policy.name, ledger, dict(objects))
            text = "not restored by the deadline, do it by hand: " + " ; ".join([*left.commands, *left.remarks])
            commands = tuple(left.commands)
        self.journal.tell(self.policy, Event(EventReason.RESTORE_INCOMPLETE, text, warning=True, undo=commands))


def step_event(decision: Decision, *, observing: bool) -> Event:
    """What is told of a transition, or of the one that would have been."""
    down = decision.level > decision.came_from
    reason = EventReason.LEVEL_ENTERED if down else EventReason.LEVEL_LEFT
    return Event(EventReason.WOULD_ENTER if observing else reason, decision.message, warning=down)


def _news_of(old: StatusCondition | None, new: StatusCondition) -> Iterator[Event]:
    was, now = old.status if old is not None else None, new.status
    if was == now and old is not None and old.reason == new.reason:
        return
    match new.type, now:
        case "Ready", "False" if new.reason != Problem.MASS_DEGRADATION:  # one alarm says so for all policies
            failed = new.reason in _FAILED
            reason = EventReason.ACTION_FAILED if failed else EventReason.POLICY_NOT_READY
            yield Event(reason, new.message, warning=True)
        case "Ready", "True" if was == "False":
            yield Event(EventReason.POLICY_READY, new.message)
        case "MetricsAvailable", "False":
            yield Event(EventReason.METRICS_UNAVAILABLE, new.message, warning=True)
        case "MetricsAvailable", "True" if was == "False":
            yield Event(EventReason.METRICS_AVAILABLE, new.message)
        case "Held", "True":
            reason = EventReason.SUSPENDED if new.reason == Reason.SUSPENDED else EventReason.OVERRIDDEN
            yield Event(reason, new.message)
        case "Held", "False" if was == "True":
            yield Event(EventReason.RELEASED, "the signals decide again")
