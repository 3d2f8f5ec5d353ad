"""How soon pods see a flag in a ConfigMap that they mount: when the operator touches them, and when it leaves them."""

import time

from bench.felt import LONGEST_SECONDS
from bench.node_scene import NAMESPACE, NodeScene
from node import web
from plane.audit import read_log
from plane.ladders import BREACHED, HEALTHY, ladder, level, settings, switch
from plane.processes import wait_for

PODS = 10
SEEN = {"Pods": "flag_touched", "None": "flag_left"}
"""The figure's name for each value of `flags.refresh`."""


def open_readers(on: NodeScene, refresh: str) -> None:
    """The pods, long before they are needed: those that start keep the machine busy."""
    name = _name(refresh)
    on.shop.apply(settings(name, leave="false"), web.deployment(name, PODS, flags=name))
    on.shop.wait_ready(name)


def _name(refresh: str) -> str:
    return f"readers-{refresh.lower()}"


def flags_seen(on: NodeScene, refresh: str) -> list[float]:
    """Seconds from the write of the ConfigMap, as the API server received it, until each pod reads the new value."""
    name, shop = _name(refresh), on.shop
    shop.load(HEALTHY, name)
    told = level("told", switch(name, refresh=refresh, leave="true"))
    shop.start(ladder(name, NAMESPACE, told, target={"deployment": name}))
    found = shop.api.list("Pod", NAMESPACE, labelSelector=f"app={name}")
    waiting = {str(pod["status"]["podIP"]) for pod in found}
    seen: list[float] = []

    def look() -> bool:
        for address in list(waiting):
            answer = web.ask(address, web.PORT, "/flags/leave")
            if answer.said == "true":
                waiting.remove(address)
                seen.append(answer.at)
        return not waiting

    broke = time.time()
    shop.load(BREACHED, name)
    wait_for(f"pods of {name} see the flag", look, LONGEST_SECONDS, every=0.05)
    calls = read_log(on.cluster.plane.audit_log, NAMESPACE)
    wrote = min(call.at for call in calls if (call.kind, call.name) == ("configmaps", name) and call.at >= broke)
    return [at - wrote for at in seen]
