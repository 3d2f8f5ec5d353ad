"""What people get of examples/shop while parts of it die: at its own entrance, which a policy watches, and beside it at
one that leads to the same pods and that no policy touches.
"""

import copy
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import pytest

from node import web
from node.arrivals import Arrivals, Request, is_error, per_server, strange
from node.cluster import Cluster
from node.customers import Customers, Order
from node.operator_pods import OperatorPods
from node.outage import crashing
from node.tea_shop import NAMESPACE, TeaShop
from plane import examples
from plane.api import Object
from plane.processes import wait_for
from plane.shop import Shop
from plane.tools import Tool

UNWATCHED = "unwatched"
CLOSED = "You can look but not buy right now."
SECONDS = 300
"""The longest that users go on coming."""
SETTLED = 20
"""So many users in a row who got the same are what everybody gets now."""
MOVING_SECONDS = 1.5
"""How long after a write new connections may still go where they went: kube-proxy's second, and its work after it."""


@pytest.fixture(scope="module")
def tea_shop(cluster: Cluster, kubectl: Tool, shop: Shop, pods: OperatorPods) -> TeaShop:
    """The shop, open, with its standby and a second entrance."""
    cluster.prometheus.find_pods(cluster.plane.kubeconfig())
    opened = TeaShop(cluster, kubectl).load().open()
    entrance = web.service("shop")
    entrance["metadata"]["name"] = UNWATCHED
    shop.apply(entrance, *(each for each in load("redundancy") if each["kind"] == "Deployment"))
    opened.wait_ready()
    return opened


@pytest.fixture
def follow(shop: Shop) -> Iterator[Callable[[str], None]]:
    """Applies the policies of a file of the shop, which are gone after the test."""
    names: list[str] = []

    def apply(file: str) -> None:
        for policy in (each for each in load(file) if each["kind"] == "DegradationPolicy"):
            names.append(shop.start(policy))

    yield apply
    for name in names:
        shop.delete_policy(name)


def load(file: str) -> list[Object]:
    """The objects of a file of examples/shop."""
    return examples.load(f"shop/{file}.yaml")


class Crowd:
    """Users of both entrances, who ask for the page; `with Crowd(tea_shop, rate) as crowd`."""

    def __init__(self, tea_shop: TeaShop, rate: float) -> None:
        self._hosts = {name: tea_shop.address(name) for name in ("shop", UNWATCHED)}
        self._arrivals = Arrivals([f"GET http://{host}/" for host in self._hosts.values()], lambda _: 2 * rate, SECONDS)

    def __enter__(self) -> "Crowd":
        self._arrivals.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._arrivals.stop()

    def at(self, name: str) -> list[Request]:
        """What users of an entrance got so far, by their time of arrival."""
        url = f"http://{self._hosts[name]}/"
        return sorted((r for r in self._arrivals.answered() if r.url == url), key=lambda r: r.at)

    def wait_served_by(self, server: str) -> None:
        """Waits until everybody who comes to the shop is served by one."""
        wait_for(f"{server} serves", lambda: set(per_server(self.at("shop")[-SETTLED:])) == {server}, 30)


