"""One bad number for twelve policies at once: the mass guard on the real API server."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from plane.ladders import BREACHED, HEALTHY, ladder, level, settings, switch
from plane.operator import Operator
from plane.shop import POLICY, Shop

Start = Callable[..., Operator]

pytestmark = pytest.mark.row(36)

NAMES = tuple(f"p{number:02}" for number in range(12))
MOST = 3
GUARDED = {"massGuard": {"maxNewlyDegraded": MOST, "window": "10m"}}


@dataclass
class Crowd:
    """Twelve policies, each on a ConfigMap of its own, with one signal for all."""

    shop: Shop
    operator: Operator

    def load(self, value: float) -> None:
        self.shop.load(value, "shop")

    def at(self, name: str) -> list[str]:
        return [policy for policy in NAMES if self.shop.level(policy) == name]

    def mode(self, name: str) -> str:
        return str(self.shop.api.get("ConfigMap", name, self.shop.namespace)["data"]["mode"])

    def held(self) -> list[str]:
        return [name for name in NAMES if self.shop.condition(name, "Ready").get("reason") == "MassDegradation"]

    def wait_split(self) -> None:
        self.shop.wait("three are small and nine held", lambda: len(self.at("small")) == MOST and len(self.held()) == 9)


@pytest.fixture
def crowd(shop: Shop, stand_down: Callable[[], None], replicas: Start) -> Iterator[Crowd]:
    stand_down()
    operator = replicas(config=GUARDED).wait_leader()
    shop.apply(*(settings(name, mode="full") for name in NAMES))
    shop.load(HEALTHY, "shop")
    policies = [ladder(name, shop.namespace, level("small", switch(name, mode="small"))) for name in NAMES]
    for policy in policies:
        policy["spec"]["signals"][0]["query"] = ladder("shop", shop.namespace)["spec"]["signals"][0]["query"]
    shop.apply(*policies)
    found = Crowd(shop, operator)
    shop.wait("all are at full service", lambda: len(found.at("full")) == len(NAMES), timeout=60)
    yield found
    found.load(HEALTHY)


def test_row_36_only_so_many_leave_full_service_and_the_others_hold_with_one_alarm(crowd: Crowd) -> None:
    crowd.load(BREACHED)
    crowd.wait_split()

    assert [crowd.mode(name) for name in NAMES].count("small") == MOST
    assert len(crowd.shop.events("MassDegradation")) == 1
    assert crowd.operator.metrics().sum("stepdown_mass_guard_held") == 9


def test_row_36_a_person_lets_one_through_and_a_restart_lets_none_through(crowd: Crowd, replicas: Start) -> None:
    crowd.load(BREACHED)
    crowd.wait_split()
    name = crowd.held()[0]
    annotation = {"stepdown.dev/allow-mass-degradation": "the database is down"}
    crowd.shop.api.merge(POLICY, name, crowd.shop.namespace, {"metadata": {"annotations": annotation}})
    crowd.shop.wait_level(name, "small")
    crowd.operator.kill()
    successor = replicas(config=GUARDED).wait_leader()
    evaluated = successor.metrics().sum("stepdown_evaluations_total")
    crowd.shop.wait(
        "every policy was looked at again",
        lambda: successor.metrics().sum("stepdown_evaluations_total") >= evaluated + 3 * len(NAMES),
    )

    assert len(crowd.at("small")) == MOST + 1
    assert crowd.shop.status(name)["history"][-1]["message"].endswith("although many do: the database is down")
