"""`stepdown restore`: what it puts back by itself, what it leaves, and what it says."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cycle.flag_shop import NO_RIGHT, FlagShop, failing
from cycle.world import World
from stepdown.cli import app
from stepdown.ports import Refused, Unknown
from test_restore import degraded, restored


def test_restoring_puts_every_field_back_suspends_and_takes_the_finalizer_off() -> None:
    world = degraded()

    outcome = restored(world)

    assert outcome.is_complete
    assert world.as_at_first()
    now = world.sandbox.policy("shop")
    assert (now.has_finalizer, now.raw["spec"]["suspend"]) == (False, True)
    assert sorted(outcome.done) == [
        "default/shop: ConfigMap flags /data/flags.json#/flags/reviews/defaultVariant put back",
        "default/shop: ConfigMap flags /data/flags.json#/flags/reviews/targeting put back",
        "default/shop: Deployment extras /spec/replicas put back",
        "default/shop: Deployment shop /spec/replicas put back",
        "default/shop: Service shop /spec/selector put back",
    ]


def test_the_status_says_afterwards_that_it_was_restored_by_hand() -> None:
    world = degraded()
    restored(world, now=2_000_000.0)

    status = world.status
    assert status["ledger"] == []
    assert status["summary"] == {"level": "full", "state": "Suspended", "why": "Suspended"}
    assert status["history"][-1] == {
        "time": "1970-01-24T03:33:20Z",
        "from": "static",
        "to": "full",
        "reason": "Suspended",
        "message": "restored by hand and suspended",
    }
    assert {c["type"]: c["status"] for c in status["conditions"] if c["type"] in ("Degraded", "RestorePending")} == {
        "Degraded": "False",
        "RestorePending": "False",
    }


def test_an_operator_that_comes_back_leaves_a_restored_policy_alone() -> None:
    world = degraded()
    restored(world)
    world.start(epoch=3)
    world.ticks(5)

    assert world.as_at_first()
    assert world.level == "full"


def test_restoring_twice_changes_nothing_more() -> None:
    world = degraded()
    restored(world)
    version, writes = world.sandbox.policy("shop").resource_version, len(world.sandbox.writes)

    outcome = restored(world)

    assert (outcome.is_complete, outcome.done) == (True, [])
    assert world.sandbox.policy("shop").resource_version == version
    assert len(world.sandbox.writes) == writes


def test_a_foreign_value_stays_and_is_said() -> None:
    world = degraded("core-only")
    world.sandbox.edit("Deployment", "extras", lambda obj: obj["spec"].update(replicas=7))

    outcome = restored(world)

    assert outcome.is_complete
    assert world.replicas("extras") == 7
    (said,) = (text for text in outcome.done if "extras" in text)
    assert said.startswith("default/shop: Deployment extras /spec/replicas left as it is: /spec/replicas of Deployment")


def test_a_target_that_is_gone_needs_no_restore() -> None:
    world = degraded("core-only")
    world.sandbox.delete("Deployment", "extras")

    outcome = restored(world)

    assert outcome.is_complete
    assert (
        "default/shop: Deployment extras /spec/replicas needs no restore: Deployment extras is gone: its"
        " /spec/replicas needs no restore"
    ) in outcome.done


def test_what_is_refused_is_left_with_its_command_and_the_policy_keeps_its_finalizer() -> None:
    world = degraded("core-only")

    def refuse(when: str, what: str) -> None:
        if (when, what) == ("before", "patch Deployment/extras/scale"):
            raise Refused(403, 'User "me" cannot patch resource "deployments/scale"')

    world.sandbox.on_call = refuse
    outcome = restored(world)

    assert (outcome.is_complete, outcome.hopeless) == (False, True)
    assert outcome.left == [
        'default/shop: Deployment extras /spec/replicas not put back: Deployment extras: User "me" cannot patch'
        ' resource "deployments/scale"'
    ]
    uid = world.sandbox.get("Deployment", "extras")["metadata"]["uid"]
    assert outcome.commands == [
        "kubectl -n default patch deployments extras --subresource=scale --type=json -p '"
        f'[{{"op":"test","path":"/metadata/uid","value":"{uid}"}},'
        '{"op":"test","path":"/spec/replicas","value":null},{"op":"add","path":"/spec/replicas","value":3}]'
        "'"
    ]
    assert world.sandbox.policy("shop").has_finalizer
    world.sandbox.on_call = lambda _when, _what: None
    assert restored(world).is_complete
    assert world.as_at_first()


def test_a_deleted_policy_is_gone_once_it_is_restored() -> None:
    world = degraded()
    world.sandbox.delete("DegradationPolicy", "shop")

    assert restored(world).is_complete
    assert world.sandbox.get("DegradationPolicy", "shop") is None
    assert world.as_at_first()


def test_a_status_of_a_newer_version_is_left_alone() -> None:
    world = degraded("core-only")
    world.sandbox.edit("DegradationPolicy", "shop", lambda obj: obj["status"].update(novelty=1))

    outcome = restored(world)

    assert outcome.hopeless
    assert outcome.left == ["default/shop: its status was written by a newer version; restore with that one"]
    assert world.replicas("shop") == 6


def test_before_an_uninstall_everything_is_put_back_and_nothing_is_suspended() -> None:
    world = degraded()

    assert restored(world, suspends=False).is_complete

    now = world.sandbox.policy("shop")
    assert world.as_at_first()
    assert (now.has_finalizer, now.raw["spec"].get("suspend", False)) == (False, False)


def test_after_an_uninstall_the_status_says_that_nobody_watches_also_where_nothing_was_held() -> None:
    for world in (degraded(), World()):
        world.tick()
        restored(world, suspends=False)

        status = world.status
        assert status["summary"] == {"level": "full", "state": "NotReady", "why": "Uninstalled"}
        (ready,) = (c for c in status["conditions"] if c["type"] == "Ready")
        assert (ready["status"], ready["reason"]) == ("False", "Uninstalled")
        assert ready["message"].startswith("the operator was uninstalled: nobody watches")


def test_the_next_installation_goes_on_with_what_an_uninstall_has_put_back() -> None:
    world = degraded()
    restored(world, suspends=False)
    world.start(epoch=3)
    world.ticks(3)

    assert world.level == "static"
    (ready,) = (c for c in world.status["conditions"] if c["type"] == "Ready")
    assert ready["status"] == "True"


@pytest.mark.parametrize("arguments", [["shop"], ["--all", "--print"], ["--all", "-n", "shops"]])
def test_what_precedes_an_uninstall_is_for_all(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["restore", "--uninstall", *arguments])

    assert result.exit_code == 2
    assert "it goes with --all alone" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["shop", "--all"]])
def test_a_name_or_all_is_needed_and_not_both(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["restore", *arguments])

    assert result.exit_code == 2
    assert "give the NAME of a policy, or --all" in result.stderr


def test_no_cluster_is_one_line(tmp_path: Path) -> None:
    result = CliRunner(env={"KUBECONFIG": str(tmp_path / "none")}).invoke(app, ["restore", "--all", "--print"])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"stepdown: no cluster by {tmp_path}/none: ")
    assert result.stderr.count("\n") == 1


def test_restoring_takes_our_annotation_off_the_pods_that_were_touched() -> None:
    shop = FlagShop()
    shop.step(0.92, "core-only")

    outcome = restored(shop)

    assert (outcome.is_complete, shop.touched()) == (True, {})
    assert not shop.sandbox.policy("shop").has_finalizer


def test_restoring_goes_on_until_the_last_pod_is_written() -> None:
    shop = FlagShop()
    shop.step(0.92, "core-only")
    errors = iter([Unknown("no answer")])
    failing(shop, lambda: next(errors, None))

    assert restored(shop).left == [
        "default/shop: pods that carry the annotation stepdown.dev/refresh keep it: the write had no effect yet"
    ]
    assert restored(shop).is_complete
    assert shop.touched() == {}


def test_restoring_does_not_wait_for_a_right_on_pods_and_says_so() -> None:
    shop = FlagShop()
    shop.step(0.92, "core-only")
    failing(shop, lambda: NO_RIGHT)

    outcome = restored(shop)

    assert outcome.is_complete
    assert outcome.done[-1] == (
        "default/shop: pods that carry the annotation stepdown.dev/refresh keep it until they are replaced, which"
        f" harms nobody: {NO_RIGHT.message}"
    )