def test_redundancy_each_of_four_answers_as_the_one_before_it_dies_and_leaves_as_it_is_back(
    tea_shop: TeaShop, shop: Shop, follow: Any, scenario: Any
) -> None:
    deaths: list[tuple[float, float]] = []
    follow("redundancy")

    def reached(level: str, server: str, since: float | None = None) -> None:
        shop.wait_level("redundancy", level, timeout=40)
        moved = time.time() + MOVING_SECONDS
        crowd.wait_served_by(server)
        if since is not None:
            first = min(r.at for r in crowd.at("shop") if r.served_by == server and r.at >= since)
            deaths.append((since, max(moved, first)))

    with Crowd(tea_shop, rate=5) as crowd:
        crowd.wait_served_by("full")
        began = time.time()
        with crashing(tea_shop, "shop", anew=True):
            reached("standby", "standby", began)
            began = time.time()
            with crashing(tea_shop, "shop-standby", anew=True):
                reached("edge", "edge", began)
                began = time.time()
                with crashing(tea_shop, "edge"):
                    reached("static", "static", began)
                reached("edge", "edge")
            reached("standby", "standby")
        reached("full", "full")

    users, unwatched = crowd.at("shop"), crowd.at(UNWATCHED)
    errors = [r for r in users if is_error(r)]
    assert strange([*users, *unwatched]) == set()
    assert [r for r in errors if not any(since <= r.at + r.latency and r.at <= until for since, until in deaths)] == []
    served = per_server(users)
    assert set(served) <= {"full", "standby", "edge", "static", "nobody"}
    without = sum(map(is_error, unwatched))
    assert len(errors) < 0.5 * without
    by_whom = ", ".join(f"{name} {served[name]:,}" for name in ("full", "standby", "edge", "static"))
    scenario("Redundancy", users=len(users), without=without, with_policy=len(errors), note=f"served by: {by_whom}")


def test_business_functions_every_customer_is_told_and_every_order_is_paid_once_as_companies_outside_die(
    tea_shop: TeaShop, shop: Shop, follow: Any, scenario: Any
) -> None:
    shop.apply(*twins())
    shop.wait_ready("checkout-unwatched", "notifications-unwatched")
    addresses = {name: tea_shop.address(name) for name in ("checkout", "checkout-unwatched")}
    follow("business")

    with Customers(addresses, rate=4) as customers:
        with crashing(tea_shop, "email"):
            shop.wait_level("notifications", "sms")
            with crashing(tea_shop, "sms"):
                shop.wait_level("notifications", "in-app")
                with crashing(tea_shop, "shop", anew=True):
                    shop.wait_level("notifications", "queue")
                    wait_told(customers, "queue")
                shop.wait_level("notifications", "in-app", timeout=30)
                wait_told(customers, "in-app")
            shop.wait_level("notifications", "sms", timeout=30)
            wait_told(customers, "sms")
        shop.wait_level("notifications", "email", timeout=30)
        wait_told(customers, "email")
        with crashing(tea_shop, "payments-primary"):
            shop.wait_level("payments", "secondary")
            with crashing(tea_shop, "payments-secondary"):
                shop.wait_level("payments", "queue")
                wait_for("orders are queued", lambda: "queued" in recent(customers, "payment"), 20)
            shop.wait_level("payments", "secondary", timeout=30)
        shop.wait_level("payments", "primary", timeout=30)
        wait_for("orders are paid again", lambda: recent(customers, "payment") == {"paid"}, 20)
    wait_settled(tea_shop)

    assert_paid_once(tea_shop, [order for orders in customers.orders.values() for order in orders])
    failed = {name: [o for o in orders if not is_well(o)] for name, orders in customers.orders.items()}
    assert len(failed["checkout"]) < 0.5 * len(failed["checkout-unwatched"])
    scenario(
        "Business functions",
        users=len(customers.orders["checkout"]),
        without=len(failed["checkout-unwatched"]),
        with_policy=len(failed["checkout"]),
        note="orders that failed or whose customer wasn't told; every order paid once",
    )


