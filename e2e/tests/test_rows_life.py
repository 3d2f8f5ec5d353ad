"""Rows 45, 46, 47 and 49 of the fault table: policies that are edited or deleted while degraded, and two on one field.

All act on plain ConfigMaps, one flag each, `on` before and `off` while it is held.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from plane.api import Object
from plane.ladders import BREACHED, HEALTHY, WORSE, ladder, level, recover, settings, switch
from plane.operator import Operator
from plane.record import Record, Seen, wait_quiet
from plane.shop import POLICY, Shop

SEEN_SECONDS = 5.0
"""By when the finalizer is off once the deletion of a policy in a terminating namespace is seen."""


def flag(shop: Shop, name: str) -> str:
    return str(shop.api.get("ConfigMap", name, shop.namespace)["data"]["reviews"])


def holds(name: str) -> Object:
    return switch(name, reviews="off")


# Row 45

EDITS = ("reordered", "removed", "renamed", "shortened")
"""What happens to the levels of each policy while it is at `lower`, below `low`."""


def edited(name: str, policy: Object) -> Object:
    """The policy after its edit. The load calls for its deepest level, whatever that is."""
    found = copy.deepcopy(policy)
    full, low, lower = found["spec"]["levels"]
    match name:
        case "reordered":
            low["enter"], lower["enter"] = lower["enter"], low["enter"]
            found["spec"]["levels"] = [full, lower, low]
        case "removed":
            lower["actions"] = lower["actions"][:1]
        case "renamed":
            lower["name"] = "least"
        case "shortened":
            found["spec"]["levels"] = [full, low]
    return found


AFTER = {
    "reordered": ("low", {"low": "off", "lower": "off", "extra": "off"}),
    "removed": ("lower", {"low": "off", "lower": "off", "extra": "on"}),
    "renamed": ("least", {"low": "off", "lower": "off", "extra": "off"}),
    "shortened": ("low", {"low": "off", "lower": "on", "extra": "on"}),
}
"""The level after each edit, and what the flags of its levels are then."""


@dataclass
class Edits:
    """What was there after each edit, which values each flag ever had, and the end."""

    before: dict[str, Object]
    levels: dict[str, str]
    flags: dict[str, dict[str, str]]
    values: dict[str, list[str]]
    end: dict[str, Object]


@pytest.fixture(scope="module")
def edits(lead: Callable[[], Operator], open_shop: Any) -> Iterator[Edits]:
    operator = lead()
    with open_shop("row-45") as shop:
        shop.apply(*(settings(f"{name}-{part}", reviews="on") for name in EDITS for part in ("low", "lower", "extra")))
        before = shop.snapshot()
        policies = {
            name: ladder(
                name,
                shop.namespace,
                level("low", holds(f"{name}-low")),
                level("lower", holds(f"{name}-lower"), holds(f"{name}-extra"), above="120%"),
            )
            for name in EDITS
        }
        with Record(shop.api, shop.namespace, "ConfigMap") as record:
            for name in EDITS:
                shop.load(WORSE, name)
            shop.apply(*policies.values())
            for name in EDITS:
                shop.wait_level(name, "lower", timeout=60)
            shop.apply(*(edited(name, policies[name]) for name in EDITS))
            for name in EDITS:
                shop.wait_condition(name, "Ready", "True", timeout=60)
                shop.wait_level(name, AFTER[name][0], timeout=60)
            wait_quiet(shop, operator)
            levels = {name: shop.level(name) for name in EDITS}
            flags = {name: {part: flag(shop, f"{name}-{part}") for part in AFTER[name][1]} for name in EDITS}
            recover(shop, operator, *EDITS)
            values = {
                f"{name}-{part}": record.values("ConfigMap", f"{name}-{part}", lambda obj: obj["data"]["reviews"])
                for name in EDITS
                for part in ("low", "lower", "extra")
            }
        yield Edits(before, levels, flags, values, shop.snapshot())


@pytest.mark.row(45)
@pytest.mark.parametrize("edit", EDITS)
def test_row_45_after_an_edit_while_degraded_what_is_wanted_is_held_and_what_is_not_is_restored(
    edits: Edits, edit: str
) -> None:
    assert (edits.levels[edit], edits.flags[edit]) == AFTER[edit]


@pytest.mark.row(45)
@pytest.mark.parametrize("edit", EDITS)
def test_row_45_an_edit_sets_nothing_twice(edits: Edits, edit: str) -> None:
    assert [edits.values[f"{edit}-{part}"] for part in ("low", "lower", "extra")] == [["off", "on"]] * 3


@pytest.mark.row(45)
def test_row_45_everything_is_byte_for_byte_what_it_was(edits: Edits) -> None:
    assert edits.end == edits.before


# Row 46


def degrade(shop: Shop) -> dict[str, Object]:
    """A policy `shop` that holds a flag; gives what was there before."""
    shop.apply(settings("flags", reviews="on"))
    before = shop.snapshot()
    shop.load(BREACHED, "shop")
    shop.apply(ladder("shop", shop.namespace, level("low", holds("flags"))))
    shop.wait_level("shop", "low", timeout=60)
    assert flag(shop, "flags") == "off"
    return before


@pytest.mark.row(46)
def test_row_46_a_policy_deleted_while_degraded_is_restored_and_then_gone(shop: Shop, operator: Operator) -> None:
    before = degrade(shop)
    shop.delete_policy("shop", timeout=60)
    told = shop.wait_event("RestoreVerified", timeout=60)
    wait_quiet(shop, operator)

    assert shop.snapshot() == before
    assert told["message"] == "nothing is held any more"


@pytest.mark.row(46)
def test_row_46_a_policy_deleted_while_the_operator_was_down_is_restored_when_it_is_back(
    shop: Shop, operator: Operator, stand_down: Callable[[], None], lead: Callable[[], Operator]
) -> None:
    before = degrade(shop)
    operator.kill()
    stand_down()
    shop.api.delete(POLICY, "shop", shop.namespace)
    waiting = shop.policy("shop")["metadata"]
    held = flag(shop, "flags")
    back = lead()
    shop.wait("the policy is gone", lambda: shop.api.find(POLICY, "shop", shop.namespace) is None, timeout=60)
    wait_quiet(shop, back)

    assert ("deletionTimestamp" in waiting, waiting["finalizers"], held) == (True, ["stepdown.dev/restore"], "off")
    assert shop.snapshot() == before


# Row 47


@pytest.mark.row(47)
def test_row_47_a_namespace_deleted_while_degraded_is_not_held_up(shop: Shop, operator: Operator, figure: Any) -> None:
    degrade(shop)
    with Record(shop.api, shop.namespace, POLICY) as record:
        shop.api.delete("Namespace", shop.namespace)
        shop.wait("the policy is gone", lambda: shop.api.find(POLICY, "shop", shop.namespace) is None, timeout=60)
        shop.wait("the namespace is gone", lambda: shop.api.find("Namespace", shop.namespace) is None, timeout=60)
        writes = record.seen(POLICY, "shop")
    deleted = first(writes, lambda seen: "deletionTimestamp" in seen.object["metadata"])
    let_go = first(writes, lambda seen: seen.type == "DELETED" or not seen.object["metadata"].get("finalizers"))

    figure("deletion of a namespace held", round(let_go.at - deleted.at, 1), "s")
    assert let_go.at - deleted.at < SEEN_SECONDS


def first(writes: list[Seen], holds: Callable[[Seen], bool]) -> Seen:
    return next(seen for seen in writes if holds(seen))


# Row 49


@dataclass
class Rivals:
    """Two policies on one flag: `first` sets it to one, `second` to two."""

    namespace: str
    before: dict[str, Object]
    told: Object
    second_ledger: list[Object]
    marks: str
    values: list[str]
    ready_later: Object
    end: dict[str, Object]


@pytest.fixture(scope="module")
def rivals(lead: Callable[[], Operator], open_shop: Any) -> Iterator[Rivals]:
    """First and second are breached, one after the other; then the first recovers, and then the second."""
    operator = lead()
    with open_shop("row-49") as shop:
        shop.apply(settings("flags", reviews="on"))
        before = shop.snapshot()
        values = {"first": "one", "second": "two"}
        with Record(shop.api, shop.namespace, "ConfigMap") as record:
            for name in values:
                shop.load(HEALTHY, name)
            shop.apply(
                *(ladder(n, shop.namespace, level("low", switch("flags", reviews=v))) for n, v in values.items())
            )
            for name in values:
                shop.wait_condition(name, "MetricsAvailable", "True", timeout=60)
            shop.load(BREACHED, "first")
            shop.wait_level("first", "low", timeout=60)
            shop.load(BREACHED, "second")
            told = shop.wait_condition("second", "Ready", "False", "Conflict", timeout=60)
            wait_quiet(shop, operator)
            ledger = shop.ledger("second")
            marks = str(shop.api.get("ConfigMap", "flags", shop.namespace)["metadata"]["annotations"])
            shop.load(HEALTHY, "first")
            shop.wait_level("second", "low", timeout=60)
            ready = shop.wait_condition("second", "Ready", "True", timeout=60)
            recover(shop, operator, *values)
            had = record.values("ConfigMap", "flags", lambda obj: obj["data"]["reviews"])
        yield Rivals(shop.namespace, before, told, ledger, marks, had, ready, shop.snapshot())


@pytest.mark.row(49)
def test_row_49_the_second_policy_on_a_held_field_gets_conflict_and_is_told_who_holds_it(rivals: Rivals) -> None:
    said = "/data/reviews of ConfigMap flags is held by policy {}/first; let one policy own it"

    assert rivals.told["message"] == said.format(rivals.namespace)


@pytest.mark.row(49)
def test_row_49_the_second_policy_writes_nothing(rivals: Rivals) -> None:
    assert rivals.second_ledger == []
    assert '"policy":"second"' not in rivals.marks


@pytest.mark.row(49)
def test_row_49_the_second_policy_takes_over_when_the_first_lets_go(rivals: Rivals) -> None:
    assert rivals.values == ["one", "on", "two", "on"]
    assert rivals.ready_later["status"] == "True"


@pytest.mark.row(49)
def test_row_49_everything_is_byte_for_byte_what_it_was(rivals: Rivals) -> None:
    assert rivals.end == rivals.before
