"""Why pods don't start, as far as their workload and they themselves tell.

Only what waiting alone won't cure: an image that isn't there, a container that ends again and again, no room. Pods that
are on their way are no news.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_ON_ITS_WAY = ("ContainerCreating", "PodInitializing")


def is_short(workload: object) -> bool:
    """Whether what was read is a workload that has fewer pods to rely on than it is asked to have."""
    if not isinstance(workload, dict) or workload.get("kind") not in ("Deployment", "StatefulSet"):
        return False
    status = workload.get("status") or {}
    return bool(status) and int(status.get("availableReplicas", 0)) < int(workload["spec"].get("replicas", 1))


def trouble(workload: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> str | None:
    """What keeps pods of a workload from starting, the first that is found; None where nothing is known."""
    for condition in workload.get("status", {}).get("conditions") or []:
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return f"its pods can't be made: {condition.get('message', '')}"
    return next((found for pod in pods for found in _of_pod(pod.get("status", {}))), None)


def _of_pod(status: Mapping[str, Any]) -> Iterator[str]:
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason", _ON_ITS_WAY[0]) in _ON_ITS_WAY:
            continue
        ended = container.get("lastState", {}).get("terminated") or {}
        if ended:
            last = f"{ended.get('reason', 'Error')}, exit code {ended.get('exitCode', '?')}"
            yield f"its container ends again and again ({last}): {waiting['reason']}"
        else:
            yield f"its image can't be started: {waiting['reason']}: {waiting.get('message', '')}"
    for condition in status.get("conditions") or []:
        if condition.get("reason") == "Unschedulable":
            yield f"no node takes its pods: {condition.get('message', '')}"
    if status.get("reason") == "Evicted":
        yield f"its pods were evicted: {status.get('message', '')}"
