"""examples/health-check.yaml on real objects: unready pods are evicted and made anew, so often and no more."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from plane.api import Object
from plane.operator import Operator
from plane.shop import Shop

NAME = "checkout-health"


def pods(shop: Shop, app: str = "checkout") -> dict[str, Object]:
    """The pods of a workload that aren't on their way out, by uid."""
    found = [p for p in shop.api.list("Pod", shop.namespace) if p["metadata"]["labels"].get("app") == app]
    return {p["metadata"]["uid"]: p for p in found if "deletionTimestamp" not in p["metadata"]}


def fail(shop: Shop) -> set[str]:
    """One pod of the checkout stops answering its readiness probe; gives the uids of all of them."""
    found = pods(shop)
    sick = next(iter(found.values()))
    note = {"metadata": {"annotations": {"plane.test/ready": "false"}}}
    shop.api.merge("Pod", sick["metadata"]["name"], shop.namespace, note)
    return set(found)


def ready(shop: Shop) -> str:
    return str(shop.condition(NAME, "Ready").get("message"))


@dataclass
class Walked:
    """uids of the pods before and after the restart and at the end, those of another workload, and all objects."""

    before: set[str]
    after: set[str]
    end: set[str]
    others: list[set[str]]
    objects: list[dict[str, Object]]
    restarts: list[Object]
    told: list[str]
    withheld: str


@pytest.fixture(scope="module")
def walked(lead: Callable[[], Operator], open_shop: Any) -> Iterator[Walked]:
    """A pod fails, and once more under a new operator after the first was killed; one restart is allowed."""
    operator = lead()
    with open_shop("restart") as shop:
        shop.apply_workloads("checkout", "checkout-static", "recommendations")
        others, objects = [set(pods(shop, "recommendations"))], [shop.snapshot()]
        policy = shop.quick("health-check.yaml")
        policy["spec"]["levels"][1]["actions"][0]["restart"]["atMost"] = 1
        policy["spec"]["levels"][2]["enter"]["any"][0]["for"] = "10m"
        policy["spec"]["stabilization"]["up"] = "5s"  # so that the last pod has its turn, too
        shop.start(policy)
        before = fail(shop)
        shop.wait("a step down", lambda: shop.level(NAME) == "restarted")
        shop.wait("no pod is old", lambda: not before & set(pods(shop)), timeout=60)
        shop.wait_ready("checkout")
        shop.wait_level(NAME, "healthy")
        operator.kill()
        operator.start().wait_leader()
        after = fail(shop)
        shop.wait("it is told", lambda: "not restarted again" in ready(shop), timeout=60)
        others.append(set(pods(shop, "recommendations")))
        objects.append(shop.snapshot())
        told = [event["message"] for event in shop.events("Restarted")]
        yield Walked(before, after, set(pods(shop)), others, objects, shop.status(NAME)["restarts"], told, ready(shop))


def test_every_pod_of_the_workload_is_made_anew(walked: Walked) -> None:
    assert (len(walked.before), len(walked.after)) == (3, 3)
    assert not walked.before & walked.after


def test_a_restart_counts_over_the_end_of_an_operator_and_the_next_is_withheld(walked: Walked) -> None:
    (counted,) = walked.restarts

    assert (counted["name"], len(counted["times"])) == ("checkout", 1)
    assert walked.end == walked.after
    assert walked.withheld.startswith(
        "doing its job; Deployment checkout was restarted once within 1h, so it is not restarted again for "
    )


def test_each_pod_that_goes_is_told(walked: Walked) -> None:
    assert len(walked.told) == 3
    assert {text.partition(" pod ")[0] for text in walked.told} == {"level restarted: Deployment checkout:"}


def test_no_other_pod_goes_and_no_field_of_any_object_changes(walked: Walked) -> None:
    assert walked.others[0] == walked.others[1]
    assert walked.objects[0] == walked.objects[1]


def test_a_disruption_budget_keeps_the_pods_and_is_told(shop: Shop, operator: Operator) -> None:
    shop.apply_workloads("checkout", "checkout-static")
    keep = {"selector": {"matchLabels": {"app": "checkout"}}, "minAvailable": "100%"}
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "keep"}, "spec": keep}
    shop.apply(budget)
    shop.start(shop.quick("health-check.yaml"))
    before = fail(shop)
    shop.wait("the budget is told", lambda: "disruption budget" in ready(shop), timeout=60)

    assert set(pods(shop)) == before
    assert operator.running
