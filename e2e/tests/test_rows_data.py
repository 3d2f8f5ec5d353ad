"""Rows 25, 26, 27 and 31 of the fault table: answers of Prometheus that are no number.

For each fault there are two policies, one degraded and one at full service. All are met by their faults at once,
with data behind them that would call for a step if it were believed; then all data is good again. The episode is
recorded once and the tests look at the record.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from plane.api import Object
from plane.ladders import BREACHED, HEALTHY, ladder, level, settings, switch
from plane.metrics_source import MetricsSource
from plane.operator import Operator
from plane.processes import wait_for
from plane.prometheus import Prometheus
from plane.record import wait_quiet
from plane.shop import Shop

STALE_AFTER = 2.0
"""Seconds after which a sample counts as missing, for the policies of row 31."""

FAULTS = {
    "no-series": "Empty",
    "no-requests": "TooFew",
    "no-metric": "Empty",
    "nan": "NotFinite",
    "plus-inf": "NotFinite",
    "minus-inf": "NotFinite",
    "several": "NotScalar",
    "frozen": "Stale",
    "removed": "Stale",
}
"""Each fault, and how it is told."""

STATES = ("degraded", "full")


class Shaky:
    """A shop with two policies a fault, called `nan-degraded` and `nan-full`; `leaving` is a second exporter."""

    def __init__(self, shop: Shop, leaving: MetricsSource, leave: Callable[[], None]) -> None:
        self.shop = shop
        self.leaving = leaving
        self._leave = leave
        self.names = [f"{fault}-{state}" for fault in FAULTS for state in STATES]

    def policy(self, name: str) -> Object:
        """A ladder of its own ConfigMap, quick where nothing but its fault keeps it from a step."""
        fault = fault_of(name)
        found = ladder(name, self.shop.namespace, level("low", switch(name, reviews="off")))
        spec = found["spec"]
        signal = spec["signals"][0]
        series = self.series(name)
        if fault in ("no-requests", "no-metric"):
            spec["target"] = {"service": name}
            spec["signals"] = [{"name": "load", "preset": "http-error-ratio", "window": "4s"}]
        elif fault == "several":
            signal["query"] = series
        elif fault == "frozen":
            spec["levels"][1]["enter"]["any"][0]["for"] = spec["stabilization"]["up"] = "5s"
            spec["staleAfter"] = "2s"
        elif fault == "removed":
            signal["query"] = f"last_over_time({series}[1m])"
            spec["staleAfter"] = "2s"
        return found

    def series(self, name: str, **labels: str) -> str:
        return self.shop.series("app_worker_utilization", service=name, **labels)

    def give(self, name: str, load: float) -> None:
        """Good data that says this load."""
        fault, series = fault_of(name), self.series(name)
        if fault in ("no-requests", "no-metric"):
            self.shop.requests(name, ok=100 * (1 - min(load, 1.0)), failed=100 * min(load, 1.0))
            return
        (self.leaving if fault == "removed" else self.shop.source).set(series, load)
        if fault == "several":
            self.shop.source.remove(self.series(name, pod="2"))
        if fault in ("frozen", "nan", "plus-inf", "minus-inf"):
            self.shop.source.stamp(series, None)  # so that one failed scrape is not taken for no series

    def spoil(self, name: str) -> None:
        """The fault. Where it can it says the opposite of what was true."""
        source, series = self.shop.source, self.series(name)
        opposite = HEALTHY if name.endswith("degraded") else BREACHED
        match fault_of(name):
            case "no-series":
                source.remove(series)
            case "no-requests":
                self.shop.requests(name, ok=0, failed=0)
            case "no-metric":
                for code in ("200", "500"):
                    source.remove(self.shop.series("http_requests_total", service=name, code=code))
            case "nan":
                source.set(series, math.nan)
            case "plus-inf":
                source.set(series, math.inf)
            case "minus-inf":
                source.set(series, -math.inf)
            case "several":
                source.set(series, opposite)
                source.set(self.series(name, pod="2"), opposite)
            case "frozen":
                source.set(series, opposite)
                source.stamp(series, time.time())
            case "removed":
                self._leave()


def fault_of(name: str) -> str:
    return name.rpartition("-")[0]


@dataclass
class Found:
    """What was there at one moment, by policy."""

    levels: dict[str, str]
    metrics_available: dict[str, Object]
    histories: dict[str, list[Object]]
    objects: dict[str, Object]


@dataclass
class Episode:
    """Before anything, with good data, after some evaluations with faults, and after them."""

    untouched: dict[str, Object]
    good: Found
    spoilt: Found
    healed: Found
    seconds: dict[str, float] = field(default_factory=dict)
    """Time from the fault until the missing value was told, by policy."""


def look(shaky: Shaky) -> Found:
    shop = shaky.shop
    return Found(
        levels={name: shop.level(name) for name in shaky.names},
        metrics_available={name: shop.condition(name, "MetricsAvailable") for name in shaky.names},
        histories={name: shop.status(name).get("history") or [] for name in shaky.names},
        objects=shop.snapshot(),
    )


def wait_told(shaky: Shaky, seconds: dict[str, float]) -> None:
    """Waits until each policy says which kind of data it misses, and notes how long it took."""
    started = time.monotonic()

    def all_told() -> bool:
        for name in shaky.names:
            told = shaky.shop.condition(name, "MetricsAvailable")
            if name not in seconds and f"load: {FAULTS[fault_of(name)]}" in told.get("message", ""):
                seconds[name] = time.monotonic() - started
        return len(seconds) == len(shaky.names)

    shaky.shop.wait("every missing value is told", all_told, timeout=60)


def wait_evaluations(operator: Operator, number: int) -> None:
    """Waits for some more evaluations of any policy."""

    def evaluations() -> float:
        return operator.metrics().sum("stepdown_evaluations_total")

    before = evaluations()
    wait_for(f"{number} evaluations", lambda: evaluations() >= before + number, timeout=60)


@pytest.fixture(scope="module")
def episode(
    lead: Callable[[], Operator], open_shop: Any, open_source: Any, prometheus: Prometheus
) -> Iterator[Episode]:
    operator = lead()
    with open_shop("rows-25-26-27-31") as shop, open_source() as leaving:
        shaky = Shaky(shop, leaving, lambda: prometheus.remove_target(leaving.address))
        for name in shaky.names:
            shaky.give(name, BREACHED if name.endswith("degraded") else HEALTHY)
        shop.apply(*(settings(name, reviews="on") for name in shaky.names))
        untouched = shop.snapshot()
        shop.apply(*(shaky.policy(name) for name in shaky.names))
        for name in shaky.names:
            shop.wait_level(name, "low" if name.endswith("degraded") else "full", timeout=60)
            shop.wait_condition(name, "MetricsAvailable", "True", timeout=60)
        good = look(shaky)
        for name in shaky.names:
            shaky.spoil(name)
        seconds: dict[str, float] = {}
        wait_told(shaky, seconds)
        wait_evaluations(operator, 4 * len(shaky.names))
        spoilt = look(shaky)
        prometheus.add_target(leaving.address)
        for name in shaky.names:
            shaky.give(name, HEALTHY)
        for name in shaky.names:
            shop.wait_condition(name, "MetricsAvailable", "True", timeout=60)
            shop.wait_level(name, "full", timeout=90)
        wait_quiet(shop, operator)
        yield Episode(untouched, good, spoilt, look(shaky), seconds)


def of(*faults: str) -> Any:
    return pytest.mark.parametrize("name", [f"{fault}-{state}" for fault in faults for state in STATES])


def assert_held(episode: Episode, name: str) -> None:
    """No step, no other value of the target, and the kind is told."""
    told = episode.spoilt.metrics_available[name]
    assert (told["status"], told["reason"]) == ("False", "Missing")
    assert told["message"].startswith(f"load: {FAULTS[fault_of(name)]}")
    assert episode.spoilt.levels[name] == episode.good.levels[name]
    assert episode.spoilt.histories[name] == episode.good.histories[name]
    assert episode.spoilt.objects[f"ConfigMap/{name}"] == episode.good.objects[f"ConfigMap/{name}"]


@pytest.mark.row(25)
@of("no-series", "no-requests", "no-metric")
def test_row_25_an_empty_answer_holds_the_level_and_no_traffic_is_told_from_no_metric(
    episode: Episode, name: str
) -> None:
    assert_held(episode, name)


@pytest.mark.row(26)
@of("nan", "plus-inf", "minus-inf")
def test_row_26_what_is_not_finite_holds_the_level(episode: Episode, name: str) -> None:
    assert_held(episode, name)


@pytest.mark.row(27)
@of("several")
def test_row_27_several_series_for_one_signal_hold_the_level(episode: Episode, name: str) -> None:
    assert_held(episode, name)


@pytest.mark.row(31)
@of("frozen", "removed")
def test_row_31_a_sample_that_only_looks_alive_counts_as_missing(episode: Episode, name: str) -> None:
    assert_held(episode, name)


@pytest.mark.row(31)
@of("frozen", "removed")
def test_row_31_it_counts_as_missing_soon_after_stale_after(episode: Episode, name: str) -> None:
    told_after, scrape, patience, slack = episode.seconds[name], 1.0, 2.0, 10.0

    assert told_after < STALE_AFTER + scrape + patience + slack


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(f"{fault}-degraded", marks=pytest.mark.row(row))
        for row, fault in (
            (25, "no-series"),
            (25, "no-requests"),
            (25, "no-metric"),
            (26, "nan"),
            (26, "plus-inf"),
            (26, "minus-inf"),
            (27, "several"),
            (31, "frozen"),
            (31, "removed"),
        )
    ],
)
def test_rows_25_26_27_31_everything_comes_back_when_there_are_numbers_again(episode: Episode, name: str) -> None:
    assert episode.healed.levels[name] == "full"
    assert episode.healed.objects[f"ConfigMap/{name}"] == episode.untouched[f"ConfigMap/{name}"]
