"""What isn't there, or may not be used, is named in Ready; nothing is written; it heals by itself."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plane.api import Object
from plane.operator import Operator
from plane.prometheus import Prometheus
from plane.shop import Shop
from plane.tools import Tool

# Things that aren't there, while their level is called for

MISSING = {
    "deployment": ("TargetNotFound", "level down: scale: Deployment late-worker isn't there;"),
    "service": ("TargetNotFound", "level down: route: Service late-service isn't there;"),
    "fallback": ("TargetNotFound", "level down: route: Deployment late-fallback isn't there;"),
    "config-map": ("TargetNotFound", "level down: flags: ConfigMap late-flags isn't there;"),
    "flag": ("FlagNotFound", "level down: flags: flags.json in ConfigMap some-flags has no flag late;"),
    "not-json": ("InvalidFlagDocument", "level down: flags: flags.json in ConfigMap broken-flags isn't JSON ("),
}
ACTIONS: dict[str, Object] = {
    "deployment": {"scale": {"deployment": "late-worker", "to": 0}},
    "service": {"route": {"service": "late-service", "to": {"deployment": "shop-static"}}},
    "fallback": {"route": {"service": "checkout", "to": {"deployment": "late-fallback"}}},
    "config-map": {"flags": {"disable": ["reviews"], "in": {"flagd": {"configMap": "late-flags"}}}},
    "flag": {"flags": {"disable": ["late"], "in": {"flagd": {"configMap": "some-flags"}}}},
    "not-json": {"flags": {"disable": ["reviews"], "in": {"flagd": {"configMap": "broken-flags"}}}},
}
REVIEWS = '{"flags": {"reviews": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}}}'
BROKEN = '{"flags": {"reviews": '


class Missing:
    """Six policies whose level is called for, each with one thing missing: before it appeared and after."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.ready: dict[str, Object] = {}
        self.levels: dict[str, str] = {}
        self.before: dict[str, Object] = {}
        self.meanwhile: dict[str, Object] = {}
        self.ledgers: dict[str, list[Object]] = {}
        self.healed: dict[str, Object] = {}


def config_map(name: str, text: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"flags.json": text}}


def late_deployment(shop: Shop, name: str) -> Object:
    found = shop.api.get("Deployment", "shop-static", shop.namespace)
    template = found["spec"]["template"]
    template["metadata"] = {"labels": {"app": name}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


@pytest.fixture(scope="module")
def missing(lead: Callable[[], Operator], open_shop: Any) -> Iterator[Missing]:
    """Applies the policies, waits until each has said what is missing, then lets everything appear."""
    lead()
    with open_shop("missing") as shop:
        shop.apply_workloads()
        shop.apply(config_map("some-flags", REVIEWS), config_map("broken-flags", BROKEN))
        shop.requests("shop", ok=40, failed=60)
        record = Missing(shop)
        record.before = shop.snapshot()
        for name, action in ACTIONS.items():
            policy = shop.quick("smallest.yaml")
            policy["metadata"]["name"] = name
            policy["spec"]["levels"][1:] = [
                {**policy["spec"]["levels"][2], "name": "down", "actions": [action]},
            ]
            shop.apply(policy)
        for name in ACTIONS:
            shop.wait_condition(name, "MetricsAvailable", "True")
            shop.wait(f"{name} sees the breach", lambda name=name: shop.status(name)["state"].get("breaches"))
        for name, (reason, _) in MISSING.items():
            record.ready[name] = shop.wait_condition(name, "Ready", "False", reason)
            record.levels[name] = shop.level(name)
            record.ledgers[name] = shop.ledger(name)
        record.meanwhile = shop.snapshot()
        some = REVIEWS.replace(
            '{"flags": {',
            '{"flags": {"late": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}, ',
        )
        service = {"selector": {"app": "shop"}, "ports": [{"port": 80, "targetPort": "http"}]}
        shop.apply(
            late_deployment(shop, "late-worker"),
            late_deployment(shop, "late-fallback"),
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "late-service"}, "spec": service},
            config_map("late-flags", REVIEWS),
            config_map("some-flags", some),
            config_map("broken-flags", REVIEWS),
        )
        for name in MISSING:
            shop.wait_level(name, "down")
            shop.wait_condition(name, "Ready", "True")
        record.healed = shop.snapshot()
        yield record


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_is_named_in_ready(missing: Missing, name: str) -> None:
    reason, sentence = MISSING[name]

    assert missing.ready[name]["reason"] == reason
    assert missing.ready[name]["message"].startswith(sentence)


