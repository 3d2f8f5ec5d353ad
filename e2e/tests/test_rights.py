"""What the API server says that the chart's account may do, held against golden/rights.json.

Of a release with the chart's default features. What every account of the cluster may do is left out.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from plane.api import Api
from plane.control_plane import ControlPlane
from plane.processes import wait_for
from plane.prometheus import Prometheus
from plane.release import Release
from plane.tools import Tool

GOLDEN = Path(__file__).parent / "golden" / "rights.json"
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
NAME = "stepdown-plain"


@pytest.fixture
def plain(plane: ControlPlane, prometheus: Prometheus, release: Release, tmp_path: Path) -> Iterator[Release]:
    """A release with the chart's defaults, and a Secret of the endpoint."""
    endpoint = {"url": prometheus.url, "auth": {"secretName": "token"}}
    values = {"allNamespaces": False, "features": {}, "metricsEndpoint": endpoint, "crds": {"enabled": False}}
    plain = Release(plane, tmp_path, prometheus.url, values, NAME, NAME).install()
    yield plain
    plain.uninstall()


def rules(user: Api, namespace: str) -> set[str]:
    """`verbs group/resource [names]` of all that a user may do in a namespace."""
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    status = user.call("POST", REVIEW, body)["status"]
    assert not status["incomplete"]
    found = {
        f"{verb} {group}/{resource}{' ' + str(rule['resourceNames']) if 'resourceNames' in rule else ''}"
        for rule in status["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    return found | {
        f"{verb} {url}"
        for rule in status["nonResourceRules"]
        for url in rule["nonResourceURLs"]
        for verb in rule["verbs"]
    }


def test_the_charts_account_may_do_exactly_what_the_golden_file_says(
    plain: Release, plane: ControlPlane, kubectl: Tool, namespace: str
) -> None:
    def user(name: str) -> Api:
        return plane.api.acting_as(f"system:serviceaccount:{NAME}:{name}")

    def rights(where: str) -> list[str]:
        return sorted(rules(user(NAME), where) - rules(user("somebody-else"), where))

    found = {"a namespace that has not let it in": rights(namespace), "its own namespace": rights(NAME)}
    role = (f"--clusterrole={NAME}-workloads", f"--serviceaccount={NAME}:{NAME}")
    kubectl("create", "rolebinding", NAME, *role, "--namespace", namespace)
    wait_for("the binding is at work", lambda: "patch /services" in rights(namespace))
    found["a namespace that has let it in"] = rights(namespace)

    assert found == json.loads(GOLDEN.read_text())
