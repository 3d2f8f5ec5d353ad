"""What the ledger makes of an entry, a wanted change and what is there now: each case with its outcome."""

from typing import Any

import pytest

from stepdown.api.status import Entry, EntryState
from stepdown.engine.annotation import annotation_for
from stepdown.engine.fields import ABSENT, FieldChange, Target, encode
from stepdown.engine.ledger import Moment, entry_id, settle
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
