"""The delay that users feel: from the scrape that carries the breach to the first request that the fallback served.

Beside it the floor: the same swap of the Service's selector, by one PATCH by hand on the same node. Both are counted
from the moment when the API server received the write. Between swaps more than a second passes, because kube-proxy
gathers what changes within one. `make bench` measures more episodes, beside what users would have otherwise.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

from node import web
from node.cluster import Cluster
from node.operator_pods import OperatorPods
from node.swaps import Swap, swap_of
from node_tests.conftest import SHOP
from plane.api import Api
from plane.audit import read_log
from plane.ladders import BREACHED, HEALTHY, WORSE, ladder, level, route, scale, settings, switch
from plane.processes import wait_for
from plane.shop import Shop

EPISODES, STEPS = 8, 6
REST_SECONDS = 1.5
"""Longer than kube-proxy's minSyncPeriod."""
FALLBACK = "shop-static"


@pytest.fixture(scope="module")
def address(shop: Shop, api: Api, pods: OperatorPods) -> str:
    """A shop with a fallback, which answers."""
    return _open(shop, api, web.deployment("shop"), web.deployment(FALLBACK), web.deployment("extras", 2))


def test_the_first_request_is_served_as_soon_after_our_write_as_after_one_by_hand(
    shop: Shop, address: str, api: Api, cluster: Cluster, figure: Any
) -> None:
    _begin(shop, "shop", level("static", route("shop", FALLBACK)))
    floor, decided, stored, served = [], [], [], []
    for _ in range(EPISODES):  # one by hand, while the policy holds nothing, and one by the operator, on one machine
        floor.append(_felt(cluster, address, lambda: _select(api, FALLBACK))[1])
        time.sleep(REST_SECONDS)
        _select(api, "shop")
        _rest(shop, address)
        scrapes = len(shop.source.scrapes)
        swap, first = _felt(cluster, address, lambda: shop.load(BREACHED, "shop"))
        decided.append(swap.noted - shop.source.scrapes[scrapes])
        stored.append(swap.wrote - swap.noted)
        served.append(first)
        _recover(shop, address)
    shop.delete_policy("shop")

    assert median(served) < 2 * median(floor) + 0.15
    _tell(figure, "PATCH by hand to first request by the fallback", floor)
    _tell(figure, "PATCH by the operator to first request by the fallback", served)
    _tell(figure, "scrape with the breach to the stored intent", decided)
    _tell(figure, "stored intent to PATCH by the operator", stored)


def test_a_connection_that_is_kept_stays_at_the_old_pods(shop: Shop, address: str) -> None:
    _begin(shop, "shop", level("static", route("shop", FALLBACK)), up="1m")
    with web.KeptUsers(address) as kept, web.Users(address) as new:
        shop.load(BREACHED, "shop")
        wait_for("new connections get the fallback", lambda: new.last() == FALLBACK)
        moved = time.time()
        wait_for("five seconds of answers", lambda: kept.answers[-1].at > moved + 5)
    shop.delete_policy("shop")

    assert {answer.said for answer in kept.answers} == {"shop"}


AWAY: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "ends when a flag says so": (
        {"flags": "closing"},
        [level("static", route("closing", FALLBACK), switch("closing", refresh="Pods", leave="true"))],
    ),
    "ends at its longest age": ({"MAX_AGE": "2"}, [level("static", route("aging", FALLBACK))]),
    "ends when the old pods are restarted": (
        {},
        [level("static", route("renewed", FALLBACK), {"restart": {"deployment": "renewed"}})],
    ),
    "ends when a deeper level takes the old pods away": (
        {},
        [
            level("static", route("leaving", FALLBACK)),
            level("alone", scale("leaving", 0), above="120%"),
        ],
    ),
}
"""What moves a user who keeps a connection: how the pods are run, and the policy's levels."""


@pytest.mark.parametrize("way", AWAY)
def test_a_connection_moves_without_an_error_when_it(
    shop: Shop, address: str, api: Api, cluster: Cluster, figure: Any, way: str
) -> None:
    pod, levels = AWAY[way]
    name = str(levels[0]["actions"][0]["route"]["service"])
    own = _open(shop, api, settings(name, leave="false"), web.deployment(name, **pod))
    _begin(shop, name, *levels, up="1m")
    with web.KeptUsers(own) as kept, web.Users(own) as new:
        wait_for("both are served", lambda: kept.last() == new.last() == name)
        began = time.time()
        shop.load(WORSE, name)
        wait_for("both get the fallback", lambda: kept.last() == new.last() == FALLBACK)
    wrote = swap_of(cluster.plane.audit_log, SHOP, name, began).wrote
    first = kept.first(FALLBACK, wrote)
    shop.delete_policy(name)

    assert first is not None
    figure(f"PATCH to first request by the fallback on a connection that {way}", round(first - wrote, 2), "s")
    assert web.errors([*kept.answers, *new.answers]) == []


