"""The ladder over what is there: levels add up, later ones win, and nobody else's field is taken."""

import json
from typing import Any

from actions.scene import obj, snapshot
from stepdown.actions.planning import Plan
from stepdown.api.policy import PolicySpec
from stepdown.api.status import Entry, EntryState
from stepdown.engine.annotation import ANNOTATION
from stepdown.engine.fields import Target, encode
from stepdown.engine.ledger import entry_id
from stepdown.engine.settlement import entry_target


def spec_of(*levels: dict[str, Any]) -> PolicySpec:
    recover = {"trial": {"after": "1m"}}
    enters = [{"any": [{"signal": "load", "above": place}]} for place in range(1, len(levels) + 1)]
    return PolicySpec.model_validate(
        {
            "target": {"service": "shop", "deployment": "shop"},
            "signals": [{"name": "load", "query": "load"}],
            "levels": [
                {"name": "full"},
                *({"enter": enter, "recover": recover, **level} for enter, level in zip(enters, levels, strict=True)),
            ],
        }
    )


def entry(kind: str, name: str, path: str, original: Any, applied: Any) -> Entry:
    return Entry(
        id="1",
        target=entry_target(Target(kind, name, f"uid-{name}")),
        path=path,
        original=encode(original),
        applied=encode(applied),
        state=EntryState.APPLIED,
        level="one",
        time=0.0,
    )


def plan_of(spec: PolicySpec, *objects: dict[str, Any], ledger=(), holder=lambda uid, path: None) -> Plan:
    return Plan("default/shop", spec, ledger, snapshot(*objects), holder)


def wanted(plan: Plan, place: int) -> dict[str, Any]:
    return {f"{target.kind}/{target.name}": change.desired for (target, _), change in plan.wanted(place).items()}


def workload(name: str, replicas: int = 3) -> dict[str, Any]:
    return obj("Deployment", name, {"replicas": replicas, "selector": {"matchLabels": {"app": name}}})


def pod(app: str) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    return obj("Pod", f"{app}-1", {"containers": []}, metadata={"labels": {"app": app}}, status=status)


SERVICE = obj("Service", "shop", {"selector": {"app": "shop"}, "ports": [{"port": 80, "targetPort": 8080}]})
ROUTES = spec_of(
    {"name": "one", "actions": [{"route": {"to": {"deployment": "lite"}}}]},
    {"name": "two", "actions": [{"route": {"to": {"deployment": "static"}}}]},
)


def test_levels_add_up():
    spec = spec_of(
        {"name": "one", "actions": [{"scale": {"to": 5}}]},
        {"name": "two", "actions": [{"scale": {"deployment": "extras", "to": 0}}]},
    )
    plan = plan_of(spec, workload("shop"), workload("extras"))
    assert wanted(plan, 0) == {}
    assert wanted(plan, 1) == {"Deployment/shop": 5}
    assert wanted(plan, 2) == {"Deployment/shop": 5, "Deployment/extras": 0}


def test_a_later_level_wins_on_the_same_field():
    spec = spec_of(
        {"name": "one", "actions": [{"scale": {"to": 5}}]}, {"name": "two", "actions": [{"scale": {"to": 1}}]}
    )
    plan = plan_of(spec, workload("shop"))
    assert wanted(plan, 2) == {"Deployment/shop": 1}
    (change,) = plan.wanted(2).values()
    assert change.level == 2


def test_a_percentage_is_of_what_was_there_before_us():
    spec = spec_of({"name": "one", "actions": [{"scale": {"by": "100%"}}]})
    held = [entry("Deployment", "shop", "/spec/replicas", 3, 6)]
    assert wanted(plan_of(spec, workload("shop", 6), ledger=held), 1) == {"Deployment/shop": 6}


def test_a_percentage_is_of_what_was_there_also_while_a_second_step_is_under_way():
    spec = spec_of({"name": "one", "actions": [{"scale": {"by": "100%"}}]})
    under_way = entry("Deployment", "shop", "/spec/replicas", 3, 1).model_copy(update={"replaces": "6"})
    assert wanted(plan_of(spec, workload("shop", 6), ledger=[under_way]), 1) == {"Deployment/shop": 6}


def test_issues_name_their_level_and_do_not_keep_the_other_actions():
    spec = spec_of({"name": "one", "actions": [{"scale": {"deployment": "gone", "to": 0}}, {"scale": {"to": 5}}]})
    plan = plan_of(spec, workload("shop"))
    assert plan.issues == [
        (
            "TargetNotFound",
            "level one: scale: Deployment gone isn't there; create it or correct the action's name",
            1,
        )
    ]
    assert wanted(plan, 1) == {"Deployment/shop": 5}


def test_a_level_whose_fallback_is_missing_or_not_ready_is_blocked():
    plan = plan_of(ROUTES, SERVICE, workload("lite"), workload("static"), pod("static"))
    assert [plan.blocks(place) for place in (0, 1, 2)] == [False, True, False]
    assert plan_of(ROUTES, SERVICE, workload("static"), pod("static")).blocks(1) is True


def test_a_route_to_what_is_not_ready_is_not_wanted():
    plan = plan_of(ROUTES, SERVICE, workload("lite"), workload("static"))
    assert wanted(plan, 2) == {}


