"""Traffic moved by the weights of HTTPRoutes, on the real API server with the real CRD of the Gateway API.

One episode of three policies over the same two Services, each with an HTTPRoute of its own: `web` is followed down and
up while somebody turns its rules round, `rival` is fought over, and the first fallback of `deeper` has no pod.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from plane import examples
from plane.api import Object
from plane.control_plane import ControlPlane
from plane.gateway import backend, http_route, is_served, served, weights
from plane.ladders import BREACHED, ladder, level, recover
from plane.operator import Operator, stepdown
from plane.record import wait_quiet
from plane.shop import Shop
from plane.tools import Paste, Tool

NAMES = ("web", "rival", "deeper")
HEADER = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-team", "value": "shop"}]}}
API = {
    "name": "api",
    "matches": [{"path": {"type": "PathPrefix", "value": "/api"}}],
    "filters": [HEADER],
    "timeouts": {"request": "5s"},
    "backendRefs": [backend("shop", 90, filters=[HEADER]), backend("canary", 10), backend("shop-static", 0)],
}
ROOT = {"backendRefs": [backend("shop"), backend("shop-static", 0)]}
FAR = {
    "name": "far",
    "backendRefs": [backend("shop", 60), backend("shop-static", 0), backend("shop", 40, namespace="x")],
}
CART = {"name": "cart", "backendRefs": [backend("cart", 3), backend("shop-static", 0)]}
BOTH = {"name": "all", "backendRefs": [backend("shop", 1), backend("shop-static", 0)]}
DEAD = {"name": "all", "backendRefs": [backend("shop", 1), backend("dead", 0), backend("shop-static", 0)]}


def by_weight(route: str, service: str = "shop-static") -> Object:
    return {"route": {"httpRoute": route, "to": {"service": service}}}


def service(name: str) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    spec = {"selector": {"app": name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def route(shop: Shop, name: str) -> Object:
    """Everything of an HTTPRoute that is its owner's."""
    found = shop.api.get("HTTPRoute", name, shop.namespace)
    for key in ("resourceVersion", "managedFields", "generation"):
        found["metadata"].pop(key)
    return found


def without_weights(found: Object) -> Object:
    found = copy.deepcopy(found)
    found["metadata"]["annotations"].pop("stepdown.dev/ledger", None)
    for rule in found["spec"]["rules"]:
        for each in rule["backendRefs"]:
            del each["weight"]
    return found


def edit(shop: Shop, name: str, manager: str, change: Callable[[list[Any]], None]) -> None:
    """Somebody's edit of the rules."""
    rules = route(shop, name)["spec"]["rules"]
    change(rules)
    path = shop.api.path("HTTPRoute", name, shop.namespace)
    shop.api.call("PATCH", path, {"spec": {"rules": rules}}, "application/merge-patch+json", fieldManager=manager)


@dataclass
class Episode:
    """HTTPRoutes by name before, degraded, and after; what was told; whose rules were turned round in between."""

    told_without_kind: Object
    before: dict[str, Object]
    low: dict[str, Object]
    levels: dict[str, str]
    contested: Object
    end: dict[str, Object]


@pytest.fixture(scope="module")
def episode(lead: Callable[[], Operator], open_shop: Any, kubectl: Tool) -> Episode:
    operator = lead()
    with open_shop("gateway") as shop:
        shop.apply_workloads("shop", "shop-static")
        shop.apply(service("shop-static"), service("dead"))
        assert not is_served(kubectl)
        levels = {name: [level("low", by_weight(name), trial=True)] for name in ("web", "rival")}
        deeper = level("lower", by_weight("deeper"), above="85%", trial=True)
        levels["deeper"] = [level("low", by_weight("deeper", "dead"), trial=True), deeper]
        for name in NAMES:
            shop.load(0.4, name)
        shop.apply(*(ladder(name, shop.namespace, *levels[name]) for name in NAMES))
        told = shop.wait_condition("web", "Ready", "False", "TargetNotFound")
        with served(shop.api, kubectl):
            rules = {"web": (API, ROOT, FAR, CART), "rival": (BOTH,), "deeper": (DEAD,)}
            shop.apply(*(http_route(name, *rules[name]) for name in NAMES))
            shop.wait_condition("web", "Ready", "True")
            before = {name: route(shop, name) for name in NAMES}
            for name in NAMES:
                shop.load(BREACHED, name)
            shop.wait_level("web", "low")
            shop.wait_level("rival", "low")
            shop.wait_level("deeper", "lower")
            low = {name: route(shop, name) for name in NAMES}
            reached = {name: shop.level(name) for name in NAMES}
            edit(shop, "web", "a-person", lambda rules: rules.insert(0, {**CART, "name": "new"}))
            edit(shop, "web", "a-person", lambda rules: rules.reverse())
            edit(shop, "rival", "flagger", lambda rules: rules[0]["backendRefs"][0].update(weight=50))
            contested = shop.wait_condition("rival", "Contested", "True")
            shop.api.merge("Service", "dead", shop.namespace, {"spec": {"selector": {"app": "shop-static"}}})
            recover(shop, operator, *NAMES)
            return Episode(told, before, low, reached, contested, {name: route(shop, name) for name in NAMES})


