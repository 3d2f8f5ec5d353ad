"""`helm uninstall` over degraded policies: the hook of the real chart, under the operator's rights, beside an operator.

The hook's pod is a process of ours (plane.pod_runner); its Job, its token and Helm's waiting for it are real.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from plane.api import Api, Object
from plane.ladders import BREACHED, ladder, level, route, scale, settings, switch
from plane.operator import Operator
from plane.release import Release
from plane.shop import POLICY

MANY = 50
NAMES = [f"policy-{number}" for number in range(1, MANY)]
"""These hold one ConfigMap each; `shop` holds a Service, a Deployment's replicas, an HPA and a ConfigMap."""

HPA = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "shop-static"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop-static"},
        "minReplicas": 1,
        "maxReplicas": 5,
    },
}


def everything(namespace: str) -> Object:
    actions = (
        route("shop", "shop-static"),
        switch("flags", reviews="off"),
        scale("shop", 4),
        {"scale": {"deployment": "shop-static", "to": 3, "as": "Floor"}},
    )
    return ladder("shop", namespace, level("low", *actions, trial=True))


def without_replicas(snapshot: dict[str, Object]) -> dict[str, Object]:
    """A snapshot without the replicas that the HPA owns."""
    snapshot["Deployment/shop-static"]["spec"].pop("replicas")
    return snapshot


@dataclass
class Uninstalled:
    """What was there before, after the uninstall, and after the next installation."""

    before: dict[str, Object]
    degraded: dict[str, Object]
    seconds: float
    lease: Object
    jobs: list[Object]
    policies: list[Object]
    end: dict[str, Object]
    gone_on: dict[str, str]


@pytest.fixture(scope="module")
def uninstalled(
    release: Release, lead: Callable[[], Operator], stand_down: Callable[[], None], open_shop: Any, api: Api
) -> Iterator[Uninstalled]:
    operator = lead()
    with open_shop("uninstall") as shop:
        shop.apply_workloads("shop", "shop-static")
        shop.apply(HPA, *(settings(name, reviews="on") for name in ("flags", *NAMES)))
        before = without_replicas(shop.snapshot())
        policies = [ladder(n, shop.namespace, level("low", switch(n, reviews="off"))) for n in NAMES]
        for name in ("shop", *NAMES):
            shop.load(BREACHED, name)
        shop.apply(everything(shop.namespace), *policies)
        for name in ("shop", *NAMES):
            shop.wait_level(name, "low", timeout=90)
        degraded = without_replicas(shop.snapshot())

        started = time.monotonic()
        release.helm("uninstall", release.name, "--namespace", release.namespace, "--timeout", "85s")
        seconds = time.monotonic() - started

        lease = api.get("Lease", release.name, release.namespace)
        jobs = api.list("Job", release.namespace)
        left = api.list(POLICY, shop.namespace)
        end = without_replicas(shop.snapshot())
        still_running = operator.running
        assert still_running, "the operator was at work all the time"
        stand_down()
        api.delete("Lease", release.name, release.namespace)
        release.install()
        lead()
        for name in ("shop", *NAMES):
            shop.wait_level(name, "low", timeout=90)
        gone_on = {name: shop.level(name) for name in ("shop", *NAMES)}
        yield Uninstalled(before, degraded, seconds, lease, jobs, left, end, gone_on)


@pytest.mark.row(48)
def test_row_48_everything_is_byte_for_byte_what_it_was_when_the_uninstall_is_over(uninstalled: Uninstalled) -> None:
    changed = {place for place, obj in uninstalled.degraded.items() if obj != uninstalled.before[place]}

    assert len(changed) == MANY + 3
    assert uninstalled.end == uninstalled.before


@pytest.mark.row(48)
def test_fifty_degraded_policies_are_restored_within_a_minute(uninstalled: Uninstalled, figure: Any) -> None:
    figure(f"restore of {MANY} policies", round(uninstalled.seconds, 1), "s")

    assert uninstalled.seconds < 60


def test_policies_stay_without_a_finalizer_and_say_that_nobody_watches(uninstalled: Uninstalled) -> None:
    assert len(uninstalled.policies) == MANY
    for policy in uninstalled.policies:
        ready = next(c for c in policy["status"]["conditions"] if c["type"] == "Ready")
        assert "finalizers" not in policy["metadata"]
        assert (policy["status"]["level"], policy["status"]["ledger"]) == ("full", [])
        assert (ready["status"], ready["reason"]) == ("False", "Uninstalled")
        assert policy["spec"]["suspend"] is False


def test_the_operator_at_work_has_handed_its_lease_over_and_does_not_get_it_back_at_once(
    uninstalled: Uninstalled,
) -> None:
    spec = uninstalled.lease["spec"]

    assert spec["holderIdentity"].startswith("stepdown-restore_")
    assert spec["leaseDurationSeconds"] == 30
    assert not uninstalled.lease["metadata"].get("annotations")


def test_the_hook_leaves_no_job(uninstalled: Uninstalled) -> None:
    assert uninstalled.jobs == []


def test_the_next_installation_goes_on_with_the_policies(uninstalled: Uninstalled) -> None:
    assert set(uninstalled.gone_on.values()) == {"low"}
