"""Row 51: what is too big or too deep is refused by the API server, with a sentence about the field."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from plane.api import Api, ApiError, Object
from plane.release import Release
from plane.tools import Tool

pytestmark = pytest.mark.row(51)
LONG = "x" * 10_000
PATH = "/apis/stepdown.dev/v1alpha1/namespaces/default/degradationpolicies"

Edit = Callable[[Object], Any]


def small() -> Object:
    """A policy with one of everything that can be made too big."""
    return {
        "apiVersion": "stepdown.dev/v1alpha1",
        "kind": "DegradationPolicy",
        "metadata": {"name": "big"},
        "spec": {
            "target": {"service": "shop", "deployment": "shop"},
            "signals": [{"name": "errors", "query": "up"}],
            "levels": [
                {"name": "full"},
                {
                    "name": "low",
                    "enter": {"any": [{"signal": "errors", "above": "5%"}]},
                    "actions": [
                        {"scale": {"to": 1}},
                        {"flags": {"enable": ["calm"], "in": {"flagd": {"configMap": "flags"}}}},
                    ],
                },
            ],
        },
    }


def nested(depth: int, mapping: bool) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value} if mapping else [value]
    return value


CASES: dict[str, tuple[Edit, int, str]] = {
    "the policy's name": (lambda p: p["metadata"].update(name=LONG), 422, "must be no more than 253 characters"),
    "a level's name": (lambda p: p["spec"]["levels"][1].update(name=LONG), 422, "spec.levels[1].name: Too long"),
    "a signal's name": (lambda p: p["spec"]["signals"][0].update(name=LONG), 422, "spec.signals[0].name: Too long"),
    "a query": (lambda p: p["spec"]["signals"][0].update(query=LONG), 422, "spec.signals[0].query: Too long"),
    "a Service's name": (lambda p: p["spec"]["target"].update(service=LONG), 422, "spec.target.service: Too long"),
    "an endpoint's name": (lambda p: p["spec"].update(metricsEndpoint=LONG), 422, "spec.metricsEndpoint: Too long"),
    "a threshold": (
        lambda p: p["spec"]["levels"][1]["enter"]["any"][0].update(above="1" * 10_000),
        422,
        "spec.levels[1].enter.any[0].above: Too long",
    ),
    "a timer": (lambda p: p["spec"].update(interval="1" * 10_000 + "s"), 422, "spec.interval: Too long"),
    "a flag's name": (
        lambda p: p["spec"]["levels"][1]["actions"][1]["flags"].update(enable=[LONG]),
        422,
        "spec.levels[1].actions[1].flags.enable[0]: Too long",
    ),
    "10,000 flags": (
        lambda p: p["spec"]["levels"][1]["actions"][1]["flags"].update(enable=[f"f{i}" for i in range(10_000)]),
        422,
        "spec.levels[1].actions[1].flags.enable: Too many",
    ),
    "10,000 levels": (
        lambda p: p["spec"].update(levels=[{"name": f"l{i}"} for i in range(10_000)]),
        422,
        "spec.levels: Too many",
    ),
    "10,000 signals": (
        lambda p: p["spec"].update(signals=[{"name": f"s{i}", "query": "up"} for i in range(10_000)]),
        422,
        "spec.signals: Too many",
    ),
    "10,000 actions": (
        lambda p: p["spec"]["levels"][1].update(actions=[{"scale": {"to": 1}}] * 10_000),
        422,
        "spec.levels[1].actions: Too many",
    ),
    "an annotation of 300 KB": (
        lambda p: p["metadata"].update(annotations={"note": "x" * 300_000}),
        422,
        "metadata.annotations: Too long",
    ),
    "4 MB": (lambda p: p["spec"]["signals"][0].update(query="x" * 4_000_000), 413, "Request entity too large"),
    "a map 500 deep": (lambda p: p["spec"].update(target=nested(500, True)), 400, 'unknown field "spec.target.a"'),
    "a list 500 deep": (
        lambda p: p["spec"]["levels"][1].update(actions=nested(500, False)),
        422,
        "spec.levels[1].actions[0]: Invalid value",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_row_51_what_is_too_big_or_too_deep_is_refused_with_its_field(release: Release, api: Api, case: str) -> None:
    edit, status, sentence = CASES[case]
    policy = small()
    edit(policy)

    with pytest.raises(ApiError) as refused:
        api.create(policy, "default", dryRun="All")

    assert (refused.value.status, sentence in refused.value.message) == (status, True), refused.value.message[:500]


def test_row_51_the_same_policy_of_everyday_size_is_taken(release: Release, api: Api) -> None:
    assert api.create(small(), "default", dryRun="All")["spec"]["levels"][1]["name"] == "low"


def bomb() -> str:
    """Eight lines of YAML that mean 43 million words."""
    names = "abcdefghi"
    lines = [f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in itertools.pairwise(names)]
    return "\n".join(["a: &a [x]", *lines])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [(bomb(), "excessive"), ("[" * 20_000, "exceeded max depth")],
    ids=["a bomb of aliases", "brackets without end"],
)
def test_row_51_yaml_that_explodes_does_not_reach_the_api_server(
    release: Release, kubectl: Tool, text: str, sentence: str
) -> None:
    assert sentence in kubectl.refused("create", "--dry-run=server", "--filename", "-", stdin=text)
