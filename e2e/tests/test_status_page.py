"""The status page on a real API server: made warm under restricted pod security, routed to, given back, taken away.

The Deployment controller, EndpointSlices, quotas and the garbage collector are real; pods only pretend to run, so the
page's own process is started here with the arguments that its Deployment has.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from plane.api import Object
from plane.ladders import BREACHED, HEALTHY, ladder, level
from plane.operator import Operator
from plane.page_load import load
from plane.processes import Process, free_port, wait_for
from plane.record import wait_quiet
from plane.shop import POLICY, Shop

MESSAGE = 'Back <b>soon</b> & "well": $(HOSTNAME)'
LABEL = "stepdown.dev/page"


def paged(name: str, namespace: str, message: str = MESSAGE, **spec: Any) -> Object:
    """A ladder whose first level shows a status page, and comes back by a trial of a second."""
    return ladder(name, namespace, level("low", {"statusPage": {"message": message}}, trial=True), **spec)


def pages(shop: Shop) -> list[Object]:
    """The Deployments of pages in the namespace."""
    return shop.api.list("Deployment", shop.namespace, labelSelector=LABEL)


def addresses(shop: Shop, service: str) -> set[str]:
    """The ready addresses that a Service leads to."""
    slices = shop.api.list("EndpointSlice", shop.namespace, labelSelector=f"kubernetes.io/service-name={service}")
    return {
        address
        for found in slices
        for endpoint in found.get("endpoints") or []
        if endpoint["conditions"].get("ready")
        for address in endpoint["addresses"]
    }


def pod_addresses(shop: Shop, name: str) -> set[str]:
    """The addresses of a page's pods."""
    pods = shop.api.list("Pod", shop.namespace, labelSelector=f"{LABEL}={name}")
    return {pod["status"]["podIP"] for pod in pods}


@dataclass
class Episode:
    """One policy with a page through its life."""

    before: dict[str, Object]
    page: Object
    pods: list[Object]
    at_page: set[str]
    own: set[str]
    after_episode: dict[str, Object]
    edited: Object
    end: dict[str, Object]


@pytest.fixture(scope="module")
def episode(lead: Callable[[], Operator], open_shop: Any) -> Iterator[Episode]:
    operator = lead()
    with open_shop("status-page") as shop:
        restricted = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
        shop.api.merge("Namespace", shop.namespace, "", restricted)
        shop.apply_workloads("shop")
        shop.load(HEALTHY, "shop")
        before = shop.snapshot()
        shop.start(paged("shop", shop.namespace), timeout=60)
        (page,) = pages(shop)
        name = page["metadata"]["name"]
        pods = shop.api.list("Pod", shop.namespace, labelSelector=f"{LABEL}={name}")
        warm = shop.snapshot()
        shop.load(BREACHED, "shop")
        shop.wait_level("shop", "low", timeout=60)
        own = pod_addresses(shop, name)
        shop.wait("the Service leads to the page", lambda: addresses(shop, "shop") == own)
        at_page = addresses(shop, "shop")
        shop.load(HEALTHY, "shop")
        shop.wait_level("shop", "full", timeout=60)
        wait_quiet(shop, operator)
        after_episode = shop.snapshot()
        assert after_episode == warm
        shop.apply(paged("shop", shop.namespace, "Later."))
        shop.wait("the page says it", lambda: "Later." in json.dumps(pages(shop)))
        (edited,) = pages(shop)
        shop.load(BREACHED, "shop")
        shop.wait_level("shop", "low", timeout=60)
        shop.delete_policy("shop", timeout=60)
        shop.wait("the page is gone", lambda: pages(shop) == [], timeout=60)
        yield Episode(before, page, pods, at_page, own, after_episode, edited, shop.snapshot())


def test_the_page_is_warm_before_it_is_needed_under_restricted_pod_security(episode: Episode) -> None:
    assert len(episode.pods) == 2
    assert all(pod["spec"].get("volumes", []) == [] for pod in episode.pods)
    assert {pod["spec"]["automountServiceAccountToken"] for pod in episode.pods} == {False}
    assert episode.page["metadata"]["ownerReferences"][0]["kind"] == POLICY


def test_the_service_leads_to_both_pods_of_the_page(episode: Episode) -> None:
    assert len(episode.own) == 2
    assert episode.at_page == episode.own


def test_another_message_changes_the_same_page(episode: Episode) -> None:
    assert episode.edited["metadata"]["uid"] == episode.page["metadata"]["uid"]


def test_a_deleted_policy_leaves_everything_as_it_was_and_no_page(episode: Episode) -> None:
    assert episode.end == episode.before


