"""From facts to status: columns and conditions, written only when they are news.

A message that differs from the stored one in its numbers alone is not news: the stored one stays, with the
numbers that it was true for. So an unchanged situation gives an unchanged status.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stepdown.api.lines import one_line
from stepdown.api.model import format_timestamp
from stepdown.api.status import (
    HISTORY_MAX,
    EngineState,
    Entry,
    EntryState,
    ObjectiveStatus,
    PolicyStatus,
    StatusCondition,
    Summary,
    Transition,
)
from stepdown.engine.decide import Decision
from stepdown.engine.reasons import Problem, Reason

MESSAGE_MAX = 1024
CONDITION_MAX = 2048

WHY_MAX = 48
"""Longest WHY, so that the line of `kubectl get` stays within 100 columns."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is true of a policy after a tick; names are level names.

    `missing` is None where no signal was looked at. `decision` is None where nothing came of it: `word` then is the one
    that was to be carried out, for what persons have said. `severity` is that of the level reached, `expired_override`
    the level of an override whose time is over. `delays` are sentences on what takes effect later than it could.
    """

    generation: int
    now: float
    reached: str
    is_full: bool
    decision: Decision | None
    decided: str
    state: EngineState | None
    observing: bool
    problems: Sequence[tuple[Problem, str]]
    missing: Mapping[str, str] | None
    ledger: Sequence[Entry]
    restoring: bool
    contested: Sequence[str]
    budgets: Mapping[str, float]
    objectives: frozenset[str] | None = None
    """The names of all objectives; None where they can't be told, and what is known is kept."""
    word: Decision | None = None
    severity: str = ""
    expired_override: str = ""
    delays: Sequence[str] = ()


def render(before: PolicyStatus, report: Report) -> PolicyStatus:
    """The new status."""
    since = before.since
    if since is None or (report.reached != before.level and before.level):
        since = format_timestamp(report.now)
    summary = Summary(level=report.reached, state=_state(report), why=one_line(_why(report), WHY_MAX))
    unmoved = (summary.level, summary.state) == (before.summary.level, before.summary.state)
    if unmoved and _same(summary.why, before.summary.why):
        summary = summary.model_copy(update={"why": before.summary.why})
    return PolicyStatus(
        observed_generation=report.generation,
        level=report.reached,
        since=since,
        epoch=before.epoch,
        summary=summary,
        conditions=_conditions(before, report),
        objectives=_objectives(before, report),
        state=report.state,
        ledger=list(report.ledger),
        restarts=before.restarts,
        history=before.history,
        pages=before.pages,
    )


def with_transition(status: PolicyStatus, decision: Decision, left: str, entered: str, now: float) -> PolicyStatus:
    """The status with a transition in its history; stored together with the memory that has made it."""
    step = Transition(
        time=format_timestamp(now),
        from_=left,
        to=entered,
        reason=decision.reason,
        message=one_line(decision.message, MESSAGE_MAX),
    )
    return status.model_copy(update={"history": [*status.history, step][-HISTORY_MAX:]})


def _state(report: Report) -> str:
    reason = report.decision.reason if report.decision else None
    if report.problems and any(problem is Problem.CONFLICT for problem, _ in report.problems):
        return "Conflict"
    if reason is Reason.SUSPENDED:
        return "Suspended"
    if reason is Reason.OVERRIDDEN:
        return "Held"
    if report.observing:
        return "Observing"
    if report.contested:
        return "Contested"
    if report.restoring:
        return "Restoring"
    if report.problems:
        return "NotReady"
    if reason is Reason.MISSING_DATA:
        return "NoData"
    if report.decision is not None and report.reached != report.decided:
        return "SteppingDown"
    if report.is_full:
        return "Full"
    is_healthy = report.state is not None and report.state.healthy_since is not None
    return "Recovering" if is_healthy or reason is Reason.TRIAL_STARTED else "Degraded"


def _why(report: Report) -> str:
    if report.problems:
        return str(report.problems[0][0])
    if report.decision is None:
        return ""
    if report.observing and report.decision.level > 0:
        return f"would be {report.decided}: {report.decision.why}"
    if report.decision.why:
        return report.decision.why
    return "" if report.decision.reason is Reason.STEADY else str(report.decision.reason)


_PRESENT = "every signal has a value, or had one within three intervals"


def _degraded_text(report: Report, why: str) -> str:
    severity = f" ({report.severity})" if report.severity else ""
    return f"at {report.reached}{severity}: {why}"


