"""The chart as users install it: two pods under the restricted standard, real traffic, upgrade and uninstall.

The tests of this file go on where the one before ended; the last one uninstalls.
"""

import json
import re
import time
from typing import Any

import pytest

from node import web
from node.operator_pods import OperatorPods, kill, started
from node_tests.conftest import SHOP
from plane.api import Api
from plane.ladders import BREACHED, HEALTHY, ladder, level, route, scale
from plane.processes import wait_for
from plane.release import NAMESPACE, Release
from plane.shop import POLICY, Shop
from plane.tools import Tool

MANY = 100


@pytest.fixture(scope="module")
def address(shop: Shop, api: Api, pods: OperatorPods) -> str:
    """The address of the Service `shop`, with two pods and a fallback, and a policy that is at full service."""
    shop.apply(web.deployment("shop", 2), web.deployment("shop-static"), web.service("shop"))
    shop.wait_ready("shop", "shop-static")
    address = str(api.get("Service", "shop", SHOP)["spec"]["clusterIP"])
    wait_for("the Service answers", lambda: web.ask(address).said == "shop")
    shop.load(HEALTHY, "shop")
    shop.start(ladder("shop", SHOP, level("static", route("shop", "shop-static"), scale("shop", 3), trial=True)))
    return address


def test_both_pods_run_restricted_with_a_root_that_nobody_can_write(pods: OperatorPods, kubectl: Tool) -> None:
    found = pods.wait_ready(2)

    statuses = [status for pod in found for status in pod["status"]["containerStatuses"]]
    assert [status["restartCount"] for status in statuses] == [0, 0]
    where = ("exec", "--namespace", NAMESPACE, pods.names()[0], "--")
    assert "Read-only file system" in kubectl.refused(*where, "touch", "/opt/stepdown/here")
    assert "Read-only file system" in kubectl.refused(*where, "touch", "/tmp/here")
    assert kubectl(*where, "id", "--user").strip() == "65532"


def test_helm_test_passes_and_leaves_no_pod(release: Release, pods: OperatorPods, api: Api) -> None:
    said = release.helm("test", release.name, "--namespace", NAMESPACE, "--timeout", "80s")

    assert "Phase:          Succeeded" in said
    assert api.find("Pod", f"{release.name}-test", NAMESPACE) is None


def test_a_pod_is_ready_soon_after_its_process_began(pods: OperatorPods, api: Api, figure: Any) -> None:
    before = set(pods.names())
    (standby,) = before - {pods.leader()}
    api.delete("Pod", standby, NAMESPACE)
    wait_for("another pod has an address", lambda: any(_address(pod) for pod in pods.all() if _name(pod) not in before))
    (pod,) = [pod for pod in pods.all() if _name(pod) not in before]
    wait_for("it is ready", lambda: web.ask(_address(pod), 8080, "/readyz", 1).said != "", every=0.01)
    ready = time.time()

    began = started(_name(pod))

    assert began is not None
    assert ready - began < 20
    figure("operator's pod, process start to ready", round(ready - began, 1), "s")
    pods.wait_ready(2)


def test_the_lease_moves_at_once_when_the_leading_pod_is_deleted(
    pods: OperatorPods, kubectl: Tool, figure: Any
) -> None:
    leader = pods.leader()
    began = time.monotonic()

    kubectl("delete", "pod", leader, "--namespace", NAMESPACE, "--wait=false")
    pods.wait_leader(other_than=leader)

    seconds = time.monotonic() - began
    assert seconds < 5
    figure("failover, leading pod deleted", round(seconds, 1), "s")
    pods.wait_ready(2)


def test_the_lease_moves_when_the_leading_process_is_killed(pods: OperatorPods, release: Release, figure: Any) -> None:
    lease = release.lease()
    assert lease is not None
    began = time.monotonic()

    kill(pods.leader())
    wait_for(
        "another process leads", lambda: (release.lease() or lease)["leaseTransitions"] > lease["leaseTransitions"]
    )

    seconds = time.monotonic() - began
    assert seconds < 20
    figure("failover, leading process killed", round(seconds, 1), "s")
    pods.wait_ready(2)


