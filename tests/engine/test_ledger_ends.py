"""How ledger entries end, what can not be kept, and the mark on the object."""

import pytest

from engine.test_ledger import (
    FIRST,
    FLAGS,
    NOW,
    OURS,
    REPLICAS,
    SELECTOR,
    SERVICE,
    SHOP,
    THEIRS,
    change,
    facts,
    held,
    obj,
    service,
    settled,
)
from stepdown.api.status import LEDGER_MAX, Entry, EntryState
from stepdown.engine.annotation import annotation_for, annotation_of
from stepdown.engine.fields import ABSENT, FieldChange, Target, encode, same_text
from stepdown.engine.ledger import entry_id, is_only_intended
from stepdown.engine.patch import at_version, build_patch
from stepdown.engine.settlement import TEXT_MAX, Write, entry_target


def test_a_field_that_is_no_longer_wanted_is_put_back():
    found = settled([held()], {}, (SERVICE, service(OURS, marked=True)))
    assert found.writes == {SERVICE: Write(SERVICE, {SELECTOR: '{"app":"shop"}'}, restores=True)}
    assert found.entries == [held()]


def test_a_field_that_was_absent_is_taken_away_again():
    found = settled([held(original=ABSENT)], {}, (SERVICE, service(OURS)))
    assert found.writes[SERVICE].texts == {SELECTOR: None}


def test_our_earlier_value_is_put_back_too_when_a_second_step_was_never_written():
    under_way = held(EntryState.INTENT, applied={"app": "page"}, replaces=encode(OURS))
    found = settled([under_way], {}, (SERVICE, service(OURS)))
    assert found.writes[SERVICE].texts == {SELECTOR: '{"app":"shop"}'}


def test_a_field_that_is_back_already_ends_its_entry():
    found = settled([held()], {}, (SERVICE, service(FIRST)))
    assert ([entry.state for entry in found.retired], found.entries, found.writes) == (["Restored"], [], {})


def test_an_intent_that_looks_untouched_is_marked_so_that_a_late_write_finds_another_object():
    found = settled([held(EntryState.INTENT)], {}, (SERVICE, service(FIRST)))
    assert (found.entries, found.retired) == ([held(EntryState.INTENT)], [])
    assert found.writes == {SERVICE: Write(SERVICE, {}, restores=True)}


def test_an_intent_that_was_marked_ends_and_its_mark_goes():
    found = settled([held(EntryState.INTENT)], {}, (SERVICE, service(FIRST, marked=True)))
    assert ([entry.state for entry in found.retired], found.entries) == (["Restored"], [])
    assert found.writes == {SERVICE: Write(SERVICE, {}, restores=True)}


@pytest.mark.parametrize(
    ("state", "there", "is_only_intended_there"),
    [
        (EntryState.INTENT, service(FIRST), True),
        (EntryState.INTENT, service(FIRST, marked=True), False),
        (EntryState.INTENT, service(OURS), False),
        (EntryState.APPLIED, service(FIRST), False),
    ],
    ids=["untouched", "marked", "written", "applied"],
)
def test_an_entry_is_only_intended_where_nothing_says_that_it_was_ever_written(state, there, is_only_intended_there):
    assert is_only_intended(held(state), there) is is_only_intended_there


def test_of_replicas_and_of_a_document_that_cant_be_read_it_is_never_said():
    replicas = held(EntryState.INTENT).model_copy(update={"target": entry_target(SHOP), "path": REPLICAS})
    flag = held(EntryState.INTENT).model_copy(update={"target": entry_target(FLAGS), "path": FLAG})
    there = obj(SHOP, spec={"replicas": FIRST})
    assert [is_only_intended(replicas, there), is_only_intended(flag, obj(FLAGS, data={"flags.json": "{"}))] == [
        False,
        False,
    ]


def test_the_originals_value_in_our_spelling_is_written_back_in_its_own():
    entry = held(original="on", applied="on").model_copy(
        update={"id": entry_id(FLAGS, FLAG), "target": entry_target(FLAGS), "path": FLAG, "original": '"\\u006fn"'}
    )
    there = obj(FLAGS, data={"flags.json": '{"flags":{"f":{"defaultVariant":"on"}}}'})
    assert settled([entry], {}, (FLAGS, there)).writes[FLAGS].texts == {FLAG: '"\\u006fn"'}


def test_values_too_deep_to_be_compared_are_the_same_when_they_are_spelled_alike():
    deep = "[" * 100_000 + "]" * 100_000
    assert [same_text(deep, deep), same_text(deep, f" {deep}")] == [True, False]


def test_a_mark_that_is_left_is_taken_away_by_a_write_of_its_own():
    found = settled([held()], {}, (SERVICE, service(FIRST, marked=True)))
    assert found.writes == {SERVICE: Write(SERVICE, {}, restores=True)}
    assert [entry.state for entry in found.retired] == ["Restored"]