def test_without_the_crd_the_policy_says_so_and_heals_when_it_is_there(episode: Episode) -> None:
    assert episode.told_without_kind["message"].startswith(
        "level low: route: HTTPRoute web isn't there; create it, correct the action's name, or install the CRDs of the"
        " Gateway API"
    )


def test_a_step_down_moves_the_weights_of_the_rules_with_both_services(episode: Episode) -> None:
    assert weights(episode.before["web"]) == [[90, 10, 0], [1, 0], [60, 0, 40], [3, 0]]
    assert weights(episode.low["web"]) == [[0, 0, 1], [0, 1], [0, 60, 40], [3, 0]]


def test_nothing_but_weights_and_our_annotation_is_changed(episode: Episode) -> None:
    assert {name: without_weights(found) for name, found in episode.low.items()} == {
        name: without_weights(found) for name, found in episode.before.items()
    }


def test_weights_find_back_to_their_backends_through_rules_that_were_turned_round(episode: Episode) -> None:
    assert [rule.get("name") for rule in episode.end["web"]["spec"]["rules"]] == ["cart", "far", None, "api", "new"]
    assert weights(episode.end["web"]) == [[3, 0], [60, 0, 40], [1, 0], [90, 10, 0], [3, 0]]


def test_everything_else_is_byte_for_byte_what_it_was(episode: Episode) -> None:
    first, *rules = reversed(episode.end["web"]["spec"]["rules"])

    assert first["name"] == "new"
    assert rules == episode.before["web"]["spec"]["rules"]
    assert episode.end["web"]["metadata"] == episode.before["web"]["metadata"]
    assert episode.end["deeper"] == episode.before["deeper"]


@pytest.mark.row(42)
def test_row_42_a_fallback_without_a_ready_pod_gets_no_weight_and_the_next_level_is_taken(episode: Episode) -> None:
    assert episode.levels["deeper"] == "lower"
    assert weights(episode.low["deeper"]) == [[0, 0, 1]]


@pytest.mark.row(39)
def test_row_39_a_weight_of_flagger_is_left_and_flagger_is_named_with_the_cure(episode: Episode) -> None:
    assert episode.contested["message"].endswith(
        "Written by flagger. Flagger owns these weights: suspend its Canary (spec.suspend: true), or take the action"
        " out of the policy"
    )
    assert weights(episode.end["rival"]) == [[50, 0]]


def test_printed_lines_put_the_weights_back_without_an_operator(
    shop: Shop, operator: Operator, gateway: None, plane: ControlPlane, paste: Paste
) -> None:
    shop.apply_workloads("shop", "shop-static")
    shop.apply(service("shop-static"), http_route("web", API, ROOT))
    before = route(shop, "web")
    shop.load(BREACHED, "web")
    shop.apply(ladder("web", shop.namespace, level("low", by_weight("web"), trial=True)))
    shop.wait_level("web", "low")
    operator.stop()

    printed = stepdown("restore", "web", "--print", "-n", shop.namespace, kubeconfig=plane.kubeconfig())
    code, lines, errors = printed

    assert (code, errors) == (0, "")
    assert paste(lines).stderr == ""
    assert route(shop, "web") == before


def test_the_examples_trickle_lets_the_service_itself_say_when_it_is_well(
    shop: Shop, operator: Operator, gateway: None
) -> None:
    shop.apply_workloads("shop", "shop-static")
    shop.apply(*examples.load("weights-workloads.yaml"))
    shop.all_is_well("shop")
    shop.start(shop.quick("weights.yaml"))
    before = route(shop, "shop")

    shop.requests("shop", ok=40.0, failed=60.0)
    shop.wait_level("shop", "static")
    under_trickle = weights(route(shop, "shop"))
    shop.scale("shop", 0)
    shop.wait("nobody is sent to no pod", lambda: weights(route(shop, "shop")) == [[0, 1]])
    shop.scale("shop", 2)
    shop.wait("the trickle is back", lambda: weights(route(shop, "shop")) == [[5, 95]])
    shop.requests("shop", ok=5.0)
    shop.wait_level("shop", "full", timeout=30)
    wait_quiet(shop, operator)

    assert under_trickle == [[5, 95]]
    assert route(shop, "shop") == before
    last = shop.status("shop")["history"][-1]
    assert (last["reason"], last["message"]) == (
        "Recovered",
        "every signal healthy for 2s under 5% of the traffic: up to full",
    )
