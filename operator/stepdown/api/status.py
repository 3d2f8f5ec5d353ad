"""What the operator stores: status, with the engine's memory and the ledger.

Everything in `state` is a time or a place of a change, never a reading or a counter, so that an unchanged world
gives an unchanged status and nothing is written.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from stepdown.api.model import Model

LEDGER_MAX = 64
RESTARTS_MAX = 20
"""Most restarts of a workload that are counted."""
RESTARTED_MAX = 16
"""Most workloads whose restarts are counted."""
HISTORY_MAX = 20
PAGES_MAX = 128


class EntryState(StrEnum):
    """Where a ledger entry stands (docs/concepts.md, "The ledger")."""

    INTENT = "Intent"
    APPLIED = "Applied"
    RESTORING = "Restoring"
    RESTORED = "Restored"
    CONTESTED = "Contested"
    ORPHANED = "Orphaned"


class EntryTarget(Model):
    """The object that an entry binds to: this very one, by uid."""

    group: str = Field("", max_length=253, description="API group; empty for core. Example: apps")
    version: str = Field("v1", max_length=32, description="API version. Example: v1")
    kind: str = Field(max_length=63, description="Kind. Example: Deployment")
    name: str = Field(max_length=253, description="Name in the policy's namespace. Example: checkout")
    uid: str = Field(max_length=64, description="uid when it was first changed. Example: 5c0e3c1e")


class Entry(Model):
    """One field of one object that we changed, and what was there before."""

    id: str = Field(max_length=64, description="Identity of target, path and first change. Example: 8f3a0c1d")
    target: EntryTarget = Field(description="The object. Example: {kind: Service, name: checkout}")
    path: str = Field(max_length=1024, description="The field, a JSON pointer. Example: /spec/replicas")
    original: str | None = Field(
        None,
        max_length=32768,
        description='Its value before, as JSON; not there when the field was absent. Example: "2"',
    )
    applied: str | None = Field(
        None,
        max_length=32768,
        description='The value that we set, as JSON; not there when we removed it. Example: "12"',
    )
    replaces: str | None = Field(
        None,
        max_length=32768,
        description='Our own earlier value, while a second step on the field is under way. Example: "6"',
    )
    state: EntryState = Field(description="Where the entry stands. Example: Applied")
    level: str = Field(max_length=63, description="Level whose action it is. Example: core-only")
    epoch: int = Field(0, ge=0, description="Leadership under which it was last written. Example: 3")
    time: float = Field(
        description="Time of the last change of the entry, seconds since the epoch. Example: 1772388000"
    )
    reapplied: int = Field(0, ge=0, description="Times that somebody reverted us and we set it again. Example: 1")


class Breach(Model):
    """A condition beyond its threshold."""

    since: float = Field(description="Since when, seconds since the epoch. Example: 1772388000")
    paused: float | None = Field(None, description="Since when its data is missing. Example: 1772388030")
    firing: bool = Field(False, description="It has lasted for its `for`, and has not cleared. Example: true")


class TrialState(Model):
    """The half-open way back of a level."""

    level: str = Field(max_length=63, description="Level that is being left. Example: read-only")
    failures: int = Field(0, ge=0, description="Failed trials; each doubles the wait. Example: 1")
    started: float | None = Field(None, description="When the running trial began. Example: 1772388000")


class EngineState(Model):
    """The engine's only memory. Restart, failover and replay all start from it."""

    level: str = Field(max_length=63, description="Level decided on. Example: core-only")
    index: int = Field(0, ge=0, le=7, description="Its place on the ladder, should it be renamed. Example: 1")
    since: float = Field(0.0, description="Time of the last transition; 0 for never. Example: 1772388000")
    observing: bool = Field(
        False, description="It was decided in mode Observe, so that none of it was done. Example: true"
    )
    breaches: dict[str, Breach] = Field(
        default_factory=dict,
        max_length=64,
        description="Breached conditions, by level and what is compared. Example: {core-only/load>0.8: {…}}",
    )
    deeper_since: float | None = Field(
        None, description="Since when a deeper level has been called for. Example: 1772388000"
    )
    healthy_since: float | None = Field(
        None, description="Since when everything needed for a step up holds. Example: 1772388000"
    )
    missing_since: float | None = Field(None, description="Since when a signal is missing. Example: 1772388000")
    complete_since: float | None = Field(
        None, description="Since when none is missing any more, after the last that was. Example: 1772388030"
    )
    trial: TrialState | None = Field(None, description="The half-open way back. Example: {level: read-only}")
    transitions: list[float] = Field(
        default_factory=list,
        max_length=60,
        description="Times of the transitions in the budget. Example: [1772388000]",
    )


