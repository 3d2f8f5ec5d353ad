"""A level restarts a workload: its pods are evicted, unready ones first, so often and no more, across crashes."""

import copy
from typing import Any

import pytest

from cycle.world import SPEC, World
from stepdown.ports import Refused, Unknown


def spec(**changes: Any) -> dict[str, Any]:
    level = {
        "name": "restarted",
        "enter": {"any": [{"signal": "load", "above": "80%"}]},
        "actions": [{"restart": {"atMost": 2, "per": "1h"}}],
    }
    found = copy.deepcopy(SPEC)
    return {**found, "levels": [found["levels"][0], level], "budget": {"transitions": 60, "per": "1h"}, **changes}


class Restarting(World):
    """The shop with two pods, and a controller that makes a new one for each that goes."""

    def __init__(self, given: dict[str, Any] | None = None, *, ready: bool = True) -> None:
        super().__init__(given or spec())
        self.made = 0
        for _ in range(2):
            self.make(ready=ready)
        self.make(app="extras")

    def make(self, *, ready: bool = True, app: str = "shop") -> None:
        self.made += 1
        owner = {"kind": "ReplicaSet", "name": f"{app}-5d4f", "uid": f"u-{app}", "controller": True}
        labels = {"app": app, "pod-template-hash": "5d4f"}
        created = f"2026-03-01T10:{self.made:02}:00Z"
        name = f"{app}-{self.made}"
        metadata = {"name": name, "labels": labels, "creationTimestamp": created, "ownerReferences": [owner]}
        conditions = [{"type": "Ready", "status": str(ready)}]
        status = {"phase": "Running", "conditions": conditions}
        self.sandbox.create({"kind": "Pod", "metadata": metadata, "spec": {}, "status": status})

    def replace(self) -> None:
        while len(self.pods()) < 2:
            self.make()

    def pods(self, app: str = "shop") -> list[str]:
        names = (f"{app}-{number}" for number in range(1, self.made + 1))
        return [name for name in names if ("Pod", name) in self.sandbox]

    def enter(self, level: str = "restarted") -> None:
        self.values["load"] = 0.92 if level == "restarted" else 0.1
        for _ in range(40):
            self.tick()
            if self.level == level:
                return
        raise AssertionError(f"at {self.level}, not at {level}")

    def restart_once(self) -> None:
        """Down, all pods made anew, and up again."""
        self.enter()
        for _ in range(6):
            self.replace()
            self.tick()
        self.enter("full")

    @property
    def restarts(self) -> list[dict[str, Any]]:
        return list(self.status["restarts"])

    @property
    def ready(self) -> str:
        return str(next(c for c in self.status["conditions"] if c["type"] == "Ready")["message"])

    def told(self, reason: str) -> list[str]:
        return [event.message for event in self.sandbox.events if event.reason == reason]


def test_pods_that_serve_are_evicted_one_after_another_as_new_ones_become_ready() -> None:
    shop = Restarting()
    shop.enter()
    assert shop.pods() == ["shop-2"]
    shop.tick()
    assert shop.pods() == ["shop-2"]
    shop.replace()
    shop.tick()
    assert shop.pods() == ["shop-4"]
    shop.replace()
    shop.ticks(5)
    assert shop.pods() == ["shop-4", "shop-5"]


def test_pods_that_serve_nobody_are_evicted_at_once() -> None:
    shop = Restarting(ready=False)
    shop.enter()

    assert shop.pods() == []


def test_a_workload_whose_budget_lets_no_pod_go_does_not_keep_another_from_its_turn(monkeypatch) -> None:
    given = spec()
    given["levels"][1]["actions"].append({"restart": {"deployment": "extras", "atMost": 2, "per": "1h"}})
    shop = Restarting(given, ready=False)
    for _ in range(20):
        shop.make(ready=False)
    shop.make(ready=False, app="extras")
    evict = shop.sandbox.evict

    async def refusing(namespace: str, pod: Any) -> None:
        if not pod.name.startswith("extras"):
            raise Refused(429, "the budget shop lets none go")
        await evict(namespace, pod)

    monkeypatch.setattr(shop.sandbox, "evict", refusing)
    shop.enter()

    assert shop.pods("extras") == ["extras-3"]


def test_no_other_workload_is_restarted_and_no_field_of_this_one_changed() -> None:
    shop = Restarting()
    shop.restart_once()

    assert shop.pods("extras") == ["extras-3"]
    assert shop.sandbox.writes == []
    assert not shop.sandbox.policy("shop").has_finalizer


def test_it_is_told_of_each_pod() -> None:
    shop = Restarting()
    shop.restart_once()

    assert shop.told("Restarted") == [
        "level restarted: Deployment shop: pod shop-1 was evicted, so that a new one takes its place",
        "level restarted: Deployment shop: pod shop-2 was evicted, so that a new one takes its place",
    ]


def test_a_level_that_lasts_restarts_once() -> None:
    shop = Restarting()
    shop.enter()
    for _ in range(50):
        shop.replace()
        shop.tick()

    assert shop.pods() == ["shop-4", "shop-5"]
    assert len(shop.restarts[0]["times"]) == 1


def test_after_so_many_restarts_the_level_is_entered_without_and_it_is_told() -> None:
    shop = Restarting()
    shop.restart_once()
    shop.restart_once()
    before = shop.pods()
    shop.restart_once()

    assert shop.pods() == before
    (text,) = shop.told("RestartWithheld")
    assert text.startswith("Deployment shop was restarted 2 times within 1h, so it is not restarted again for ")


