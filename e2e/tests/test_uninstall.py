"""`helm uninstall` over degraded policies: the hook of the real chart, under the operator's rights, beside an operator.

The hook's pod is a process of ours (plane.pod_runner); its Job, its token and Helm's waiting for it are real.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from plane.api import Api, Object
from plane.holdings import HELD, apply_holdings, everything, snapshot
from plane.ladders import BREACHED, ladder, level, settings, switch
from plane.operator import Operator
from plane.release import Release
from plane.shop import POLICY

MANY = 50
NAMES = [f"policy-{number}" for number in range(1, MANY)]
"""These hold one ConfigMap each; `shop` holds everything that plane.holdings has."""


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
        apply_holdings(shop)
        shop.apply(*(settings(name, reviews="on") for name in NAMES))
        before = snapshot(shop)
        policies = [ladder(n, shop.namespace, level("low", switch(n, reviews="off"))) for n in NAMES]
        for name in ("shop", *NAMES):
            shop.load(BREACHED, name)
        shop.apply(everything(shop.namespace), *policies)
        for name in ("shop", *NAMES):
            shop.wait_level(name, "low", timeout=90)
        degraded = snapshot(shop)

        started = time.monotonic()
        release.helm("uninstall", release.name, "--namespace", release.namespace, "--timeout", "85s")
        seconds = time.monotonic() - started

        lease = api.get("Lease", release.name, release.namespace)
        jobs = api.list("Job", release.namespace)
        left = api.list(POLICY, shop.namespace)
        end = snapshot(shop)
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

    assert len(changed) == len(HELD) + len(NAMES)
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
