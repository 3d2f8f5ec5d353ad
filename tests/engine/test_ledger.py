"""What the ledger makes of an entry, a wanted change and what is there now: each case with its outcome."""

from typing import Any

import pytest

from stepdown.api.status import LEDGER_MAX, Entry, EntryState
from stepdown.engine.annotation import annotation_for, annotation_of
from stepdown.engine.fields import ABSENT, FieldChange, Target, encode
from stepdown.engine.ledger import TEXT_MAX, Moment, entry_id, settle
from stepdown.engine.patch import at_version, build_patch
from stepdown.engine.settlement import Settlement, Write, entry_target

SERVICE = Target("Service", "shop", "u1")
SHOP = Target("Deployment", "shop", "u2")
FLAGS = Target("ConfigMap", "flags", "u3")
SELECTOR, REPLICAS = "/spec/selector", "/spec/replicas"
NOW = Moment(epoch=7, level_names=("full", "one", "two"), now=1000.0)
OURS, THEIRS, FIRST = {"app": "static"}, {"app": "other"}, {"app": "shop"}


def obj(target: Target, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": target.name, "uid": target.uid, "resourceVersion": "5"}, **fields}


def service(selector: Any, marked: bool = False) -> dict[str, Any]:
    found = obj(SERVICE, spec={"selector": selector})
    if marked:
        found["metadata"]["annotations"] = {"stepdown.dev/ledger": annotation_for(found, "shop", [held()])}
    return found


def held(state: EntryState = EntryState.APPLIED, original: Any = FIRST, applied: Any = OURS, **more: Any) -> Entry:
    return Entry(
        id=entry_id(SERVICE, SELECTOR),
        target=entry_target(SERVICE),
        path=SELECTOR,
        original=encode(original),
        applied=encode(applied),
        state=state,
        level="one",
        epoch=6,
        time=900.0,
        **more,
    )


def change(
    desired: Any = OURS, place: int = 1, target: Target = SERVICE, path: str = SELECTOR
) -> dict[Any, FieldChange]:
    return {(target, path): FieldChange(target, path, desired, place)}


def settled(entries: list[Entry], wanted: dict[Any, FieldChange], *objects: tuple[Target, Any]) -> Settlement:
    return settle(entries, wanted, {(target.kind, target.name): found for target, found in objects}, NOW)


def facts(found: Settlement) -> list[str]:
    return [str(fact.reason) for fact in found.facts]


def test_a_wanted_change_begins_with_an_intent_that_keeps_what_was_there():
    found = settled([], change(), (SERVICE, service(FIRST)))
    (entry,) = found.entries
    assert (entry.state, entry.original, entry.applied) == ("Intent", '{"app":"shop"}', '{"app":"static"}')
    assert (entry.level, entry.epoch, entry.time, entry.target.uid) == ("one", 7, 1000.0, "u1")
    assert found.writes == {SERVICE: Write(SERVICE, {SELECTOR: '{"app":"static"}'}, restores=False)}
    assert found.pending == {(SERVICE, SELECTOR)}


@pytest.mark.parametrize("there", [None, obj(Target("Service", "shop", "u9"), spec={})], ids=["gone", "anew"])
def test_a_change_of_an_object_that_is_not_there_waits(there):
    found = settled([], change(), (SERVICE, there))
    assert (found.entries, found.writes, found.pending) == ([], {}, {(SERVICE, SELECTOR)})


def test_a_field_that_is_as_wanted_already_is_not_ours():
    found = settled([], change(), (SERVICE, service(OURS)))
    assert (found.entries, found.writes, found.pending) == ([], {}, set())


def test_absent_is_kept_apart_from_null():
    absent = settled([], change(), (SERVICE, obj(SERVICE, spec={})))
    null = settled([], change(), (SERVICE, service(None)))
    assert [found.entries[0].original for found in (absent, null)] == [None, "null"]


@pytest.mark.parametrize(("there", "wanted"), [(1, True), (True, 1), (0, False), (1, 1.0), ([1], [True])], ids=str)
def test_equal_to_python_is_not_the_same_in_json(there, wanted):
    found = settled([], change(wanted), (SERVICE, service(there)))
    assert len(found.entries) == 1


def test_an_intent_that_was_carried_out_becomes_applied():
    found = settled([held(EntryState.INTENT)], change(), (SERVICE, service(OURS)))
    assert [entry.state for entry in found.entries] == ["Applied"]
    assert (found.writes, found.pending) == ({}, set())


def test_an_intent_that_was_not_carried_out_is_written_again():
    found = settled([held(EntryState.INTENT)], change(), (SERVICE, service(FIRST)))
    assert [entry.state for entry in found.entries] == ["Intent"]
    assert found.writes[SERVICE].texts == {SELECTOR: '{"app":"static"}'}


def test_an_applied_entry_at_rest_stays_the_very_same():
    entry = held()
    found = settled([entry], change(), (SERVICE, service(OURS)))
    assert found.entries[0] is entry
    assert (found.writes, found.facts) == ({}, [])


def test_a_second_step_keeps_the_first_original_and_remembers_what_it_replaces():
    found = settled([held()], change({"app": "page"}, 2), (SERVICE, service(OURS)))
    (entry,) = found.entries
    assert (entry.state, entry.original, entry.applied) == ("Intent", '{"app":"shop"}', '{"app":"page"}')
    assert (entry.replaces, entry.level) == ('{"app":"static"}', "two")
    assert found.writes == {SERVICE: Write(SERVICE, {SELECTOR: '{"app":"page"}'}, restores=False)}


@pytest.mark.parametrize("there", [OURS, FIRST], ids=["not yet written", "set back in between"])
def test_a_second_step_under_way_is_written_again_with_the_first_original(there):
    under_way = held(EntryState.INTENT, applied={"app": "page"}, replaces=encode(OURS))
    found = settled([under_way], change({"app": "page"}), (SERVICE, service(there)))
    assert found.entries[0].original == '{"app":"shop"}'
    assert found.writes[SERVICE].texts == {SELECTOR: '{"app":"page"}'}


def test_a_second_step_over_a_field_that_we_had_removed_keeps_the_first_original_too():
    removed = held(applied=ABSENT)
    first = settled([removed], change(), (SERVICE, obj(SERVICE, spec={})))
    assert first.entries[0].replaces == ""
    again = settled(first.entries, change(), (SERVICE, obj(SERVICE, spec={})))
    assert again.entries[0].original == '{"app":"shop"}'
    back = settled(first.entries, {}, (SERVICE, obj(SERVICE, spec={})))
    assert back.writes[SERVICE].texts == {SELECTOR: '{"app":"shop"}'}


def test_an_edit_between_intent_and_write_is_the_new_original():
    found = settled([held(EntryState.INTENT)], change(), (SERVICE, service(THEIRS)))
    (entry,) = found.entries
    assert (entry.state, entry.original) == ("Intent", '{"app":"other"}')


def test_an_edit_over_a_write_whose_answer_was_lost_is_contested_because_the_mark_proves_the_write():
    found = settled([held(EntryState.INTENT)], change(), (SERVICE, service(THEIRS, marked=True)))
    (entry,) = found.entries
    assert (entry.state, entry.original) == ("Contested", '{"app":"shop"}')
    assert (found.writes, facts(found)) == ({}, ["Contested"])


def test_a_field_set_back_is_applied_again_three_times_and_then_contested():
    entries = [held()]
    told = []
    for _ in range(4):
        found = settled(entries, change(), (SERVICE, service(FIRST)))
        told += facts(found)
        entries = [entry.model_copy(update={"state": EntryState.APPLIED}) for entry in found.entries]
    assert told == ["Reapplied", "Reapplied", "Reapplied", "Contested"]
    assert found.entries[0].state == "Contested"
    assert found.writes == {}


def test_a_restore_that_was_refused_and_is_not_wanted_any_more_begins_again_without_blaming_anybody():
    found = settled([held(EntryState.RESTORING)], change(), (SERVICE, service(FIRST)))
    assert ([entry.state for entry in found.entries], found.facts) == (["Intent"], [])
    assert found.entries[0].reapplied == 0
    assert found.writes[SERVICE].texts == {SELECTOR: '{"app":"static"}'}


def test_a_foreign_value_is_contested_at_once_and_said():
    found = settled([held()], change(), (SERVICE, service(THEIRS)))
    assert [entry.state for entry in found.entries] == ["Contested"]
    assert found.pending == {(SERVICE, SELECTOR)}
    assert found.facts[0].message.startswith('/spec/selector of Service shop is {"app":"other"}, which is neither')


def test_what_is_contested_stays_so_for_the_episode():
    entry = held(EntryState.CONTESTED)
    found = settled([entry], change({"app": "page"}), (SERVICE, service(FIRST)))
    assert (found.entries, found.writes, found.facts) == ([entry], {}, [])
    assert found.pending == {(SERVICE, SELECTOR)}


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
    assert (found.entries, found.writes, found.facts) == ([flag_entry()], {}, [])
    assert found.pending == {(FLAGS, FLAG)}
    healed = settled(found.entries, {}, (FLAGS, obj(FLAGS, data={"flags.json": GOOD})))
    assert healed.writes[FLAGS].texts == {FLAG: '"on"'}


def test_a_change_in_a_document_that_cant_be_read_is_refused():
    found = settled([], change("off", target=FLAGS, path=FLAG), (FLAGS, obj(FLAGS, data={"flags.json": "oops"})))
    ((problem, message, target),) = found.refusals
    assert (problem, target, found.entries) == ("InvalidFlagDocument", FLAGS, [])
    assert message.startswith("/data/flags.json#/flags/f/defaultVariant of ConfigMap flags: ")


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
