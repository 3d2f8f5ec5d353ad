"""Replicas, or the bounds of what owns them, computed from what was there before us."""

import pytest

from actions.scene import TARGET, fields, obj, problem, translated
from stepdown.engine.fields import ABSENT

REPLICAS = "Deployment/shop /spec/replicas"
PAUSED = "ScaledObject/shop-keda /metadata/annotations/autoscaling.keda.sh~1paused-replicas"


def shop(replicas: int = 3):
    return obj("Deployment", "shop", {"replicas": replicas})


def hpa(low: int = 2, high: int = 10, kind: str = "Deployment"):
    spec = {"scaleTargetRef": {"kind": kind, "name": "shop"}, "minReplicas": low, "maxReplicas": high}
    return obj("HorizontalPodAutoscaler", "shop-hpa", spec)


def keda(metadata=None, **bounds: int):
    return obj("ScaledObject", "shop-keda", {"scaleTargetRef": {"name": "shop"}, **bounds}, metadata=metadata or {})


@pytest.mark.parametrize(
    ("scale", "replicas", "wanted"),
    [
        ({"to": 5}, 3, 5),
        ({"to": 2}, 3, 2),
        ({"to": 0}, 3, 0),
        ({"to": 5, "as": "Floor"}, 3, 5),
        ({"to": 2, "as": "Floor"}, 3, 3),
        ({"to": 5, "as": "Ceiling"}, 3, 3),
        ({"to": 2, "as": "Ceiling"}, 3, 2),
        ({"by": 2}, 3, 5),
        ({"by": -2}, 3, 1),
        ({"by": -5}, 3, 0),
        ({"by": "100%"}, 3, 6),
        ({"by": "50%"}, 3, 5),
        ({"by": "10%"}, 10, 11),
        ({"by": "1%"}, 3, 4),
        ({"by": "-50%"}, 3, 1),
        ({"by": "-1%"}, 3, 2),
        ({"by": "-100%"}, 3, 0),
        ({"by": "100%"}, 0, 0),
        ({"by": "0%"}, 3, 3),
        ({"by": 2, "as": "Pin"}, 3, 5),
    ],
    ids=str,
)
def test_replicas_are_set_raised_or_lowered_from_what_was_there(scale, replicas, wanted):
    assert fields(translated({"scale": scale}, shop(replicas))) == {REPLICAS: wanted}


def test_a_workload_without_replicas_has_one():
    assert fields(translated({"scale": {"by": 1}}, obj("Deployment", "shop", {}))) == {REPLICAS: 2}


def test_a_named_workload_is_scaled_instead_of_the_targets():
    found = translated(
        {"scale": {"statefulSet": "cache", "to": 1}}, shop(), obj("StatefulSet", "cache", {"replicas": 3})
    )
    assert fields(found) == {"StatefulSet/cache /spec/replicas": 1}


def test_the_targets_stateful_set_is_scaled_where_it_has_one():
    spec = TARGET.model_copy(
        update={"target": TARGET.target.model_copy(update={"deployment": None, "stateful_set": "db"})}
    )
    found = translated({"scale": {"to": 1}}, obj("StatefulSet", "db", {"replicas": 3}), spec=spec)
    assert fields(found) == {"StatefulSet/db /spec/replicas": 1}


def test_a_workload_that_is_not_there_is_named_with_the_cure():
    assert problem(translated({"scale": {"to": 1}})) == (
        "TargetNotFound",
        "scale: Deployment shop isn't there; create it or correct the action's name",
    )


@pytest.mark.parametrize(
    ("scale", "low", "high"),
    [
        ({"to": 5}, 5, 5),
        ({"to": 1}, 1, 1),
        ({"to": 5, "as": "Floor"}, 5, 10),
        ({"to": 1, "as": "Floor"}, 2, 10),
        ({"to": 12, "as": "Floor"}, 12, 12),
        ({"to": 0, "as": "Floor"}, 2, 10),
        ({"to": 4, "as": "Ceiling"}, 2, 4),
        ({"to": 1, "as": "Ceiling"}, 1, 1),
        ({"to": 20, "as": "Ceiling"}, 2, 10),
        ({"by": "100%"}, 4, 10),
        ({"by": "-50%"}, 2, 5),
    ],
    ids=str,
)
def test_the_bounds_of_an_hpa_are_changed_and_stay_in_order(scale, low, high):
    assert fields(translated({"scale": scale}, shop(), hpa())) == {
        "HorizontalPodAutoscaler/shop-hpa /spec/minReplicas": low,
        "HorizontalPodAutoscaler/shop-hpa /spec/maxReplicas": high,
    }


@pytest.mark.parametrize("scale", [{"to": 0}, {"to": 0, "as": "Ceiling"}, {"by": "-100%"}], ids=str)
def test_an_hpa_cant_hold_0_and_that_is_said(scale):
    kind, message = problem(translated({"scale": scale}, shop(), hpa()))
    assert kind == "ActionUnsupported"
    assert message == (
        "scale: HorizontalPodAutoscaler shop-hpa owns the replicas of shop and can't hold 0;"
        " scale to 1 or more, or let KEDA own them"
    )


def test_an_hpa_of_another_workload_is_not_ours():
    assert fields(translated({"scale": {"to": 5}}, shop(), hpa(kind="StatefulSet"))) == {REPLICAS: 5}


def test_an_hpa_that_never_said_its_minimum_has_1():
    owner = hpa()
    del owner["spec"]["minReplicas"]
    assert fields(translated({"scale": {"by": 2}}, shop(), owner)) == {
        "HorizontalPodAutoscaler/shop-hpa /spec/minReplicas": 3,
        "HorizontalPodAutoscaler/shop-hpa /spec/maxReplicas": 10,
    }


def test_a_scaled_object_comes_before_the_hpa_that_keda_made_of_it():
    found = fields(translated({"scale": {"to": 5, "as": "Floor"}}, shop(), keda(minReplicaCount=1), hpa()))
    assert found == {
        "ScaledObject/shop-keda /spec/minReplicaCount": 5,
        "ScaledObject/shop-keda /spec/maxReplicaCount": 100,
        PAUSED: ABSENT,
    }


@pytest.mark.parametrize("scale", [{"to": 0}, {"to": 0, "as": "Ceiling"}, {"by": "-100%"}], ids=str)
def test_a_scaled_object_is_paused_at_0_by_the_annotation_of_keda(scale):
    assert fields(translated({"scale": scale}, shop(), keda(maxReplicaCount=4))) == {PAUSED: "0"}


def test_a_pause_that_was_there_before_us_is_kept():
    paused = {"annotations": {"autoscaling.keda.sh/paused-replicas": "3"}}
    found = fields(translated({"scale": {"to": 5}}, shop(), keda(metadata=paused)))
    assert found[PAUSED] == "3"
