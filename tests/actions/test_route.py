"""A Service is pointed at pods that are ready and serve its port, or it is not pointed at all."""

import pytest

from actions.scene import fields, obj, problem, translated

ROUTE = {"route": {"to": {"deployment": "static"}}}


def service(*ports, selector=None):
    return obj("Service", "shop", {"selector": {"app": "shop"} if selector is None else selector, "ports": list(ports)})


def static(**selector):
    return obj("Deployment", "static", {"selector": selector or {"matchLabels": {"app": "static"}}})


def pod(name="static-1", ready="True", app="static", ports=({"name": "http", "containerPort": 8080},), **metadata):
    return obj(
        "Pod",
        name,
        {"containers": [{"name": "main", "ports": list(ports)}]},
        metadata={"labels": {"app": app, "hash": "1"}, **metadata},
        status={"conditions": [{"type": "Ready", "status": ready}]},
    )


def test_the_selector_becomes_that_of_the_fallback_as_one_field():
    found = translated(ROUTE, service({"port": 80, "targetPort": "http"}), static(), pod())
    assert fields(found) == {"Service/shop /spec/selector": {"app": "static"}}
    assert found.unready is None


def test_a_named_service_and_a_stateful_set_are_possible():
    other = obj("Service", "cart", {"selector": {"app": "cart"}, "ports": [{"port": 80, "targetPort": 8080}]})
    kept = obj("StatefulSet", "static", {"selector": {"matchLabels": {"app": "static"}}})
    found = translated({"route": {"service": "cart", "to": {"statefulSet": "static"}}}, other, kept, pod())
    assert fields(found) == {"Service/cart /spec/selector": {"app": "static"}}
    assert found.unready is None


@pytest.mark.parametrize(
    "pods",
    [
        [],
        [pod(ready="False")],
        [pod(app="other")],
        [pod(deletionTimestamp="2026-01-01T00:00:00Z")],
    ],
    ids=["none", "not ready", "of another", "on its way out"],
)
def test_without_a_ready_pod_it_is_unready(pods):
    found = translated(ROUTE, service({"port": 80, "targetPort": "http"}), static(), *pods)
    assert found.unready is not None
    assert found.unready.message == (
        "route: Deployment static has 0 ready pods (needs 1);"
        " scale it up, or set the level's route to one that is ready"
    )


@pytest.mark.parametrize(
    ("port", "ports", "serves"),
    [
        ({"port": 80, "targetPort": "http"}, [{"name": "http", "containerPort": 8080}], True),
        ({"port": 80, "targetPort": "web"}, [{"name": "http", "containerPort": 8080}], False),
        ({"port": 80, "targetPort": "http"}, [], False),
        ({"port": 80, "targetPort": 8080}, [{"containerPort": 8080}], True),
        ({"port": 80, "targetPort": 9090}, [{"containerPort": 8080}], False),
        ({"port": 80, "targetPort": 9090}, [], True),
        ({"port": 8080}, [{"containerPort": 8080}], True),
        ({"port": 80}, [{"containerPort": 8080}], False),
    ],
    ids=str,
)
def test_the_ports_of_the_service_must_be_served(port, ports, serves):
    found = translated(ROUTE, service(port), static(), pod(ports=ports))
    assert (found.unready is None) is serves


def test_each_port_may_be_served_by_another_pod_but_all_must_be():
    both = service({"port": 80, "targetPort": "http"}, {"port": 81, "targetPort": "admin"})
    web = pod("static-1")
    admin = pod("static-2", ports=[{"name": "admin", "containerPort": 8081}])
    assert translated(ROUTE, both, static(), web, admin).unready is None
    found = translated(ROUTE, both, static(), web)
    assert found.unready is not None
    assert found.unready.message == (
        "route: Deployment static has no ready pod that serves port admin of Service shop; give its container that port"
    )


def test_a_port_of_a_sidecar_counts():
    two = pod()
    two["spec"]["containers"].append({"name": "proxy", "ports": [{"name": "tls", "containerPort": 8443}]})
    assert translated(ROUTE, service({"port": 443, "targetPort": "tls"}), static(), two).unready is None


def test_a_service_that_is_not_there_is_named():
    assert problem(translated(ROUTE, static(), pod())) == (
        "TargetNotFound",
        "route: Service shop isn't there; create it or correct the action's name",
    )


def test_a_service_without_a_selector_cant_be_pointed_elsewhere():
    kind, message = problem(translated(ROUTE, service(selector={}), static(), pod()))
    assert (kind, message) == (
        "ActionUnsupported",
        "route: Service shop has no selector, so there is nothing to point elsewhere",
    )


def test_a_fallback_that_is_not_there_is_named():
    kind, message = problem(translated(ROUTE, service()))
    assert kind == "TargetNotFound"
    assert message.startswith("route: Deployment static isn't there")


@pytest.mark.parametrize(
    "selector",
    [
        {"matchExpressions": [{"key": "app", "operator": "Exists"}]},
        {"matchLabels": {"app": "static"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]},
    ],
    ids=["only", "too"],
)
def test_a_fallback_that_selects_by_expressions_is_unsupported(selector):
    kind, message = problem(translated(ROUTE, service(), static(**selector), pod()))
    assert kind == "ActionUnsupported"
    assert message.endswith("selects its pods by expressions, which a Service can't; use matchLabels")


def test_pods_that_cannot_start_are_a_fault_and_why_is_said():
    waiting = {"reason": "ErrImageNeverPull", "message": "static:2 is not present"}
    stuck = pod(ready="False")
    stuck["status"]["containerStatuses"] = [{"state": {"waiting": waiting}}]
    found = translated(ROUTE, service({"port": 80, "targetPort": "http"}), static(), stuck)
    assert found.unready is not None
    assert found.unready.is_fault
    assert found.unready.message == (
        "route: Deployment static has 0 ready pods (needs 1);"
        " its image can't be started: ErrImageNeverPull: static:2 is not present"
    )


@pytest.mark.parametrize(
    ("port", "pods", "is_fault"), [("web", [pod()], True), ("http", [pod(ready="False")], False), ("http", [], False)]
)
def test_ready_pods_without_the_services_port_are_a_fault_and_pods_on_their_way_are_none(port, pods, is_fault):
    found = translated(ROUTE, service({"port": 80, "targetPort": port}), static(), *pods)
    assert found.unready is not None
    assert found.unready.is_fault is is_fault


def test_a_fallback_that_is_not_there_may_be_gone_back_from_where_the_primary_answers():
    primary = pod("shop-1", app="shop")
    assert translated(ROUTE, service({"port": 80, "targetPort": "http"}), primary).may_go_back is True
    assert translated(ROUTE, service({"port": 80, "targetPort": "http"})).may_go_back is False
