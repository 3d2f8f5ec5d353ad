"""Rows 24, 33, 34 and 37 of the fault table: a Prometheus that means no good, and a process that takes no harm.

For each fault there are two policies, one degraded and one at full service. All endpoints answer well, then all are
spoilt at once, with data behind them that would call for a step; one endpoint goes on. The episode is recorded once.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.hostile_endpoint import Endpoints
from plane.api import Api, Object
from plane.ladders import BREACHED, HEALTHY, ladder, level, settings, switch
from plane.operator import Operator
from plane.shop import Shop

INTERVAL = 1.0
MEGABYTE = 1 << 20
FAULTS = ("gzip", "gigabyte", "announced", "drip", "headers", "redirect", "future", "behind")
STEADY = "steady"
STATES = ("degraded", "full")
ROUNDS = 6
"""How often each spoilt endpoint is asked, at least."""


@dataclass
class Found:
    """By policy: levels, the number of steps, and what is said of the data."""

    levels: dict[str, str]
    steps: dict[str, int]
    metrics: dict[str, Object]


@dataclass
class Episode:
    """Before and while the endpoints are spoilt; bytes of memory, seconds from a question to the steady one on."""

    before: Found
    spoilt: Found
    grown: int
    gap_before: float
    gap: float
    reached_elsewhere: int


def names_of(endpoint: str) -> list[str]:
    return [f"{endpoint}-{state}" for state in STATES]


def policy(name: str, namespace: str) -> Object:
    found = ladder(name, namespace, level("low", switch(name, reviews="off")))
    found["spec"]["metricsEndpoint"] = name.rpartition("-")[0]
    if name.startswith("pair"):
        found["spec"]["stabilization"]["up"] = "3s"  # longer than the time from one answer to the other's
    return found


def look(shop: Shop, names: list[str]) -> Found:
    statuses = {name: shop.status(name) for name in names}
    return Found(
        levels={name: status["level"] for name, status in statuses.items()},
        steps={name: len(status.get("history") or []) for name, status in statuses.items()},
        metrics={name: shop.condition(name, "MetricsAvailable") for name in names},
    )


def memory_of(operator: Operator, field: str) -> int:
    """Bytes of `VmRSS` (now) or `VmHWM` (the most since it was reset)."""
    assert operator.process is not None
    text = Path(f"/proc/{operator.process.pid}/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def reset_peak(operator: Operator) -> None:
    assert operator.process is not None
    Path(f"/proc/{operator.process.pid}/clear_refs").write_text("5")


def watch(shop: Shop, endpoints: Endpoints, rounds: int, names: tuple[str, ...]) -> float:
    """Until each endpoint was asked so often; the seconds from one question to the steady one to the next."""
    since = time.monotonic()

    def done() -> bool:
        return min(len(endpoints.times(name, since)) for name in (*names, STEADY)) >= rounds

    shop.wait("every endpoint was asked", done, timeout=120)
    return (time.monotonic() - since) / len(endpoints.times(STEADY, since))


@pytest.fixture(scope="module")
def endpoints(api: Api) -> Iterator[Endpoints]:
    found = Endpoints()
    names = (*FAULTS, STEADY, "pair")
    for name in names:
        api.create(found.manifest(name))
    yield found
    for name in names:
        api.delete("MetricsEndpoint", name)
    found.stop()


def settle(shop: Shop, endpoints: Endpoints, names: list[str]) -> None:
    for name in names:
        endpoints.values[name] = BREACHED if name.endswith("degraded") else HEALTHY
    shop.apply(*(settings(name, reviews="on") for name in names))
    shop.apply(*(policy(name, shop.namespace) for name in names))
    for name in names:
        shop.wait_level(name, "low" if name.endswith("degraded") else "full", timeout=60)
        shop.wait_condition(name, "MetricsAvailable", "True", timeout=60)


@pytest.fixture(scope="module")
def episode(lead: Callable[[], Operator], open_shop: Any, endpoints: Endpoints) -> Iterator[Episode]:
    operator = lead()
    with open_shop("rows-24-33-37") as shop:
        names = [name for fault in FAULTS for name in names_of(fault)]
        settle(shop, endpoints, [*names, *names_of(STEADY)])
        gap_before = watch(shop, endpoints, ROUNDS, FAULTS)
        before, resting = look(shop, names), memory_of(operator, "VmRSS")
        reset_peak(operator)
        for name in names:
            endpoints.values[name] = HEALTHY if name.endswith("degraded") else BREACHED
        endpoints.spoilt = set(FAULTS)
        gap = watch(shop, endpoints, ROUNDS, FAULTS)
        for name in names:
            shop.wait_condition(name, "MetricsAvailable", "False", timeout=60)
        spoilt, most = look(shop, names), memory_of(operator, "VmHWM")
        yield Episode(before, spoilt, most - resting, gap_before, gap, endpoints.elsewhere.connections)


def of(*faults: str) -> Any:
    return pytest.mark.parametrize("name", [name for fault in faults for name in names_of(fault)])


def assert_held(episode: Episode, name: str) -> None:
    assert episode.spoilt.metrics[name]["status"] == "False"
    assert episode.spoilt.levels[name] == episode.before.levels[name]
    assert episode.spoilt.steps[name] == episode.before.steps[name]


@pytest.mark.row(24)
@of("drip")
def test_row_24_an_answer_that_drips_holds_the_level(episode: Episode, name: str) -> None:
    assert_held(episode, name)


@pytest.mark.row(24)
@pytest.mark.row(37)
def test_rows_24_and_37_the_policies_of_another_endpoint_are_on_time(episode: Episode) -> None:
    """Within two intervals, or as they were before on a machine that has others to serve."""
    assert episode.gap <= max(2 * INTERVAL, 3 * episode.gap_before)


@pytest.mark.row(33)
@of("future", "behind")
def test_row_33_a_clock_that_is_an_hour_off_holds_the_level(episode: Episode, name: str) -> None:
    assert_held(episode, name)


@pytest.mark.row(37)
@of("gzip", "gigabyte", "announced", "headers", "redirect")
def test_row_37_what_is_too_much_or_leads_elsewhere_holds_the_level(episode: Episode, name: str) -> None:
    assert_held(episode, name)


@pytest.mark.row(37)
def test_row_37_nobody_is_asked_whom_a_redirect_names(episode: Episode) -> None:
    assert episode.reached_elsewhere == 0


@pytest.mark.row(37)
def test_row_37_all_of_them_at_once_take_no_more_than_twenty_megabytes(
    episode: Episode, figure: Callable[..., None]
) -> None:
    assert episode.grown <= 20 * MEGABYTE
    figure("memory for hostile answers", round(max(episode.grown, 0) / MEGABYTE, 1), "MB")


@pytest.mark.row(34)
def test_row_34_two_servers_that_disagree_about_a_threshold_move_a_policy_down_at_most_once_and_never_up(
    operator: Operator, shop: Shop, endpoints: Endpoints
) -> None:
    names = names_of("pair")
    settle(shop, endpoints, names)
    before = look(shop, names)
    endpoints.spoilt = {"pair"}
    since = time.monotonic()
    shop.wait("fifteen answers of either", lambda: len(endpoints.times("pair", since)) >= 30, timeout=120)
    after = look(shop, names)

    assert after.steps["pair-degraded"] == before.steps["pair-degraded"]
    assert after.levels == {"pair-degraded": "low", "pair-full": "low"}
    assert after.steps["pair-full"] == before.steps["pair-full"] + 1
