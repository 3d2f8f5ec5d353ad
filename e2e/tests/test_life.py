"""Exit changes nothing, another replica takes over, and at rest nothing is written."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from plane.api import Object
from plane.examples import hasten
from plane.operator import Operator
from plane.processes import wait_for
from plane.release import Release
from plane.shop import Shop

Start = Callable[..., Operator]


@pytest.fixture
def degraded(shop: Shop, operator: Operator) -> Shop:
    """The smallest policy at scaled-out, with 10 % errors that stay."""
    shop.apply_workloads("shop", "shop-static")
    shop.requests("shop", ok=90, failed=10)
    shop.apply(hasten(shop.quick()))
    shop.wait_level("shop", "scaled-out")
    return shop


@pytest.fixture
def pair(stand_down: Callable[[], None], replicas: Start) -> tuple[Operator, Operator]:
    """Two replicas; the first one leads."""
    stand_down()
    first = replicas().wait_leader()
    second = replicas()
    wait_for("the second replica stands by", lambda: second.health("/readyz") == 200)
    return first, second


def until(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


# Leaving and taking over


def test_a_replica_that_is_told_to_stop_releases_its_lease_within_2_s(
    pair: tuple[Operator, Operator], release: Release
) -> None:
    first, _ = pair
    holder = (release.lease() or {})["holderIdentity"]
    started = time.monotonic()
    first.terminate()

    wait_for("the lease is free", lambda: (release.lease() or {})["holderIdentity"] != holder, timeout=10)

    assert time.monotonic() - started < 2.0


def test_the_next_replica_leads_at_once_after_a_release_with_a_higher_epoch(
    pair: tuple[Operator, Operator], release: Release
) -> None:
    first, second = pair
    epoch = (release.lease() or {})["leaseTransitions"]
    first.terminate()
    started = time.monotonic()

    second.wait_leader(timeout=10)

    assert time.monotonic() - started < 4.0  # shorter than the lease of 5 s: it did not wait for its end
    assert (release.lease() or {})["leaseTransitions"] > epoch


def test_the_next_replica_leads_after_the_lease_when_the_first_is_killed(pair: tuple[Operator, Operator]) -> None:
    first, second = pair
    first.kill()

    second.wait_leader(timeout=5 + 1 + 4)  # lease, retry, start


def test_a_replica_that_stands_by_is_ready_and_writes_nothing(pair: tuple[Operator, Operator]) -> None:
    _, second = pair

    assert (second.health("/healthz"), second.health("/readyz")) == (200, 200)
    assert second.metrics().sum("stepdown_leader") == 0
    assert second.metrics().sum("stepdown_api_writes_total") == 0


def test_ending_the_operator_changes_nothing_and_the_next_one_goes_on_and_restores(
    degraded: Shop, operator: Operator, stand_down: Callable[[], None], replicas: Start
) -> None:
    before = degraded.snapshot()
    status = degraded.status("shop")
    stand_down()
    ended = degraded.snapshot()

    replicas().wait_leader()
    degraded.wait("the new leader has claimed it", lambda: degraded.status("shop")["epoch"] > status["epoch"])
    started = degraded.snapshot()
    degraded.all_is_well("shop")
    degraded.wait_level("shop", "full")

    assert ended == before
    assert started == before
    assert degraded.status("shop")["history"][:-1] == status["history"]
    assert degraded.replicas("shop") == 2


# At rest


@pytest.fixture(scope="module")
def resting(lead: Callable[[], Operator], open_shop: Any) -> Iterator[tuple[Operator, Shop]]:
    """One policy at full service and one degraded for good, while every reading moves a little all the time."""
    operator = lead()
    with open_shop("rest") as shop:
        shop.apply_workloads()
        shop.all_is_well("shop")
        shop.all_is_well("checkout")
        shop.load(0.95)
        shop.apply(shop.quick("smallest.yaml"), shop.quick("four-levels.yaml"))
        shop.wait_condition("shop", "MetricsAvailable", "True")
        shop.wait_level("checkout", "core-only")
        shop.wait("it holds its level", lambda: "not cleared" in shop.condition("checkout", "Degraded")["message"])
        shop.wait_ready("checkout", "recommendations")
        yield operator, shop


def test_s14_nothing_is_written_for_10_s_while_nothing_changes(resting: tuple[Operator, Shop]) -> None:
    operator, shop = resting
    shop.source.stamp(shop.series("app_worker_utilization", service="checkout"), None)  # one failed scrape is no gap
    writes = operator.metrics().sum("stepdown_api_writes_total")
    evaluations = operator.metrics().sum("stepdown_evaluations_total")
    versions = shop.versions()

    for second in range(10):
        shop.load(0.94 + second % 3 / 100)
        shop.requests("shop", ok=100 - second % 2, failed=second % 2)
        time.sleep(1)

    assert shop.versions() == versions
    assert operator.metrics().sum("stepdown_api_writes_total") == writes
    assert operator.metrics().sum("stepdown_evaluations_total") - evaluations >= 2 * 9


# A person's word


def test_s13_suspend_keeps_what_is_applied_though_every_signal_is_healthy(degraded: Shop) -> None:
    degraded.patch_policy("shop", {"suspend": True})
    degraded.wait_condition("shop", "Held", "True", "Suspended")
    degraded.all_is_well("shop")
    time.sleep(8)  # a window of 4 s without errors, and more than the 2 s after which it would step up

    suspended = (degraded.level("shop"), degraded.replicas("shop"), degraded.status("shop")["summary"]["state"])
    degraded.patch_policy("shop", {"suspend": False})
    degraded.wait_level("shop", "full")

    assert suspended == ("scaled-out", 4, "Suspended")
    assert degraded.replicas("shop") == 2


def test_s13_an_override_beats_the_signals_and_when_it_expires_they_count_again(shop: Shop, operator: Operator) -> None:
    shop.apply_workloads("shop", "shop-static")
    shop.all_is_well("shop")
    before = shop.snapshot()
    shop.start(hasten(shop.quick()))
    shop.wait_condition("shop", "MetricsAvailable", "True")
    override = {"level": "status-page", "reason": "database migration", "until": until(6)}
    shop.patch_policy("shop", {"override": override})

    shop.wait_level("shop", "status-page", timeout=3)
    pinned = shop.status("shop")
    held = shop.selector("shop")
    shop.wait_level("shop", "full")

    assert held == {"app": "shop-static"}
    assert pinned["summary"]["state"] == "Held"
    assert pinned["summary"]["why"] == "override: database migration"
    assert pinned["history"][-1]["message"] == "pinned to status-page: database migration"
    assert shop.condition("shop", "Held")["status"] == "False"
    assert shop.snapshot() == before


def test_s12_observe_writes_its_status_and_events_and_no_target(shop: Shop, operator: Operator) -> None:
    shop.apply_workloads("shop", "shop-static")
    shop.requests("shop", ok=40, failed=60)
    versions = _targets(shop)
    policy = shop.quick()
    policy["spec"]["mode"] = "Observe"
    shop.apply(policy)

    event = shop.wait_event("WouldEnter")
    shop.wait_condition("shop", "Ready", "True")
    status = shop.status("shop")

    assert "down to status-page" in event["message"]
    assert status["level"] == "full"
    assert status["summary"]["state"] == "Observing"
    assert status["summary"]["why"].startswith("would be status-page: errors ")
    assert "finalizers" not in shop.policy("shop")["metadata"]
    assert _targets(shop) == versions


def _targets(shop: Shop) -> Object:
    return {name: version for name, version in shop.versions().items() if not name.startswith("DegradationPolicy")}
