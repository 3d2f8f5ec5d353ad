"""The oracle of overlapping writes, over calls as the audit log has them."""

from plane.audit import Noted
from replicas.overlaps import history_of


def lease(revision: int, who: str, epoch: int) -> Noted:
    return Noted(revision, who, "leases", "pair", 200, {"spec": {"leaseTransitions": epoch}})


def write(revision: int, who: str, name: str = "shop", code: int = 200) -> Noted:
    return Noted(revision, who, "services", name, code, {})


def overlapping(*calls: Noted) -> list[tuple[int, int]]:
    return [(later.revision, late.revision) for later, late in history_of(calls).overlapping()]


def test_a_leader_after_the_other_does_not_overlap():
    assert overlapping(lease(1, "a", 7), write(2, "a"), lease(3, "b", 8), write(4, "b"), write(5, "b", "flags")) == []


def test_a_write_of_an_old_leader_after_one_of_the_new_is_found():
    assert overlapping(lease(1, "a", 7), lease(2, "b", 8), write(3, "b"), write(4, "a", "flags")) == [(3, 4)]


def test_a_write_of_an_old_leader_before_the_first_of_the_new_is_in_order():
    assert overlapping(lease(1, "a", 7), lease(2, "b", 8), write(3, "a"), write(4, "b")) == []


def test_who_leads_again_under_a_new_epoch_is_no_old_leader():
    assert overlapping(lease(1, "a", 7), lease(2, "b", 8), write(3, "b"), lease(4, "a", 9), write(5, "a")) == []


def test_a_write_that_was_refused_and_one_that_changed_nothing_are_none():
    calls = (lease(1, "a", 7), lease(2, "b", 8), write(3, "b"), write(0, "a", code=422), write(3, "a"))
    assert len(history_of(calls).writes) == 1


def test_a_writer_who_never_led_is_found():
    assert overlapping(lease(2, "b", 8), write(3, "b"), write(4, "a")) == [(3, 4)]
