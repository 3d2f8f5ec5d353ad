"""The delay that users feel: from the scrape that carries the breach to the first request that the fallback served.

Beside it the floor: the same swap of the Service's selector, by one PATCH by hand on the same node. Every request has
a connection of its own. Between swaps more than a second passes, because kube-proxy gathers what changes within one.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

from node import web
from node.cluster import Cluster
from node.operator_pods import OperatorPods
from node_tests.conftest import SHOP
from plane.api import Api
from plane.audit import read_log
from plane.ladders import BREACHED, HEALTHY, ladder, level, route
from plane.processes import wait_for
from plane.shop import Shop

EPISODES = 20
REST_SECONDS = 1.5
"""Longer than kube-proxy's minSyncPeriod."""


@pytest.fixture(scope="module")
def address(shop: Shop, api: Api) -> str:
    """A shop with a fallback, which answers."""
    shop.apply(web.deployment("shop"), web.deployment("shop-static"), web.service("shop"))
    shop.wait_ready("shop", "shop-static")
    address = str(api.get("Service", "shop", SHOP)["spec"]["clusterIP"])
    wait_for("the Service answers", lambda: web.ask(address).said == "shop")
    return address


def test_the_first_request_is_served_as_soon_after_our_write_as_after_one_by_hand(
    shop: Shop, address: str, api: Api, pods: OperatorPods, cluster: Cluster, figure: Any
) -> None:
    floor = _by_hand(api, address)
    shop.load(HEALTHY, "shop")
    static = level("static", route("shop", "shop-static"))
    # Each breach comes soon after the one before: a longest wait keeps them from being taken for failed trials.
    static["recover"] = {"trial": {"after": "1s", "watch": "1s", "max": "1s"}}
    shop.start(ladder("shop", SHOP, static))
    decided, served = [], []
    for _ in range(EPISODES):
        with web.Users(address, pause=0.002) as users:
            scrapes = len(shop.source.scrapes)
            shop.load(BREACHED, "shop")
            wait_for("users get the fallback", lambda: users.last() == "shop-static")
        wrote = [n.at for n in read_log(cluster.plane.audit_log, SHOP) if n.kind == "services" and n.code == 200][-1]
        first = users.first("shop-static", 0)
        assert first is not None
        decided.append(wrote - shop.source.scrapes[scrapes])
        served.append(first - wrote)
        assert web.errors(users.answers) == []
        shop.load(HEALTHY, "shop")
        shop.wait("it is over", lambda: shop.level("shop") == "full" and shop.ledger("shop") == [], 60)
        _rest(lambda: web.ask(address).said == "shop")

    assert median(served) < median(floor) + 0.1
    for name, found in (
        ("PATCH by hand to first request by the fallback", floor),
        ("PATCH by the operator to first request by the fallback", served),
        ("scrape with the breach to PATCH by the operator", decided),
    ):
        figure(f"{name}, median of {EPISODES}", round(1000 * median(found)), "ms")
        figure(f"{name}, longest of {EPISODES}", round(1000 * max(found)), "ms")


def _by_hand(api: Api, address: str) -> list[float]:
    """Seconds from a PATCH, sent by us, to the first request by the fallback."""
    delays = []
    for _ in range(EPISODES):
        with web.Users(address, pause=0.002) as users:
            sent = time.time()
            _select(api, "shop-static")
            wait_for("users get the fallback", lambda: users.last() == "shop-static")
        first = users.first("shop-static", sent)
        assert first is not None
        delays.append(first - sent)
        _rest(lambda: True)
        _select(api, "shop")
        _rest(lambda: web.ask(address).said == "shop")
    return delays


def _select(api: Api, app: str) -> None:
    api.json_patch("Service", "shop", SHOP, [{"op": "replace", "path": "/spec/selector", "value": {"app": app}}])


def _rest(condition: Callable[[], bool]) -> None:
    """Waits for a condition, and then until kube-proxy would write a change at once."""
    wait_for("the swap is over", condition)
    time.sleep(REST_SECONDS)  # what is waited for is this time
