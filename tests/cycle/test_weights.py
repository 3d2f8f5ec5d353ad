"""Traffic moved by an HTTPRoute's weights: down, up, and with other hands in the same rules meanwhile."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from cycle.world import SPEC, World, pod
from stepdown.engine.reasons import EventReason


def backend(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": 80, **more}


API = {"name": "api", "filters": [{"type": "X"}], "backendRefs": [backend("shop", weight=9), backend("static-web")]}
ROOT = {"matches": [{"path": {"value": "/"}}], "backendRefs": [backend("shop"), backend("static-web", weight=0)]}
CART = {"name": "cart", "backendRefs": [backend("cart", weight=7), backend("static-web", weight=0)]}
ROUTE = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "web", "annotations": {"owner": "team"}},
    "spec": {"hostnames": ["shop.example.com"], "rules": [API, ROOT, CART]},
}


class Gateway(World):
    """The world with an HTTPRoute; its level `static` is entered by errors."""

    def __init__(self, route: dict[str, Any] = ROUTE, spec: dict[str, Any] | None = None) -> None:
        if spec is None:
            spec = copy.deepcopy(SPEC)
            spec["levels"][2]["actions"] = [{"route": {"httpRoute": "web", "to": {"service": "static-web"}}}]
        super().__init__(spec)
        self.sandbox.create(route)
        ports = [{"port": 80, "targetPort": "http"}]
        fallback = {"selector": {"app": "shop-static"}, "ports": ports}
        self.sandbox.create({"kind": "Service", "metadata": {"name": "static-web"}, "spec": fallback})

    @property
    def route(self) -> dict[str, Any]:
        found = self.sandbox.get("HTTPRoute", "web")
        assert found is not None
        return found

    def weights(self) -> list[list[int | None]]:
        return [[b.get("weight") for b in rule["backendRefs"]] for rule in self.route["spec"]["rules"]]

    def edit(self, change: Callable[[list[Any]], None]) -> None:
        """Somebody else's edit of the rules."""
        self.sandbox.edit("HTTPRoute", "web", lambda obj: change(obj["spec"]["rules"]))

    def down(self) -> "Gateway":
        self.values["errors"] = 0.9
        self.ticks(2)
        return self

    def up(self) -> "Gateway":
        self.values["errors"] = 0.0
        self.ticks(20)
        return self


def test_a_step_down_moves_the_weights_of_the_rules_with_both_backends_and_nothing_else() -> None:
    world = Gateway()
    before = world.route
    world.down()

    assert world.weights() == [[0, 1], [0, 1], [7, 0]]
    assert world.level == "static"
    after = world.route
    for rule, was in zip(after["spec"]["rules"], before["spec"]["rules"], strict=True):
        assert {key: value for key, value in rule.items() if key != "backendRefs"} == {
            key: value for key, value in was.items() if key != "backendRefs"
        }
    assert after["spec"]["hostnames"] == ["shop.example.com"]


def test_a_step_up_puts_every_weight_back_and_takes_away_those_that_were_not_said() -> None:
    world = Gateway().down().up()

    assert (world.level, world.status["ledger"]) == ("full", [])
    assert world.route["spec"] == ROUTE["spec"]
    assert world.route["metadata"]["annotations"] == {"owner": "team"}


@pytest.mark.parametrize(
    ("change", "then"),
    [
        (lambda rules: rules.reverse(), [[7, 0], [None, 0], [9, None]]),
        (lambda rules: rules.insert(0, copy.deepcopy({**CART, "name": "new"})), [[7, 0], [9, None], [None, 0], [7, 0]]),
        (lambda rules: rules[0]["backendRefs"].reverse(), [[None, 9], [None, 0], [7, 0]]),
        (lambda rules: rules.__delitem__(0), [[None, 0], [7, 0]]),
        (lambda rules: rules[0].pop("filters"), [[9, None], [None, 0], [7, 0]]),
    ],
    ids=["rules turned round", "a rule put first", "backends turned round", "a rule taken out", "a filter taken out"],
)
def test_what_others_do_to_the_rules_meanwhile_stays_and_no_other_backends_weight_is_written(
    change: Callable[[list[Any]], None], then: list[list[int | None]]
) -> None:
    world = Gateway().down()
    world.edit(change)
    world.tick()
    world.up()

    assert (world.weights(), world.status["ledger"]) == (then, [])
    assert "stepdown.dev/ledger" not in world.route["metadata"]["annotations"]


def test_a_rule_that_is_added_meanwhile_is_moved_too() -> None:
    world = Gateway().down()
    world.edit(lambda rules: rules.append({"name": "late", "backendRefs": [backend("shop"), backend("static-web")]}))
    world.tick()

    assert world.weights()[3] == [0, 1]
    assert world.up().weights()[3] == [None, None]


def test_a_rule_without_the_fallback_that_is_added_meanwhile_takes_no_traffic_off_the_others() -> None:
    world = Gateway().down()
    world.edit(lambda rules: rules.append({"name": "late", "backendRefs": [backend("shop")]}))
    world.ticks(2)

    assert world.weights() == [[0, 1], [0, 1], [7, 0], [None]]
    (ready,) = (c for c in world.status["conditions"] if c["type"] == "Ready")
    assert "rule late of HTTPRoute web has Service shop and not static-web; add to its backendRefs" in ready["message"]