def _free_text(report: Report) -> str:
    if not report.expired_override:
        return ""
    return f"the override to {report.expired_override} is over, so the signals decide: remove it or give it a new until"


def _conditions(before: PolicyStatus, report: Report) -> list[StatusCondition]:
    decision = report.decision
    problem = report.problems[0] if report.problems else None
    others = f" (and {len(report.problems) - 1} more)" if len(report.problems) > 1 else ""
    broken = problem is not None and problem[0] in (Problem.INVALID_SPEC, Problem.INVALID_QUERY)
    pending = report.decision is not None and not report.observing and report.reached != report.decided
    word = decision or report.word
    held = word is not None and word.reason in (Reason.OVERRIDDEN, Reason.SUSPENDED)
    why = decision.message if decision is not None else problem[1] if problem is not None else ""
    old = {condition.type: condition for condition in before.conditions}
    stays = decision is None and "Degraded" in old and old["Degraded"].status == str(not report.is_full)
    wanted = [
        (
            "Ready",
            problem is None,
            problem[0] if problem else "Watching",
            problem[1] + others if problem else "; ".join(["doing its job", *report.delays]),
        ),
        (
            "Reconciling",
            pending,
            "Stepping" if pending else "Settled",
            f"on the way to {report.decided}" if pending else "",
        ),
        (
            "Stalled",
            broken,
            problem[0] if broken and problem else "Working",
            problem[1] if broken and problem else "",
        ),
        (
            "Degraded",
            None if stays else not report.is_full,
            "BelowFull" if not report.is_full else "Full",
            _degraded_text(report, why) if not report.is_full else "at full service",
        ),
        ("MetricsAvailable", *_metrics(report.missing)),
        (
            "Held",
            None if word is None and "Held" in old else held,
            word.reason if held and word else "FollowingSignals",
            word.message if held and word else _free_text(report),
        ),
        (
            "Contested",
            bool(report.contested),
            "ForeignValue" if report.contested else "Uncontested",
            " ".join(report.contested),
        ),
        (
            "RestorePending",
            report.restoring,
            "Restoring" if report.restoring else "Restored",
            _restoring_text(report.ledger) if report.restoring else "",
        ),
    ]
    return [_condition(report, old.get(kind), kind, on, str(reason), text) for kind, on, reason, text in wanted]


def _metrics(missing: Mapping[str, str] | None) -> tuple[bool | None, str, str]:
    """Whether every signal has a value, the reason, and the message."""
    if missing is None:
        return None, "NotEvaluated", "no signal is looked at: see Ready"
    if missing:
        kinds = ", ".join(f"{name}: {kind}" for name, kind in sorted(missing.items()))
        return False, "Missing", f"{kinds}; the level is held until data is back"
    return True, "Present", _PRESENT


def _condition(
    report: Report, old: StatusCondition | None, kind: str, on: bool | None, reason: str, message: str
) -> StatusCondition:
    if on is None and old is not None:
        return old
    status = "Unknown" if on is None else str(on)
    message = one_line(message, CONDITION_MAX)
    if old is not None and old.status == status and old.reason == reason and _same(old.message, message):
        if old.observed_generation == report.generation:
            return old
        return old.model_copy(update={"observed_generation": report.generation})
    changed = old.last_transition_time if old is not None and old.status == status else format_timestamp(report.now)
    return StatusCondition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=changed,
        observed_generation=report.generation,
    )


def _objectives(before: PolicyStatus, report: Report) -> list[ObjectiveStatus]:
    """Budgets by name; those not asked this time keep what is known."""
    names = report.objectives
    known = {o.name: o for o in before.objectives if names is None or o.name in names}
    for name, share in report.budgets.items():
        known[name] = ObjectiveStatus(name=name, budget_left=f"{share * 100:.0f}%")
    return [known[name] for name in sorted(known)]


def _restoring_text(ledger: Sequence[Entry]) -> str:
    blocked = [e for e in ledger if e.state is EntryState.RESTORING]
    return "still to restore: " + ", ".join(
        f"{e.path} of {e.target.kind} {e.target.name}" for e in (blocked or ledger)[:5]
    )


_NUMBER = re.compile(r"(?<![\w<>.-])-?(?:[0-9][0-9.e+-]*[a-zA-Z%]*)+")
"""A reading. A threshold (behind < or >) is none, nor is what ends a name: another one of these is news."""


def _same(left: str, right: str) -> bool:
    return left == right or _NUMBER.sub("#", left) == _NUMBER.sub("#", right)
