"""Writes of replicas that got no answer, entries beside ones that end or wait, and what just fits into the ledger."""

import pytest

from engine.test_ledger import FIRST, FLAGS, NOW, OURS, REPLICAS, SELECTOR, SERVICE, SHOP, change, held, obj, service
from engine.test_ledger import settled as settle
from engine.test_ledger_ends import GOOD, flag_entry, many, scale_intent
from stepdown.api.status import Entry, EntryState
from stepdown.engine.annotation import annotation_for
from stepdown.engine.fields import FieldChange
from stepdown.engine.ledger import REAPPLY_MAX
from stepdown.engine.settlement import TEXT_MAX, Settlement

YOUNG, OLD = NOW.now - 59, NOW.now - 60
KEY = (SHOP, REPLICAS)


def scaled(intent: Entry, replicas: int, wanted: int) -> Settlement:
    """What becomes of an intent to scale (from 2 to 5) when other replicas are wanted meanwhile."""
    return settle([intent], change(wanted, target=SHOP, path=REPLICAS), (SHOP, obj(SHOP, spec={"replicas": replicas})))


def second_step(time: float) -> Entry:
    """The same intent, as a second step: 4 were ours before."""
    return scale_intent(time).model_copy(update={"replaces": "4"})


def test_replicas_that_are_as_wanted_are_left_alone_while_another_write_may_still_arrive():
    found = scaled(scale_intent(YOUNG), 2, 2)
    assert (found.entries, found.writes, found.pending) == ([scale_intent(YOUNG)], {}, {KEY})


def test_a_second_step_waits_until_the_write_before_it_cant_arrive_any_more():
    found = scaled(second_step(YOUNG), 4, 8)
    assert (found.entries, found.writes, found.pending) == ([second_step(YOUNG)], {}, {KEY})


def test_other_replicas_than_are_there_are_written_at_once_and_the_write_under_way_is_remembered():
    found = scaled(scale_intent(YOUNG), 2, 8)
    ((entry,), write) = found.entries, found.writes[SHOP]
    assert (entry.original, entry.applied, entry.replaces, write.texts) == ("2", "8", "5", {REPLICAS: "8"})
    assert found.pending == {KEY}


def test_when_it_cant_arrive_any_more_the_wanted_replicas_are_written():
    assert scaled(scale_intent(OLD), 2, 2).writes[SHOP].texts == {REPLICAS: "2"}


def test_a_second_step_that_is_begun_again_still_knows_what_it_replaces():
    (entry,) = scaled(second_step(OLD), 4, 8).entries
    assert (entry.applied, entry.replaces) == ("8", "4")


def test_a_target_with_a_mark_is_written_at_once():
    intent = held(EntryState.INTENT).model_copy(update={"time": YOUNG})
    found = settle([intent], change(FIRST), (SERVICE, service(FIRST)))
    assert found.writes[SERVICE].texts == {SELECTOR: '{"app":"shop"}'}


def test_a_field_that_is_applied_again_remembers_what_was_applied():
    found = settle([held()], change(), (SERVICE, service(FIRST, marked=True)))
    ((entry,),) = (found.entries,)
    assert (entry.reapplied, entry.replaces) == (1, '{"app":"static"}')


def test_a_contested_field_that_is_wanted_is_never_begun_anew():
    contested = held(EntryState.CONTESTED, reapplied=REAPPLY_MAX)
    found = settle([contested], change(), (SERVICE, service(FIRST)))
    assert (found.entries, found.writes, found.pending) == ([contested], {}, {(SERVICE, SELECTOR)})


def test_an_entry_behind_one_that_is_gone_is_looked_at():
    found = settle([scale_intent(OLD), held()], {}, (SHOP, None), (SERVICE, service(OURS, marked=True)))
    assert found.writes[SERVICE].texts == {SELECTOR: '{"app":"shop"}'}


def test_an_entry_behind_one_whose_document_cant_be_read_is_looked_at():
    broken = (FLAGS, obj(FLAGS, data={"flags.json": "oops"}))
    found = settle([flag_entry(), held()], {}, broken, (SERVICE, service(OURS, marked=True)))
    assert found.writes[SERVICE].texts == {SELECTOR: '{"app":"shop"}'}


def test_a_contested_entry_ends_although_its_document_cant_be_read():
    contested = flag_entry().model_copy(update={"state": EntryState.CONTESTED})
    found = settle([contested], {}, (FLAGS, obj(FLAGS, data={"flags.json": "oops"})))
    assert (found.entries, found.retired) == ([], [contested])


def test_a_contested_entry_whose_document_cant_be_read_waits_while_it_is_wanted():
    contested = flag_entry().model_copy(update={"state": EntryState.CONTESTED})
    wanted = change("off", target=FLAGS, path=contested.path)
    found = settle([contested], wanted, (FLAGS, obj(FLAGS, data={"flags.json": "oops"})))
    assert (found.entries, found.refusals) == ([contested], [])


def test_an_original_that_is_no_json_is_nothing_that_can_be_there():
    spoilt = flag_entry().model_copy(update={"original": "{oops", "applied": '"off"'})
    found = settle([spoilt], {}, (FLAGS, obj(FLAGS, data={"flags.json": GOOD.replace("off", "else")})))
    assert [entry.state for entry in found.retired] == [EntryState.CONTESTED]


@pytest.mark.parametrize(("wanted", "kept"), [("y" * (TEXT_MAX - 2), 1), ("y" * (TEXT_MAX - 1), 0)])
def test_a_wanted_value_that_just_fits_is_kept_and_one_character_more_is_not(wanted, kept):
    found = settle([], change(wanted), (SERVICE, service(FIRST)))
    assert (len(found.entries), len(found.refusals)) == (kept, 1 - kept)


def test_values_fill_the_ledger_to_the_last_character():
    data = {f"k{number}": "x" * (TEXT_MAX - 2) for number in range(5)}
    wanted = {key: FieldChange(*key, "y" * (TEXT_MAX - 2), 1) for key in many(5)}
    found = settle([], wanted, (FLAGS, obj(FLAGS, data=data)))
    assert (len(found.entries), len(found.refusals)) == (4, 1)


def test_a_mark_of_its_own_is_written_for_each_entry():
    found = settle([held()], {}, (SERVICE, service(FIRST, marked=True)))
    assert annotation_for(service(FIRST, marked=True), "shop", found.entries) is None
