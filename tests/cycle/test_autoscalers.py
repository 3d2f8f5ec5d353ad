"""Where something owns the replicas, its bounds are changed and put back, and the replicas are left to it."""

from cycle.world import World, objects

AUTOSCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "shop-hpa"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
        "minReplicas": 2,
        "maxReplicas": 10,
    },
}
SCALED_OBJECT = {
    "apiVersion": "keda.sh/v1alpha1",
    "kind": "ScaledObject",
    "metadata": {"name": "extras-keda"},
    "spec": {"scaleTargetRef": {"name": "extras"}, "maxReplicaCount": 5},
}


def test_the_bounds_of_an_hpa_are_changed_and_put_back_and_the_replicas_left_alone():
    world = World()
    world.sandbox.create(AUTOSCALER)
    first = world.sandbox.get("HorizontalPodAutoscaler", "shop-hpa")
    world.values["load"] = 0.92
    world.ticks(2)
    held = world.sandbox.get("HorizontalPodAutoscaler", "shop-hpa")
    assert (held["spec"]["minReplicas"], held["spec"]["maxReplicas"]) == (6, 6)
    assert world.replicas("shop") == 2
    assert world.level == "core-only"
    world.values["load"] = 0.1
    world.ticks(10)
    assert world.level == "full"
    after = world.sandbox.get("HorizontalPodAutoscaler", "shop-hpa")
    assert after["spec"] == first["spec"]
    assert "annotations" not in after["metadata"]
    assert world.at_rest()


def test_a_scaled_object_is_paused_at_0_and_let_go_again():
    world = World()
    world.sandbox.create(SCALED_OBJECT)
    world.values["load"] = 0.92
    world.ticks(2)
    held = world.sandbox.get("ScaledObject", "extras-keda")
    assert held["metadata"]["annotations"]["autoscaling.keda.sh/paused-replicas"] == "0"
    assert held["spec"] == SCALED_OBJECT["spec"]
    assert world.replicas("extras") == 3
    world.values["load"] = 0.1
    world.ticks(10)
    after = world.sandbox.get("ScaledObject", "extras-keda")
    assert "annotations" not in after["metadata"]
    assert after["spec"] == SCALED_OBJECT["spec"]


def test_an_hpa_that_appears_while_its_workload_is_held_takes_over_and_the_replicas_are_put_back():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    assert world.replicas("shop") == 6
    world.sandbox.create(AUTOSCALER)
    world.ticks(2)
    assert world.replicas("shop") == 2
    held = world.sandbox.get("HorizontalPodAutoscaler", "shop-hpa")
    assert held["spec"]["minReplicas"] == 6
    world.values["load"] = 0.1
    world.ticks(10)
    assert world.at_rest()
    assert len(objects()) == 6
