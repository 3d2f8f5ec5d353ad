"""Restarts: how often a workload was restarted, and which of its pods are still to go.

A restart is no field of anybody's: it leaves nothing to be put back. What is remembered is when each one began, and the
creation of the newest pod that was there then: pods created until then are still to go. Both times of a pod are the API
server's own, so that clocks that differ restart nothing twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stepdown.api.durations import format_seconds
from stepdown.api.status import RESTARTS_MAX, Restart
from stepdown.engine.fields import Target

Pod = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many restarts of a workload in so many seconds."""

    most: int
    seconds: float


def may_begin(known: Restart, limit: Limit, now: float) -> bool:
    """Whether there were not too many restarts lately."""
    return len(_lately(known, limit, now)) < limit.most


def begun(known: Restart, limit: Limit, pods: Sequence[Pod], now: float) -> Restart:
    """The restart of these pods that begins now."""
    lately = _lately(known, limit, now)
    through = max((str(pod["metadata"].get("creationTimestamp") or "") for pod in pods), default="")
    return known.model_copy(update={"times": [*lately, now][-RESTARTS_MAX:], "through": through})


def wait_in_words(known: Restart, limit: Limit, now: float) -> str:
    """Why a restart can't begin now."""
    lately = _lately(known, limit, now)
    wait = sorted(lately)[len(lately) - limit.most] + limit.seconds - now
    times = "once" if limit.most == 1 else f"{limit.most} times"
    return (
        f"{known.kind} {known.name} was restarted {times} within {format_seconds(limit.seconds)}, so it is not"
        f" restarted again for {format_seconds(wait)}"
    )


def due(restart: Restart, pods: Sequence[Pod]) -> list[Pod]:
    """The pods of a workload that are still to go, oldest first."""
    return sorted(
        (pod for pod in pods if restart.through and _created(pod) <= restart.through and _comes_back(pod)),
        key=lambda pod: (_created(pod), str(pod["metadata"]["name"])),
    )


def next_pods(left: Sequence[Pod], pods: Sequence[Pod], replicas: int, is_ready: Mapping[str, bool]) -> list[Target]:
    """Those of the pods that are left which may go now: all that serve nobody, else one, while none is missing.

    `pods` are all of the workload, `is_ready` says which of them serve, by uid.
    """
    silent = [pod for pod in left if not is_ready[_uid(pod)]]
    if silent:
        return [target_of(pod) for pod in silent]
    serving = sum(is_ready[_uid(pod)] for pod in pods)
    return [target_of(pod) for pod in left[:1]] if serving >= replicas else []


def target_of(pod: Pod) -> Target:
    """The very pod."""
    return Target("Pod", str(pod["metadata"]["name"]), _uid(pod))


def _lately(known: Restart, limit: Limit, now: float) -> list[float]:
    """Times in the future are counted too: a clock that was set back must not allow more."""
    return [time for time in known.times if time > now - limit.seconds]


def _comes_back(pod: Pod) -> bool:
    """Whether a new pod comes for it: it isn't on its way out, or at its end already."""
    is_over = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return "deletionTimestamp" not in pod["metadata"] and not is_over


def _created(pod: Pod) -> str:
    return str(pod["metadata"].get("creationTimestamp") or "~")


def _uid(pod: Pod) -> str:
    return str(pod["metadata"]["uid"])