def test_the_page_that_a_deployment_starts_says_the_message(episode: Episode, tmp_path: Path) -> None:
    (container,) = episode.page["spec"]["template"]["spec"]["containers"]
    port, health = free_port(), free_port()
    given = [a for a in container["args"] if not a.startswith(("--port=", "--health-port="))]
    arguments = [a.replace("$$", "$") for a in given]  # as a kubelet does
    command = [sys.executable, "-m", "stepdown.cli", *arguments, f"--port={port}", f"--health-port={health}"]
    process = Process("page", command, tmp_path / "log").start()
    try:

        def is_ready() -> bool:
            try:
                return requests.get(f"http://127.0.0.1:{health}/readyz", timeout=5).status_code == 200
            except requests.RequestException:
                return False

        process.wait_ready(is_ready, 20)
        answer = requests.get(f"http://127.0.0.1:{port}/cart", headers={"Accept": "application/json"}, timeout=5)
    finally:
        process.kill()

    assert answer.status_code == 503
    assert answer.json()["detail"] == MESSAGE


def test_pods_that_a_quota_forbids_are_said_and_the_page_is_not_routed_to(operator: Operator, shop: Shop) -> None:
    shop.apply_workloads("shop")
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": {"hard": {"pods": "2"}}}
    shop.apply(quota)
    shop.wait("the quota counts", lambda: _used(shop, "pods") == "2")
    own = shop.selector("shop")
    shop.load(BREACHED, "shop")
    shop.apply(paged("shop", shop.namespace))
    found = shop.wait_condition("shop", "Ready", "False", "FallbackNotReady", timeout=60)
    shop.wait("it says why", lambda: "exceeded quota" in shop.condition("shop", "Ready")["message"], timeout=60)

    assert "level low: statusPage: Deployment stepdown-page-shop-" in found["message"]
    assert shop.selector("shop") == own
    assert shop.level("shop") == "full"

    shop.api.delete("ResourceQuota", "full", shop.namespace)
    shop.wait_level("shop", "low", timeout=90)


def test_a_page_that_may_not_be_made_is_said_with_the_servers_reason(operator: Operator, shop: Shop) -> None:
    shop.apply_workloads("shop")
    shop.load(HEALTHY, "shop")
    hard = {"count/deployments.apps": "1"}
    shop.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": {"hard": hard}})
    shop.wait("the quota counts", lambda: _used(shop, "count/deployments.apps") == "1")
    shop.apply(paged("shop", shop.namespace))

    found = shop.wait_condition("shop", "Ready", "False", "ActionRejected", timeout=60)
    assert "exceeded quota: full" in found["message"]


def test_observe_makes_no_page_and_a_level_that_drops_it_has_none(operator: Operator, shop: Shop) -> None:
    shop.apply_workloads("shop")
    shop.load(HEALTHY, "shop")
    shop.start(paged("shop", shop.namespace, mode="Observe"))
    assert pages(shop) == []

    shop.start(paged("shop", shop.namespace), timeout=60)
    assert len(pages(shop)) == 1

    shop.apply(ladder("shop", shop.namespace, level("low")))
    shop.wait("the page is gone", lambda: pages(shop) == [], timeout=60)


def test_without_a_way_back_of_its_own_a_page_waits_for_the_targets_pods(operator: Operator, shop: Shop) -> None:
    shop.apply_workloads("shop", annotations={"plane.test/ready": "true"})
    shop.load(HEALTHY, "shop")
    shop.start(ladder("shop", shop.namespace, level("low", {"statusPage": {"message": MESSAGE}})), timeout=60)
    shop.load(BREACHED, "shop")
    shop.wait_level("shop", "low", timeout=60)
    off = {"metadata": {"annotations": {"plane.test/ready": "false"}}}
    for pod in shop.api.list("Pod", shop.namespace, labelSelector="app=shop"):
        shop.api.merge("Pod", pod["metadata"]["name"], shop.namespace, off)
    shop.load(HEALTHY, "shop")

    shop.wait("it waits", lambda: shop.status("shop")["summary"]["why"] == "pods not ready", timeout=60)
    assert shop.level("shop") == "low"


def _used(shop: Shop, resource: str) -> str:
    found = shop.api.get("ResourceQuota", "full", shop.namespace).get("status") or {}
    return str((found.get("used") or {}).get(resource, ""))


def test_ten_thousand_requests_are_answered(tmp_path: Path, figure: Callable[..., None]) -> None:
    port, health = free_port(), free_port()
    ports = [f"--port={port}", f"--health-port={health}"]
    page = Process("page", [sys.executable, "-m", "stepdown.cli", "page", "--message=x", *ports], tmp_path / "log")
    page.start()
    try:
        wait_for("the page serves", lambda: _status(health) == 200)
        found = asyncio.run(load(port, 10_000))
        kilobytes = _peak_kilobytes(page)
    finally:
        page.kill()

    assert found["whole"] == 10_000
    assert found["other"] == 0
    assert kilobytes < 100 * 1024
    figure("status page requests", round(10_000 / found["seconds"]), "/s")
    figure("status page memory", round(kilobytes / 1024), "MB")


def _status(port: int) -> int:
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code
    except requests.RequestException:
        return 0


def _peak_kilobytes(process: Process) -> int:
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmHWM")))
