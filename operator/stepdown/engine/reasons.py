"""Why: the closed lists of reason codes that users meet in status, Events and metrics (docs/reasons.md)."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a decision is what it is."""

    STEADY = "Steady"  # nothing calls for a step
    BREACHED = "Breached"  # a level's thresholds are breached for their time
    RECOVERED = "Recovered"  # every signal was present and healthy for the whole window
    PROBE_SUCCEEDED = "ProbeSucceeded"  # the workload answered its probe for long enough
    PROBE_FAILING = "ProbeFailing"  # the workload does not answer its probe yet
    TRIAL_STARTED = "TrialStarted"  # half-open: the wait is over, the level above is tried
    TRIAL_FAILED = "TrialFailed"  # the trial breached again; the next wait is twice as long
    OVERRIDDEN = "Overridden"  # a person pinned the level
    SUSPENDED = "Suspended"  # a person stopped us
    STABILIZING = "Stabilizing"  # a step is called for, its window is not over
    DWELLING = "Dwelling"  # the least time at a level is not over
    BUDGET_SPENT = "BudgetSpent"  # too many transitions in the hour: up waits
    MISSING_DATA = "MissingData"  # a signal is missing: the level is held
    FALLBACK_NOT_READY = "FallbackNotReady"  # no ready fallback where called for, or none any more where we are
    HELD_BY_BREACH = "HeldByBreach"  # the level's own breach has not cleared
    MASS_DEGRADATION = "MassDegradation"  # too many policies would leave full service at once
    UNINSTALLED = "Uninstalled"  # the operator is taken away, so everything is put back


class Problem(StrEnum):
    """What keeps a policy from doing its job: the reasons of Ready=False."""

    INVALID_SPEC = "InvalidSpec"
    INVALID_QUERY = "InvalidQuery"
    ENDPOINT_NOT_ALLOWED = "EndpointNotAllowed"
    TARGET_NOT_FOUND = "TargetNotFound"
    FLAG_NOT_FOUND = "FlagNotFound"
    INVALID_FLAG_DOCUMENT = "InvalidFlagDocument"
    ACTION_UNSUPPORTED = "ActionUnsupported"
    ACTION_REJECTED = "ActionRejected"
    FALLBACK_NOT_READY = "FallbackNotReady"
    PODS_NOT_STARTED = "PodsNotStarted"
    CONFLICT = "Conflict"
    LEDGER_FULL = "LedgerFull"
    NOT_AUTHORIZED = "NotAuthorized"
    MASS_DEGRADATION = "MassDegradation"
    UNINSTALLED = "Uninstalled"


class EventReason(StrEnum):
    """The Events that we write."""

    LEVEL_ENTERED = "LevelEntered"
    LEVEL_LEFT = "LevelLeft"
    ACTION_APPLIED = "ActionApplied"
    ACTION_FAILED = "ActionFailed"
    RESTORED = "Restored"
    RESTORE_VERIFIED = "RestoreVerified"
    RESTORE_INCOMPLETE = "RestoreIncomplete"
    ORPHANED = "Orphaned"
    CONTESTED = "Contested"
    REAPPLIED = "Reapplied"
    RESTARTED = "Restarted"
    RESTART_WITHHELD = "RestartWithheld"
    METRICS_UNAVAILABLE = "MetricsUnavailable"
    METRICS_AVAILABLE = "MetricsAvailable"
    WOULD_ENTER = "WouldEnter"
    MASS_DEGRADATION = "MassDegradation"
    OVERRIDDEN = "Overridden"
    SUSPENDED = "Suspended"
    RELEASED = "Released"
    POLICY_NOT_READY = "PolicyNotReady"
    POLICY_READY = "PolicyReady"
