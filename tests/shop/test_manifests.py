"""The manifests of examples/shop fit together."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stepdown.api.validation import parse_policy
from stepdown.lint import lint

SHOP = Path(__file__).parents[2] / "examples" / "shop"
OBJECTS: list[dict[str, Any]] = [
    obj for file in sorted(SHOP.glob("*.yaml")) for obj in YAML(typ="safe", pure=True).load_all(file.read_text())
]
DEPLOYMENTS = {obj["metadata"]["name"]: obj for obj in OBJECTS if obj["kind"] == "Deployment"}
SERVICES = {obj["metadata"]["name"]: obj for obj in OBJECTS if obj["kind"] == "Service"}


def container(name: str) -> dict[str, Any]:
    (found,) = DEPLOYMENTS[name]["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_everything_is_in_the_namespace_shop() -> None:
    places = {obj["metadata"].get("namespace") for obj in OBJECTS if obj["kind"] != "Namespace"}

    assert places == {"shop"}


def test_every_service_leads_to_a_port_of_the_pods_that_it_selects() -> None:
    for service in SERVICES.values():
        (port,) = service["spec"]["ports"]
        ports = {found["name"] for found in container(service["spec"]["selector"]["app"])["ports"]}
        assert port["targetPort"] in ports, service["metadata"]["name"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_every_pod_finds_the_services_that_it_names(name: str) -> None:
    named = re.findall(r"\$\((\w+)_SERVICE_HOST\)", json.dumps(container(name)))

    assert set(named) <= {service.upper().replace("-", "_") for service in SERVICES}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_every_pod_keeps_the_restricted_standard_with_a_root_that_nobody_can_write(name: str) -> None:
    pod = DEPLOYMENTS[name]["spec"]["template"]["spec"]

    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_flags_are_a_flagd_document_with_the_variants_that_the_code_knows() -> None:
    (found,) = [obj for obj in OBJECTS if obj["kind"] == "ConfigMap"]
    flags = json.loads(found["data"]["flags.json"])["flags"]

    assert {name: list(flag["variants"].values()) for name, flag in flags.items()} == {
        "recommendations": [True, False],
        "payments": ["primary", "secondary", "queue"],
        "notifications": ["email", "sms", "in-app", "queue"],
    }


@pytest.mark.parametrize("file", ["policy", "redundancy", "business", "stress"])
def test_the_policies_lint_clean(file: str) -> None:
    assert [str(finding) for finding in lint([str(SHOP / f"{file}.yaml")]) if not finding.note] == []


@pytest.mark.parametrize(
    ("policy", "levels", "deployments"),
    [
        ("shop", ["full", "core", "read-only", "static"], {"shop", "recommendations", "shop-read-only", "shop-static"}),
        ("redundancy", ["full", "standby", "edge", "static"], {"shop", "shop-standby", "edge", "shop-static"}),
        ("notifications", ["email", "sms", "in-app", "queue"], {"email", "sms", "shop"}),
        ("payments", ["primary", "secondary", "queue"], {"payments-primary", "payments-secondary"}),
        ("stress", ["full", "read-only"], {"shop-read-only"}),
    ],
)
def test_a_policy_has_its_levels_and_names_deployments_that_are_there(
    policy: str, levels: list[str], deployments: set[str]
) -> None:
    (found,) = [o for o in OBJECTS if (o["kind"], o["metadata"]["name"]) == ("DegradationPolicy", policy)]
    spec = parse_policy(found)

    assert [level.name for level in spec.levels] == levels
    actions = [action for level in spec.levels for action in level.actions]
    named = {action.route.to.deployment for action in actions if action.route}
    named |= {action.scale.deployment or spec.target.deployment for action in actions if action.scale}
    named |= {signal.pods.deployment for signal in spec.signals if signal.pods}
    assert named == deployments
    assert named <= set(DEPLOYMENTS)