def test_a_foreign_value_is_not_restored_and_the_mark_goes():
    found = settled([held()], {}, (SERVICE, service(THEIRS, marked=True)))
    assert [entry.state for entry in found.retired] == ["Contested"]
    assert found.writes == {SERVICE: Write(SERVICE, {}, restores=True)}
    assert facts(found) == ["Contested"]


def test_a_contested_entry_ends_without_being_told_twice():
    found = settled([held(EntryState.CONTESTED)], {}, (SERVICE, service(THEIRS)))
    assert ([entry.state for entry in found.retired], found.facts) == (["Contested"], [])


def test_an_ended_entry_whose_mark_is_left_judges_no_value_any_more():
    found = settled([held(EntryState.RESTORED)], {}, (SERVICE, service(OURS, marked=True)))
    assert found.writes == {SERVICE: Write(SERVICE, {}, restores=True)}
    assert found.facts == []


def test_an_ended_entry_that_is_wanted_again_begins_anew():
    found = settled([held(EntryState.RESTORED)], change(), (SERVICE, service(THEIRS)))
    assert [(entry.state, entry.original) for entry in found.entries] == [("Intent", '{"app":"other"}')]


@pytest.mark.parametrize(
    ("there", "fate"),
    [(None, "is gone"), (obj(Target("Service", "shop", "u9"), spec={"selector": OURS}), "was created anew")],
    ids=["gone", "anew"],
)
def test_an_object_that_is_gone_or_another_is_orphaned_and_never_written(there, fate):
    found = settled([held()], {}, (SERVICE, there))
    assert ([entry.state for entry in found.retired], found.writes) == (["Orphaned"], {})
    assert found.facts[0].message == f"Service shop {fate}: its /spec/selector needs no restore"


def test_an_object_created_anew_is_begun_anew_by_its_own_uid():
    new = Target("Service", "shop", "u9")
    found = settled([held()], change(target=new), (new, obj(new, spec={"selector": THEIRS})))
    assert [(entry.target.uid, entry.original) for entry in found.entries] == [("u9", '{"app":"other"}')]
    assert [entry.target.uid for entry in found.retired] == ["u1"]


FLAG = "/data/flags.json#/flags/f/defaultVariant"
GOOD = '{"flags":{"f":{"defaultVariant":"off"}}}'


def flag_entry() -> Entry:
    kept = held(original="on", applied="off")
    return kept.model_copy(update={"target": entry_target(FLAGS), "path": FLAG, "id": entry_id(FLAGS, FLAG)})


@pytest.mark.parametrize("text", ["oops", '{"flags":{"f":{"defaultVariant":"off","defaultVariant":"on"}}}'], ids=str)
@pytest.mark.parametrize("wanted", [{}, change("off", target=FLAGS, path=FLAG)], ids=["restore", "keep"])
def test_a_document_that_cant_be_read_is_waited_for_and_its_entry_kept(text, wanted):
    found = settled([flag_entry()], wanted, (FLAGS, obj(FLAGS, data={"flags.json": text})))
    assert (found.entries, found.writes, found.facts, found.refusals) == ([flag_entry()], {}, [], [])
    assert found.pending == {(FLAGS, FLAG)}
    healed = settled(found.entries, {}, (FLAGS, obj(FLAGS, data={"flags.json": GOOD})))
    assert healed.writes[FLAGS].texts == {FLAG: '"on"'}


def test_a_change_in_a_document_that_cant_be_read_is_refused():
    found = settled([], change("off", target=FLAGS, path=FLAG), (FLAGS, obj(FLAGS, data={"flags.json": "oops"})))
    ((problem, message, target),) = found.refusals
    assert (problem, target, found.entries) == ("InvalidFlagDocument", FLAGS, [])
    assert message == (
        "/data/flags.json#/flags/f/defaultVariant of ConfigMap flags: Expecting value: line 1 column 1 (char 0);"
        " it is left untouched, correct it"
    )


def test_a_value_too_long_to_be_kept_is_refused_by_itself():
    long = {"app": "x" * TEXT_MAX}
    both = {**change(), **change(5, target=SHOP, path=REPLICAS)}
    found = settled([], both, (SERVICE, service(long)), (SHOP, obj(SHOP, spec={"replicas": 2})))
    assert [entry.path for entry in found.entries] == [REPLICAS]
    ((problem, message, _),) = found.refusals
    assert (problem, message) == (
        "LedgerFull",
        "/spec/selector of Service shop: its value has 32778 characters, and only 32768 can be kept for restoring;"
        " make it shorter",
    )
    assert (SERVICE, SELECTOR) in found.pending


def test_a_value_just_short_enough_is_kept():
    found = settled([], change(), (SERVICE, service("x" * (TEXT_MAX - 2))))
    assert (len(found.entries), found.refusals) == (1, [])


