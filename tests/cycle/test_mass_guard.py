"""Many policies that turn bad at once: only so many leave full service, the others hold and say so."""

from typing import Any

import pytest

from cycle.world import SPEC, World, deployment, policy
from stepdown.api.status import PolicyStatus
from stepdown.cycle import Cycle
from stepdown.mass_guard import ANNOTATION, Limit, MassGuard
from stepdown.ports import Unknown
from stepdown.prepared import Claims

pytestmark = pytest.mark.row(36)

NAMES = [f"p{number}" for number in range(10)]
LIMIT = Limit(count=3, window=300)


def of(name: str, **changes: Any) -> dict[str, Any]:
    """A policy that scales a deployment of its own up when load is high."""
    level = {
        "name": "small",
        "enter": {"any": [{"signal": "load", "above": "80%"}]},
        "actions": [{"scale": {"deployment": name, "to": 6}}],
    }
    signals = [{"name": "load", "query": "load"}]
    return policy(name, {**SPEC, "signals": signals, "levels": [{"name": "full"}, level], **changes})


class Crowd(World):
    """Ten policies on the same signal."""

    def __init__(self, limit: Limit = LIMIT, **changes: Any) -> None:
        self.limit = limit
        super().__init__()
        for name in NAMES:
            self.sandbox.create(deployment(name, 2))
            self.sandbox.create(of(name, **changes))

    def start(self, epoch: int = 1) -> None:
        super().start(epoch)
        self.cycle = Cycle(self.sandbox, self.sandbox, Claims(), epoch, MassGuard(self.limit))

    def round(self, seconds: float = 10.0) -> None:
        """One tick of each."""
        for number, name in enumerate(NAMES):
            self.tick(0.0 if number else seconds, name)

    def levels(self) -> list[str]:
        return [self.of(name)["level"] for name in NAMES]

    def of(self, name: str) -> dict[str, Any]:
        return dict(self.sandbox.policy(name).raw["status"])

    def stored(self, name: str) -> PolicyStatus:
        return PolicyStatus.model_validate(self.of(name))

    def ready(self, name: str) -> tuple[str, str]:
        (found,) = [c for c in self.of(name)["conditions"] if c["type"] == "Ready"]
        return found["status"], found["reason"]

    def alarms(self) -> list[str]:
        return [event.message for event in self.sandbox.events if event.reason == "MassDegradation"]


@pytest.fixture
def crowd() -> Crowd:
    world = Crowd()
    world.round()
    world.values["load"] = 0.92
    return world


def test_only_so_many_leave_full_service(crowd):
    for _ in range(5):
        crowd.round()
    assert crowd.levels() == ["small"] * 3 + ["full"] * 7
    assert [crowd.replicas(name) for name in NAMES] == [6] * 3 + [2] * 7


def test_the_others_say_why_they_hold_and_what_to_do(crowd):
    crowd.round()
    assert crowd.ready("p9") == ("False", "MassDegradation")
    (message,) = [c["message"] for c in crowd.of("p9")["conditions"] if c["type"] == "Ready"]
    assert message == (
        "held at full service: 3 of 10 policies have left full service within 5m, as many as may; look whether their"
        " numbers are right; if they are: kubectl -n default annotate dgp p9"
        " stepdown.dev/allow-mass-degradation='<why>'"
    )
    assert crowd.ready("p0") == ("True", "Watching")


def test_there_is_one_alarm_for_all(crowd):
    for _ in range(5):
        crowd.round()
    assert len(crowd.alarms()) == 1
    assert [e.reason for e in crowd.sandbox.events if e.warning] == ["LevelEntered"] * 3 + ["MassDegradation"]
    assert crowd.cycle.guard.held == 7


def test_the_window_lets_further_ones_through(crowd):
    crowd.round()
    crowd.round(301)
    assert crowd.levels() == ["small"] * 6 + ["full"] * 4


def test_a_person_lets_one_through_with_a_reason_that_the_history_keeps(crowd):
    crowd.round()
    crowd.sandbox.edit(
        "DegradationPolicy", "p9", lambda obj: obj["metadata"].update(annotations={ANNOTATION: "it is an outage"})
    )
    crowd.round()
    assert crowd.levels()[8:] == ["full", "small"]
    assert crowd.of("p9")["history"][-1]["message"] == "load 92%>80%: down to small; although many do: it is an outage"
    assert crowd.cycle.guard.held == 6


def test_an_annotation_without_a_reason_lets_nothing_through(crowd):
    crowd.sandbox.edit("DegradationPolicy", "p9", lambda obj: obj["metadata"].update(annotations={ANNOTATION: " "}))
    crowd.round()
    assert crowd.levels()[9] == "full"


def test_a_restart_counts_those_that_left_before_it(crowd):
    crowd.round()
    crowd.start(epoch=2)
    for name in reversed(NAMES):
        crowd.cycle.guard.note(f"default/{name}", crowd.stored(name), crowd.prepared(crowd.sandbox.policy(name).raw))
    for name in reversed(NAMES):
        crowd.tick(0.0, name)
    assert crowd.levels() == ["small"] * 3 + ["full"] * 7


def test_who_is_degraded_already_goes_on_and_comes_back(crowd):
    crowd.round()
    crowd.values["load"] = 0.1
    for _ in range(8):
        crowd.round()
    assert crowd.levels() == ["full"] * 10
    assert crowd.ready("p9") == ("True", "Watching")
    assert crowd.cycle.guard.held == 0


def test_a_pinned_level_is_a_persons_word_and_is_not_held():
    override = {"level": "small", "reason": "drill", "until": "2030-01-01T00:00:00Z"}
    world = Crowd(override=override)
    world.round()
    assert world.levels() == ["small"] * 10


def test_who_only_observes_is_neither_counted_nor_held():
    world = Crowd(mode="Observe")
    world.values["load"] = 0.92
    world.round()
    assert world.alarms() == []
    assert {world.of(name)["summary"]["why"] for name in NAMES} == {"would be small: load 92%>80%"}


def test_a_step_that_could_not_be_stored_does_not_count_twice(crowd):
    def fail(when: str, what: str) -> None:
        if (when, what) == ("before", "store status"):
            raise Unknown("no answer")

    crowd.sandbox.on_call = fail
    crowd.tick(0.0, "p0")
    crowd.sandbox.on_call = lambda _when, _what: None
    crowd.round()
    assert crowd.levels() == ["small"] * 3 + ["full"] * 7


@pytest.mark.parametrize(
    ("limit", "policies", "most"),
    [
        (Limit(count=3), 1000, 3),
        (Limit(share=0.5), 1000, 500),
        (Limit(share=0.5), 25, 13),
        (Limit(share=0.5), 4, 5),
    ],
)
def test_a_share_is_of_all_policies_and_at_least_five(limit, policies, most):
    assert limit.of(policies) == most


def test_a_policy_that_is_gone_is_not_counted():
    guard = MassGuard(Limit(count=1))
    assert guard.admits("a", 0.0)
    assert not guard.admits("b", 1.0)
    guard.forget("a")
    assert guard.admits("b", 2.0)


def test_policies_that_only_watched_until_now_are_counted_when_they_begin_to_act():
    world = Crowd(mode="Observe")
    world.values["load"] = 0.92
    world.round()
    for name in NAMES:
        world.sandbox.edit("DegradationPolicy", name, lambda obj: obj["spec"].update(mode="Enforce"))
    for _ in range(3):
        world.round()
    assert [world.replicas(name) for name in NAMES] == [6] * 3 + [2] * 7
    assert [step["to"] for step in world.of("p0")["history"]] == ["small", "small"]
