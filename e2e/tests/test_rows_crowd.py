"""Row 35 of the fault table: two hundred policies lose their data at once, and none of them takes a step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from adapters.hostile_endpoint import Endpoints
from plane.api import Api, Object
from plane.ladders import BREACHED, HEALTHY, ladder, level, settings, switch
from plane.operator import Operator
from plane.shop import POLICY, Shop

DEGRADED = [f"degraded-{number:03}" for number in range(20)]
FULL = [f"full-{number:03}" for number in range(180)]
ENDPOINT = "crowd"
ROUNDS = 12
"""How often the endpoint is asked without data, at least: every way of having none comes three times."""


@dataclass
class Found:
    """Levels and numbers of steps by policy, and the versions of everything that policies act on."""

    levels: dict[str, str]
    steps: dict[str, int]
    targets: dict[str, str]


@dataclass
class Loss:
    """Before the data was lost, and when every policy had missed it for long."""

    before: Found
    after: Found


def policy(name: str, namespace: str) -> Object:
    found = ladder(name, namespace, level("low", switch(name, reviews="off")), interval="2s")
    found["spec"]["metricsEndpoint"] = ENDPOINT
    return found


def condition(found: Object, kind: str) -> str:
    conditions = (found.get("status") or {}).get("conditions") or []
    return next((str(each["status"]) for each in conditions if each["type"] == kind), "")


def look(shop: Shop) -> Found:
    found = {each["metadata"]["name"]: each["status"] for each in shop.api.list(POLICY, shop.namespace)}
    maps = shop.api.list("ConfigMap", shop.namespace)
    return Found(
        levels={name: status["level"] for name, status in found.items()},
        steps={name: len(status.get("history") or []) for name, status in found.items()},
        targets={each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in maps},
    )


def wait_all(shop: Shop, what: str, holds: Callable[[Object], bool]) -> None:
    shop.wait(what, lambda: all(map(holds, shop.api.list(POLICY, shop.namespace))), timeout=180)


@pytest.fixture(scope="module")
def loss(lead: Callable[[], Operator], open_shop: Any, api: Api) -> Iterator[Loss]:
    lead()
    endpoints = Endpoints()
    api.create(endpoints.manifest(ENDPOINT))
    try:
        with open_shop("row-35") as shop:
            endpoints.values = {**dict.fromkeys(DEGRADED, BREACHED), **dict.fromkeys(FULL, HEALTHY)}
            for name in endpoints.values:
                api.create(settings(name, reviews="on"), shop.namespace)
                api.create(policy(name, shop.namespace), shop.namespace)
            wait_all(shop, "all see their data", lambda found: condition(found, "MetricsAvailable") == "True")
            shop.wait("some are degraded", lambda: list(look(shop).levels.values()).count("low") == len(DEGRADED), 180)
            before = look(shop)
            endpoints.values = {**dict.fromkeys(DEGRADED, HEALTHY), **dict.fromkeys(FULL, BREACHED)}
            endpoints.spoilt = {ENDPOINT}
            asked = len(endpoints.times(ENDPOINT))
            wait_all(shop, "all have missed their data", lambda found: "missingSince" in found["status"]["state"])
            shop.wait("some more looks", lambda: len(endpoints.times(ENDPOINT)) >= asked + ROUNDS, timeout=180)
            yield Loss(before, look(shop))
    finally:
        api.delete("MetricsEndpoint", ENDPOINT)
        endpoints.stop()


@pytest.mark.row(35)
def test_row_35_two_hundred_policies_that_lose_their_data_at_once_take_no_step(
    loss: Loss, figure: Callable[..., None]
) -> None:
    assert [loss.before.levels[name] for name in (*DEGRADED, *FULL)] == ["low"] * 20 + ["full"] * 180
    assert loss.after.levels == loss.before.levels
    assert loss.after.steps == loss.before.steps
    taken = sum(loss.after.steps.values()) - sum(loss.before.steps.values())
    figure("transitions of 200 policies that lose their data", taken)


@pytest.mark.row(35)
def test_row_35_and_nothing_of_what_they_act_on_is_written(loss: Loss) -> None:
    assert loss.after.targets == loss.before.targets
