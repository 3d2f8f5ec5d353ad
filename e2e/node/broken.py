"""Web servers that can't do their work, each in another way, made out of the one that can (node.web)."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from node import web
from node.addresses import NODE
from plane.api import Api

Object = dict[str, Any]
_TAKES_ALL_MEMORY = ["python", "-c", "print(len('x' * (1 << 30)))"]


@dataclass(frozen=True)
class Fault:
    """A fallback that can't answer. `container` goes over that of node.web; `shows` is in its pods' status then.

    `said` is what the policy is to say.
    """

    container: Mapping[str, Any]
    shows: str
    said: str


FAULTS = {
    "image": Fault(
        {"image": "stepdown.test/nowhere:1"},
        "ErrImageNeverPull",
        "has 0 ready pods (needs 1); its image can't be started: ErrImageNeverPull",
    ),
    "room": Fault(
        {"resources": {"requests": {"memory": "1Ti"}}},
        "Insufficient memory",
        "has 0 ready pods (needs 1); no node takes its pods: 0/1 nodes are available: 1 Insufficient memory",
    ),
    "port": Fault(
        {"ports": [{"name": "web", "containerPort": web.PORT}], "readinessProbe": {"httpGet": {"port": web.PORT}}},
        '"ready": true',
        "has no ready pod that serves port http of Service port; give its container that port",
    ),
    "memory": Fault(
        {"command": _TAKES_ALL_MEMORY},
        "CrashLoopBackOff",
        "has 0 ready pods (needs 1); its container ends again and again (OOMKilled, exit code 137): CrashLoopBackOff",
    ),
}


def deployment(name: str, replicas: int = 1, **container: Any) -> Object:
    """A web server whose container differs; a change ends the old pods before it makes new ones."""
    found = copy.deepcopy(web.deployment(name, replicas))
    found["spec"]["strategy"] = {"type": "Recreate"}
    found["spec"]["template"]["spec"]["containers"][0] |= container
    return found


def share(api: Api, resource: str, percent: int) -> Object:
    """What makes a container ask for a share of all memory or CPU that the node has for pods."""
    allocatable = str(api.get("Node", NODE)["status"]["allocatable"][resource])
    if resource == "cpu":
        return {"resources": {"requests": {"cpu": f"{int(allocatable) * 10 * percent}m"}}}
    return {"resources": {"requests": {"memory": f"{int(allocatable.removesuffix('Ki')) * percent // 100}Ki"}}}
