"""What a policy names may fail: nobody is worse off than without the operator, and the policy says what is wrong.

Users keep asking the whole time, each request on a connection of its own, and every answer counts.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from node import broken, web
from node.broken import FAULTS
from node.flood import flood
from node.operator_pods import OperatorPods, peak_memory
from node_tests.conftest import SHOP
from plane.api import Api, Object
from plane.ladders import BREACHED, HEALTHY, ladder, level, route, scale
from plane.processes import wait_for
from plane.shop import Shop

PAGE = "We will be right back."
FLOOD = 2_500
"""Requests a second. Each takes a port of this machine, which has 28,000 to one address: not all in ten seconds.

At twice as many, where every port had been used before, a user who is counted afterwards once got no answer.
"""
BEFORE_SECONDS, AFTER_SECONDS = 5, 20
"""Around the moment when a page is left."""
CARTS = 5
"""Pods of `cart`: four fit on the node, which is just enough for its way back."""


def served(shop: Shop, api: Api, name: str) -> str:
    """The address of a Service that answers with its own name."""
    address = str(api.get("Service", name, SHOP)["spec"]["clusterIP"])
    wait_for(f"{name} answers", lambda: web.ask(address).said == name)
    return address


def open_shop(shop: Shop, api: Api, name: str) -> str:
    """A web server, its Service, and healthy signals; gives the Service's address."""
    shop.apply(web.deployment(name), web.service(name))
    shop.wait_ready(name)
    shop.load(HEALTHY, name)
    return served(shop, api, name)


def policy(name: str, *levels: Object) -> Object:
    """A ladder for a shop, which the mass guard lets through: each test breaks another."""
    found = ladder(name, SHOP, *levels, target={"service": name, "deployment": name})
    found["metadata"]["annotations"] = {"stepdown.dev/allow-mass-degradation": "they are broken one by one"}
    return found


def static(name: str) -> Object:
    """The level that routes to the shop's fallback."""
    return level("static", route(name, f"{name}-static"), trial=True)


def status_page(name: str, **fields: Any) -> Object:
    """The level that shows a page."""
    return {**level(name, {"statusPage": {"message": PAGE}}), **fields}


def pods_of(api: Api, app: str) -> list[Object]:
    """The pods of a web server."""
    return api.list("Pod", SHOP, labelSelector=f"app={app}")


def shows(api: Api, app: str, text: str) -> bool:
    """Whether the status of pods of a web server has a text."""
    return text in json.dumps([pod["status"] for pod in pods_of(api, app)])


def said(answers: Iterable[web.Answer]) -> Counter[str]:
    """How many got what; the page is a 503 with its message."""
    return Counter(a.said or ("page" if PAGE in a.error else "error") for a in answers)


def silence(users: web.Users) -> float:
    """Seconds from the first request without an answer to the next with one; the only such time."""
    failed = [a for a in users.answers if not a.said and PAGE not in a.error]
    return failed[-1].at - failed[0].at if failed else 0.0


