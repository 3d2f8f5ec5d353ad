"""One policy under watch: what it asks next, and when it is looked at again.

Questions and answers meet by their value, not by their name: a policy may be edited while Prometheus is slow, and an
answer to what it asked before must not be held against what it says now.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stepdown.controller.preparing import prepare
from stepdown.controller.schedule import PENDING_INTERVAL, Phase, on_grid
from stepdown.cycle import label
from stepdown.engine.observation import Observation
from stepdown.engine.questions import ProbeQuestion, Question
from stepdown.ports import Policy
from stepdown.prepared import Memory, Prepared, Problems, questions

BUDGET_SECONDS = 300.0
"""How often error budgets over whole windows are asked."""

TROUBLE_SECONDS = 60.0
"""Longest pause before something that was wrong is looked at again; the first pauses are much shorter."""

DOUBLINGS_MAX = 10

INTERVAL_UNKNOWN = 15.0
"""Seconds between two looks at a policy that can't be understood."""

EARLY_SECONDS = 0.5
"""A probe is asked at the look that is nearest to its interval, not at the one after."""


@dataclass(slots=True)
class Watched:
    """What is known of a policy. `probed` are the last answers to its probes, with the time of each."""

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
    troubles: int = 0
    again: bool = False
    probed: dict[ProbeQuestion, tuple[float, Observation]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return label(self.policy)

    @property
    def interval(self) -> float:
        """Seconds between evaluations."""
        return self.prepared.spec.interval if self.prepared is not None else INTERVAL_UNKNOWN

    @property
    def endpoint(self) -> str:
        """What its batch is grouped by."""
        return self.prepared.spec.metrics_endpoint if self.prepared is not None else ""

    def see(self, policy: Policy) -> bool:
        """Takes a newer version in, never an older one; whether it was edited, or deleted, since the last one."""
        if int(policy.resource_version) <= int(self.policy.resource_version):
            return False
        before, self.policy = self.policy, policy
        edited = policy.generation != before.generation or policy.deleting != before.deleting
        if edited:
            self.prepared, self.problems = prepare(policy)
            self.budgets_at = float("-inf")
        return edited

    def questions(self) -> dict[str, Question]:
        """What it must know now, by name: nothing of a policy that is only to be restored."""
        if self.prepared is None or self.policy.deleting:
            return {}
        return questions(self.policy, self.prepared, with_budgets=False)

    def due_questions(self, now: float) -> dict[str, Question]:
        """What is asked now (monotonic seconds): all but the probes whose interval isn't over, and budgets at times."""
        asked = self.questions()
        if asked and self.prepared is not None and now - self.budgets_at >= BUDGET_SECONDS:
            self.budgets_at = now
            asked |= questions(self.policy, self.prepared, with_budgets=True)
        intervals = self._probe_intervals()
        self.probed = {
            question: (at, seen)
            for question, (at, seen) in self.probed.items()
            if question in asked.values() and now - at < intervals.get(question, 0.0) - EARLY_SECONDS
        }
        return {name: question for name, question in asked.items() if question not in self.probed}

    def observations(
        self, asked: Mapping[str, Question], answers: Mapping[Question, Observation], at: float
    ) -> dict[str, Observation] | None:
        """The answers by name, or None when it has been edited meanwhile and needs others. `at`: monotonic seconds."""
        needed = self.questions()
        kept: dict[Question, Observation] = {question: seen for question, (_, seen) in self.probed.items()}
        known = {**kept, **answers}
        if any(question not in known for question in needed.values()):
            return None
        intervals = self._probe_intervals()
        for question in needed.values():
            if isinstance(question, ProbeQuestion) and question in intervals and question not in kept:
                seen = known[question]
                if seen.value is not None:
                    self.probed[question] = (at, seen)
        named: dict[str, Question] = {**asked, **needed}
        return {name: known[question] for name, question in named.items() if question in known}

    def _probe_intervals(self) -> dict[ProbeQuestion, float]:
        if self.prepared is None:
            return {}
        return self.prepared.probe_intervals(self.policy.namespace)

    def _is_unfinished(self, status: Mapping[str, Any]) -> bool:
        """Whether something is held, or pods are still to be written to or to go."""
        restarting = any(known.get("through") for known in status.get("restarts") or [])
        return bool(status.get("ledger")) or self.policy.has_finalizer or restarting

    def next_look(self, observations: Mapping[str, Observation], *, retry: bool, troubled: bool) -> float:
        """When it is due again, in seconds since the epoch.

        `retry`: its tick couldn't be finished. `troubled`: something that it needs isn't there; it is looked for
        as often as may be while that is fresh, and then less and less. A write that was refused is tried again less and
        less too, up to the policy's interval.
        """
        now = time.time()
        interval = self.interval
        status = self.policy.raw.get("status") or {}
        self.retries = min(self.retries + 1, DOUBLINGS_MAX) if retry else 0
        if retry or self.policy.deleting:
            return now + min(PENDING_INTERVAL * 2.0 ** max(0, self.retries - 1), max(interval, PENDING_INTERVAL))
        self.troubles = min(self.troubles + 1, DOUBLINGS_MAX) if troubled else 0
        state = status.get("state") or {}
        pending = any(not b.get("firing") for b in (state.get("breaches") or {}).values()) or "deeperSince" in state
        if pending or "healthySince" in state or self._is_unfinished(status):
            interval = min(interval, PENDING_INTERVAL)
        elif troubled:
            interval = min(interval, TROUBLE_SECONDS, PENDING_INTERVAL * 2.0 ** (self.troubles - 1))
        if self.memory.rejected:
            interval = max(interval, min(self.interval, PENDING_INTERVAL * 2.0 ** (self.troubles - 1)))
        self.phase.see(max((o.sampled for o in observations.values() if o.sampled is not None), default=None))
        expected = self.phase.next_after(now, interval)
        return expected if expected is not None else on_grid(now, interval)