def test_a_service_that_points_at_its_fallback_stays_there_when_the_fallback_dies():
    routed = {**SERVICE, "spec": {**SERVICE["spec"], "selector": {"app": "static"}}}
    held = [entry("Service", "shop", "/spec/selector", {"app": "shop"}, {"app": "static"})]
    plan = plan_of(ROUTES, routed, workload("lite"), workload("static"), ledger=held)
    assert plan.blocks(2) is False
    assert wanted(plan, 2) == {"Service/shop": {"app": "static"}}


def test_a_dead_fallback_is_left_for_the_one_of_a_shallower_level_that_answers():
    routed = {**SERVICE, "spec": {**SERVICE["spec"], "selector": {"app": "static"}}}
    held = [entry("Service", "shop", "/spec/selector", {"app": "shop"}, {"app": "static"})]
    plan = plan_of(ROUTES, routed, workload("lite"), workload("static"), pod("lite"), ledger=held)
    assert wanted(plan, 2) == {"Service/shop": {"app": "lite"}}


def test_on_the_way_up_a_dead_fallback_is_no_obstacle_where_the_primary_answers():
    routed = {**SERVICE, "spec": {**SERVICE["spec"], "selector": {"app": "static"}}}
    held = [entry("Service", "shop", "/spec/selector", {"app": "shop"}, {"app": "static"})]
    dead = plan_of(ROUTES, routed, workload("lite"), workload("static"), pod("static"), ledger=held)
    ready = plan_of(ROUTES, routed, workload("lite"), workload("static"), pod("static"), pod("shop"), ledger=held)
    gone = plan_of(ROUTES, routed, workload("static"), pod("static"), pod("shop"), ledger=held)
    assert (dead.strands(1), ready.strands(1), gone.strands(1)) == (True, False, False)


def test_on_the_way_up_a_shallower_fallback_must_be_ready_too_although_the_field_is_held():
    routed = {**SERVICE, "spec": {**SERVICE["spec"], "selector": {"app": "static"}}}
    held = [entry("Service", "shop", "/spec/selector", {"app": "shop"}, {"app": "static"})]
    plan = plan_of(ROUTES, routed, workload("lite"), workload("static"), pod("static"), ledger=held)
    assert plan.blocks(1) is True
    assert wanted(plan, 1) == {}


def test_an_intent_that_was_never_carried_out_is_not_excused_from_readiness():
    intent = entry("Service", "shop", "/spec/selector", {"app": "shop"}, {"app": "static"})
    held = [intent.model_copy(update={"state": EntryState.INTENT})]
    assert plan_of(ROUTES, SERVICE, workload("lite"), workload("static"), ledger=held).blocks(2) is True


def test_a_field_that_another_policy_holds_is_left_to_it():
    spec = spec_of({"name": "one", "actions": [{"scale": {"to": 5}}]})
    plan = plan_of(spec, workload("shop"), holder=lambda uid, path: "default/other" if uid == "uid-shop" else None)
    assert wanted(plan, 1) == {}
    text = "/spec/replicas of Deployment shop is held by policy default/other; let one policy own it"
    assert plan.conflicts == [("Conflict", text, 1)]


def routed_with_a_mark_for(uid):
    """The plan of a policy that routes a Service with the mark of another policy, made for an object of this uid."""
    spec = spec_of({"name": "one", "actions": [{"route": {"to": {"deployment": "static"}}}]})
    mark = {entry_id(Target("Service", "shop", uid), "/spec/selector"): {"policy": "other", "path": "/spec/selector"}}
    marked = {**SERVICE, "metadata": {**SERVICE["metadata"], "annotations": {ANNOTATION: json.dumps(mark)}}}
    return plan_of(spec, marked, workload("static"), pod("static"))


def test_a_field_that_an_annotation_gives_to_another_policy_is_left_to_it():
    plan = routed_with_a_mark_for(SERVICE["metadata"]["uid"])
    assert wanted(plan, 1) == {}
    assert plan.conflicts[0][1] == "/spec/selector of Service shop is held by policy other; let one policy own it"


def test_an_annotation_that_was_copied_from_another_object_gives_the_field_to_nobody():
    plan = routed_with_a_mark_for("of-another-object")
    assert plan.conflicts == []
    assert len(wanted(plan, 1)) == 1


def test_a_shallower_levels_pause_of_a_scaled_object_ends_at_a_deeper_one():
    from stepdown.engine.fields import ABSENT

    spec = spec_of(
        {"name": "one", "actions": [{"scale": {"to": 0}}]}, {"name": "two", "actions": [{"scale": {"to": 5}}]}
    )
    keda = obj("ScaledObject", "keda", {"scaleTargetRef": {"name": "shop"}})
    plan = plan_of(spec, workload("shop"), keda)
    pause = "/metadata/annotations/autoscaling.keda.sh~1paused-replicas"
    assert {path: c.desired for (_, path), c in plan.wanted(1).items()} == {pause: "0"}
    assert {path: c.desired for (_, path), c in plan.wanted(2).items()} == {
        pause: ABSENT,
        "/spec/minReplicaCount": 5,
        "/spec/maxReplicaCount": 5,
    }
