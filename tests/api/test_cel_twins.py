"""Each rule exists twice, in CEL for the API server and in Python for lint: both must judge every spec equally."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import product
from random import Random
from typing import Any

import cel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from stepdown.api import crd
from stepdown.api.actions import ReplicaStep
from stepdown.api.endpoint import EndpointSpec
from stepdown.api.model import Duration, Model, PromqlWindow, Rule, Threshold
from stepdown.api.policy import PolicySpec
from stepdown.api.signals import Percentage

DURATIONS = ["0s", "1ms", "100ms", "999ms", "1s", "2s", "10s", "11s", "30s", "31s", "1m", "1h", "1h1ms", "2h", "1h30m"]
WINDOWS = ["30s", "5m", "1h", "30d", "1w2d"]
THRESHOLDS = [
    0,
    1,
    80,
    -1,
    "0.02",
    "2%",
    "80%",
    "0.8",
    "250ms",
    "250us",
    "0.25",
    "1s",
    "2/s",
    "1k",
    "1Ki",
    "2M",
    "1Mi",
    "1Gi",
]
STEPS = [1, -3, "100%", "-50%"]
POOLS = {
    "name": ["a", "b", "c"],
    "signal": ["a", "b"],
    "objective": ["a", "b"],
    "level": ["a", "b"],
    "query": ["up"],
    "errors": ["sum(increase(bad[$window]))", "bad"],
    "total": ["sum(increase(all[$window]))", "all"],
    "target": ["99.9%"],
    "path": ["/healthz"],
    "url": ["http://prometheus:9090"],
    "by": STEPS,
    "until": ["2026-03-01T18:00:00Z"],
}


def test_every_rule_is_kept_and_broken_alike_by_the_api_server_and_by_python() -> None:
    verdicts: dict[str, set[bool]] = {}
    schema = schema_of("degradationpolicies")
    for spec in (*(generated(schema, Random(seed)) for seed in range(300)), *ladders()):
        with without_rules():
            policy = PolicySpec.model_validate_json(json.dumps(spec))
        for rule, value, model in pairs(policy, spec):
            in_cel, in_python = holds(rule.cel, value), rule.holds(model)
            assert in_cel == in_python, f"{rule.message}: CEL says {in_cel}, Python {in_python} of {value}"
            verdicts.setdefault(rule.message, set()).add(in_cel)

    assert [message for message, seen in verdicts.items() if seen != {True, False}] == []


def ladders() -> Iterator[dict[str, Any]]:
    """Two levels on one signal in every order of their thresholds: too rare among what is generated."""
    signal = {"name": "a", "query": "up"}
    for key, first, second in product(("above", "below"), ("2%", "0.25", 1), ("2%", "0.25", 1)):
        for early, late in (({}, {}), ({"for": "1m"}, {}), ({"for": "1m"}, {"for": "90s"})):
            shallow, deep = {"signal": "a", key: first, **early}, {"signal": "a", key: second, **late}
            levels = [{"name": "b", "enter": {"any": [shallow]}}, {"name": "c", "enter": {"any": [deep]}}]
            yield {"target": {}, "signals": [signal], "levels": [{"name": "a"}, *levels]}


@settings(max_examples=50, derandomize=True, deadline=None, database=None)
@given(st.sampled_from(DURATIONS))
def test_the_timeout_of_an_endpoint_is_bounded_alike(timeout: str) -> None:
    spec = {"url": "http://prometheus:9090", "timeout": timeout}
    with without_rules():
        endpoint = EndpointSpec.model_validate_json(json.dumps(spec))

    assert [holds(rule.cel, value) for rule, value, _ in pairs(endpoint, spec)] == [
        rule.holds(model) for rule, _, model in pairs(endpoint, spec)
    ]


TEXT = st.text(alphabet="0123456789hmsdwyu%/kMKiG.- ", max_size=40)


@pytest.mark.parametrize(
    ("kind", "good"),
    [
        (Duration, DURATIONS),
        (PromqlWindow, WINDOWS),
        (Threshold, [*THRESHOLDS, 10**12, 10**12 - 1, -(10**12)]),
        (Percentage, ["99.9%", "0.5%", "0%", "100%", "00.0%"]),
        (ReplicaStep, [*STEPS, 10_000, 10_001, -10_001]),
    ],
    ids=["Duration", "PromqlWindow", "Threshold", "Percentage", "ReplicaStep"],
)
def test_the_syntax_of_a_value_is_judged_alike(kind: Any, good: list[Any]) -> None:
    adapter = TypeAdapter(kind)
    schema = adapter.json_schema()
    (rule,) = schema["x-kubernetes-validations"]

    @settings(max_examples=200, derandomize=True, deadline=None, database=None)
    @given(st.one_of(st.sampled_from(good), st.sampled_from(good).map(str), TEXT))
    def compare(value: Any) -> None:
        fits = not isinstance(value, str) or len(value) <= schema["maxLength"]
        assert (fits and holds(rule["rule"], value)) == is_parsed(adapter, value), value

    compare()


def is_parsed(adapter: TypeAdapter[Any], value: Any) -> bool:
    try:
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError:
        return False
    return True


def schema_of(plural: str) -> dict[str, Any]:
    (found,) = [c for c in crd.crds() if c["spec"]["names"]["plural"] == plural]
    schema: dict[str, Any] = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


def generated(schema: dict[str, Any], random: Random, name: str = "") -> Any:
    """A value that satisfies a schema, but not necessarily its rules; names are few, so that they meet."""
    rule = next(iter(schema.get("x-kubernetes-validations", [])), {"message": ""})["message"]
    if "enum" in schema:
        return random.choice(schema["enum"])
    if name in POOLS and schema.get("type") in ("string", None):
        return random.choice(POOLS[name])
    if rule.startswith("not a duration"):
        return random.choice(DURATIONS)
    if rule.startswith("not a window"):
        return random.choice(WINDOWS)
    match schema.get("type"):
        case None:
            return random.choice(THRESHOLDS)
        case "boolean":
            return random.choice([True, False])
        case "integer" | "number":
            return random.choice([1, 5])
        case "string":
            return "a"
        case "array":
            size = schema.get("minItems", 0) + random.randint(0, 1)
            items = [generated(schema["items"], random, name) for _ in range(size)]
            for key in schema.get("x-kubernetes-list-map-keys", []):
                for item, value in zip(items, random.sample(POOLS[key], size), strict=True):
                    item[key] = value
            return items
        case _ if "additionalProperties" in schema:
            return {"a": generated(schema["additionalProperties"], random)} if random.random() < 0.5 else {}
    required = schema.get("required", [])
    return {
        key: generated(inner, random, key)
        for key, inner in schema["properties"].items()
        if key in required or random.random() < 0.5
    }


def pairs(model: Model, value: dict[str, Any]) -> Iterator[tuple[Rule, dict[str, Any], Model]]:
    """Every rule that has a CEL form, with what it judges as JSON and as model, depth first."""
    for rule in RULES[type(model)]:
        if rule.cel:
            yield rule, value, model
    for name, field in type(model).model_fields.items():
        inner, raw = getattr(model, name), value.get(field.alias or name)
        for item, part in zip(inner, raw, strict=True) if isinstance(inner, list) and raw else [(inner, raw)]:
            if isinstance(item, Model) and part is not None:
                yield from pairs(item, part)


def models(base: type[Model]) -> Iterator[type[Model]]:
    for model in base.__subclasses__():
        yield model
        yield from models(model)


RULES = {model: model.rules for model in models(Model)}


@contextmanager
def without_rules() -> Iterator[None]:
    """Models as they are parsed before their rules are asked."""
    for model in RULES:
        model.rules = ()
    try:
        yield
    finally:
        for model, rules in RULES.items():
            model.rules = rules


compiled = cache(cel.compile)


def holds(expression: str, value: Any) -> bool:
    """A rule as the API server evaluates it, with the functions of Kubernetes that plain CEL lacks."""
    CONTEXT.add_variable("self", escaped(value))
    try:
        return bool(compiled(expression).execute(CONTEXT))
    except (RuntimeError, TypeError, ValueError):
        return False


def escaped(value: Any) -> Any:
    """A value with its fields named as CEL must name them: `for` is a word of the language."""
    if isinstance(value, dict):
        return {"__for__" if key == "for" else key: escaped(inner) for key, inner in value.items()}
    return [escaped(inner) for inner in value] if isinstance(value, list) else value


CONTEXT = cel.Context()
CONTEXT.add_function("find", lambda text, pattern: match.group() if (match := re.search(pattern, text)) else "")
CONTEXT.add_function("replace", lambda text, old, new: text.replace(old, new))
