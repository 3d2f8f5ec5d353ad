"""The stage: the files' objects, and made-up ones for what policies name and no file holds."""

import asyncio
import json
from typing import Any

from stepdown.api.policy import PolicySpec
from stepdown.engine.fields import Ref, Target
from stepdown.engine.patch import scale_patch
from stepdown.engine.questions import PodsQuestion
from stepdown.simulate.stage import Stage


def spec(*actions: dict[str, Any]) -> PolicySpec:
    enter = {"any": [{"signal": "load", "above": "80%"}]}
    deeper = {"name": "down", "enter": enter, "actions": list(actions), "recover": {"trial": {"after": "5m"}}}
    return PolicySpec.model_validate(
        {
            "target": {"service": "shop", "deployment": "shop"},
            "signals": [{"name": "load", "query": "load"}],
            "levels": [{"name": "full"}, deeper],
        }
    )


def given(kind: str, name: str, **parts: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": "default"}, **parts}


def test_what_the_files_hold_is_taken_and_nothing_is_assumed_of_it() -> None:
    workload = given(
        "Deployment", "shop", spec={"replicas": 5, "selector": {"matchLabels": {"app": "shop", "tier": "web"}}}
    )

    stage = Stage("default", [workload], [spec({"scale": {"to": 9}})], [])

    assert stage.replicas("Deployment", "shop") == 5
    assert stage.assumed == []
    assert stage.sandbox.get("Pod", "deployment-shop")["metadata"]["labels"] == {"app": "shop", "tier": "web"}


def test_objects_of_other_namespaces_are_not_on_this_stage() -> None:
    other = {**given("Deployment", "shop", spec={"replicas": 5}), "metadata": {"name": "shop", "namespace": "other"}}

    stage = Stage("default", [other], [spec({"scale": {"to": 9}})], [])

    assert stage.replicas("Deployment", "shop") == 2
    assert stage.assumed == ["Deployment shop is in no file: made up with 2 replicas"]


def test_a_made_up_fallback_is_ready_and_serves_the_ports_of_the_files_service() -> None:
    service = given(
        "Service", "shop", spec={"selector": {"app": "shop"}, "ports": [{"port": 80, "targetPort": "http"}]}
    )

    stage = Stage("default", [service], [spec({"route": {"to": {"deployment": "shop-static"}}})], [])

    pod = stage.sandbox.get("Pod", "deployment-shop-static")
    assert pod["status"] == {"conditions": [{"type": "Ready", "status": "True"}]}
    assert pod["spec"]["containers"] == [{"name": "main", "ports": [{"name": "http", "containerPort": 8080}]}]


def test_a_service_that_is_in_no_file_is_made_up_with_a_selector() -> None:
    stage = Stage("default", [], [spec({"route": {"to": {"deployment": "shop-static"}}})], [])

    assert stage.sandbox.get("Service", "shop")["spec"] == {"selector": {"app": "shop"}}
    assert "Service shop is in no file: made up with the selector app=shop" in stage.assumed


WEIGHTED = {"route": {"httpRoute": "web", "to": {"service": "static"}}}


def test_an_http_route_that_is_in_no_file_is_made_up_with_services_and_pods_for_both_backends() -> None:
    stage = Stage("default", [], [spec(WEIGHTED)], [])

    backends = [{"name": "shop", "weight": 1}, {"name": "static", "weight": 0}]
    assert stage.sandbox.get("HTTPRoute", "web")["spec"] == {"rules": [{"name": "all", "backendRefs": backends}]}
    assert stage.sandbox.get("Pod", "deployment-static")["metadata"]["labels"] == {"app": "static"}
    assert stage.assumed == [
        "Deployment shop is in no file: made up with 2 replicas",
        "Service shop is in no file: made up with the selector app=shop",
        "Service static is in no file: made up with the selector app=static",
        "HTTPRoute web is in no file: made up with the backends shop, static",
        "Deployment static is in no file: made up with 2 replicas",
    ]


def test_a_service_is_made_up_with_the_port_at_which_the_files_http_route_leads_to_it() -> None:
    rule = {"backendRefs": [{"name": "shop", "port": 80}, {"name": "static", "port": 8080, "weight": 0}]}

    stage = Stage("default", [given("HTTPRoute", "web", spec={"rules": [rule]})], [spec(WEIGHTED)], [])

    assert stage.sandbox.get("Service", "static")["spec"]["ports"] == [{"port": 8080}]


def test_a_flagd_document_is_made_up_with_the_flags_as_they_were_before() -> None:
    actions = [
        {"flags": {"disable": ["reviews"], "enable": ["read-only"], "in": {"flagd": {"configMap": "flags"}}}},
        {"flags": {"set": {"payment": "secondary"}, "in": {"flagd": {"configMap": "flags"}}}},
    ]

    stage = Stage("default", [], [spec(*actions)], [])

    data = stage.sandbox.get("ConfigMap", "flags")["data"]
    assert list(data) == ["flags.json"]
    boolean = {"on": True, "off": False}
    assert json.loads(data["flags.json"])["flags"] == {
        "read-only": {"state": "ENABLED", "variants": boolean, "defaultVariant": "off"},
        "reviews": {"state": "ENABLED", "variants": boolean, "defaultVariant": "on"},
        "payment": {
            "state": "ENABLED",
            "variants": {"default": "default", "secondary": "secondary"},
            "defaultVariant": "default",
        },
    }
    assert stage.assumed[0] == "Deployment shop is in no file: made up with 2 replicas"
    assert stage.assumed[1:] == ["ConfigMap flags is in no file: made up with the flags that policies name"]


def test_plain_keys_are_made_up_too() -> None:
    action = {"flags": {"disable": ["reviews"], "set": {"mode": "lean"}, "in": {"configMap": {"name": "settings"}}}}

    stage = Stage("default", [], [spec(action)], [])

    assert stage.sandbox.get("ConfigMap", "settings")["data"] == {"reviews": "true", "mode": "default"}


def test_a_workload_that_only_a_signal_names_is_made_up() -> None:
    stage = Stage("default", [], [spec()], [PodsQuestion("default", "StatefulSet", "db")])

    assert stage.replicas("StatefulSet", "db") == 2


def test_pods_go_when_their_workload_is_scaled_to_0_and_come_back() -> None:
    stage = Stage("default", [], [spec({"scale": {"to": 0}})], [])

    def scale(before: int, after: int) -> int:
        uid = stage.sandbox.get("Deployment", "shop")["metadata"]["uid"]
        target = Target("Deployment", "shop", uid)
        asyncio.run(stage.sandbox.patch("default", target, scale_patch(uid, before, after), "scale"))
        stage.settle()
        return len(asyncio.run(stage.sandbox.read("default", [Ref("Pod")]))[Ref("Pod")])

    assert scale(2, 0) == 0
    assert scale(0, 4) == 1
