"""A level whose fallback can't answer: stepped over, named, and never the reason for a wrong level in the status."""

import copy
from typing import Any

import pytest

from cycle.world import SPEC, World, deployment, pod
from stepdown.engine.observation import Missing


def two_routes(first: str, service: str | None = None) -> dict[str, Any]:
    """A ladder whose upper level routes to `first` and whose lower one routes to shop-static."""
    spec = copy.deepcopy(SPEC)
    route = {"to": {"deployment": first}, **({"service": service} if service else {})}
    spec["levels"][1]["actions"] = [{"route": route}]
    spec["levels"][1]["recover"] = {"trial": {"after": "1m", "watch": "10s"}}
    spec["levels"][2]["actions"] = [{"route": {"to": {"deployment": "shop-static"}}}]
    return spec


def service(name: str) -> dict[str, Any]:
    spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def message(world: World, kind: str) -> str:
    return str(next(c for c in world.status["conditions"] if c["type"] == kind)["message"])


def condition(world: World, kind: str) -> tuple[str, str]:
    found = next(c for c in world.status["conditions"] if c["type"] == kind)
    return found["status"], found["reason"]


def test_a_level_that_is_stepped_over_does_not_hide_the_one_that_is_reached():
    world = World(two_routes("nowhere"))
    world.values["load"] = 0.92
    world.ticks(2)
    assert world.selector() == {"app": "shop-static"}
    assert world.level == "static"
    assert condition(world, "Degraded") == ("True", "BelowFull")
    assert condition(world, "Ready") == ("False", "TargetNotFound")


def test_a_route_that_cannot_be_made_counts_where_no_deeper_level_moves_that_service():
    world = World(two_routes("nowhere", service="another"))
    world.values["load"] = 0.92
    world.ticks(2)
    assert world.selector() == {"app": "shop-static"}
    assert world.level == "full"
    assert condition(world, "Reconciling") == ("True", "Stepping")


def test_a_fallback_without_a_ready_pod_is_named_with_the_cure_while_its_level_waits():
    spec = copy.deepcopy(SPEC)
    spec["levels"][2]["actions"] = [{"route": {"to": {"deployment": "empty"}}}]
    world = World(spec)
    world.sandbox.create(deployment("empty", 0))
    world.values["errors"] = 0.4
    world.ticks(2)
    assert world.level == "full"
    assert world.selector() == {"app": "shop", "tier": "web"}
    assert condition(world, "Ready") == ("False", "FallbackNotReady")
    assert "level static: route: Deployment empty has 0 ready pods (needs 1); scale it up" in message(world, "Ready")


def test_a_level_above_whose_fallback_cannot_answer_is_named_and_not_said_to_be_reached():
    world = World(two_routes("empty", service="another"))
    world.sandbox.create(deployment("empty", 0))
    world.sandbox.create(service("another"))
    world.values["errors"] = 0.4
    world.ticks(2)
    assert world.selector() == {"app": "shop-static"}
    assert world.level == "full"
    assert condition(world, "Ready") == ("False", "FallbackNotReady")
    assert "level core-only: route: Deployment empty has 0 ready pods" in message(world, "Ready")


def readiness(world: World, name: str, ready: str) -> None:
    world.sandbox.edit("Pod", name, lambda p: p["status"]["conditions"][0].update(status=ready))


@pytest.mark.row(43)
def test_row_43_a_fallback_that_dies_after_the_swap_gives_traffic_back_to_a_primary_that_is_ready():
    world = World()
    world.add_primary()
    world.values["errors"] = 0.4
    world.ticks(2)
    assert world.selector() == {"app": "shop-static"}
    readiness(world, "shop-static-1", "False")
    world.ticks(2)
    assert world.selector() == {"app": "shop", "tier": "web"}
    assert world.level == "core-only"
    assert condition(world, "Ready") == ("False", "FallbackNotReady")
    assert "level static: route: Deployment shop-static has 0 ready pods (needs 1)" in message(world, "Ready")
    readiness(world, "shop-static-1", "True")
    world.ticks(2)
    assert world.selector() == {"app": "shop-static"}
    assert (world.level, condition(world, "Ready")) == ("static", ("True", "Watching"))


