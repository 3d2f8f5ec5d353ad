"""The weights of an HTTPRoute on real packets: Traefik sends requests where the operator has put the weights."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from node import web
from node.operator_pods import OperatorPods
from node.traefik import Traefik
from node_tests.conftest import SHOP
from plane.gateway import backend, http_route, weights
from plane.ladders import BREACHED, HEALTHY, ladder, level
from plane.processes import wait_for
from plane.release import Release
from plane.shop import Shop

ASKED = 400


@pytest.fixture(scope="module")
def gateway(
    shop: Shop, release: Release, pods: OperatorPods, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Traefik]:
    """A gateway whose HTTPRoute leads to a shop, and could lead to its fallback."""
    release.upgrade({"features": {"gateway": True}})
    pods.wait_ready(2, 90)
    with Traefik(release.plane, shop.kubectl, SHOP, tmp_path_factory.mktemp("traefik")) as traefik:
        for name in ("shop", "shop-static"):
            shop.apply(web.deployment(name), web.service(name))
        shop.wait_ready("shop", "shop-static")
        route = http_route("shop", {"name": "all", "backendRefs": [backend("shop", 1), backend("shop-static", 0)]})
        del route["spec"]["hostnames"]
        shop.apply(route)
        wait_for("the shop answers", lambda: web.ask(traefik.host, traefik.port).said == "shop", 60)
        yield traefik


def test_weights_move_real_traffic_and_a_trickle_leaves_its_share(gateway: Traefik, shop: Shop, figure: Any) -> None:
    static = level("static", {"route": {"httpRoute": "shop", "to": {"service": "shop-static"}}})
    static["recover"] = {"trickle": {"weight": 20, "for": "2s"}}
    shop.load(HEALTHY, "shop")
    shop.start(ladder("shop", SHOP, static))
    before = asked(gateway)
    shop.load(BREACHED, "shop")
    shop.wait_level("shop", "static")
    wait_for("the gateway has the weights", lambda: web.ask(gateway.host, gateway.port).said == "shop-static")
    during = asked(gateway)
    moved = weights(shop.api.get("HTTPRoute", "shop", SHOP))
    shop.load(HEALTHY, "shop")
    shop.wait_level("shop", "full", timeout=60)
    wait_for("the gateway has them back", lambda: set(asked(gateway, 20)) == {"shop"})
    after = asked(gateway)

    assert before == {"shop": ASKED}
    assert moved == [[20, 80]]
    assert during["shop"] + during["shop-static"] == ASKED
    assert 0.15 * ASKED <= during["shop"] <= 0.25 * ASKED
    assert after == {"shop": ASKED}
    figure(f"requests of {ASKED} that a trickle of 20% left with the shop", during["shop"], "")


def asked(gateway: Traefik, count: int = ASKED) -> Counter[str]:
    """Who answered so many requests; errors by what they were."""
    answers = [web.ask(gateway.host, gateway.port) for _ in range(count)]
    return Counter(answer.said or answer.error for answer in answers)