def test_a_backend_that_is_there_twice_meanwhile_is_left_until_somebody_has_taken_one_out() -> None:
    world = Gateway().down()
    world.edit(lambda rules: rules[0]["backendRefs"].append(backend("shop", weight=5)))
    world.up()
    assert world.weights() == [[0, None, 5], [None, 0], [7, 0]]

    world.edit(lambda rules: rules[0]["backendRefs"].pop())
    assert world.up().weights() == [[9, None], [None, 0], [7, 0]]


def test_a_foreign_weight_wins_and_flagger_is_named_with_what_to_tell_it() -> None:
    world = Gateway().down()

    def shift(obj: dict[str, Any]) -> None:
        obj["spec"]["rules"][0]["backendRefs"][0]["weight"] = 50
        owned = {"manager": "flagger", "time": "2026-01-01", "fieldsV1": {"f:spec": {"f:rules": {}}}}
        obj["metadata"]["managedFields"] = [owned]

    world.sandbox.edit("HTTPRoute", "web", shift)
    world.ticks(2)

    (told,) = (event.message for event in world.sandbox.events if event.reason == EventReason.CONTESTED)
    assert told == (
        "/spec/rules#/api/shop:80/weight of HTTPRoute web is 50, which is neither what was applied (0) nor what was"
        " there before (9): the foreign value stays. Written by flagger. Flagger owns these weights: suspend its Canary"
        " (spec.suspend: true), or take the action out of the policy"
    )
    assert world.up().weights() == [[50, None], [None, 0], [7, 0]]


def test_a_rival_is_named_although_we_put_another_weight_of_the_same_rules_back_at_once() -> None:
    world = Gateway().down()

    def owned(obj: dict[str, Any], manager: str) -> dict[str, Any]:
        fields = [{"manager": manager, "time": "2026-01-01", "fieldsV1": {"f:spec": {"f:rules": {}}}}]
        return {**obj, "metadata": {**obj["metadata"], "managedFields": fields}}

    async def patch(*arguments: Any) -> dict[str, Any]:
        return owned(await as_it_was(*arguments), "stepdown")

    def shift(obj: dict[str, Any]) -> None:
        obj["spec"]["rules"][0]["backendRefs"][0]["weight"] = 50
        obj["spec"]["rules"][1]["backendRefs"][1]["weight"] = 0
        obj.update(owned(obj, "flagger"))

    world.sandbox.edit("HTTPRoute", "web", shift)
    as_it_was = world.sandbox.patch
    world.sandbox.patch = patch  # type: ignore[method-assign]
    world.tick()

    reasons = [event.reason for event in world.sandbox.events[-3:]]
    (told,) = (event.message for event in world.sandbox.events if event.reason == EventReason.CONTESTED)
    assert EventReason.REAPPLIED in reasons
    assert "Written by flagger. Flagger owns these weights" in told


def test_a_fallback_that_dies_gives_traffic_back_to_a_ready_primary() -> None:
    world = Gateway()
    world.sandbox.create(pod("shop-1", "shop"))
    world.sandbox.edit("Pod", "shop-1", lambda obj: obj["metadata"]["labels"].update(tier="web"))
    world.down()
    world.sandbox.edit("Pod", "shop-static-1", lambda obj: obj["status"]["conditions"][0].update(status="False"))
    world.ticks(2)

    assert world.weights() == [[9, None], [None, 0], [7, 0]]


def test_without_the_kind_in_the_cluster_the_policy_says_so_and_goes_on() -> None:
    world = Gateway()
    world.sandbox.delete("HTTPRoute", "web")
    world.down()

    (ready,) = (c for c in world.status["conditions"] if c["type"] == "Ready")
    assert (world.level, ready["status"], ready["reason"]) == ("full", "False", "TargetNotFound")


def test_weights_stay_while_no_pod_of_the_targets_service_is_ready() -> None:
    world = Gateway()
    world.add_primary(ready="False")
    world.down().up()
    assert (world.level, world.weights()[0]) == ("static", [0, 1])

    world.sandbox.edit("Pod", "shop-1", lambda obj: obj["status"]["conditions"][0].update(status="True"))
    world.ticks(20)

    assert (world.level, world.weights()[0]) == ("full", [9, None])


def test_weights_go_back_where_the_level_above_has_pointed_the_service_itself_at_ready_pods() -> None:
    spec = copy.deepcopy(SPEC)
    spec["levels"][1]["actions"] = [{"route": {"to": {"deployment": "shop-static"}}}]
    spec["levels"][1]["recover"] = {"trial": {"after": "1m", "watch": "10s"}}
    spec["levels"][2]["actions"] = [{"route": {"httpRoute": "web", "to": {"service": "static-web"}}}]
    world = Gateway(spec=spec)
    world.add_primary(ready="False")
    world.down().up()

    assert (world.level, world.weights()[0], world.selector()) == ("core-only", [9, None], {"app": "shop-static"})
