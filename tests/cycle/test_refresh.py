"""Pods that mount a flag's ConfigMap are touched when it is set and when it is put back, and keep no mark of ours."""

from typing import Any

from cycle.flag_shop import FlagShop, pod, spec
from cycle.world import SPEC, policy
from stepdown.simulate.sandbox import Sandbox

SCALES = {**SPEC["levels"][1], "actions": [{"scale": {"to": 6}}]}


def kinds_read(shop: FlagShop) -> list[str]:
    """The kinds that are read from now on."""
    read: list[str] = []

    async def noted(self: Any, namespace: str, refs: Any) -> Any:
        read.extend(ref.kind for ref in refs)
        return await Sandbox.read(self, namespace, refs)

    shop.sandbox.read = noted.__get__(shop.sandbox)  # type: ignore[method-assign]
    return read


def test_pods_that_mount_the_config_map_are_touched_in_the_tick_that_sets_its_flag() -> None:
    shop = FlagShop()
    shop.tick()
    shop.values["load"] = 0.92
    shop.tick()

    assert '"defaultVariant": "off"' in shop.flags()
    assert shop.touched() == {"one": ["flags"], "two": ["flags"]}


def test_the_step_up_takes_the_annotation_off_and_leaves_no_mark() -> None:
    shop = FlagShop()
    shop.step(0.92, "core-only")
    shop.step(0.1, "full")

    assert shop.touched() == {}
    assert shop.sandbox.get("Pod", "one")["metadata"]["annotations"] == {"owner": "ann"}  # type: ignore[index]
    assert not shop.sandbox.policy("shop").has_finalizer


def test_each_change_of_the_flags_is_one_touch_of_each_pod() -> None:
    shop = FlagShop()
    shop.step(0.92, "core-only")
    shop.step(1.6, "read-only")
    shop.ticks(20)
    shop.step(0.92, "core-only")
    shop.step(0.1, "full")
    shop.ticks(20)

    assert shop.writes_to_pods() == ["one", "two"] * 4


def test_a_degraded_policy_reads_no_pods_while_nothing_changes() -> None:
    shop = FlagShop()
    shop.step(0.92, "core-only")
    shop.tick()
    before = shop.lists
    shop.ticks(10)

    assert shop.lists - before == 10  # the targets alone, once a tick


def test_a_pod_that_has_come_meanwhile_has_seen_the_flag_at_its_start_and_is_left_alone() -> None:
    shop = FlagShop()
    shop.step(0.92, "core-only")
    shop.sandbox.delete("Pod", "two")
    shop.sandbox.create(pod("two"))
    shop.ticks(5)

    assert shop.touched() == {"one": ["flags"]}


def test_a_new_leader_finds_the_touches_done_and_repeats_none() -> None:
    shop = FlagShop()
    shop.step(0.92, "core-only")
    shop.start(epoch=2)
    shop.ticks(3)

    assert shop.writes_to_pods() == ["one", "two"]


def test_with_refresh_none_no_pod_is_read_or_touched_and_ready_tells_the_delay() -> None:
    shop = FlagShop(spec(flags={"refresh": "None"}))
    read = kinds_read(shop)
    shop.step(0.92, "core-only")

    assert (shop.writes_to_pods(), "Pod" in read) == ([], False)
    assert shop.ready == (
        "True",
        "doing its job; pods that mount ConfigMap flags see its flags in about a minute (refresh: None)",
    )


def test_ready_tells_at_rest_already_that_a_part_of_a_config_map_is_seen_at_a_restart_only() -> None:
    shop = FlagShop()
    shop.sandbox.create(pod("part", subPath="flags.json"))
    shop.tick()

    assert shop.ready == (
        "True",
        "doing its job; pods that have ConfigMap flags by subPath or as variables see its flags when they restart",
    )


def test_ready_says_nothing_of_delays_where_pods_are_touched() -> None:
    shop = FlagShop()
    shop.step(0.92, "core-only")

    assert shop.ready == ("True", "doing its job")


def test_observing_touches_nothing() -> None:
    shop = FlagShop(spec(mode="Observe"))
    shop.values["load"] = 0.92
    shop.ticks(5)

    assert shop.writes_to_pods() == []


def test_a_policy_whose_flags_are_edited_away_while_degraded_takes_the_touches_back() -> None:
    shop = FlagShop()
    shop.step(0.92, "core-only")
    shop.sandbox.edit("DegradationPolicy", "shop", lambda obj: obj["spec"]["levels"].__setitem__(1, SCALES))
    shop.start(epoch=2)
    shop.ticks(2)

    assert shop.touched() == {}


def test_two_policies_on_one_config_map_take_the_annotation_off_when_the_last_one_lets_go() -> None:
    shop = FlagShop()
    other = spec(signals=[{"name": "load", "query": "load"}, {"name": "errors", "query": "errors"}])
    other["levels"] = [other["levels"][0], {**other["levels"][2], "enter": other["levels"][1]["enter"]}]
    shop.sandbox.create(policy("other", other))
    shop.values["load"] = 0.92
    for name in ("shop", "other", "shop", "other"):
        shop.tick(name=name)
    assert shop.touched() == {"one": ["flags"], "two": ["flags"]}
    shop.sandbox.delete("DegradationPolicy", "shop")
    shop.tick()
    assert shop.touched() == {"one": ["flags"], "two": ["flags"]}
    shop.sandbox.delete("DegradationPolicy", "other")
    shop.tick(name="other")
    assert shop.touched() == {}


def test_a_policy_without_flags_reads_no_pods() -> None:
    found = spec()
    found["levels"] = [found["levels"][0], SCALES]
    shop = FlagShop(found)
    read = kinds_read(shop)
    shop.step(0.92, "core-only")
    shop.step(0.1, "full")

    assert "Pod" not in read
