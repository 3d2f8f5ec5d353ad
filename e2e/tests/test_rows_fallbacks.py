"""Rows 42 and 43 of the fault table: a fallback that can't answer is never routed to, and left when it dies."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from plane import examples
from plane.api import Object
from plane.ladders import BREACHED, ladder, level, recover, route
from plane.operator import Operator
from plane.record import Record, wait_quiet
from plane.shop import Shop

FALLBACKS = {"missing": "TargetNotFound", "no-pods": "FallbackNotReady", "unready-pods": "FallbackNotReady"}
"""What is wrong with the fallback of each policy, and how Ready=False names it."""


@dataclass
class Routes:
    """Policies whose fallbacks can't answer at first: what was told and where traffic went, before and after."""

    before: dict[str, Object]
    told: dict[str, Object]
    levels: dict[str, str]
    selectors: dict[str, list[Object]]
    healed_levels: dict[str, str]
    healed_ready: dict[str, Object]
    end: dict[str, Object]


def workloads(*names: str) -> list[Object]:
    """Objects of examples/workloads.yaml with these names."""
    return [obj for obj in examples.load("workloads.yaml") if obj["metadata"]["name"] in names]


def renamed(obj: Object, old: str, new: str) -> Object:
    """A copy of an object under another name, labels and selectors included."""
    return dict(json.loads(json.dumps(obj).replace(f'"{old}"', f'"{new}"')))


def set_ready(shop: Shop, app: str, ready: bool) -> None:
    """Whether the pods of an app are ready."""
    body = {"metadata": {"annotations": {"plane.test/ready": "true" if ready else "false"}}}
    for pod in shop.api.list("Pod", shop.namespace, labelSelector=f"app={app}"):
        shop.api.merge("Pod", pod["metadata"]["name"], shop.namespace, body)


@pytest.fixture(scope="module")
def routes(lead: Callable[[], Operator], open_shop: Any) -> Iterator[Routes]:
    """Policies `missing`, `no-pods`, `unready-pods`, each for a Service of its name; `deeper` has a second level."""
    operator = lead()
    names = (*FALLBACKS, "deeper")
    (static,) = workloads("shop-static")
    (service,) = (obj for obj in workloads("shop") if obj["kind"] == "Service")
    with open_shop("row-42") as shop:
        shop.apply(*(renamed(service, "shop", name) for name in names))
        shop.apply(*(renamed(static, "shop-static", f"static-{n}") for n in ("no-pods", "unready-pods", "deeper")))
        shop.wait_ready("static-no-pods", "static-unready-pods", "static-deeper")
        shop.scale("static-no-pods", 0)
        set_ready(shop, "static-unready-pods", False)
        shop.wait("no pods are left", lambda: not _pods(shop, "static-no-pods"), timeout=60)
        shop.wait("they aren't ready", lambda: not _ready(shop, "static-unready-pods"), timeout=60)
        before = shop.snapshot()
        with Record(shop.api, shop.namespace, "Service") as record:
            for name in names:
                shop.load(BREACHED, name)
            shop.apply(*(_routing(shop.namespace, name) for name in names))
            told = {
                name: shop.wait_condition(name, "Ready", "False", reason, timeout=60)
                for name, reason in {**FALLBACKS, "deeper": "TargetNotFound"}.items()
            }
            shop.wait_level("deeper", "lower", timeout=60)
            wait_quiet(shop, operator)
            levels = {name: shop.level(name) for name in names}
            selectors = {n: record.values("Service", n, lambda obj: obj["spec"]["selector"]) for n in names}
        shop.apply(*(renamed(static, "shop-static", name) for name in ("static-missing", "nowhere")))
        shop.scale("static-no-pods", 1)
        set_ready(shop, "static-unready-pods", True)
        for name in FALLBACKS:
            shop.wait_level(name, "low", timeout=60)
        ready = {name: shop.wait_condition(name, "Ready", "True", timeout=60) for name in FALLBACKS}
        healed = {name: shop.selector(name) for name in FALLBACKS}
        recover(shop, operator, *names)
        for name in ("static-missing", "nowhere"):
            shop.api.delete("Deployment", name, shop.namespace)
        shop.scale("static-no-pods", 0)
        yield Routes(before, told, levels, selectors, healed, ready, shop.snapshot())


def _routing(namespace: str, name: str) -> Object:
    levels = [level("low", route(name, f"static-{name}"), trial=True)]
    if name == "deeper":
        levels = [
            level("low", route(name, "nowhere"), trial=True),
            level("lower", route(name, "static-deeper"), above="120%", trial=True),
        ]
    return ladder(name, namespace, *levels)


def _pods(shop: Shop, app: str) -> list[Object]:
    return shop.api.list("Pod", shop.namespace, labelSelector=f"app={app}")


def _ready(shop: Shop, app: str) -> list[Object]:
    conditions = [c for pod in _pods(shop, app) for c in pod["status"]["conditions"]]
    return [c for c in conditions if c["type"] == "Ready" and c["status"] == "True"]


@pytest.fixture(params=FALLBACKS)
def wrong(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.row(42)
def test_row_42_a_fallback_that_cannot_answer_is_never_routed_to(routes: Routes, wrong: str) -> None:
    assert (routes.levels[wrong], routes.selectors[wrong]) == ("full", [])


@pytest.mark.row(42)
def test_row_42_it_is_named_in_ready(routes: Routes, wrong: str) -> None:
    assert f"static-{wrong}" in routes.told[wrong]["message"]


@pytest.mark.row(42)
def test_row_42_the_next_deeper_level_is_taken_where_there_is_one(routes: Routes) -> None:
    assert (routes.levels["deeper"], routes.selectors["deeper"]) == ("lower", [{"app": "static-deeper"}])


@pytest.mark.row(42)
def test_row_42_when_it_becomes_ready_it_is_routed_to(routes: Routes, wrong: str) -> None:
    assert routes.healed_levels[wrong] == {"app": f"static-{wrong}"}


@pytest.mark.row(42)
def test_row_42_everything_is_byte_for_byte_what_it_was(routes: Routes) -> None:
    assert routes.end == routes.before


@pytest.mark.row(43)
def test_row_43_traffic_goes_back_to_a_ready_primary_when_the_fallback_dies_and_returns_with_it(
    shop: Shop, operator: Operator
) -> None:
    shop.apply_workloads("shop", "shop-static")
    shop.load(BREACHED, "shop")
    shop.apply(ladder("shop", shop.namespace, level("low", route("shop", "shop-static"), trial=True)))
    shop.wait_level("shop", "low")
    set_ready(shop, "shop-static", False)
    told = shop.wait_condition("shop", "Ready", "False", "FallbackNotReady")
    shop.wait("traffic is at the primary", lambda: shop.selector("shop") == {"app": "shop"})
    set_ready(shop, "shop-static", True)
    shop.wait("traffic is at the fallback again", lambda: shop.selector("shop") == {"app": "shop-static"})

    assert "Deployment shop-static has 0 ready pods" in told["message"]
    recover(shop, operator, "shop")
    assert shop.selector("shop") == {"app": "shop"}
