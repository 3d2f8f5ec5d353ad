"""When too many policies would leave full service at once, the source of their numbers is suspected, not the services.

One bad recording rule turns every policy of a cluster bad in the same minute. So only so many may newly degrade within
a window; the others hold, one alarm says so, and a person who knows better lets a policy through by an annotation.
What has left full service is read from the policies' own histories, so that a restart counts on.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime

from stepdown.api.durations import format_seconds
from stepdown.api.policy import Mode
from stepdown.api.status import PolicyStatus
from stepdown.engine.decide import Decision
from stepdown.engine.reasons import Reason
from stepdown.ports import Policy
from stepdown.prepared import Prepared

ANNOTATION = "stepdown.dev/allow-mass-degradation"
"""On a policy: it may degrade although many do. Its value is the reason, which the history keeps."""

SHARE_LEAST = 5
"""Policies that a share stands for at the least: a few that fail together share a database, not a bad rule."""

REASON_MAX = 200


@dataclass(frozen=True, slots=True)
class Limit:
    """How many policies may newly degrade within `window` seconds: a count, or a share (0 to 1) of all."""

    count: int | None = None
    share: float = 1.0
    window: float = 300.0

    def of(self, policies: int) -> int:
        """The number, of so many policies."""
        return self.count if self.count is not None else max(SHARE_LEAST, math.ceil(self.share * policies))


UNLIMITED = Limit()


class MassGuard:
    """Counts over all policies (by namespace/name) of one leadership. Times in seconds since the epoch."""

    def __init__(self, limit: Limit = UNLIMITED) -> None:
        self._limit = limit
        self._left: dict[str, float | None] = {}
        self._held: set[str] = set()
        self._held_at = float("-inf")

    def note(self, policy: str, status: PolicyStatus, prepared: Prepared | None) -> None:
        """Remembers when a policy last left full service by its signals; one that only observes never does."""
        acting = prepared is not None and prepared.spec.mode is Mode.ENFORCE
        self._left[policy] = _left_full_at(status, prepared.spec.levels[0].name) if prepared and acting else None

    def forget(self, policy: str) -> None:
        """A policy is gone."""
        self._left.pop(policy, None)
        self._held.discard(policy)

    @property
    def held(self) -> int:
        """How many policies are held at full service now."""
        return len(self._held)

    def admits(self, policy: str, now: float) -> bool:
        """Whether a policy may leave full service now; one that may is counted from now on."""
        others = [at for key, at in self._left.items() if key != policy and at is not None]
        recent = sum(now - at < self._limit.window for at in others)
        if recent >= self._limit.of(len(self._left)):
            return False
        self._left[policy] = now
        return True

    def hold(self, policy: str, now: float) -> bool:
        """A policy is held back; whether that is news after a whole window without."""
        is_news = not now - self._held_at < self._limit.window
        self._held.add(policy)
        self._held_at = now
        return is_news

    def let_go(self, policy: str) -> None:
        """A policy is not held back any more."""
        self._held.discard(policy)

    @property
    def text(self) -> str:
        """The facts, for people."""
        many = f"{self._limit.of(len(self._left))} of {len(self._left)} policies"
        return f"{many} have left full service within {format_seconds(self._limit.window)}, as many as may"

    def cure(self, policy: Policy) -> str:
        """What a person can do."""
        return (
            "look whether their numbers are right; if they are:"
            f" kubectl -n {policy.namespace} annotate dgp {policy.name} {ANNOTATION}='<why>'"
        )


def held_back(decision: Decision, text: str) -> Decision:
    """The decision to stay at full service although a level is called for; `decision` is that of no level to go to."""
    return replace(decision, reason=Reason.MASS_DEGRADATION, message=f"{decision.why}, but {text}")


def override_of(policy: Policy) -> str:
    """A person's reason to let this policy degrade although many do; empty without one."""
    found = (policy.raw["metadata"].get("annotations") or {}).get(ANNOTATION)
    return found.strip()[:REASON_MAX] if isinstance(found, str) else ""


def _left_full_at(status: PolicyStatus, full: str) -> float | None:
    for step in reversed(status.history):
        if step.from_ == full and step.reason == Reason.BREACHED:
            return _seconds(step.time)
    return None


def _seconds(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
