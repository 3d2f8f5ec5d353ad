"""Small policies to meet faults with: one number, few levels, every timer as short as it can be.

A ladder called `shop` follows `Shop.load(value, "shop")`: healthy below 0.8.
"""

from typing import Any

from plane.api import Object
from plane.operator import Operator
from plane.record import wait_quiet
from plane.shop import Shop

HEALTHY, BREACHED, WORSE = 0.4, 0.9, 1.5
"""Loads at which a ladder stays at full service, goes to its first level, and to its second one."""


def ladder(name: str, namespace: str, *levels: Object, **spec: Any) -> Object:
    """A policy with these levels below `full`; `spec` goes over the rest of it, key by key at the top."""
    query = f'max(app_worker_utilization{{namespace="{namespace}", service="{name}"}})'
    return {
        "apiVersion": "stepdown.dev/v1alpha1",
        "kind": "DegradationPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "target": {"service": "shop", "deployment": "shop"},
            "interval": "1s",
            "signals": [{"name": "load", "query": query}],
            "levels": [{"name": "full"}, *levels],
            "stabilization": {"down": "0s", "up": "1s", "dwell": "0s"},
            "budget": {"transitions": 60, "per": "1h"},
            **spec,
        },
    }


def level(name: str, *actions: Object, above: str = "80%", hold: str = "0s", trial: bool = False) -> Object:
    """A level entered when the load was above for the time `hold`; `trial` is the way back that routes need."""
    found: Object = {
        "name": name,
        "enter": {"any": [{"signal": "load", "above": above, "for": hold}]},
        "actions": list(actions),
    }
    if trial:
        found["recover"] = {"trial": {"after": "1s", "watch": "1s"}}
    return found


def scale(deployment: str, to: int) -> Object:
    """The action that pins replicas."""
    return {"scale": {"deployment": deployment, "to": to}}


def switch(config_map: str, *, refresh: str = "None", **values: str) -> Object:
    """The action that sets plain keys of a ConfigMap; no pod is touched, nor looked at, unless it is said."""
    return {"flags": {"set": values, "in": {"configMap": {"name": config_map}}, "refresh": refresh}}


def route(service: str, deployment: str) -> Object:
    """The action that moves a Service's traffic."""
    return {"route": {"service": service, "to": {"deployment": deployment}}}


def settings(name: str, **values: str) -> Object:
    """A ConfigMap with plain keys."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": values}


def three_targets(namespace: str, **spec: Any) -> Object:
    """The ladder `shop` whose levels `low` and `lower` write a Service, the ConfigMap `flags`, and replicas."""
    return ladder(
        "shop",
        namespace,
        level("low", route("shop", "shop-static"), switch("flags", reviews="off"), scale("shop", 4), trial=True),
        level("lower", scale("shop", 6), above="120%"),
        **spec,
    )


def is_let_go(shop: Shop, name: str) -> bool:
    """Whether a policy holds nothing, and has no finalizer."""
    found = shop.policy(name)
    return not found["status"].get("ledger") and not found["metadata"].get("finalizers")


def recover(shop: Shop, operator: Operator, *names: str) -> None:
    """Some ladders to full service, and until nothing of the shop is written any more."""
    for name in names:
        shop.load(HEALTHY, name)
    for name in names:
        shop.wait_level(name, "full", timeout=60)
        shop.wait(f"{name} holds nothing", lambda name=name: is_let_go(shop, name), timeout=60)
    wait_quiet(shop, operator)