def test_nothing_is_written_while_something_is_missing(missing: Missing) -> None:
    assert missing.meanwhile == missing.before
    assert set(missing.levels.values()) == {"full"}
    assert list(missing.ledgers.values()) == [[]] * 6


def test_a_flag_document_that_is_not_json_is_left_untouched(missing: Missing) -> None:
    assert missing.meanwhile["ConfigMap/broken-flags"]["data"] == {"flags.json": BROKEN}


def test_each_policy_goes_on_by_itself_when_the_thing_appears(missing: Missing) -> None:
    objects = missing.healed

    assert objects["Deployment/late-worker"]["spec"]["replicas"] == 0
    assert objects["Service/late-service"]["spec"]["selector"] == {"app": "shop-static"}
    assert objects["Service/checkout"]["spec"]["selector"] == {"app": "late-fallback"}
    for name in ("late-flags", "some-flags", "broken-flags"):
        assert objects[f"ConfigMap/{name}"]["data"]["flags.json"].count('"defaultVariant": "off"') == 1


# Endpoints


def endpoint(name: str, url: str, selector: Object) -> Object:
    spec = {"url": url, "allowedCIDRs": ["127.0.0.0/8"], "namespaceSelector": selector}
    kind = {"apiVersion": "stepdown.dev/v1alpha1", "kind": "MetricsEndpoint"}
    return {**kind, "metadata": {"name": name}, "spec": spec}


@pytest.fixture
def endpoint_of_another_team(prometheus: Prometheus, kubectl: Tool) -> Iterator[str]:
    """An endpoint that only namespaces with the label team=shop may use."""
    name = "of-team-shop"
    obj = endpoint(name, prometheus.url, {"matchLabels": {"team": "shop"}})
    kubectl("apply", "--filename", "-", stdin=json.dumps(obj))
    yield name
    kubectl("delete", "metricsendpoint", name)


def test_an_endpoint_that_is_not_there_is_named_and_may_come_later(
    shop: Shop, operator: Operator, prometheus: Prometheus, kubectl: Tool
) -> None:
    shop.apply_workloads()
    shop.all_is_well("shop")
    policy = shop.quick()
    policy["spec"]["metricsEndpoint"] = "late"
    shop.apply(policy)

    ready = shop.wait_condition("shop", "Ready", "False", "EndpointNotAllowed")
    shop.api.create(endpoint("late", prometheus.url, {}))
    try:
        assert ready["message"].startswith("there is no MetricsEndpoint late: an administrator creates it")
        shop.wait_condition("shop", "Ready", "True")
    finally:
        shop.api.delete("MetricsEndpoint", "late")


def test_an_endpoint_that_the_namespace_may_not_use_is_never_asked_until_it_may(
    shop: Shop, operator: Operator, endpoint_of_another_team: str, kubectl: Tool
) -> None:
    shop.apply_workloads()
    shop.requests("shop", ok=40, failed=60)
    policy = shop.quick()
    policy["spec"]["metricsEndpoint"] = endpoint_of_another_team
    shop.apply(policy)

    ready = shop.wait_condition("shop", "Ready", "False", "EndpointNotAllowed")
    unseen = shop.wait_condition("shop", "MetricsAvailable", "False")
    kubectl("label", "namespace", shop.namespace, "team=shop")

    assert f"does not allow namespace {shop.namespace}" in ready["message"]
    assert "its endpoint may not be used" in unseen["message"]
    shop.wait_condition("shop", "Ready", "True")
    shop.wait_level("shop", "status-page")
