"""examples/shop on a real node: what users get of each part, counted; and what becomes of their orders.

The tests go on where the one before ended.
"""

import json
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from node import images
from node.cluster import Cluster
from node.operator_pods import kill
from node.tea_shop import Reply, TeaShop, ask
from plane.processes import wait_for
from plane.tools import Tool


@pytest.fixture(scope="module")
def shop(cluster: Cluster, kubectl: Tool) -> TeaShop:
    """The shop, open."""
    return TeaShop(cluster, kubectl).load().open()


def served(replies: list[Reply]) -> Counter[tuple[int, str]]:
    """How many got which code from whom."""
    return Counter((reply.code, reply.served_by) for reply in replies)


def how(reply: Reply) -> tuple[str | None, str | None]:
    """How an order was paid, and how the customer was told."""
    return reply.json().get("payment"), reply.json().get("told")


def at_once(count: int, request: Callable[[], Reply]) -> list[Reply]:
    """So many users at the same time."""
    with ThreadPoolExecutor(count) as users:
        return list(users.map(lambda _: request(), range(count)))


def _message() -> str:
    return json.dumps({"order": str(uuid.uuid4()), "text": "Thank you."})


def test_the_page_has_products_and_recommendations(shop: TeaShop, figure: Any) -> None:
    replies = [shop.get("/") for _ in range(20)]

    assert served(replies) == {(200, "full"): 20}
    assert "Kettle, €34.90" in replies[0].text
    assert replies[0].text.count("<li>") == 13
    figure("examples/shop, from kubectl apply to the first full page", round(shop.opened_in), "s")
    figure("examples/shop, its three images", round(sum(a.stat().st_size for a in images.shop()) / 1e6), "MB")


def test_every_order_is_kept_paid_and_told_once(shop: TeaShop) -> None:
    replies = at_once(10, lambda: shop.buy(product=3, quantity=2))

    assert served(replies) == {(200, "full"): 10}
    orders = {reply.json()["order"] for reply in replies}
    assert {how(reply) for reply in replies} == {("paid", "email")}
    assert {row["id"] for row in shop.rows("SELECT id FROM orders WHERE payment = 'paid' AND cents = 1580")} == orders
    assert shop.done_outside("payments-primary") == dict.fromkeys(orders, "1580")
    assert set(shop.done_outside("email")) == orders


def test_without_its_flag_the_recommendations_are_left_out(shop: TeaShop) -> None:
    shop.choose(recommendations="off")
    wait_for("both pods see the flag", lambda: all(shop.get("/").served_by == "core" for _ in range(25)), 30)

    replies = [shop.get("/") for _ in range(20)]

    shop.choose(recommendations="on")
    assert served(replies) == {(200, "core"): 20}
    assert replies[0].text.count("<li>") == 10


def test_a_full_pool_refuses_at_once_and_metrics_count_every_answer(shop: TeaShop) -> None:
    address, before = shop.address("notifications"), shop.counted("notifications")

    with shop.locked("messages", "EXCLUSIVE"):
        replies = at_once(40, lambda: ask(address, "POST", "/messages", _message()))

    assert served(replies) == {(200, "notifications"): 12, (503, "notifications"): 28}
    assert shop.counted("notifications") - before == Counter({"200": 12, "503": 28})


def test_while_orders_are_locked_the_read_only_shop_serves_from_the_replica_and_refuses_orders(shop: TeaShop) -> None:
    shop.lead("shop-read-only")
    wait_for("the read-only shop serves", lambda: shop.get("/").served_by == "read-only")

    with shop.locked("orders", "EXCLUSIVE"):
        pages, orders = [shop.get("/") for _ in range(10)], [shop.buy() for _ in range(10)]

    assert served(pages) == {(200, "read-only"): 10}
    assert served(orders) == {(503, "read-only"): 10}
    assert orders[0].json()["error"].startswith("You can look but not buy right now.")
    shop.lead("shop")
    wait_for("the shop serves", lambda: shop.get("/").served_by == "full")


def test_a_flag_queues_payments_and_they_are_settled_later_each_once(shop: TeaShop) -> None:
    shop.scale("payments-primary", 0)
    failed = shop.buy()
    shop.choose(payments="queue", notifications="in-app")
    wait_for("both flags are seen", lambda: how(shop.buy()) == ("queued", "in-app"), 30)
    queued = at_once(10, shop.buy)

    shop.choose(payments="secondary", notifications="sms")
    wait_for("the queue is empty", lambda: not shop.rows("SELECT 1 FROM orders WHERE payment = 'queued'"), 20)

    assert failed.code == 503
    assert "nothing was paid" in failed.text
    assert {how(reply) for reply in queued} == {("queued", "in-app")}
    paid = {
        row["id"]: str(row["cents"]) for row in shop.rows("SELECT id, cents FROM orders WHERE provider = 'secondary'")
    }
    assert {reply.json()["order"] for reply in queued} <= set(paid)
    assert shop.done_outside("payments-secondary") == paid
    assert shop.rows("SELECT payment FROM orders WHERE payment NOT IN ('paid', 'refused')") == []


def test_a_payment_provider_that_dies_while_it_is_asked_costs_no_order_and_takes_nothing_twice(shop: TeaShop) -> None:
    (provider,) = shop.pods("payments-secondary")
    replies: list[Reply] = []
    with ThreadPoolExecutor(8) as users:
        for _ in range(200):
            users.submit(lambda: replies.append(shop.buy(product=10)))
        wait_for("some have paid", lambda: len(replies) > 50)
        kill(provider["metadata"]["name"])
    wait_for("every payment is settled", lambda: not shop.rows("SELECT 1 FROM orders WHERE payment = 'asking'"), 40)

    assert len(replies) == 200
    told = {reply.json()["order"] for reply in replies if reply.code == 200}
    paid = {row["id"] for row in shop.rows("SELECT id FROM orders WHERE payment = 'paid' AND product = 10")}
    assert told == paid
    assert paid <= set(shop.done_outside("payments-secondary"))
    refused = {row["id"] for row in shop.rows("SELECT id FROM orders WHERE payment = 'refused'")}
    assert not refused & set(shop.done_outside("payments-secondary"))


def test_without_the_shop_the_edge_serves_what_it_kept(shop: TeaShop) -> None:
    shop.lead("edge")
    shop.scale("shop", 0)

    replies = [shop.get(path) for path in ("/", "/catalogue") for _ in range(10)]

    assert served(replies) == {(200, "edge"): 20}
    assert "Kettle" in replies[0].text
    assert len(replies[-1].json()) == 10


def test_without_everything_the_static_page_serves(shop: TeaShop) -> None:
    shop.scale("postgres-primary", 0)
    shop.scale("postgres-replica", 0)
    shop.lead("shop-static")
    wait_for("the static page serves", lambda: shop.get("/").served_by == "static")

    replies = [shop.get(path) for path in ("/", "/catalogue") for _ in range(10)]

    assert served(replies) == {(200, "static"): 20}
    assert "Your orders are safe" in replies[0].text
