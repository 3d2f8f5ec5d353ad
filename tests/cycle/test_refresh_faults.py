"""Touches of pods that fail, are cut short or aren't allowed: none is lost, and none is left behind."""

import json
from typing import Any

import pytest

from cycle.flag_shop import NO_RIGHT, REFRESH, FlagShop, failing
from stepdown import refresher
from stepdown.ports import Conflict, Refused, Unknown


class Crash(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("spoken", ["ConfigMap/flags", "store status", "Pod/one", "Pod/two", "finalizer"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("way", ["down", "up"])
@pytest.mark.row(13)
def test_row_13_a_crash_at_any_write_loses_no_touch_and_leaves_none(spoken: str, when: str, way: str) -> None:
    shop = FlagShop()
    if way == "up":
        shop.step(0.92, "core-only")

    def crash(at: str, what: str) -> None:
        if at == when and spoken in what:
            shop.sandbox.on_call = lambda _when, _what: None
            raise Crash

    def walk() -> None:
        shop.step(0.92 if way == "down" else 0.1, "core-only" if way == "down" else "full")
        shop.ticks(2)

    shop.sandbox.on_call = crash
    with pytest.raises(Crash):
        walk()
    shop.start(epoch=2)
    if way == "down":
        shop.step(0.92, "core-only")
        shop.tick()
        assert shop.touched() == {"one": ["flags"], "two": ["flags"]}
    shop.step(0.1, "full")
    shop.ticks(2)
    assert shop.touched() == {}
    assert not shop.sandbox.policy("shop").has_finalizer


def test_a_deleted_policy_waits_for_its_last_touch() -> None:
    shop = FlagShop()
    shop.step(0.92, "core-only")
    errors = iter([Unknown("no answer"), Unknown("no answer")])
    failing(shop, lambda: next(errors, None))
    shop.sandbox.delete("DegradationPolicy", "shop")
    shop.tick()
    assert shop.touched() == {"one": ["flags"], "two": ["flags"]}
    assert ("DegradationPolicy", "shop") in shop.sandbox
    shop.tick()
    assert shop.touched() == {}
    assert ("DegradationPolicy", "shop") not in shop.sandbox


@pytest.mark.parametrize("error", [Unknown("no answer"), Conflict(409, "modified"), Refused(429, "too many requests")])
def test_a_touch_that_failed_is_tried_again_at_the_next_tick(error: Exception) -> None:
    shop = FlagShop()
    errors = iter([error])
    failing(shop, lambda: next(errors, None))
    shop.step(0.92, "core-only")
    assert shop.touched() == {"two": ["flags"]}
    shop.tick()
    assert shop.touched() == {"one": ["flags"], "two": ["flags"]}


def test_only_so_many_pods_are_touched_in_one_tick_and_the_others_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresher, "PODS_MAX", 1)
    shop = FlagShop()
    shop.step(0.92, "core-only")
    assert shop.touched() == {"one": ["flags"]}
    shop.tick()
    assert shop.touched() == {"one": ["flags"], "two": ["flags"]}


@pytest.mark.row(9)
def test_row_9_a_missing_right_is_told_and_neither_the_level_nor_the_way_back_waits_for_it() -> None:
    shop = FlagShop()
    failing(shop, lambda: NO_RIGHT)
    shop.step(0.92, "core-only")
    shop.tick()

    assert shop.ready == (
        "True",
        f"doing its job; pods that mount its flags see them in about a minute: {NO_RIGHT.message}",
    )
    shop.step(0.1, "full")
    assert not shop.sandbox.policy("shop").has_finalizer


def test_an_admission_that_refuses_one_pod_is_told_and_the_others_are_touched() -> None:
    shop = FlagShop()
    errors = iter([Refused(403, "denied by a webhook")])
    failing(shop, lambda: next(errors, None))
    shop.step(0.92, "core-only")
    shop.ticks(3)

    assert shop.touched() == {"two": ["flags"]}
    assert shop.ready[1].endswith("in about a minute: denied by a webhook")


def test_a_suspended_policy_touches_nothing_until_it_goes_on() -> None:
    shop = FlagShop()
    errors = iter([Unknown("no answer"), Unknown("no answer")])
    failing(shop, lambda: next(errors, None))
    shop.step(0.92, "core-only")
    shop.sandbox.edit("DegradationPolicy", "shop", lambda obj: obj["spec"].update(suspend=True))
    shop.ticks(5)
    assert shop.touched() == {}
    shop.sandbox.edit("DegradationPolicy", "shop", lambda obj: obj["spec"].update(suspend=False))
    shop.tick()
    assert shop.touched() == {"one": ["flags"], "two": ["flags"]}


def test_a_pod_that_names_a_thousand_config_maps_has_few_of_them_looked_up() -> None:
    shop = FlagShop()
    names = json.dumps({f"name-{number}": "1" for number in range(1000)})
    shop.sandbox.edit("Pod", "other", lambda obj: obj["metadata"]["annotations"].update({REFRESH: names}))
    read: list[str | None] = []
    ask = shop.sandbox.read

    async def noted(namespace: str, refs: Any) -> Any:
        read.extend(ref.name for ref in refs if ref.kind == "ConfigMap")
        return await ask(namespace, refs)

    shop.sandbox.read = noted  # type: ignore[method-assign]
    shop.step(0.92, "core-only")

    assert len([name for name in read if name is not None and name.startswith("name-")]) == 64
    assert set(shop.touched()) == {"one", "two", "other"}
