"""Row 40 of the fault table: something else owns the replicas, so its bounds are changed and they never are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from plane.api import Object
from plane.ladders import BREACHED, HEALTHY, ladder, level, scale
from plane.operator import Operator
from plane.record import Record, managers, wait_quiet
from plane.shop import Shop


def autoscaler(deployment: str, low: int, high: int) -> Object:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": f"{deployment}-hpa"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
            "minReplicas": low,
            "maxReplicas": high,
        },
    }


def scaled_object(deployment: str, low: int, high: int) -> Object:
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": f"{deployment}-keda"},
        "spec": {
            "scaleTargetRef": {"name": deployment},
            "minReplicaCount": low,
            "maxReplicaCount": high,
            "triggers": [{"type": "cpu", "metadata": {"value": "60"}}],
        },
    }


@dataclass
class Episode:
    """Owners before, at the level, and after; who has ever written the Deployments, and what replicas became."""

    before: dict[str, Object]
    low: dict[str, Object]
    end: dict[str, Object]
    writers: dict[str, set[str]]
    replicas: dict[str, list[int]]


def owners(shop: Shop) -> dict[str, Object]:
    """Spec and annotations of all that owns replicas, by name."""
    return {
        obj["metadata"]["name"]: {"spec": obj["spec"], "annotations": obj["metadata"].get("annotations")}
        for kind in ("HorizontalPodAutoscaler", "ScaledObject")
        for obj in shop.api.list(kind, shop.namespace)
    }


DEPLOYMENTS = ("shop", "recommendations", "checkout-readonly")


@pytest.fixture(scope="module")
def episode(lead: Callable[[], Operator], open_shop: Any, keda: None) -> Iterator[Episode]:
    """An HPA owns shop; ScaledObjects own recommendations and checkout-readonly. One level changes all three."""
    operator = lead()
    with open_shop("row-40") as shop:
        shop.apply_workloads(*DEPLOYMENTS)
        shop.wait("ScaledObjects are served", lambda: is_served(shop), timeout=60)
        shop.api.create(autoscaler("shop", 1, 3), shop.namespace)
        shop.api.create(scaled_object("recommendations", 1, 5), shop.namespace)
        shop.api.create(scaled_object("checkout-readonly", 1, 5), shop.namespace)
        before = owners(shop)
        with Record(shop.api, shop.namespace, "Deployment") as record:
            shop.load(BREACHED, "shop")
            floor = {"scale": {"deployment": "shop", "to": 4, "as": "Floor"}}
            keda_floor = {"scale": {"deployment": "recommendations", "to": 4, "as": "Floor"}}
            actions = (floor, keda_floor, scale("checkout-readonly", 0))
            shop.apply(ladder("shop", shop.namespace, level("low", *actions)))
            shop.wait_level("shop", "low", timeout=60)
            shop.wait("the HPA follows its floor", lambda: shop.replicas("shop") == 4, timeout=60)
            low = owners(shop)
            shop.load(HEALTHY, "shop")
            shop.wait_level("shop", "full", timeout=60)
            shop.wait("the HPA follows its ceiling", lambda: shop.replicas("shop") == 3, timeout=60)
            shop.wait_ready("shop")
            wait_quiet(shop, operator)
            writers = {name: managers(shop.api.get("Deployment", name, shop.namespace)) for name in DEPLOYMENTS}
            replicas = {
                name: record.values("Deployment", name, lambda obj: obj["spec"]["replicas"]) for name in DEPLOYMENTS
            }
        yield Episode(before, low, owners(shop), writers, replicas)


def is_served(shop: Shop) -> bool:
    return shop.kubectl("api-resources", "--api-group", "keda.sh", "--output", "name").strip() != ""


@pytest.mark.row(40)
def test_row_40_the_bounds_of_an_hpa_are_raised_and_the_hpa_raises_the_replicas(episode: Episode) -> None:
    spec = episode.low["shop-hpa"]["spec"]

    assert (spec["minReplicas"], spec["maxReplicas"]) == (4, 4)
    assert episode.replicas["shop"] == [4, 3]


@pytest.mark.row(40)
def test_row_40_the_bounds_of_a_scaled_object_are_raised(episode: Episode) -> None:
    spec = episode.low["recommendations-keda"]["spec"]

    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (4, 5)


@pytest.mark.row(40)
def test_row_40_a_scaled_object_is_paused_for_zero(episode: Episode) -> None:
    changed = episode.low["checkout-readonly-keda"]

    assert changed["annotations"]["autoscaling.keda.sh/paused-replicas"] == "0"
    assert changed["spec"] == episode.before["checkout-readonly-keda"]["spec"]


@pytest.mark.row(40)
def test_row_40_the_replicas_behind_their_owner_are_never_written(episode: Episode) -> None:
    assert set().union(*episode.writers.values()) == {"kubectl-client-side-apply", "kube-controller-manager"}
    assert (episode.replicas["recommendations"], episode.replicas["checkout-readonly"]) == ([], [])


@pytest.mark.row(40)
def test_row_40_the_owners_are_byte_for_byte_what_they_were(episode: Episode) -> None:
    assert episode.end == episode.before
