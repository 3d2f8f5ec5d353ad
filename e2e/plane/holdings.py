"""A policy that holds a field of every kind: a Service, a Deployment's replicas, an HPA and a ConfigMap."""

from plane.api import Object
from plane.ladders import ladder, level, route, scale, settings, switch
from plane.shop import Shop

HELD = ("Service/shop", "ConfigMap/flags", "Deployment/shop", "HorizontalPodAutoscaler/shop-static")
"""What `everything` changes at its level `low`, by Kind/name."""

_HPA = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "shop-static"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop-static"},
        "minReplicas": 1,
        "maxReplicas": 5,
    },
}


def apply_holdings(shop: Shop) -> None:
    """The objects, as they are before anything degrades."""
    shop.apply_workloads("shop", "shop-static")
    shop.apply(_HPA, settings("flags", reviews="on"))


def everything(namespace: str) -> Object:
    """The policy `shop`, with one level `low`."""
    actions = (
        route("shop", "shop-static"),
        switch("flags", reviews="off"),
        scale("shop", 4),
        {"scale": {"deployment": "shop-static", "to": 3, "as": "Floor"}},
    )
    return ladder("shop", namespace, level("low", *actions, trial=True))


def snapshot(shop: Shop) -> dict[str, Object]:
    """Shop.snapshot without the replicas that the HPA owns."""
    found = shop.snapshot()
    found["Deployment/shop-static"]["spec"].pop("replicas")
    return found