@pytest.mark.row(43)
def test_row_43_a_fallback_that_dies_after_the_swap_is_said_and_traffic_stays_without_a_ready_primary():
    world = World()
    world.values["errors"] = 0.4
    world.ticks(2)
    assert condition(world, "Ready") == ("True", "Watching")
    world.sandbox.edit("Pod", "shop-static-1", lambda p: p["status"]["conditions"][0].update(status="False"))
    world.ticks(2)
    assert world.selector() == {"app": "shop-static"}
    assert world.level == "static"
    assert condition(world, "Ready") == ("False", "FallbackNotReady")
    assert "level static: route: Deployment shop-static has 0 ready pods (needs 1)" in message(world, "Ready")
    world.sandbox.edit("Pod", "shop-static-1", lambda p: p["status"]["conditions"][0].update(status="True"))
    world.ticks(2)
    assert condition(world, "Ready") == ("True", "Watching")


def lite_above_static(*pods: dict[str, Any]) -> World:
    """At core-only, whose fallback `lite` has traffic; below it is the level static."""
    world = World(two_routes("lite"))
    world.sandbox.create(deployment("lite", 1))
    for found in (pod("lite-1", "lite"), *pods):
        world.sandbox.create(found)
    world.values["load"] = 0.92
    world.ticks(2)
    assert (world.level, world.selector()) == ("core-only", {"app": "lite"})
    return world


def primary() -> dict[str, Any]:
    found = pod("shop-1", "shop")
    found["metadata"]["labels"]["tier"] = "web"
    return found


@pytest.mark.row(43)
def test_row_43_where_nobody_answers_any_more_a_deeper_level_is_taken_at_once():
    world = lite_above_static()
    readiness(world, "lite-1", "False")
    world.ticks(2)
    assert (world.level, world.selector()) == ("static", {"app": "shop-static"})
    assert condition(world, "Ready") == ("True", "Watching")
    assert world.status["history"][-1]["reason"] == "FallbackNotReady"


@pytest.mark.row(43)
def test_row_43_a_level_whose_fallback_is_dead_is_passed_on_the_way_up_where_the_primary_answers():
    world = lite_above_static()
    readiness(world, "lite-1", "False")
    world.values["load"] = 0.1
    world.ticks(60)
    assert world.level == "static"
    world.sandbox.create(primary())
    world.ticks(60)
    assert (world.level, world.selector()) == ("full", {"app": "shop", "tier": "web"})


@pytest.mark.row(43)
def test_row_43_the_fallback_of_the_level_above_takes_over_where_the_primary_does_not_answer():
    world = lite_above_static()
    world.values["errors"] = 0.4
    world.ticks(2)
    assert world.selector() == {"app": "shop-static"}
    readiness(world, "shop-static-1", "False")
    world.ticks(2)
    assert world.selector() == {"app": "lite"}
    assert condition(world, "Ready") == ("False", "FallbackNotReady")


def test_a_fallback_that_cannot_start_is_named_at_full_service():
    world = World()
    stuck = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}

    def fail(found: dict[str, Any]) -> None:
        found["status"] = {
            "containerStatuses": [{"state": stuck}],
            "conditions": [{"type": "Ready", "status": "False"}],
        }

    world.sandbox.edit("Pod", "shop-static-1", fail)
    world.tick()
    assert (world.level, condition(world, "Ready")) == ("full", ("False", "FallbackNotReady"))
    assert "Deployment shop-static has 0 ready pods (needs 1); its image can't be started" in message(world, "Ready")


def test_a_fallback_that_is_on_its_way_is_no_fault_at_full_service():
    world = World()
    readiness(world, "shop-static-1", "False")
    world.tick()
    assert condition(world, "Ready") == ("True", "Watching")


