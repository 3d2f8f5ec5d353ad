"""The chart on a real API server: lint, template, install, upgrade, uninstall; rights that are enough and no more."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from plane.api import Api, ApiError
from plane.control_plane import ControlPlane
from plane.examples import hasten
from plane.operator import Operator
from plane.pod_server import PodServer
from plane.prometheus import Prometheus
from plane.release import CHART, Release
from plane.shop import Shop
from plane.tools import Tool

CRDS = ("degradationpolicies.stepdown.dev", "metricsendpoints.stepdown.dev")
EVERYTHING = {
    "metricsEndpoint": {"url": "http://prometheus.monitoring:9090", "auth": {"secretName": "token"}},
    "podDisruptionBudget": {"enabled": True},
    "networkPolicy": {"enabled": True},
    "replicas": 2,
}


# Helm


def test_helm_lint_has_no_complaint(helm: Tool) -> None:
    assert "1 chart(s) linted, 0 chart(s) failed" in helm("lint", "--strict", str(CHART))


def test_what_helm_renders_is_taken_by_the_api_server(release: Release, helm: Tool, kubectl: Tool) -> None:
    rendered = helm("template", "other-stepdown", str(CHART), "--namespace", release.namespace, "--set",
                    "crds.enabled=false", "--values", "-", stdin=json.dumps(EVERYTHING))  # fmt: skip
    taken = kubectl("create", "--dry-run=server", "--output", "name", "--filename", "-", stdin=rendered)

    kinds = {line.partition("/")[0].partition(".")[0] for line in taken.splitlines()}
    assert {"deployment", "serviceaccount", "configmap", "clusterrole", "role"} <= kinds
    assert {"poddisruptionbudget", "networkpolicy"} <= kinds


def test_a_prometheus_understands_the_alerts(helm: Tool, prometheus: Prometheus) -> None:
    rendered = helm("template", "stepdown", str(CHART), "--set", "metrics.prometheusRule.enabled=true", "--show-only",
                    "templates/prometheusrule.yaml", "--api-versions", "monitoring.coreos.com/v1/PrometheusRule",
                    )  # fmt: skip
    (group,) = YAML(typ="safe").load(rendered)["spec"]["groups"]

    firing = {rule["alert"] for rule in group["rules"] if prometheus.query(rule["expr"])}
    assert firing == {"StepdownNobodyLeads"}  # it knows no operator's metrics


def test_the_release_is_deployed_with_its_crds(release: Release, kubectl: Tool) -> None:
    status = json.loads(release.helm("status", release.name, "--namespace", release.namespace, "--output", "json"))

    assert status["info"]["status"] == "deployed"
    for crd in CRDS:
        assert "condition met" in kubectl("wait", f"crd/{crd}", "--for=condition=Established", "--timeout=10s")


def test_a_typo_in_the_values_fails_the_install_and_names_it(release: Release, helm: Tool) -> None:
    where = ("--namespace", "typo", "--create-namespace", "--set", "metricsEndpont.url=http://prometheus:9090")

    assert "'metricsEndpont' not allowed" in helm.refused("install", "typo-stepdown", str(CHART), *where)


def test_a_typo_in_the_values_fails_an_upgrade_and_leaves_the_release_as_it_was(release: Release) -> None:
    before = release.config()

    said = release.helm.refused(
        "upgrade", release.name, str(CHART), "--namespace", release.namespace, "--set", "lease.durationSecond=9"
    )

    assert "'durationSecond' not allowed" in said
    assert release.config() == before


def test_an_upgrade_changes_the_configuration_and_keeps_the_policies(release: Release, shop: Shop) -> None:
    shop.apply(shop.quick())
    uid = shop.policy("shop")["metadata"]["uid"]

    release.upgrade({"logLevel": "debug"})
    upgraded = release.config()["logLevel"]
    release.upgrade({"logLevel": "info"})

    assert upgraded == "debug"
    assert release.config()["logLevel"] == "info"
    assert shop.policy("shop")["metadata"]["uid"] == uid


def test_an_uninstall_leaves_crds_and_policies_and_an_install_takes_them_up_again(
    release: Release, shop: Shop, stand_down: Callable[[], None], api: Api
) -> None:
    stand_down()
    shop.apply(shop.quick())
    uid = shop.policy("shop")["metadata"]["uid"]

    release.uninstall()
    left = [crd for crd in CRDS if api.find("CustomResourceDefinition", crd) is not None]
    rights = api.find("ServiceAccount", release.name, release.namespace)
    kept = shop.policy("shop")["metadata"]["uid"]
    release.install()

    assert left == list(CRDS)
    assert rights is None
    assert kept == uid
    assert api.get("ServiceAccount", release.name, release.namespace)["metadata"]["name"] == release.name


def test_an_uninstall_takes_the_crds_along_where_crds_keep_is_off(
    release: Release, stand_down: Callable[[], None], api: Api
) -> None:
    stand_down()
    release.upgrade({"crds": {"keep": False}})
    release.uninstall()
    left = [crd for crd in CRDS if api.find("CustomResourceDefinition", crd) is not None]
    release.values.pop("crds")
    release.install()

    assert left == []
    assert [crd for crd in CRDS if api.find("CustomResourceDefinition", crd) is not None] == list(CRDS)


# Rights


def do_everything(shop: Shop, pods: PodServer) -> None:
    """A policy that uses every feature goes down by an override and comes back by its probe and its signals."""
    shop.apply_workloads(annotations={"plane.test/pod-ip": "host"})
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 5}
    kind = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
    shop.apply({**kind, "metadata": {"name": "checkout"}, "spec": spec})
    shop.all_is_well("checkout")
    before = shop.snapshot()
    policy = hasten(shop.quick("four-levels.yaml"))
    policy["spec"]["signals"].append({"name": "pods", "pods": {"deployment": "checkout"}})
    policy["spec"]["levels"][3]["recover"]["probe"]["http"]["port"] = pods.port
    shop.start(policy)
    shop.wait_condition("checkout", "MetricsAvailable", "True")
    shop.patch_policy(
        "checkout", {"override": {"level": "static", "reason": "a test of rights", "until": "2099-01-01T00:00:00Z"}}
    )
    shop.wait_level("checkout", "static")
    shop.patch_policy("checkout", {"override": None})
    shop.wait_level("checkout", "full", timeout=40)
    shop.wait_event("RestoreVerified")
    ours = [e for e in shop.events(kind="HorizontalPodAutoscaler") if e["source"].get("component") == "stepdown"]
    assert {e["reason"] for e in ours} == {"ActionApplied", "Restored"}
    after = shop.snapshot()
    for snapshot in (before, after):
        snapshot["Deployment/checkout"]["spec"].pop("replicas")  # the HPA's own
    assert after == before
    shop.delete_policy("checkout")


def refusals(operator: Operator) -> list[str]:
    """Lines of the log that speak of a refusal for want of rights."""
    return [line for line in operator.lines() if "is forbidden" in line]


@pytest.fixture
def answering() -> Iterator[PodServer]:
    """Pods that answer their probes."""
    server = PodServer()
    yield server
    server.stop()


def test_the_charts_rights_are_enough_for_every_feature(
    shop: Shop, stand_down: Callable[[], None], replicas: Callable[..., Operator], answering: PodServer
) -> None:
    stand_down()
    operator = replicas().wait_leader()

    do_everything(shop, answering)

    assert refusals(operator) == []


@pytest.fixture
def namespaced(plane: ControlPlane, prometheus: Prometheus, shop: Shop, tmp_path: Path) -> Iterator[Release]:
    """A second release that watches the shop's namespace only, and has rights in no other."""
    scope = {"namespaces": [shop.namespace], "allNamespaces": False, "watchOthers": False}
    values = {**scope, "crds": {"enabled": False}}
    release = Release(plane, tmp_path, prometheus.url, values, "stepdown-one", "stepdown-one").install()
    yield release
    release.uninstall()