def test_database_stress_people_look_and_orders_are_refused_with_a_reason_while_orders_are_locked(
    tea_shop: TeaShop, shop: Shop, follow: Any, scenario: Any
) -> None:
    tea_shop.scale("shop", 1)
    follow("stress")

    entrances = {name: tea_shop.address(name) for name in ("shop", UNWATCHED)}
    with Crowd(tea_shop, rate=10) as crowd, Customers(entrances, rate=8) as customers:
        crowd.wait_served_by("full")
        locked = time.time()
        with tea_shop.locked("orders", "EXCLUSIVE", 40):
            shop.wait_level("stress", "read-only", timeout=30)
            stepped = time.time() + MOVING_SECONDS
            crowd.wait_served_by("read-only")
        unlocked = time.time()
        shop.wait_level("stress", "full", timeout=90)
        crowd.wait_served_by("full")

    wait_settled(tea_shop)

    during = partial(between, since=locked, until=unlocked)
    pages = {name: during(crowd.at(name)) for name in entrances}
    orders = {name: during(customers.orders[name]) for name in entrances}
    refused = [o for o in orders["shop"] if o.reply.code == 503 and o.reply.text.startswith(f'{{"error": "{CLOSED}')]
    errors = {name: sum(map(is_error, asked)) for name, asked in pages.items()}
    errors |= {name: errors[name] + sum(o.reply.code != 200 for o in orders[name]) for name in entrances}
    assert strange([r for name in entrances for r in crowd.at(name)]) == set()
    assert [r for r in pages["shop"] if r.at > stepped and is_error(r)] == []
    assert {o.reply for o in orders["shop"] if o.at > stepped and o not in refused} == set()
    assert_paid_once(tea_shop, [order for all_orders in customers.orders.values() for order in all_orders])
    scenario(
        "Database stress",
        users=len(pages["shop"]) + len(orders["shop"]),
        without=errors[UNWATCHED],
        with_policy=errors["shop"] - len(refused),
        note=f"{len(refused):,} orders refused at once with a reason, none lost",
    )


def wait_settled(tea_shop: TeaShop) -> None:
    """Waits until no order's payment is under way any more."""
    under_way = "SELECT 1 FROM orders WHERE payment IN ('asking', 'queued')"
    wait_for("every payment is settled", lambda: not tea_shop.rows(under_way), 60)


def twins() -> list[Object]:
    """A second checkout with notifications of its own, whose flags no policy sets."""
    (flags,) = [each for each in load("namespace") if each["kind"] == "ConfigMap"]
    found = [each for file in ("services", "shop") for each in load(file)]
    return [
        {**flags, "metadata": {"name": "unwatched-flags", "namespace": NAMESPACE}},
        *(_twin(each) for each in found if each["metadata"]["name"] in ("checkout", "notifications")),
    ]


def _twin(obj: Object) -> Object:
    twin = copy.deepcopy(obj)
    name = f"{obj['metadata']['name']}-{UNWATCHED}"
    twin["metadata"]["name"] = name
    if obj["kind"] == "Service":
        twin["spec"]["selector"] = {"app": name}
        return twin
    template = twin["spec"]["template"]
    template["metadata"]["labels"] = twin["spec"]["selector"]["matchLabels"] = {"app": name}
    template["spec"]["volumes"] = [{"name": "flags", "configMap": {"name": "unwatched-flags"}}]
    (container,) = template["spec"]["containers"]
    for variable in container["env"]:
        if variable["name"] == "NOTIFICATIONS_URL":
            variable["value"] = "http://$(NOTIFICATIONS_UNWATCHED_SERVICE_HOST)"
    return twin


def recent(customers: Customers, key: str) -> set[object]:
    """What the last customers of the watched checkout were told of their orders."""
    return {o.reply.json().get(key) if o.id else None for o in customers.orders["checkout"][-SETTLED // 2 :]}


def wait_told(customers: Customers, channel: str) -> None:
    """Waits until customers are told by a channel."""
    wait_for(f"customers are told by {channel}", lambda: recent(customers, "told") == {channel}, 30)


def is_well(order: Order) -> bool:
    """Whether an order was taken, and its customer told."""
    return bool(order.id) and order.reply.json()["told"] is not None


def between(found: Iterable[Any], since: float, until: float) -> list[Any]:
    """Those requests or orders that came in a time of the wall clock."""
    return [each for each in found if since <= each.at <= until]


def assert_paid_once(tea_shop: TeaShop, orders: Iterable[Order]) -> None:
    """Every order that was taken is in the book, is paid, and by one provider only."""
    taken = {order.id for order in orders if order.id}
    paid = {row["id"] for row in tea_shop.rows("SELECT id FROM orders WHERE payment = 'paid'")}
    asked = [set(tea_shop.done_outside(f"payments-{name}")) for name in ("primary", "secondary")]
    assert taken
    assert taken - paid == set()
    assert paid - (asked[0] | asked[1]) == set()
    assert asked[0] & asked[1] == set()
