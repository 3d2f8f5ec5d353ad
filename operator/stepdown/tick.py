"""One tick of one policy under way: what it works on, what was decided, and what came of it.

The cycle fills it in, step by step; `report_of` says what is true in the end. It does nothing itself.
"""

from dataclasses import dataclass, field, replace

from stepdown.actions.planning import Plan
from stepdown.api.policy import Mode
from stepdown.api.status import EngineState, EntryState, PolicyStatus, Restart
from stepdown.engine.decide import Decision
from stepdown.engine.fields import FieldChange, Target
from stepdown.engine.ledger import FieldKey, target_of
from stepdown.engine.reasons import Reason
from stepdown.engine.report import Report
from stepdown.ports import Policy, Refused
from stepdown.prepared import Memory, Prepared, Problems
from stepdown.refresher import refusal_in_words
from stepdown.writer import Objects, problem_of

BUDGET_LEAST = -9.99
"""Least share of an error budget that is shown: a query may give any number, and a text has a bound."""

MISSING_TICKS = 3
"""How many intervals a signal is missing before MetricsAvailable turns False."""


@dataclass(slots=True)
class Restarts:
    """What a tick's restarts come to: what is remembered, the pods to evict, and what is told.

    `evictions` are pods with the workload that they are of; `withheld` says which restarts don't begin, and why.
    """

    remembered: list[Restart] = field(default_factory=list)
    evictions: list[tuple[Target, str]] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Tick:
    """`policy` and `status` are as last stored, or about to be.

    `undone` are places of levels with an action that isn't as wanted yet, `contested` what was found to be
    somebody else's in this tick.
    """

    policy: Policy
    status: PolicyStatus
    prepared: Prepared
    memory: Memory
    now: float
    decision: Decision
    state: EngineState
    plan: Plan | None = None
    wanted: dict[FieldKey, FieldChange] = field(default_factory=dict)
    objects: Objects = field(default_factory=dict)
    undone: set[int] = field(default_factory=set)
    contested: list[str] = field(default_factory=list)
    restarts: Restarts = field(default_factory=Restarts)

    @property
    def is_acting(self) -> bool:
        """Whether anything may be written to targets."""
        return self.prepared.spec.mode is Mode.ENFORCE

    @property
    def is_suspended(self) -> bool:
        """Whether a person has stopped it: what is applied stays."""
        return self.decision.reason is Reason.SUSPENDED

    @property
    def left(self) -> str:
        """The level before."""
        return self.name(self.decision.came_from)

    @property
    def entered(self) -> str:
        """The level decided on."""
        return self.name(self.decision.level)

    def name(self, place: int) -> str:
        """The name of a level."""
        return self.prepared.ladder.steps[place].name


def report_of(tick: Tick) -> Report:
    """What is true of the policy after its tick."""
    reached = _reached(tick)
    ledger = tick.status.ledger
    memory = tick.memory
    return Report(
        generation=tick.policy.generation,
        now=tick.now,
        reached=tick.name(reached),
        is_full=reached == 0,
        decision=tick.decision,
        decided=tick.entered,
        state=tick.state,
        observing=not tick.is_acting,
        problems=[*tick.prepared.problems, *((p, text) for p, text, _ in (*memory.rejected, *memory.issues))],
        missing=_missing(tick),
        ledger=ledger,
        restoring=not tick.is_suspended and any((target_of(e), e.path) not in tick.wanted for e in ledger),
        contested=contested_of(tick.status, tick.contested),
        budgets=_budgets(tick),
        objectives=frozenset(objective.name for objective in tick.prepared.spec.objectives),
        severity=str(tick.prepared.spec.levels[reached].severity or ""),
        expired_override=_expired_override(tick),
        delays=_delays(memory),
    )


def report_of_nothing(policy: Policy, status: PolicyStatus, now: float, problems: Problems) -> Report:
    """Where nothing could be decided: what was true stays so, with what is wrong."""
    return Report(
        generation=policy.generation,
        now=now,
        reached=status.level,
        is_full=not status.ledger and not any(c.type == "Degraded" and c.status == "True" for c in status.conditions),
        decision=None,
        decided=status.level,
        state=status.state,
        observing=False,
        problems=problems,
        missing=None,
        ledger=status.ledger,
        restoring=False,
        contested=contested_of(status, []),
        budgets={},
        objectives=None,
    )


def report_of_refusal(tick: Tick, error: Refused) -> Report:
    """Where what is there couldn't be read: what was true stays so, and what signals and persons say is told."""
    wrong = ((problem_of(error), f"{error.message}; nothing is changed until then"),)
    nothing = report_of_nothing(tick.policy, tick.status, tick.now, wrong)
    return replace(nothing, missing=_missing(tick), word=tick.decision, expired_override=_expired_override(tick))


def contested_of(status: PolicyStatus, new: list[str]) -> list[str]:
    """The contested fields of this episode: found now, or found before and kept in the condition."""
    if not any(entry.state is EntryState.CONTESTED for entry in status.ledger):
        return []
    kept = [c.message for c in status.conditions if c.type == "Contested" and c.status == "True"]
    return [*kept, *(text for text in new if text not in kept)]


def _reached(tick: Tick) -> int:
    """The deepest level whose actions are all applied."""
    if not tick.is_acting:
        return 0
    if tick.is_suspended:
        stored = tick.prepared.ladder.index(tick.status.level)
        return stored if stored is not None else tick.decision.level  # the level was renamed
    decided = tick.decision.level
    wrong = tick.undone | {place for _, _, place in tick.memory.rejected}
    return min([decided, *(place - 1 for place in wrong if 0 < place <= decided)])


def _missing(tick: Tick) -> dict[str, str]:
    """Signals that have been missing for some intervals, with their kinds.

    Nobody remembers for how long after a restart but the policy's state, which knows it of any signal.
    """
    since = {}
    memory = tick.memory
    known = memory.missing_since
    first = tick.now if known is not None else tick.state.missing_since or tick.now
    kinds = {}
    for name in tick.prepared.ladder.needed:
        seen = tick.decision.observations.get(name)
        if seen is not None and seen.missing is not None:
            since[name] = (known or {}).get(name, first)
            kinds[name] = f"{seen.missing}" + (f" ({seen.detail})" if seen.detail else "")
    memory.missing_since = since
    patience = (MISSING_TICKS - 1) * tick.prepared.spec.interval
    return {name: kinds[name] for name, start in since.items() if tick.now - start >= patience}


def _budgets(tick: Tick) -> dict[str, float]:
    """Share of each error budget that is left, where it was asked this time and known."""
    left = {}
    for objective in tick.prepared.spec.objectives:
        seen = tick.decision.observations.get(f"budget:{objective.name}")
        if seen is not None and seen.value is not None:
            share = 1 - seen.value / (1 - objective.target)
            left[objective.name] = max(BUDGET_LEAST, min(1.0, share))
    return left


def _delays(memory: Memory) -> list[str]:
    untouchable = [refusal_in_words(memory.untouchable)] if memory.untouchable else []
    return list(dict.fromkeys([*memory.delays, *untouchable, *memory.unrestarted]))


def _expired_override(tick: Tick) -> str:
    ladder = tick.prepared.ladder
    if ladder.override is None or tick.now < ladder.override_until:
        return ""
    return tick.name(ladder.override)