def waiting_pod() -> dict[str, Any]:
    """A pod of the Deployment shop that no node takes."""
    found = pod("shop-3", "shop", "False")
    found["metadata"]["labels"]["pod-template-hash"] = "1"
    found["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "shop-1", "uid": "r", "controller": True}]
    found["status"]["conditions"].append({"type": "PodScheduled", "reason": "Unschedulable", "message": "no memory"})
    return found


def test_pods_of_a_scale_that_no_node_takes_are_named_and_the_level_counts_as_reached():
    world = World()
    world.sandbox.create(waiting_pod())
    world.values["load"] = 0.92
    world.ticks(2)
    assert (world.level, condition(world, "Ready")) == ("core-only", ("False", "PodsNotStarted"))
    said = "level core-only: scale: Deployment shop: no node takes its pods: no memory"
    assert said in message(world, "Ready")
    world.sandbox.delete("Pod", "shop-3")
    world.tick()
    assert condition(world, "Ready") == ("True", "Watching")


def test_pods_are_read_for_a_scale_only_while_its_workload_is_short():
    spec = copy.deepcopy(SPEC)
    spec["levels"] = [spec["levels"][0], {**spec["levels"][1], "actions": [{"scale": {"to": 6}}]}]
    world = World(spec)
    world.sandbox.create(waiting_pod())
    world.values["load"] = 0.92
    world.ticks(2)
    assert condition(world, "Ready") == ("True", "Watching")
    world.sandbox.edit("Deployment", "shop", lambda d: d.update(status={"availableReplicas": 2}))
    world.ticks(1)
    assert condition(world, "Ready") == ("False", "PodsNotStarted")


def tried(*pods: dict[str, Any]) -> World:
    """A world at static, without data, past the wait of its trial; some pods of the primary are there."""
    world = World()
    for one in pods:
        one["metadata"]["labels"]["tier"] = "web"
        world.sandbox.create(one)
    world.values["errors"] = 0.4
    world.ticks(2)
    world.values |= {"errors": Missing.EMPTY, "load": 0.1}
    world.ticks(8)
    return world


def test_traffic_does_not_go_back_to_pods_that_are_not_ready():
    world = tried(pod("shop-1", "shop", "False"), pod("shop-2", "shop", "False"))

    assert (world.level, world.selector()) == ("static", {"app": "shop-static"})
    assert condition(world, "Ready") == ("False", "FallbackNotReady")
    assert message(world, "Ready") == (
        "level static: traffic can't go back to Service shop, none of whose pods is ready; see why they aren't ready;"
        " or bring it back all the same by spec.override"
    )
    assert "nobody would answer at core-only" in message(world, "Degraded")

    readiness(world, "shop-1", "True")
    world.ticks(2)

    assert (world.level, world.selector()["app"]) == ("core-only", "shop")
    assert condition(world, "Ready") == ("True", "Watching")


def test_traffic_goes_back_where_no_pod_is_there_for_an_autoscaler_may_wait_for_it():
    world = tried()

    assert (world.level, world.selector()["app"]) == ("core-only", "shop")


def test_traffic_goes_back_where_the_last_pods_are_on_their_way_out():
    leaving = pod("shop-1", "shop", "False")
    leaving["metadata"]["deletionTimestamp"] = "1970-01-12T13:46:40Z"
    world = tried(leaving)

    assert (world.level, world.selector()["app"]) == ("core-only", "shop")


def test_a_step_up_asks_after_pods_of_traffic_that_it_brings_back_only():
    spec = two_routes("shop-static")
    spec["levels"][2]["actions"] = [{"flags": {"disable": ["reviews"], "in": {"flagd": {"configMap": "flags"}}}}]
    world = World(spec)
    world.add_primary(ready="False")
    world.values |= {"load": 0.92, "errors": 0.4}
    world.ticks(2)
    assert (world.level, world.selector()) == ("static", {"app": "shop-static"})
    world.values |= {"load": 0.7, "errors": 0.0}
    world.ticks(8)

    assert (world.level, world.selector()) == ("core-only", {"app": "shop-static"})


def test_a_persons_word_brings_traffic_back_all_the_same():
    world = tried(pod("shop-1", "shop", "False"))
    word = {"level": "full", "reason": "its readiness needs what static took", "until": "1970-01-12T15:00:00Z"}
    world.edit_spec(override=word)
    world.ticks(2)

    assert (world.level, world.selector()) == ("full", {"app": "shop", "tier": "web"})


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_pods_that_have_ended_keep_no_traffic_away(phase: str):
    ended = pod("shop-1", "shop", "False")
    ended["status"]["phase"] = phase
    world = tried(ended)

    assert (world.level, world.selector()["app"]) == ("core-only", "shop")


def test_a_port_that_the_services_own_pods_never_declared_keeps_no_traffic_away():
    world = World()
    world.sandbox.edit("Service", "shop", lambda obj: obj["spec"]["ports"].append({"port": 90, "targetPort": 9090}))
    world.sandbox.edit("Pod", "shop-static-1", lambda obj: obj["spec"]["containers"][0]["ports"].append(METRICS))
    world.add_primary()
    world.values["errors"] = 0.4
    world.ticks(2)
    assert world.selector() == {"app": "shop-static"}
    world.values |= {"errors": Missing.EMPTY, "load": 0.1}
    world.ticks(8)

    assert (world.level, world.selector()["app"]) == ("core-only", "shop")


METRICS = {"name": "metrics", "containerPort": 9090}
