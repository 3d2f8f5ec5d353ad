"""Rows of the fault table about writes: refused, raced by a person, without room, without a right, older than targets.

Each scene has a world of its own, and all are played side by side; the tests look at what became of them.
"""

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from faults.episode import values_of
from faults.oracles import is_target
from faults.plan import Meanwhile, Refuse
from faults.scenes import Player, Scene, play_scenes
from faults.stage import FaultStage
from faults.world import NAME
from plane.api import ApiError
from plane.ladders import BREACHED
from plane.processes import wait_for
from plane.shop import POLICY

DAY = 86_400
NO_RIGHT = (
    'configmaps "flags" is forbidden: User "system:serviceaccount:stepdown-system:stepdown" cannot patch resource'
    ' "configmaps" in API group "" in the namespace'
)
PATIENCE_SECONDS = 5.0
"""For how long something that was refused is watched: at a try a second there would be five."""


def an_edit_before_the_step_down(player: Player) -> None:
    player.at("patch", "configmaps", Meanwhile(player.edit("ConfigMap", "flags", {"data": {"reviews": "theirs"}})))
    player.episode.begin()
    player.down_and_up()
    player.before["ConfigMap/flags"]["data"]["reviews"] = "theirs"
    player.end()


def an_edit_before_the_way_up(player: Player) -> None:
    player.episode.begin()
    player.episode.to("low")
    player.at("patch", "deployments/scale", Meanwhile(player.edit("Deployment", "workers", {"spec": {"replicas": 9}})))
    player.episode.to("full")
    player.scene.seen["replicas"] = player.world.api.get("Deployment", "workers", player.world.namespace)["spec"][
        "replicas"
    ]


def too_many_requests(player: Player) -> None:
    busy = Refuse(429, "too many requests", DAY)
    player.episode.begin()
    rules = [
        player.at("patch", "degradationpolicies/status", busy, nth=2, times=2),
        player.at("patch", "services", busy),
        player.at("get", "configmaps", busy, nth=3),
    ]
    started = time.monotonic()
    player.down_and_up()
    player.scene.seen |= {"seconds": time.monotonic() - started, "struck": [rule.struck for rule in rules]}
    player.end()


def a_right_taken_away(player: Player) -> None:
    rule = player.at("patch", "configmaps", Refuse(403, NO_RIGHT), times=None)
    player.episode.begin()
    player.world.load(BREACHED)
    ready = player.wait_ready_is("False")
    tries = rule.struck
    time.sleep(PATIENCE_SECONDS)
    events = player.world.api.list("Event", player.world.namespace)
    player.scene.seen = {
        "ready": ready,
        "level": player.stored()["status"]["level"],
        "tries": rule.struck - tries,
        "values": values_of(player.episode.log),
        "events": [e["count"] for e in events if e["reason"] == "ActionFailed"],
    }
    player.plan.remove(rule)
    player.down_and_up()
    player.end()


def no_room_for_status(player: Player) -> None:
    player.episode.begin()
    full = Refuse(500, "etcdserver: mvcc: database space exceeded")
    rule = player.at("patch", "degradationpolicies/status", full, times=None)
    player.world.load(BREACHED)
    wait_for("three refused status writes", lambda: rule.struck >= 3, 60)
    player.scene.seen["targets"] = [e.request.path for e in player.episode.log if e.request.is_write and is_target(e)]
    player.plan.remove(rule)
    player.down_and_up()
    player.end()


def a_flag_that_admission_refuses(player: Player) -> None:
    with frozen_flags(player):
        player.episode.begin()
        player.world.load(BREACHED)
        ready = player.wait_ready_is("False")
        tries = len(player.sent("configmaps"))
        time.sleep(PATIENCE_SECONDS)
        player.scene.seen = {
            "ready": ready,
            "level": player.stored()["status"]["level"],
            "tries": len(player.sent("configmaps")) - tries,
            "values": values_of(player.episode.log),
        }
        player.episode.to("full")
    player.end()


@contextmanager
def frozen_flags(player: Player) -> Iterator[None]:
    """A rule of the cluster's administrator: no ConfigMap of this world may be changed."""
    api, namespace, group = player.world.api, player.world.namespace, "admissionregistration.k8s.io/v1"
    name = f"frozen-{namespace}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["configmaps"]}
    here = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    specs = {
        "ValidatingAdmissionPolicy": {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "false", "message": "flags are frozen"}],
        },
        "ValidatingAdmissionPolicyBinding": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": here},
        },
    }
    for kind, spec in specs.items():
        api.create({"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": spec})

    def is_frozen() -> bool:
        path, body = api.path("ConfigMap", "flags", namespace), {"metadata": {"labels": {"frozen": "no"}}}
        try:
            api.call("PATCH", path, body, "application/merge-patch+json", dryRun="All")
        except ApiError:
            return True
        return False

    try:
        wait_for("flags are frozen", is_frozen)
        yield
    finally:
        for kind in specs:
            api.delete(kind, name)


