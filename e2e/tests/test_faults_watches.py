"""Rows 3, 4, 21 and 22 of the fault table: watches that end, are refused, miss, repeat and disorder events."""

from collections.abc import Iterator
from typing import Any

import pytest

from faults.calls import POLICIES
from faults.episode import values_of
from faults.plan import Expire, Refuse, Reorder, Repeat, Swallow, Where
from faults.scenes import Player, Scene, play_scenes
from faults.stage import FaultStage
from faults.world import NAME, World
from plane.ladders import scale, switch
from plane.processes import wait_for
from plane.shop import POLICY

DAY = 86_400


def every_event_three_times(player: Player) -> None:
    rule = player.at("event", POLICIES, Repeat(), times=None)
    player.scene.wrong += player.episode.play()
    player.scene.seen["struck"] = rule.struck


def every_other_event_after_the_next(player: Player) -> None:
    rule = player.at("event", POLICIES, Reorder(), nth=2, times=None)
    player.scene.wrong += player.episode.play()
    player.scene.seen["struck"] = rule.struck


def no_event_after_the_first(player: Player) -> None:
    """Meanwhile somebody lets the deeper level do more; then it is entered."""
    rule = player.at("event", POLICIES, Swallow(), nth=2, times=None)
    player.episode.begin()
    player.episode.to("low")
    levels = player.world.policy()["spec"]["levels"]
    levels[2]["actions"] = [scale("workers", 5), switch("flags", theme="light")]
    player.edit(POLICY, NAME, {"spec": {"levels": levels}})()
    player.episode.to("lower")
    player.scene.seen |= {"struck": rule.struck, "values": values_of(player.episode.log)}
    player.episode.to("full")
    player.end()


@pytest.fixture(scope="module")
def worlds(faults: FaultStage, open_namespace: Any) -> Iterator[list[World]]:
    with faults.worlds(4, open_namespace) as worlds:
        yield list(worlds)


@pytest.fixture(scope="module")
def scenes(faults: FaultStage, worlds: list[World]) -> dict[str, Scene]:
    scripts = (every_event_three_times, every_other_event_after_the_next, no_event_after_the_first)
    return play_scenes(scripts, worlds[1:], faults.proxy)


@pytest.mark.row(22)
@pytest.mark.parametrize("name", ["every_event_three_times", "every_other_event_after_the_next"])
def test_row_22_events_that_come_again_or_in_another_order_change_nothing(scenes: dict[str, Scene], name: str) -> None:
    assert scenes[name].wrong == []
    assert scenes[name].seen["struck"] >= 5


@pytest.mark.row(21)
def test_row_21_an_edit_whose_event_was_missed_is_found_before_anything_is_done_by_the_old_spec(
    scenes: dict[str, Scene],
) -> None:
    scene = scenes["no_event_after_the_first"]

    assert scene.wrong == []
    assert scene.seen["struck"] >= 5
    assert scene.seen["values"]["deployments/scale/workers"] == [4, 5]
    assert scene.seen["values"]["configmaps/flags"] == ["off", "light"]


@pytest.fixture
def player(faults: FaultStage, worlds: list[World]) -> Iterator[Player]:
    player = Player(worlds[0], faults.proxy)
    player.episode.begin()
    yield player
    player.world.remove()


def assert_an_edit_is_seen(player: Player) -> None:
    """By its event, or by the list after it; and not by the list that is made every five minutes."""
    player.edit(POLICY, NAME, {"spec": {"suspend": True}})()
    generation = player.stored()["metadata"]["generation"]
    wait_for("the edit", lambda: player.stored()["status"]["observedGeneration"] == generation, 90)


EVERYWHERE = Where("", "list", POLICIES)
WATCH = Where("", "watch", POLICIES)


@pytest.mark.row(3)
def test_row_03_a_watch_that_ends_with_410_and_whose_list_and_next_watch_are_refused_is_begun_again(
    player: Player, faults: FaultStage
) -> None:
    rules = [
        player.at("event", POLICIES, Expire()),
        faults.proxy.plan.add(EVERYWHERE, Refuse(410, "the provided continue parameter is too old")),
        faults.proxy.plan.add(WATCH, Refuse(500, "an error on the server")),
    ]

    assert_an_edit_is_seen(player)
    wait_for("all faults met", lambda: all(rule.struck for rule in rules), 60)


@pytest.mark.row(4)
def test_row_04_a_busy_server_that_says_tomorrow_to_a_watch_is_asked_again_within_a_minute(
    player: Player, faults: FaultStage
) -> None:
    rules = [
        player.at("event", POLICIES, Expire()),
        faults.proxy.plan.add(EVERYWHERE, Refuse(429, "too many requests", DAY)),
    ]

    assert_an_edit_is_seen(player)
    assert [rule.struck for rule in rules] == [1, 1]