@pytest.fixture(scope="module")
def cart(shop: Shop, api: Api, pods: OperatorPods) -> Iterator[web.Users]:
    """Users of `cart`, whose pods have died and are well again, while it shows its page for its time by default."""
    fifth = broken.share(api, "cpu", 100 // CARTS)
    well = broken.deployment("cart", CARTS, **fifth)
    shop.apply(well, web.service("cart"))
    wait_for("four of five carts", lambda: _ready(api, "cart") == CARTS - 1, 60)
    with web.Users(served(shop, api, "cart"), pause=0.1) as users:
        shop.load(HEALTHY, "cart")
        shop.start(policy("cart", status_page("page")), timeout=60)
        shop.apply(broken.deployment("cart", CARTS, **fifth, command=["false"]))
        shop.load(BREACHED, "cart")
        shop.wait_level("cart", "page")
        wait_for("users get the page", lambda: PAGE in users.answers[-1].error)
        shop.apply(well)
        shop.load(HEALTHY, "cart")
        wait_for("four of five carts", lambda: _ready(api, "cart") == CARTS - 1, 60)
        yield users


def test_a_page_that_all_ask_for_answers_and_nothing_else_waits_for_it(
    cart: web.Users, shop: Shop, api: Api, pods: OperatorPods, figure: Any
) -> None:
    address = open_shop(shop, api, "other")
    shop.apply(web.deployment("other-static"))
    shop.wait_ready("other-static")
    shop.start(policy("other", static("other")))
    assert shop.level("cart") == "page"
    cart_address = api.get("Service", "cart", SHOP)["spec"]["clusterIP"]
    with web.Users(address) as users:
        began = time.monotonic()
        shop.load(BREACHED, "other")
        found = flood(f"http://{cart_address}/", FLOOD, 10)
        ended = time.time()
        page = shop.api.list("Pod", SHOP, labelSelector="stepdown.dev/page")
        assert shop.level("other") == "static"
        first = users.first("other-static", 0)

    assert first is not None
    assert first < ended
    assert time.monotonic() - began < 60
    assert found.by_status == {503: found.asked}
    assert [c["restartCount"] for pod in page for c in pod["status"]["containerStatuses"]] == [0, 0]
    peak = max(peak_memory(pod["metadata"]["name"]) for pod in page)
    assert peak < 100
    age = _age(api, pods)
    assert age < 5
    figure("status page on a node, asked for", round(found.rate), "/s")
    figure("status page on a node, longest wait", round(found.longest, 1), "s")
    figure("status page on a node, memory", round(peak), "MB")


@pytest.mark.row(42)
@pytest.mark.parametrize("name", ["image", "room", "port"])
def test_row_42_a_fallback_that_cannot_answer_is_named_at_full_service_and_nobody_is_sent_there(
    cart: web.Users, shop: Shop, api: Api, name: str
) -> None:
    fault = FAULTS[name]
    address = open_shop(shop, api, name)
    shop.apply(broken.deployment(f"{name}-static", **fault.container))
    wait_for("its pod shows it", lambda: shows(api, f"{name}-static", fault.shows))
    with web.Users(address) as users:
        shop.apply(policy(name, static(name)))
        told = shop.wait_condition(name, "Ready", "False", "FallbackNotReady")
        shop.load(BREACHED, name)
        shop.wait("it is called for", lambda: bool(shop.status(name)["state"]["breaches"]))
        waiting = said(users.answers)
        shop.apply(broken.deployment(f"{name}-static"))
        shop.wait_level(name, "static")
        wait_for("users get the fallback", lambda: users.last() == f"{name}-static")
        shop.load(HEALTHY, name)
        shop.wait_level(name, "full", timeout=60)
        wait_for("users get the shop", lambda: users.last() == name)

    assert f"level static: route: Deployment {name}-static {fault.said}" in told["message"]
    assert set(waiting) == {name}
    assert set(said(users.answers)) == {name, f"{name}-static"}
    assert shop.condition(name, "Ready")["status"] == "True"


@pytest.mark.row(43)
def test_row_43_when_the_fallback_dies_after_the_swap_users_get_the_shop_again(
    cart: web.Users, shop: Shop, api: Api, figure: Any
) -> None:
    address = open_shop(shop, api, "back")
    shop.apply(broken.deployment("back-static"))
    shop.wait_ready("back-static")
    shop.start(policy("back", static("back")))
    with web.Users(address, timeout=2.0) as users:
        shop.load(BREACHED, "back")
        wait_for("users get the fallback", lambda: users.last() == "back-static")
        shop.apply(broken.deployment("back-static", **FAULTS["memory"].container))
        wait_for("users get the shop", lambda: users.last() == "back")
        shop.wait("it says why", lambda: FAULTS["memory"].said in shop.condition("back", "Ready")["message"], 60)
        lost = silence(users)
        shop.apply(broken.deployment("back-static"))
        wait_for("users get the fallback again", lambda: users.last() == "back-static")
        shop.load(HEALTHY, "back")
        shop.wait_level("back", "full", timeout=60)

    assert lost < 8
    assert silence(users) == lost
    figure("fallback killed after the swap, until the shop answers", round(lost, 1), "s")


@pytest.mark.row(43)
def test_row_43_when_nobody_answers_any_more_users_get_the_page_of_a_deeper_level(
    cart: web.Users, shop: Shop, api: Api, figure: Any
) -> None:
    address = open_shop(shop, api, "deeper")
    shop.apply(broken.deployment("deeper-static"))
    shop.wait_ready("deeper-static")
    page = status_page("page", enter={"any": [{"signal": "load", "above": "120%"}]}, recover={"trial": {"after": "1s"}})
    shop.start(policy("deeper", static("deeper"), page), timeout=60)
    with web.Users(address, timeout=2.0) as users:
        shop.load(BREACHED, "deeper")
        wait_for("users get the fallback", lambda: users.last() == "deeper-static")
        shop.scale("deeper", 0)
        wait_for("the shop is gone", lambda: not pods_of(api, "deeper"), 60)
        shop.apply(broken.deployment("deeper-static", **FAULTS["memory"].container))
        wait_for("users get the page", lambda: PAGE in users.answers[-1].error)
        lost = silence(users)
        shop.scale("deeper", 1)
        wait_for("users get the shop", lambda: users.last() == "deeper", 60)

    assert lost < 8
    assert silence(users) == lost
    assert shop.status("deeper")["history"][1]["reason"] == "FallbackNotReady"
    figure("fallback killed after the swap, until the page answers", round(lost, 1), "s")


def test_a_scale_that_no_node_has_room_for_is_said_and_takes_nothing_from_the_pods_that_run(
    cart: web.Users, shop: Shop, api: Api
) -> None:
    shop.apply(broken.deployment("big", **broken.share(api, "memory", 40)), web.service("big"))
    shop.wait_ready("big")
    shop.load(HEALTHY, "big")
    shop.start(policy("big", level("bigger", scale("big", 4))))
    with web.Users(served(shop, api, "big")) as users:
        shop.load(BREACHED, "big")
        told = shop.wait_condition("big", "Ready", "False", "PodsNotStarted")
        reached = shop.level("big")
        shop.load(HEALTHY, "big")
        shop.wait_condition("big", "Ready", "True", timeout=60)

    assert reached == "bigger"
    assert "level bigger: scale: Deployment big: no node takes its pods: 0/1 nodes are available" in told["message"]
    assert set(said(users.answers)) == {"big"}
    assert shop.replicas("big") == 1


def test_by_default_a_page_is_left_after_a_minute_when_four_in_five_pods_are_ready(cart: web.Users, shop: Shop) -> None:
    shop.wait("the trial has succeeded", lambda: "trial" not in (shop.status("cart").get("state") or {}), 150)

    down, up = shop.status("cart")["history"]
    went, came = shop.status("cart")["state"]["transitions"]
    assert (down["to"], up["reason"], up["to"]) == ("page", "TrialStarted", "full")
    assert 60 <= came - went < 70
    assert shop.condition("cart", "Ready")["status"] == "True"
    around = [a for a in cart.answers if -BEFORE_SECONDS < a.at - came < AFTER_SECONDS]
    assert set(said(around)) == {"page", "cart"}, [(round(a.at - came, 1), a.error) for a in around if not a.said]
    assert cart.last() == "cart"


def _ready(api: Api, name: str) -> int:
    deployment = api.get("Deployment", name, SHOP)
    seen = deployment["status"].get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return int(deployment["status"].get("readyReplicas", 0)) if seen else 0


def _age(api: Api, pods: OperatorPods) -> float:
    """Seconds since the least recently evaluated policy was."""
    pod = api.get("Pod", pods.leader(), "stepdown-system")
    text = web.ask(pod["status"]["podIP"], 8080, "/metrics").said
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("stepdown_evaluation_age")))
