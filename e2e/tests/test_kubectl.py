"""What kubectl shows of a policy: columns, describe, explain."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plane.operator import Operator
from plane.shop import Shop
from plane.tools import Tool

DISCOVERY = "/openapi/v3/apis/stepdown.dev/v1alpha1"
LEVELS_ACTIONS = [
    "flags", "disable", "enable", "in", "configMap", "name", "flagd", "configMap", "key", "refresh", "set",
    "restart", "atMost", "deployment", "per", "statefulSet",
    "route", "httpRoute", "service", "to", "deployment", "service", "statefulSet",
    "scale", "as", "by", "deployment", "statefulSet", "to",
    "statusPage", "message", "retryAfter", "service",
]  # fmt: skip


@pytest.fixture(scope="module")
def degraded(lead: Callable[[], Operator], open_shop: Any) -> Iterator[Shop]:
    """The four-level policy at read-only, which has the longest line of both examples, and the other at full."""
    lead()
    with open_shop("kubectl") as shop:
        shop.apply_workloads()
        shop.all_is_well("shop")
        shop.all_is_well("checkout")
        shop.db_latency(0.4)
        shop.apply(shop.quick("four-levels.yaml"), shop.quick("smallest.yaml"))
        shop.wait_level("checkout", "read-only")
        shop.wait_condition("shop", "MetricsAvailable", "True")
        shop.wait_event("LevelEntered")
        yield shop


def test_get_shows_level_state_since_why_ready_and_age_in_100_columns(degraded: Shop) -> None:
    title, checkout, shop = degraded.kubectl("get", "dgp", "--namespace", degraded.namespace).splitlines()

    assert title.split() == ["NAME", "LEVEL", "STATE", "SINCE", "WHY", "READY", "AGE"]
    name, level, state, _, signal, values, ready, _ = checkout.split()
    assert (name, level, state, signal, ready) == ("checkout", "read-only", "Degraded", "db-latency", "True")
    assert values.endswith("ms>250ms")
    assert shop.split()[:3] == ["shop", "full", "Full"]
    assert max(len(line) for line in (title, checkout, shop)) <= 100


def test_get_wide_adds_mode_and_the_sentence_of_ready(degraded: Shop) -> None:
    title, checkout, _ = degraded.kubectl("get", "dgp", "-o", "wide", "--namespace", degraded.namespace).splitlines()

    assert title.split()[-2:] == ["MODE", "MESSAGE"]
    assert checkout.endswith("Enforce   doing its job")


def test_describe_shows_spec_conditions_history_and_events(degraded: Shop) -> None:
    text = degraded.kubectl("describe", "dgp", "checkout", "--namespace", degraded.namespace)

    for part in ("Spec:", "Conditions:", "Type:                  Degraded", "History:", "Ledger:", "Events:"):
        assert part in text
    (event,) = [line for line in text.splitlines() if "LevelEntered" in line]
    assert event.split()[0] == "Warning"
    assert event.endswith(": down to read-only")


@pytest.mark.parametrize("asked", ["dgp", "degradationpolicy", "degradationpolicies.stepdown.dev", "stepdown", "all"])
def test_policies_are_found_by_their_names_and_categories(degraded: Shop, asked: str) -> None:
    found = degraded.kubectl("get", asked, "-o", "name", "--namespace", degraded.namespace).splitlines()

    assert {"degradationpolicy.stepdown.dev/checkout", "degradationpolicy.stepdown.dev/shop"} <= set(found)


@pytest.mark.parametrize("asked", ["mep", "metricsendpoints"])
def test_metrics_endpoints_are_found_by_their_names(release: object, kubectl: Tool, asked: str) -> None:
    assert kubectl("get", asked, "-o", "name") == ""


def test_explain_lists_every_action_with_its_fields(release: object, kubectl: Tool) -> None:
    text = kubectl("explain", "dgp.spec.levels.actions", "--recursive")
    fields = text.partition("FIELDS:")[2].splitlines()

    assert [line.split()[0] for line in fields if "<" in line] == LEVELS_ACTIONS
    assert max(len(line) for line in text.splitlines()) <= 100


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("dgp.spec.levels.enter.any.above", "Breached when the value is above. Example: 2%"),
        ("dgp.spec.signals.preset", "Ready query over the target's labels. Example: http-error-ratio"),
        ("dgp.spec.stabilization.up", "How long every signal must be healthy before a step up. Example: 5m"),
        ("mep.spec.timeout", "Longest time for an answer, in all. Example: 5s"),
    ],
)
def test_explain_says_what_a_field_means_with_an_example(
    release: object, kubectl: Tool, field: str, sentence: str
) -> None:
    assert sentence in " ".join(kubectl("explain", field).split())


def test_explain_has_a_description_with_an_example_for_every_field(release: object, kubectl: Tool) -> None:
    schemas = json.loads(kubectl("get", "--raw", DISCOVERY))["components"]["schemas"]
    kinds = [schemas[f"dev.stepdown.v1alpha1.{kind}"] for kind in ("DegradationPolicy", "MetricsEndpoint")]
    fields = dict(field for kind in kinds for part in ("spec", "status") for field in _fields(kind, part))

    assert len(fields) > 150
    assert [path for path, text in fields.items() if "Example: " not in text] == []


def _fields(schema: Any, path: str) -> Iterator[tuple[str, str]]:
    """Path and description of every field below a part of a kind."""
    part = schema.get("properties", {}).get(path)
    yield from _below(part, path) if part else ()


def _below(schema: Any, path: str) -> Iterator[tuple[str, str]]:
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner.get("description", "")
        yield from _below(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _below(schema[key], path)
