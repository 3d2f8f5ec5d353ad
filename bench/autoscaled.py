"""One breach met by an autoscaler alone: a pod that is too little for its users, until enough pods serve them well.

Each user asks again when answered, so that they wait and never pile up. Real services fare worse: their users pile up.
"""

import contextlib
import time
from collections.abc import Sequence
from statistics import median

from bench.felt import LONGEST_SECONDS, Felt
from bench.node_scene import NAMESPACE, NodeScene
from node import web
from node.autoscaler import on_cpu, scalings
from plane.processes import wait_for

ENOUGH = 4
"""Pods, and users."""
GOOD_SECONDS = 0.3
"""One pod that may use a twentieth of a core takes twice that for four users, and four pods take half of it."""
LATEST = 5
"""Answers of each user that are looked at."""


def open_autoscaled(on: NodeScene, names: Sequence[str]) -> None:
    """Workloads of one pod with autoscalers, long before they are needed: what an idle pod uses must be known."""
    for name in names:
        on.shop.apply(web.deployment(name, cpu="50m", BURN="5"), web.service(name), on_cpu(name, ENOUGH))
    on.shop.wait_ready(*names)


def autoscaled(on: NodeScene, name: str) -> Felt:
    """Users begin to ask; they were served well when their latest answers are quick again."""
    address = on.address(name)
    log = on.cluster.plane.audit_log
    with contextlib.ExitStack() as stack:
        broke = time.time()
        users = [stack.enter_context(web.Users(address, pause=0.05)) for _ in range(ENOUGH)]
        wait_for(f"{name} is scaled", lambda: on.shop.replicas(name) > 1, LONGEST_SECONDS, every=0.5)
        wrote = scalings(log, NAMESPACE, name)[0].at
        wait_for(f"{name} serves well", lambda: _good_at(users, wrote) is not None, LONGEST_SECONDS, every=0.1)
        served = _good_at(users, wrote)
    assert served is not None
    for kind in ("HorizontalPodAutoscaler", "Deployment"):
        on.shop.api.delete(kind, name, NAMESPACE)
    return Felt(broke, broke, wrote, served, sum(len(web.errors(one.answers)) for one in users))


def _good_at(users: list[web.Users], since: float) -> float | None:
    """When, after a moment, half of all users' latest answers had been quick for the first time; None before."""
    latest = [answer for one in users for answer in one.answers[-LATEST:] if answer.at > since]
    if len(latest) < LATEST * len(users) or median(answer.took for answer in latest) > GOOD_SECONDS:
        return None
    return max(answer.at for answer in latest)