def a_ledger_from_a_backup(player: Player) -> None:
    """At `lower` the status is set back to that of `low`: the ledger says 4 workers, and there are 6."""
    player.episode.begin()
    player.episode.to("low")
    backup = copy.deepcopy(player.stored()["status"])
    player.episode.to("lower")
    name, namespace = NAME, player.world.namespace
    patch = [{"op": "replace", "path": "/status", "value": backup}]
    player.world.api.json_patch(POLICY, name, namespace, patch, "status")

    def contested() -> bool:
        return any(c["type"] == "Contested" and c["status"] == "True" for c in player.stored()["status"]["conditions"])

    wait_for("Contested", contested, 60)
    player.scene.seen["condition"] = next(
        c for c in player.stored()["status"]["conditions"] if c["type"] == "Contested"
    )
    player.episode.to("full")
    player.before["Deployment/workers"]["spec"]["replicas"] = 6
    player.end()


SCENES = (
    an_edit_before_the_step_down,
    an_edit_before_the_way_up,
    too_many_requests,
    a_right_taken_away,
    no_room_for_status,
    a_flag_that_admission_refuses,
    a_ledger_from_a_backup,
)


@pytest.fixture(scope="module")
def scenes(faults: FaultStage, open_namespace: Any) -> Iterator[dict[str, Scene]]:
    with faults.worlds(len(SCENES), open_namespace) as worlds:
        yield play_scenes(SCENES, worlds, faults.proxy)


@pytest.mark.row(2)
def test_row_02_a_value_set_by_a_person_right_before_our_write_is_what_comes_back(scenes: dict[str, Scene]) -> None:
    assert scenes["an_edit_before_the_step_down"].wrong == []


@pytest.mark.row(2)
def test_row_02_a_value_set_by_a_person_right_before_our_restore_stays(scenes: dict[str, Scene]) -> None:
    scene = scenes["an_edit_before_the_way_up"]

    assert scene.wrong == []
    assert scene.seen["replicas"] == 9


@pytest.mark.row(4)
def test_row_04_a_busy_server_that_says_tomorrow_is_asked_again_within_a_minute(scenes: dict[str, Scene]) -> None:
    scene = scenes["too_many_requests"]

    assert scene.wrong == []
    assert scene.seen["struck"] == [2, 1, 1]
    assert scene.seen["seconds"] < 60


@pytest.mark.row(9)
def test_row_09_without_a_right_the_level_really_reached_is_told_once_and_it_is_tried_less_and_less(
    scenes: dict[str, Scene],
) -> None:
    scene = scenes["a_right_taken_away"]

    assert scene.wrong == []
    assert scene.seen["ready"]["reason"] in ("Forbidden", "NotAuthorized")
    assert scene.seen["level"] == "full"
    assert scene.seen["values"] == {"services/shop": ["shop-static"], "deployments/scale/workers": [4]}
    assert scene.seen["events"] == [1]
    assert scene.seen["tries"] <= 4


@pytest.mark.row(10)
def test_row_10_while_the_ledger_cannot_be_stored_no_target_is_written(scenes: dict[str, Scene]) -> None:
    scene = scenes["no_room_for_status"]

    assert scene.wrong == []
    assert scene.seen["targets"] == []


@pytest.mark.row(11)
def test_row_11_a_ledger_older_than_its_target_is_contested_and_the_target_is_left(scenes: dict[str, Scene]) -> None:
    scene = scenes["a_ledger_from_a_backup"]

    assert scene.wrong == []
    assert "/spec/replicas of Deployment workers is 6" in scene.seen["condition"]["message"]


@pytest.mark.row(12)
def test_row_12_what_the_server_refuses_is_told_and_the_other_actions_go_on(scenes: dict[str, Scene]) -> None:
    scene = scenes["a_flag_that_admission_refuses"]

    assert scene.wrong == []
    assert scene.seen["ready"]["reason"] == "ActionRejected"
    assert "flags are frozen" in scene.seen["ready"]["message"]
    assert scene.seen["level"] == "full"
    assert scene.seen["values"] == {"services/shop": ["shop-static"], "deployments/scale/workers": [4]}
    assert scene.seen["tries"] <= PATIENCE_SECONDS + 2