def test_rights_in_one_namespace_are_enough_for_every_feature_there(
    shop: Shop, namespaced: Release, stand_down: Callable[[], None], tmp_path: Path, answering: PodServer
) -> None:
    stand_down()
    operator = Operator(namespaced, tmp_path).start()
    try:
        operator.wait_leader()
        do_everything(shop, answering)
    finally:
        operator.stop()

    assert refusals(operator) == []


APPS = "/apis/apps/v1/namespaces/{ns}/deployments"
CORE = "/api/v1/namespaces/{ns}"
POLICIES = "/apis/stepdown.dev/v1alpha1/namespaces/{ns}/degradationpolicies"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", CORE + "/secrets"),
        ("GET", CORE + "/secrets/some"),
        ("GET", CORE + "/configmaps"),
        ("DELETE", CORE + "/pods/some"),
        ("POST", CORE + "/pods"),
        ("POST", CORE + "/pods/some/exec"),
        ("GET", APPS),
        ("PUT", APPS + "/shop"),
        ("DELETE", APPS),
        ("POST", APPS.replace("deployments", "statefulsets")),
        ("DELETE", CORE + "/services/shop"),
        ("PUT", CORE + "/configmaps/some"),
        ("POST", POLICIES),
        ("DELETE", POLICIES + "/shop"),
        ("PUT", POLICIES + "/shop/status"),
        ("PATCH", "/apis/stepdown.dev/v1alpha1/metricsendpoints/some"),
        ("PATCH", "/api/v1/namespaces/{ns}"),
        ("GET", "/api/v1/nodes"),
        ("GET", "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases/some"),
        ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings"),
    ],
)
def test_the_charts_rights_are_no_more_than_that(
    namespace: str, plane: ControlPlane, release: Release, method: str, path: str
) -> None:
    token = json.loads(release.kubeconfig().read_text())["users"][0]["user"]["token"]
    body: Any = None if method in ("GET", "DELETE") else ([] if method == "PATCH" else {})
    content = "application/json-patch+json" if method == "PATCH" else "application/json"

    with pytest.raises(ApiError) as refused:
        plane.as_user(token).call(method, path.format(ns=namespace), body, content)

    assert refused.value.status == 403
    assert f"system:serviceaccount:{release.namespace}:{release.name}" in refused.value.message
