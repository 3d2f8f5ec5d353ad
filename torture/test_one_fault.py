"""One fault at every call of an episode: each kind by itself, with every oracle asked at the end."""

import pytest

from torture.explore import explore
from torture.faults import Kind

WRITE_OF_LEDGER = frozenset({"store", "finalizer"})
WRITE_OF_TARGET = frozenset({"patch"})


def violations(at_least: int, *kinds: Kind, verbs: frozenset[str] | None = None) -> list[str]:
    """What the oracles found over so many schedules at least."""
    found = explore(faults=1, kinds=frozenset(kinds), verbs=verbs)
    assert found.schedules > at_least
    return [str(violation) for violation in found.violations]


@pytest.mark.row(1)
def test_row_1_a_conflict_on_a_write_of_the_ledger_is_read_again_and_decided_from_what_is_there():
    assert violations(10, Kind.CONFLICT, verbs=WRITE_OF_LEDGER) == []


@pytest.mark.row(2)
def test_row_2_a_conflict_on_a_write_of_a_target_loses_nobodys_value():
    assert violations(20, Kind.CONFLICT, Kind.EDIT, Kind.OTHER, verbs=WRITE_OF_TARGET) == []


@pytest.mark.row(5)
def test_row_5_an_error_before_the_effect_ends_as_without_it():
    assert violations(40, Kind.NO_ANSWER, Kind.BUSY) == []


@pytest.mark.row(6)
def test_row_6_a_lost_reply_makes_no_second_original_and_no_double_step():
    assert violations(15, Kind.LOST) == []


@pytest.mark.row(11)
def test_row_11_a_ledger_put_back_from_a_backup_writes_nobodys_value_over_and_comes_to_rest():
    assert violations(10, Kind.BACKUP) == []


@pytest.mark.row(13)
def test_row_13_a_crash_before_or_after_any_call_ends_as_without_it():
    assert violations(30, Kind.CRASH, Kind.CRASH_AFTER) == []


@pytest.mark.row(15)
def test_row_15_who_loses_the_lease_after_the_intent_does_not_write_the_target():
    assert violations(10, Kind.PAUSE, verbs=WRITE_OF_LEDGER) == []


@pytest.mark.row(16)
def test_row_16_a_paused_leader_that_wakes_with_a_write_in_flight_changes_nothing_for_good():
    assert violations(15, Kind.PAUSE, Kind.FREEZE, verbs=WRITE_OF_TARGET) == []


@pytest.mark.row(17)
def test_row_17_a_lease_deleted_garbled_or_grabbed_by_hand_crashes_nobody():
    assert violations(20, Kind.LEASE_GONE, Kind.LEASE_GARBLED, Kind.LEASE_GRABBED) == []


@pytest.mark.row(19)
def test_row_19_a_leader_stopped_at_any_write_restores_nothing_and_hands_over():
    assert violations(15, Kind.STOP) == []


@pytest.mark.row(20)
def test_row_20_a_stale_read_loses_no_original():
    assert violations(10, Kind.STALE) == []


@pytest.mark.row(21)
def test_row_21_missed_events_of_a_watch_change_nothing():
    assert violations(5, Kind.UNHEARD) == []


@pytest.mark.row(22)
def test_row_22_events_that_come_twice_or_backwards_change_nothing():
    assert violations(10, Kind.TWICE, Kind.BACKWARDS) == []


@pytest.mark.row(38)
def test_row_38_a_target_made_anew_before_any_call_is_left_alone():
    assert violations(20, Kind.ANEW) == []


@pytest.mark.row(39)
def test_row_39_a_persons_edit_before_any_call_stays():
    assert violations(20, Kind.EDIT) == []


@pytest.mark.row(45)
@pytest.mark.row(46)
def test_rows_45_and_46_a_policy_edited_or_deleted_before_any_write_of_it_gives_everything_back():
    assert violations(40, Kind.EDIT_POLICY, Kind.DELETE_POLICY) == []