def test_values_that_are_too_long_together_are_refused_from_there_on():
    data = {f"k{number}": "x" * 30_000 for number in range(12)}
    wanted = {key: FieldChange(*key, "b", 1) for key in many(12)}
    found = settled([], wanted, (FLAGS, obj(FLAGS, data=data)))
    assert (len(found.entries), len(found.refusals)) == (8, 4)
    assert found.refusals[0][1] == (
        "/data/k8 of ConfigMap flags: more than 262144 characters of values would be held;"
        " take actions out of the policy"
    )


def many(count: int, first: int = 0) -> list[tuple[Target, str]]:
    return [(FLAGS, f"/data/k{number}") for number in range(first, first + count)]


def test_more_fields_than_can_be_kept_are_refused_one_by_one():
    data = {f"k{number}": "a" for number in range(70)}
    wanted = {key: FieldChange(*key, "b", 1) for key in many(70)}
    found = settled([], wanted, (FLAGS, obj(FLAGS, data=data)))
    assert (len(found.entries), len(found.refusals)) == (LEDGER_MAX, 6)
    assert found.refusals[0][1] == (
        "/data/k64 of ConfigMap flags: 64 fields are held already; take actions out of the policy"
    )


def test_a_full_ledger_never_keeps_a_restore_from_happening():
    data = {f"k{number}": "b" for number in range(64)} | {f"k{number}": "a" for number in range(64, 128)}
    first = settled(
        [], {key: FieldChange(*key, "b", 1) for key in many(64)}, (FLAGS, obj(FLAGS, data=dict.fromkeys(data, "a")))
    )
    entries = [entry.model_copy(update={"state": EntryState.APPLIED}) for entry in first.entries]
    found = settled(entries, {key: FieldChange(*key, "b", 1) for key in many(64, 64)}, (FLAGS, obj(FLAGS, data=data)))
    assert found.writes[FLAGS].texts == {f"/data/k{number}": '"a"' for number in range(64)}
    assert len(found.refusals) == 64


def scale_intent(time: float) -> Entry:
    intent = held(EntryState.INTENT, original=2, applied=5)
    return intent.model_copy(
        update={"target": entry_target(SHOP), "path": REPLICAS, "id": entry_id(SHOP, REPLICAS), "time": time}
    )


def test_an_unanswered_scale_that_is_not_wanted_any_more_is_watched_until_it_cant_arrive():
    there = (SHOP, obj(SHOP, spec={"replicas": 2}))
    assert settled([scale_intent(NOW.now - 59)], {}, there).entries != []
    late = settled([scale_intent(NOW.now - 59)], {}, (SHOP, obj(SHOP, spec={"replicas": 5})))
    assert late.writes[SHOP].texts == {REPLICAS: "2"}
    assert settled([scale_intent(NOW.now - 60)], {}, there).entries == []


def test_two_entries_on_one_object_share_its_mark():
    other = held().model_copy(update={"path": "/spec/type", "id": entry_id(SERVICE, "/spec/type")})
    text = annotation_for(service(OURS), "shop", [held(), other])
    assert text is not None
    marked = service(OURS)
    marked["metadata"]["annotations"] = {"stepdown.dev/ledger": text}
    assert set(annotation_of(marked)) == {held().id, other.id}
    left = annotation_for(marked, "shop", [other])
    assert left is not None
    assert held().id not in left
    assert annotation_for(marked, "shop", []) is None


def test_the_mark_of_another_policy_stays():
    marked = service(OURS, marked=True)
    text = annotation_for(marked, "second", [])
    assert text == marked["metadata"]["annotations"]["stepdown.dev/ledger"]


@pytest.mark.parametrize("text", ["", "oops", "[]", "7", "[" * 5000])
def test_a_mark_that_is_not_ours_is_no_entry(text):
    found = service(OURS)
    found["metadata"]["annotations"] = {"stepdown.dev/ledger": text}
    assert annotation_of(found) == {}


def test_a_patch_tests_uid_version_value_and_mark():
    found = service(FIRST)
    mark = annotation_for(found, "shop", [held()])
    patch = at_version(build_patch(found, {SELECTOR: encode(OURS)}, mark), found)
    assert patch == [
        {"op": "test", "path": "/metadata/uid", "value": "u1"},
        {"op": "test", "path": "/metadata/resourceVersion", "value": "5"},
        {"op": "test", "path": "/metadata/annotations", "value": None},
        {"op": "add", "path": "/metadata/annotations", "value": {}},
        {"op": "test", "path": "/spec/selector", "value": {"app": "shop"}},
        {"op": "replace", "path": "/spec/selector", "value": {"app": "static"}},
        {"op": "test", "path": "/metadata/annotations/stepdown.dev~1ledger", "value": None},
        {"op": "add", "path": "/metadata/annotations/stepdown.dev~1ledger", "value": mark},
    ]
