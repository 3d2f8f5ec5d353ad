"""examples/circuit.yaml on a real Prometheus: it opens, fails its first trial, and closes after the second."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from plane.api import Object
from plane.operator import Operator
from plane.shop import Shop

NAME = "recommendations-circuit"


@dataclass
class Walked:
    """Where recommendations came from at each stop, the policy in the end, and the flags before and after."""

    sources: list[str]
    policy: Object
    before: str
    after: str


def calls(shop: Shop, *, ok: float, failed: float) -> None:
    """Calls to the recommendations per second."""
    for result, rate in (("ok", ok), ("error", failed)):
        labels = {"service": "checkout", "dependency": "recommendations", "result": result}
        shop.source.rate(shop.series("dependency_calls_total", **labels), rate)


def source(shop: Shop) -> str:
    found = json.loads(shop.flags_text())["flags"]["recommendations-source"]["defaultVariant"]
    return str(found)


def steps(shop: Shop) -> list[str]:
    return [step["reason"] for step in shop.status(NAME).get("history") or []]


@pytest.fixture(scope="module")
def walked(lead: Callable[[], Operator], open_shop: Any) -> Iterator[Walked]:
    lead()
    with open_shop("circuit") as shop:
        shop.apply_workloads("checkout-flags")
        calls(shop, ok=100, failed=0)
        before, sources = shop.flags_text(), [source(shop)]
        shop.start(shop.quick("circuit.yaml"))
        shop.wait_condition(NAME, "MetricsAvailable", "True")
        for trial in (1, 2):
            calls(shop, ok=30, failed=70)
            shop.wait_level(NAME, "open")
            sources.append(source(shop))
            calls(shop, ok=0, failed=0)  # nobody calls what is taken from the cache
            shop.wait(f"trial {trial}", lambda trial=trial: steps(shop).count("TrialStarted") == trial)
            shop.wait_level(NAME, "closed")
            sources.append(source(shop))
        calls(shop, ok=100, failed=0)
        shop.wait("the trial is over", lambda: shop.status(NAME)["state"].get("trial") is None)
        yield Walked(sources, shop.policy(NAME), before, shop.flags_text())


def test_it_opens_fails_a_trial_and_closes_after_the_next(walked: Walked) -> None:
    assert [(step["from"], step["to"], step["reason"]) for step in walked.policy["status"]["history"]] == [
        ("closed", "open", "Breached"),
        ("open", "closed", "TrialStarted"),
        ("closed", "open", "TrialFailed"),
        ("open", "closed", "TrialStarted"),
    ]


def test_recommendations_come_from_the_cache_while_it_is_open(walked: Walked) -> None:
    assert walked.sources == ["live", "cached", "live", "cached", "live"]


def test_in_the_end_the_flags_are_byte_for_byte_what_they_were(walked: Walked) -> None:
    assert walked.after == walked.before
