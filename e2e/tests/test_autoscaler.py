"""Where an HPA owns the replicas, its bounds are changed and put back, and the replicas are left to it."""

from typing import Any

import pytest

from plane.api import Object
from plane.examples import hasten
from plane.operator import Operator
from plane.shop import Shop

HPA = "HorizontalPodAutoscaler"


def autoscaler(low: int, high: int) -> Object:
    """Its metric has no source on the plane: it only keeps the replicas within its bounds, as a real one does too."""
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
    return {
        "apiVersion": "autoscaling/v2",
        "kind": HPA,
        "metadata": {"name": "shop"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
            "minReplicas": low,
            "maxReplicas": high,
            "metrics": [metric],
        },
    }


@pytest.fixture
def scaled(shop: Shop, operator: Operator) -> Any:
    """Runs the smallest policy with one scale action over an HPA of 2 to 3; gives its bounds while degraded."""

    def run(action: Object) -> tuple[int, int]:
        shop.apply_workloads("shop", "shop-static")
        shop.apply(autoscaler(2, 3))
        policy = hasten(shop.quick())
        policy["spec"]["levels"][1]["actions"] = [{"scale": action}]
        shop.requests("shop", ok=90, failed=10)
        shop.apply(policy)
        shop.wait_level("shop", "scaled-out")
        spec = shop.api.get(HPA, "shop", shop.namespace)["spec"]
        return spec["minReplicas"], spec["maxReplicas"]

    return run


@pytest.mark.parametrize(
    ("action", "bounds"),
    [
        ({"by": "100%"}, (4, 4)),
        ({"to": 2, "as": "Ceiling"}, (2, 2)),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
def test_the_bounds_of_an_hpa_are_changed_and_put_back(
    scaled: Any, shop: Shop, action: Object, bounds: tuple[int, int]
) -> None:
    while_degraded = scaled(action)
    shop.all_is_well("shop")
    shop.wait_level("shop", "full")
    spec = shop.api.get(HPA, "shop", shop.namespace)["spec"]

    assert while_degraded == bounds
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 3)


def test_the_hpa_makes_the_replicas_and_we_never_write_them(scaled: Any, shop: Shop, operator: Operator) -> None:
    before = operator.metrics().sum("stepdown_api_writes_total", resource="deployments/scale")
    scaled({"by": "100%"})

    shop.wait("the HPA has scaled to its new minimum", lambda: shop.replicas("shop") == 4)
    managers = [m["manager"] for m in shop.api.get("Deployment", "shop", shop.namespace)["metadata"]["managedFields"]]
    assert operator.metrics().sum("stepdown_api_writes_total", resource="deployments/scale") == before
    assert "stepdown" not in managers