def test_a_swap_that_comes_first_in_its_step_is_felt_before_one_that_follows_a_scale(
    shop: Shop, address: str, api: Api, cluster: Cluster, figure: Any
) -> None:
    shop.apply(web.service("extras"), settings("switches", reviews="on"))
    last, first = [], []
    for _ in range(STEPS):
        swap, felt = _felt(cluster, address, lambda: _scale_first(shop, api))
        last.append(felt + swap.wrote - _scaled(cluster, swap.wrote))
        _select(api, "shop")
        shop.scale("extras", 2)
        _rest(shop, address)
    actions = scale("extras", 0), switch("switches", reviews="off"), route("shop", FALLBACK)
    _begin(shop, "shop", level("static", *actions))
    for _ in range(STEPS):
        first.append(_felt(cluster, address, lambda: shop.load(BREACHED, "shop"))[1])
        _recover(shop, address)
    shop.delete_policy("shop")

    assert median(first) < median(last)
    _tell(figure, "first write of a step to first request by the fallback, swap first", first)
    _tell(figure, "first write of a step to first request by the fallback, by hand and swap last", last)


def _tell(figure: Any, name: str, found: list[float]) -> None:
    figure(f"{name}, median of {len(found)}", round(1000 * median(found)), "ms")
    figure(f"{name}, longest of {len(found)}", round(1000 * max(found)), "ms")


def _scale_first(shop: Shop, api: Api) -> None:
    """The same three writes by hand, in the other order."""
    shop.scale("extras", 0)
    api.merge("ConfigMap", "switches", SHOP, {"data": {"reviews": str(time.time())}})
    _select(api, FALLBACK)


def _scaled(cluster: Cluster, before: float) -> float:
    calls = read_log(cluster.plane.audit_log, SHOP)
    return max(call.at for call in calls if call.kind == "deployments" and call.at <= before)


def _felt(cluster: Cluster, address: str, act: Callable[[], None]) -> tuple[Swap, float]:
    """A swap of `shop`, and the seconds from its write to the first request by the fallback, without an error."""
    with web.Users(address, pause=0.002) as users:
        began = time.time()
        act()
        wait_for("users get the fallback", lambda: users.last() == FALLBACK, every=0.01)
    swap = swap_of(cluster.plane.audit_log, SHOP, "shop", began)
    first = users.first(FALLBACK, 0)
    assert first is not None
    assert web.errors(users.answers) == []
    return swap, first - swap.wrote


def _open(shop: Shop, api: Api, *objects: Any) -> str:
    """Applies workloads, and a Service for the one that is named like it; gives its address when it answers."""
    names = [o["metadata"]["name"] for o in objects if o["kind"] == "Deployment"]
    shop.apply(*objects, web.service(names[0]))
    shop.wait_ready(*names)
    address = str(api.get("Service", names[0], SHOP)["spec"]["clusterIP"])
    wait_for("the Service answers", lambda: web.ask(address).said == names[0])
    return address


def _begin(shop: Shop, name: str, *levels: Any, up: str = "1s") -> None:
    """Starts a policy for a Service that is well; its breaches may follow each other soon."""
    for found in levels:
        # A longest wait keeps a breach soon after another one from being taken for a failed trial.
        found["recover"] = {"trial": {"after": up, "watch": "1s", "max": up}}
    shop.load(HEALTHY, name)
    seen = len(shop.source.scrapes)
    wait_for("Prometheus knows", lambda: len(shop.source.scrapes) >= seen + 2)
    shop.start(ladder(name, SHOP, *levels, target={"service": name, "deployment": name}))


def _select(api: Api, app: str) -> None:
    api.json_patch("Service", "shop", SHOP, [{"op": "replace", "path": "/spec/selector", "value": {"app": app}}])


def _recover(shop: Shop, address: str) -> None:
    shop.load(HEALTHY, "shop")
    shop.wait("it is over", lambda: shop.level("shop") == "full" and shop.ledger("shop") == [], 60)
    _rest(shop, address)


def _rest(shop: Shop, address: str) -> None:
    """Waits until all is as it was, and then until kube-proxy would write a change at once."""
    wait_for("the swap is over", lambda: web.ask(address).said == "shop")
    shop.wait_ready("extras")
    time.sleep(REST_SECONDS)  # what is waited for is this time