def test_ready_tells_at_the_level_why_there_is_no_restart() -> None:
    shop = Restarting()
    shop.restart_once()
    shop.restart_once()
    shop.enter()
    shop.tick()

    assert shop.ready.startswith("doing its job; Deployment shop was restarted 2 times within 1h")


def test_the_count_outlives_the_operator() -> None:
    shop = Restarting()
    shop.restart_once()
    shop.start(epoch=2)
    shop.restart_once()
    shop.start(epoch=3)
    before = shop.pods()
    shop.restart_once()

    assert shop.pods() == before


def test_after_the_time_it_is_restarted_again() -> None:
    shop = Restarting()
    shop.restart_once()
    shop.restart_once()
    before = shop.pods()
    shop.now += 3600
    shop.restart_once()

    assert not set(before) & set(shop.pods())


@pytest.mark.parametrize("spoken", ["store status", "evict Pod/shop-1", "evict Pod/shop-2"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.row(13)
def test_row_13_a_crash_at_any_write_of_a_restart_makes_no_second_one(spoken: str, when: str) -> None:
    class Crash(BaseException):
        pass

    shop = Restarting()
    shop.tick()

    def crash(at: str, what: str) -> None:
        if at == when and what == spoken:
            shop.sandbox.on_call = lambda _when, _what: None
            raise Crash

    def walk() -> None:
        shop.values["load"] = 0.92
        for _ in range(6):
            shop.tick()
            shop.replace()

    shop.sandbox.on_call = crash
    with pytest.raises(Crash):
        walk()
    shop.start(epoch=2)
    walk()
    assert [len(known["times"]) for known in shop.restarts] == [1]
    assert (len(shop.told("Restarted")), shop.pods()) in [(2, ["shop-4", "shop-5"]), (1, ["shop-4", "shop-5"])]


def test_a_step_up_ends_a_restart_that_was_under_way() -> None:
    shop = Restarting(spec(stabilization={"up": "10s", "dwell": "0s"}))
    shop.enter()
    shop.enter("full")
    shop.replace()
    shop.ticks(5)

    assert shop.pods() == ["shop-2", "shop-4"]
    assert shop.restarts[0]["through"] == ""


@pytest.mark.parametrize("held", [{"suspend": True}, {"mode": "Observe"}], ids=["suspended", "observing"])
def test_who_is_suspended_or_observes_evicts_nobody(held: dict[str, Any]) -> None:
    shop = Restarting()
    shop.enter()
    shop.replace()
    before = shop.pods()
    shop.sandbox.edit("DegradationPolicy", "shop", lambda obj: obj["spec"].update(held))
    shop.ticks(5)

    assert shop.pods() == before


def test_observing_from_the_start_restarts_nothing() -> None:
    shop = Restarting(spec(mode="Observe"))
    shop.values["load"] = 0.92
    shop.ticks(5)

    assert shop.pods() == ["shop-1", "shop-2"]
    assert shop.restarts == []


BUDGET = Refused(429, "Cannot evict pod as it would violate the pod's disruption budget.")


@pytest.mark.parametrize("error", [BUDGET, Unknown("no answer")])
def test_a_pod_that_may_not_go_yet_goes_later_and_only_a_refusal_is_told(error: Exception) -> None:
    shop = Restarting()
    evict = shop.sandbox.evict
    errors = iter([error, error])

    async def refuse(namespace: str, target: Any) -> None:
        if (found := next(errors, None)) is not None:
            raise found
        await evict(namespace, target)

    shop.sandbox.evict = refuse  # type: ignore[method-assign]
    shop.enter()
    shop.tick()
    assert shop.pods() == ["shop-1", "shop-2"]
    told = shop.ready == f"doing its job; Deployment shop is still to be restarted: {BUDGET.message}"
    assert told is isinstance(error, Refused)
    shop.ticks(2)
    assert shop.pods() == ["shop-2"]
    assert shop.ready == "doing its job"


def test_a_workload_that_is_not_there_keeps_the_level_from_being_reached() -> None:
    found = spec()
    found["levels"][1]["actions"] = [{"restart": {"deployment": "nowhere"}}]
    shop = Restarting(found)
    shop.values["load"] = 0.92
    shop.ticks(3)

    assert shop.level == "full"
    assert shop.ready == (
        "level restarted: restart: Deployment nowhere isn't there; create it or correct the action's name"
    )


def test_a_missing_right_is_told_and_the_other_pods_are_not_asked_for() -> None:
    shop = Restarting(ready=False)
    asked = []

    async def refuse(_namespace: str, target: Any) -> None:
        asked.append(target.name)
        raise Refused(403, 'pods "shop-1" is forbidden: User "a" cannot create resource "pods/eviction"')

    shop.sandbox.evict = refuse  # type: ignore[method-assign]
    shop.enter()
    shop.tick()

    assert asked == ["shop-1", "shop-1"]
    assert shop.ready.startswith("doing its job; Deployment shop is still to be restarted: pods")


@pytest.mark.parametrize(
    "owner",
    [
        [],
        [{"kind": "ReplicaSet", "name": "shop-canary-5d4f", "uid": "u", "controller": True}],
        [{"kind": "ReplicaSet", "name": "shop-5d4f", "uid": "u"}],
    ],
    ids=["of nobody", "of another workload", "of no controller"],
)
def test_a_pod_that_only_carries_the_labels_is_left_alone(owner: list[dict[str, Any]]) -> None:
    shop = Restarting(ready=False)
    shop.sandbox.edit("Pod", "shop-1", lambda obj: obj["metadata"].update(ownerReferences=owner))
    shop.enter()

    assert shop.pods() == ["shop-1"]
