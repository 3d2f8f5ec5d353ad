"""Rows 30 and 32 of the fault table, on a real Prometheus: counters that start anew, and windows that are half full."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plane.api import Api, Object
from plane.ladders import ladder, level, settings, switch
from plane.operator import Operator
from plane.processes import wait_for
from plane.prometheus import Prometheus
from plane.shop import Shop

WINDOW = 8.0
"""Seconds that the queries look back; the scrapes come every second."""

ROUNDS = 5

# Row 32


class Forgetful:
    """A Prometheus of our own that can lose all that it knows, and one policy that is degraded by what it says."""

    def __init__(self, shop: Shop, prometheus: Prometheus) -> None:
        self.shop = shop
        self.prometheus = prometheus
        self.query = f"sum(rate({shop.series('jobs_total')}[{WINDOW:.0f}s])) / 100"

    def jobs(self, per_second: float) -> None:
        self.shop.source.rate(self.shop.series("jobs_total"), per_second)

    def value(self) -> float | None:
        found = self.prometheus.query(self.query)
        return float(found[0]["value"][1]) if found else None

    def outage(self) -> None:
        """It comes back with an empty store."""
        self.prometheus.stop()
        self.shop.wait_condition("jobs", "MetricsAvailable", "False", timeout=60)
        self.prometheus.forget()
        self.prometheus.start()
        self.shop.wait_condition("jobs", "MetricsAvailable", "True", timeout=60)


@pytest.fixture
def forgetful(operator: Operator, shop: Shop, api: Api, tmp_path: Path) -> Iterator[Forgetful]:
    prometheus = Prometheus(tmp_path / "forgetful").start()
    spec = {"url": prometheus.url, "namespaceSelector": {}, "allowedCIDRs": ["127.0.0.0/8"], "timeout": "1s"}
    kind = {"apiVersion": "stepdown.dev/v1alpha1", "kind": "MetricsEndpoint"}
    api.create({**kind, "metadata": {"name": "forgetful"}, "spec": spec})
    try:
        prometheus.add_target(shop.source.address)
        found = Forgetful(shop, prometheus)
        policy = ladder("jobs", shop.namespace, level("low", switch("jobs", reviews="off")))
        policy["spec"]["metricsEndpoint"] = "forgetful"
        policy["spec"]["signals"][0]["query"] = found.query
        shop.apply(settings("jobs", reviews="on"), policy)
        yield found
    finally:
        prometheus.stop()
        api.delete("MetricsEndpoint", "forgetful")


@pytest.mark.row(32)
def test_row_32_back_with_an_empty_store_nothing_recovers_before_the_whole_window_was_seen(
    forgetful: Forgetful,
) -> None:
    shop = forgetful.shop
    forgetful.jobs(95)
    shop.wait_level("jobs", "low", timeout=60)
    steps = len(shop.status("jobs")["history"])
    forgetful.outage()
    values: list[float] = []

    def is_full() -> bool:
        values.extend(value for value in [forgetful.value()] if value is not None)
        return bool(values) and values[-1] > 0.8

    wait_for("its window is full again", is_full, timeout=60)
    held = shop.status("jobs")
    forgetful.jobs(10)
    shop.wait_level("jobs", "full", timeout=60)

    assert min(values) < 0.8
    assert (held["level"], len(held["history"])) == ("low", steps)


# Row 30


class Restarting:
    """Two policies on a ratio of errors, one degraded and one not, whose pods are restarted or replaced."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.failing = {"restarting-degraded": 50.0, "restarting-full": 2.0}

    def policy(self, name: str) -> Object:
        found = ladder(name, self.shop.namespace, level("low", switch(name, reviews="off"), above="10%", hold="2s"))
        found["spec"]["target"] = {"service": name}
        found["spec"]["signals"] = [{"name": "load", "preset": "http-error-ratio", "window": "4s"}]
        return found

    def series(self, name: str, pod: str) -> dict[str, float]:
        failed = self.failing[name]
        return {
            self.shop.series("http_requests_total", service=name, code=code, pod=pod): rate
            for code, rate in (("200", 100 - failed), ("500", failed))
        }

    def serve(self, pod: str) -> None:
        """A pod begins to count, at zero."""
        for name in self.failing:
            for series, rate in self.series(name, pod).items():
                self.shop.source.remove(series)
                self.shop.source.rate(series, rate)

    def end(self, pod: str) -> None:
        for name in self.failing:
            for series in self.series(name, pod):
                self.shop.source.remove(series)

    def scrapes(self, number: int) -> None:
        before = len(self.shop.source.scrapes)
        wait_for(f"{number} scrapes", lambda: len(self.shop.source.scrapes) >= before + number)


@pytest.fixture
def restarting(operator: Operator, shop: Shop) -> Restarting:
    found = Restarting(shop)
    found.serve("a")
    shop.apply(*(settings(name, reviews="on") for name in found.failing))
    shop.apply(*(found.policy(name) for name in found.failing))
    shop.wait_level("restarting-degraded", "low", timeout=60)
    shop.wait_condition("restarting-full", "MetricsAvailable", "True", timeout=60)
    return found


@pytest.mark.row(30)
def test_row_30_counters_that_start_anew_and_pods_that_are_replaced_are_no_step(restarting: Restarting) -> None:
    shop = restarting.shop
    steps = {name: len(shop.status(name).get("history") or []) for name in restarting.failing}
    for number in range(ROUNDS):
        restarting.serve("a")
        restarting.scrapes(3)
        restarting.serve(f"b{number}")
        restarting.end("a")
        restarting.scrapes(3)
        restarting.serve("a")
        restarting.end(f"b{number}")

    assert {name: len(shop.status(name).get("history") or []) for name in restarting.failing} == steps
    assert shop.level("restarting-degraded") == "low"
    assert shop.level("restarting-full") == "full"