class StatusCondition(Model):
    """A Kubernetes condition."""

    type: str = Field(max_length=63, description="Type. Example: Ready")
    status: str = Field(max_length=16, description="True, False or Unknown. Example: True")
    reason: str = Field(max_length=63, description="Reason, from docs/reasons.md. Example: Watching")
    message: str = Field("", max_length=2048, description="Sentence with the cure. Example: all signals are present")
    last_transition_time: str = Field(max_length=32, description="Last change. Example: 2026-03-01T18:00:00Z")
    observed_generation: int = Field(0, ge=0, description="Generation that it describes. Example: 2")


class Transition(Model):
    """One step, with its reason."""

    time: str = Field(max_length=32, description="When. Example: 2026-03-01T18:00:00Z")
    from_: str = Field(alias="from", max_length=63, description="Level before. Example: full")
    to: str = Field(max_length=63, description="Level after. Example: core-only")
    reason: str = Field(max_length=63, description="Reason code. Example: Breached")
    message: str = Field("", max_length=1024, description="Values against thresholds. Example: load 92%>80% for 2m")


class Summary(Model):
    """The columns of kubectl get."""

    level: str = Field("", max_length=63, description="Level reached. Example: core-only")
    state: str = Field("", max_length=32, description="What is going on. Example: Degraded")
    why: str = Field("", max_length=128, description="Value against threshold. Example: load 92%>80%")


class ObjectiveStatus(Model):
    """An error budget."""

    name: str = Field(max_length=63, description="Objective. Example: availability")
    budget_left: str = Field(max_length=16, description="Share of the error budget left. Example: 97%")


class Restart(Model):
    """The restarts of a workload."""

    kind: str = Field(max_length=63, description="Kind. Example: Deployment")
    name: str = Field(max_length=253, description="Name. Example: checkout")
    times: list[float] = Field(
        default_factory=list,
        max_length=RESTARTS_MAX,
        description="When restarts began, as far as they are counted. Example: [1772388000]",
    )
    through: str = Field(
        "",
        max_length=32,
        description="Pods created until then are still to go; empty when none is. Example: 2026-03-01T18:00:00Z",
    )


class PolicyStatus(Model):
    """What the operator knows and has done."""

    observed_generation: int = Field(0, ge=0, description="Generation that was evaluated. Example: 2")
    level: str = Field("", max_length=63, description="Deepest level whose actions are all applied. Example: full")
    since: str | None = Field(
        None,
        max_length=32,
        description="When this level was reached. Example: 2026-03-01T18:00:00Z",
        json_schema_extra={"format": "date-time"},
    )
    epoch: int = Field(0, ge=0, description="Leadership that last claimed the policy. Example: 3")
    summary: Summary = Field(default_factory=Summary, description="Columns of kubectl get. Example: {level: full}")
    conditions: list[StatusCondition] = Field(
        default_factory=list,
        max_length=16,
        description="Ready, Reconciling, Stalled, Degraded, MetricsAvailable, Held, Contested,"
        " RestorePending."
        " Example: [{type: Ready}]",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    objectives: list[ObjectiveStatus] = Field(
        default_factory=list,
        max_length=8,
        description="Error budgets. Example: [{name: availability, budgetLeft: 97%}]",
    )
    state: EngineState | None = Field(None, description="The engine's memory. Example: {level: full}")
    ledger: list[Entry] = Field(
        default_factory=list,
        max_length=LEDGER_MAX,
        description="Fields held, with what was there before. Example: []",
    )
    pages: list[Annotated[str, Field(max_length=63)]] = Field(
        default_factory=list,
        max_length=PAGES_MAX,
        description="Deployments of status pages that were made for the policy. Example: [stepdown-page-shop-1a2b3c4d]",
    )
    restarts: list[Restart] = Field(
        default_factory=list,
        max_length=RESTARTED_MAX,
        description="Workloads that were restarted. Example: []",
    )
    history: list[Transition] = Field(
        default_factory=list,
        max_length=HISTORY_MAX,
        description="The last transitions, newest last. Example: []",
    )
