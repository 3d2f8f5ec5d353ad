"""What keeps pods from starting is said where waiting won't cure it, and nothing is where they are on their way."""

from typing import Any

import pytest

from stepdown.actions.starting import is_short, trouble

ON_ITS_WAY = {"state": {"waiting": {"reason": "ContainerCreating"}}}
NO_IMAGE = {"state": {"waiting": {"reason": "ErrImageNeverPull", "message": "shop:2 is not present"}}}
CRASHES = {
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
    "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
}
NO_ROOM = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "1 Insufficient memory"}


def pod(**status: Any) -> dict[str, Any]:
    return {"kind": "Pod", "status": status}


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({"containerStatuses": [NO_IMAGE]}, "its image can't be started: ErrImageNeverPull: shop:2 is not present"),
        ({"initContainerStatuses": [NO_IMAGE]}, "its image can't be started: ErrImageNeverPull: shop:2 is not present"),
        (
            {"containerStatuses": [CRASHES]},
            "its container ends again and again (OOMKilled, exit code 137): CrashLoopBackOff",
        ),
        ({"conditions": [NO_ROOM]}, "no node takes its pods: 1 Insufficient memory"),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."},
            "its pods were evicted: The node was low on resource: memory.",
        ),
        ({"containerStatuses": [ON_ITS_WAY]}, None),
        ({"containerStatuses": [{"state": {"running": {}}}], "conditions": []}, None),
        ({}, None),
    ],
    ids=["image", "image of an init container", "memory", "no room", "evicted", "on its way", "not ready", "new"],
)
def test_what_keeps_a_pod_from_starting_is_said(status: dict[str, Any], why: str | None) -> None:
    assert trouble({"spec": {}}, [pod(), pod(**status)]) == why


def test_pods_that_cannot_be_made_are_said_by_their_workload() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"}
    assert trouble({"status": {"conditions": [failure]}}, []) == "its pods can't be made: exceeded quota: small"


@pytest.mark.parametrize(
    ("workload", "short"),
    [
        ({"kind": "Deployment", "spec": {"replicas": 3}, "status": {"availableReplicas": 2}}, True),
        ({"kind": "StatefulSet", "spec": {"replicas": 1}, "status": {"replicas": 1}}, True),
        ({"kind": "Deployment", "spec": {"replicas": 3}, "status": {"availableReplicas": 3}}, False),
        ({"kind": "Deployment", "spec": {"replicas": 0}, "status": {"observedGeneration": 1}}, False),
        ({"kind": "Deployment", "spec": {"replicas": 3}}, False),
        ({"kind": "Service", "spec": {}, "status": {"loadBalancer": {}}}, False),
        ([], False),
        (None, False),
    ],
    ids=["fewer", "none", "all", "at 0", "nothing known", "no workload", "a list", "not there"],
)
def test_a_workload_with_fewer_pods_than_it_is_asked_to_have_is_short(workload: object, short: bool) -> None:
    assert is_short(workload) is short
