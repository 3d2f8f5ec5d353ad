"""The examples are what the README shows: they lint clean and fit together."""

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stepdown.api.validation import parse_policy
from stepdown.lint import lint

EXAMPLES = Path(__file__).parents[1] / "examples"
FILES = sorted(EXAMPLES.glob("*.yaml"))


def objects(name: str) -> list[dict[str, Any]]:
    return list(YAML(typ="safe", pure=True).load_all((EXAMPLES / name).read_text(encoding="utf-8")))


def named(kind: str) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in objects("workloads.yaml") if item["kind"] == kind}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_example_lints_clean(file: Path) -> None:
    assert [str(finding) for finding in lint([str(file)]) if not finding.note] == []


@pytest.mark.parametrize("name", ["smallest.yaml", "four-levels.yaml", "circuit.yaml", "health-check.yaml"])
def test_everything_that_a_policy_acts_on_is_in_the_workloads(name: str) -> None:
    (policy,) = objects(name)
    spec = parse_policy(policy)
    deployments, services, documents = named("Deployment"), named("Service"), named("ConfigMap")

    assert spec.target.deployment in deployments
    assert spec.target.service in services
    for action in (action for level in spec.levels for action in level.actions):
        if action.scale is not None:
            assert (action.scale.deployment or spec.target.deployment) in deployments
        if action.route is not None:
            assert action.route.to.deployment in deployments
        if action.flags is not None and action.flags.in_.flagd is not None:
            (text,) = documents[action.flags.in_.flagd.config_map]["data"].values()
            assert {*action.flags.enable, *action.flags.disable, *action.flags.set} <= set(json.loads(text)["flags"])


def test_the_rule_of_the_http_route_has_both_services_of_the_policy_that_moves_its_weights() -> None:
    (policy,) = objects("weights.yaml")
    spec = parse_policy(policy)
    service, route = objects("weights-workloads.yaml")
    (action,) = spec.levels[1].actions

    assert action.route is not None
    assert (action.route.http_route, action.route.to.service) == (
        route["metadata"]["name"],
        service["metadata"]["name"],
    )
    (rule,) = route["spec"]["rules"]
    assert {backend["name"]: backend["weight"] for backend in rule["backendRefs"]} == {"shop": 1, "shop-static": 0}
    assert service["spec"]["selector"] == {"app": "shop-static"}
    assert {spec.target.deployment, "shop-static"} <= set(named("Deployment"))
    assert spec.target.service in named("Service")


def test_services_and_deployments_select_their_own_pods() -> None:
    for name, deployment in named("Deployment").items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == labels == {"app": name}
    for name, service in named("Service").items():
        assert service["spec"]["selector"] == {"app": name}


def test_every_pod_keeps_the_restricted_pod_security_standard_and_names_its_port() -> None:
    for deployment in named("Deployment").values():
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert [port["name"] for port in container["ports"]] == ["http"]


def test_one_flag_of_the_checkout_has_a_targeting_rule() -> None:
    flags = json.loads(named("ConfigMap")["checkout-flags"]["data"]["flags.json"])["flags"]

    assert [name for name, flag in flags.items() if "targeting" in flag] == ["reviews"]
    assert list(flags) == ["recommendations", "reviews", "read-only", "recommendations-source"]