def test_users_get_the_fallback_and_the_shop_again_and_never_an_error(shop: Shop, address: str) -> None:
    before = shop.snapshot()
    with web.Users(address) as users:
        wait_for("users are served", lambda: len(users.answers) > 50)
        shop.load(BREACHED, "shop")
        shop.wait_level("shop", "static")
        wait_for("users get the fallback", lambda: users.last() == "shop-static")
        degraded = shop.snapshot()
        shop.load(HEALTHY, "shop")
        shop.wait_level("shop", "full", timeout=60)
        wait_for("users get the shop", lambda: users.last() == "shop")
        wait_for("nothing is held", lambda: shop.ledger("shop") == [], 60)

    assert degraded["Service/shop"]["spec"]["selector"] != before["Service/shop"]["spec"]["selector"]
    assert degraded["Deployment/shop"]["spec"]["replicas"] == 3
    assert shop.snapshot() == before
    assert web.errors(users.answers) == []


def test_an_upgrade_during_an_episode_changes_no_target(
    shop: Shop, address: str, release: Release, pods: OperatorPods
) -> None:
    before = set(pods.names())
    shop.load(BREACHED, "shop")
    shop.wait_level("shop", "static")
    wait_for("the shop has its pods", lambda: web.ask(address).said == "shop-static")
    degraded = _specs(shop)

    with web.Users(address) as users:
        release.upgrade({"logLevel": "debug"})
        wait_for("both pods are new", lambda: not before & set(pods.names()), 90)
        pods.wait_ready(2, 90)
        pods.wait_leader()
        evaluated = shop.condition("shop", "MetricsAvailable")["status"]

    assert evaluated == "True"
    assert _specs(shop) == degraded
    assert shop.level("shop") == "static"
    assert {answer.said for answer in users.answers} == {"shop-static"}


def test_what_the_operator_needs_of_a_node_is_known(shop: Shop, address: str, pods: OperatorPods, figure: Any) -> None:
    leader = pods.leader()
    rest = pods.usage(leader, 30)
    names = [f"policy-{number}" for number in range(1, MANY)]
    for name in names:
        shop.load(HEALTHY, name)
    shop.apply(*(ladder(name, SHOP, level("bigger", scale(name, 3)), interval="15s") for name in names))
    shop.wait("all are looked after", lambda: all(shop.condition(name, "MetricsAvailable") for name in names), 60)
    many = pods.usage(leader, 60)

    assert pods.leader() == leader
    assert many.memory < 512
    figure("operator's pod with 1 policy, memory", round(rest.memory), "MB")
    figure("operator's pod with 1 policy, CPU", round(rest.cpu), "thousandths of a core")
    figure(f"operator's pod with {MANY} policies, memory", round(many.memory), "MB")
    figure(f"operator's pod with {MANY} policies, CPU", round(many.cpu), "thousandths of a core")


def test_an_uninstall_restores_what_users_get(shop: Shop, address: str, release: Release, figure: Any) -> None:
    shop.wait_level("shop", "static")
    began = time.monotonic()

    release.helm("uninstall", release.name, "--namespace", NAMESPACE, "--timeout", "85s")

    figure("helm uninstall with 100 policies, one of them degraded", round(time.monotonic() - began, 1), "s")
    wait_for("users get the shop", lambda: web.ask(address).said == "shop")
    assert shop.selector("shop") == {"app": "shop"}
    assert shop.replicas("shop") == 2
    assert shop.api.get("Service", "shop", SHOP)["metadata"].get("annotations", {}).keys() <= {LAST_APPLIED}
    assert shop.condition("shop", "Ready")["reason"] == "Uninstalled"
    assert [p["metadata"]["name"] for p in shop.api.list(POLICY, SHOP) if p["metadata"].get("finalizers")] == []
    assert shop.api.list("Pod", NAMESPACE, labelSelector="app.kubernetes.io/name=stepdown-uninstall") == []


LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def _name(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["name"])


def _address(pod: dict[str, Any]) -> str:
    return str(pod["status"].get("podIP", ""))


def _specs(shop: Shop) -> dict[str, Any]:
    """What policies may change, byte for byte but for the leadership's number in our mark (docs/concepts.md)."""
    found = {place: json.dumps(obj, sort_keys=True) for place, obj in shop.snapshot().items()}
    return {place: re.sub(r'(epoch[\\":]+)[0-9]+', r"\1", text) for place, text in found.items()}
