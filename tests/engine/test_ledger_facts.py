"""What an entry keeps of the moment that it was judged at, and what people are told."""

import pytest

from engine.test_ledger import (
    FIRST,
    OURS,
    REPLICAS,
    SELECTOR,
    SERVICE,
    SHOP,
    THEIRS,
    change,
    held,
    obj,
    service,
    settled,
)
from stepdown.api.status import Entry, EntryState
from stepdown.engine.fields import ABSENT, Target
from stepdown.engine.ledger import Fact, entry_id, short
from stepdown.engine.reasons import EventReason
from stepdown.engine.settlement import Write, entry_target


@pytest.mark.parametrize(
    ("text", "shown"),
    [(None, "absent"), ('"off"', '"off"'), ("x" * 60, "x" * 60), ("x" * 61, "x" * 57 + "...")],
    ids=["absent", "short", "60", "61"],
)
def test_a_value_is_shown_in_sixty_characters(text, shown):
    assert short(text) == shown


def test_an_entry_that_has_come_further_says_under_which_leadership_and_when():
    (entry,) = settled([held(EntryState.INTENT, replaces='{"app":"x"}')], change(), (SERVICE, service(OURS))).entries
    assert entry == held().model_copy(update={"epoch": 7, "time": 1000.0})


def test_an_applied_value_that_a_deeper_level_wants_too_becomes_that_levels():
    found = settled([held()], change(place=2), (SERVICE, service(OURS)))
    assert [(entry.state, entry.level) for entry in found.entries] == [("Applied", "two")]
    assert found.writes == {}


def test_a_step_that_is_done_remembers_no_longer_what_it_replaced():
    found = settled([held(replaces='{"app":"x"}')], change(), (SERVICE, service(OURS)))
    assert found.entries[0].replaces is None


@pytest.mark.parametrize("marked", [False, True])
def test_an_intent_that_was_not_carried_out_stays_the_very_same_and_blames_nobody(marked):
    entry = held(EntryState.INTENT)
    found = settled([entry], change(), (SERVICE, service(FIRST, marked)))
    assert found.entries[0] is entry
    assert found.writes == {SERVICE: Write(SERVICE, {SELECTOR: '{"app":"static"}'}, restores=False)}
    assert found.facts == []


def test_an_intent_that_another_level_wants_now_becomes_that_levels():
    found = settled([held(EntryState.INTENT)], change(place=2), (SERVICE, service(FIRST)))
    assert [(entry.state, entry.level, entry.epoch) for entry in found.entries] == [("Intent", "two", 7)]


def test_a_foreign_value_where_nothing_was_before_is_no_intent_that_was_not_carried_out():
    found = settled([held(EntryState.INTENT, original=ABSENT)], change(), (SERVICE, service(THEIRS, marked=True)))
    assert [entry.state for entry in found.entries] == ["Contested"]


def test_a_field_that_somebody_took_away_is_not_put_back():
    found = settled([held()], {}, (SERVICE, obj(SERVICE, spec={})))
    assert found.writes == {}
    assert [entry.state for entry in found.retired] == ["Contested"]


def test_what_was_set_back_is_told_with_the_count():
    found = settled([held(reapplied=1)], change(), (SERVICE, service(FIRST, marked=True)))
    text = "/spec/selector of Service shop was set back by somebody else; applied again (2 of 3)"
    assert found.facts == [Fact(EventReason.REAPPLIED, text, SERVICE, SELECTOR)]


def test_a_foreign_value_is_told_with_all_three_values():
    found = settled([held()], change(), (SERVICE, service(THEIRS, marked=True)))
    text = (
        '/spec/selector of Service shop is {"app":"other"}, which is neither what was applied ({"app":"static"}) nor'
        ' what was there before ({"app":"shop"}): the foreign value stays'
    )
    assert found.facts == [Fact(EventReason.CONTESTED, text, SERVICE, SELECTOR)]


def test_what_was_set_back_too_often_is_told_as_that():
    found = settled([held(reapplied=3)], change(), (SERVICE, service(FIRST, marked=True)))
    text = '/spec/selector of Service shop was set back to {"app":"shop"} more than 3 times: it is left so'
    assert found.facts == [Fact(EventReason.CONTESTED, text, SERVICE, SELECTOR)]


@pytest.mark.parametrize(
    ("there", "fate"), [(None, "is gone"), ({"metadata": {"uid": "u9"}}, "was created anew")], ids=["gone", "anew"]
)
def test_an_object_that_is_not_there_any_more_is_told_with_its_field(there, fate):
    found = settled([held()], {}, (SERVICE, there))
    text = f"Service shop {fate}: its /spec/selector needs no restore"
    assert found.facts == [Fact(EventReason.ORPHANED, text, SERVICE, SELECTOR)]


@pytest.mark.parametrize(("age", "watched"), [(0.0, True), (59.0, True), (60.0, False), (-1.0, False)])
def test_a_scale_without_an_answer_is_watched_for_a_minute(age, watched):
    entry = Entry(
        id=entry_id(SHOP, REPLICAS),
        target=entry_target(SHOP),
        path=REPLICAS,
        original="2",
        applied="6",
        state=EntryState.INTENT,
        level="one",
        epoch=6,
        time=1000.0 - age,
    )
    found = settled([entry], {}, (SHOP, obj(SHOP, spec={"replicas": 2})))
    assert found.entries == ([entry] if watched else [])


def test_an_entry_is_known_by_its_field_and_not_by_its_object_alone():
    ids = [settled([], change(path=path), (SERVICE, service(FIRST))).entries[0].id for path in (SELECTOR, "/spec/type")]
    assert ids == [entry_id(SERVICE, SELECTOR), entry_id(SERVICE, "/spec/type")]
    assert ids[0] != ids[1]


def test_a_foreign_value_that_is_left_on_the_way_up_is_told_as_it_is():
    (fact,) = settled([held()], {}, (SERVICE, service(THEIRS))).facts
    assert fact.message.startswith('/spec/selector of Service shop is {"app":"other"}, which is neither')


def test_replicas_that_were_applied_and_are_back_are_not_waited_for():
    entry = held(EntryState.APPLIED, original=2, applied=6).model_copy(
        update={"id": entry_id(SHOP, REPLICAS), "target": entry_target(SHOP), "path": REPLICAS, "time": 1000.0}
    )
    found = settled([entry], {}, (SHOP, obj(SHOP, spec={"replicas": 2})))
    assert found.entries == []
    assert [ended.state for ended in found.retired] == ["Restored"]


def test_an_entry_keeps_the_group_and_version_of_its_target():
    kept = entry_target(Target("HorizontalPodAutoscaler", "shop", "u4"))
    assert (kept.group, kept.version, kept.kind, kept.name, kept.uid) == (
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "shop",
        "u4",
    )
