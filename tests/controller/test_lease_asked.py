"""A Lease that is asked for: `stepdown restore` gets it from a leader at work, and from nobody else's hands."""

from typing import Any

from controller.fake_time import Contender
from controller.test_lease import Ops, spec
from stepdown.controller.lease import ASKED_BY


def asker(ops: Ops, name: str = "restore", after: float = 0.0) -> Contender:
    """Somebody who asks; leads until the test says otherwise."""
    found = Contender(ops.time, ops.server, name, asks=True)
    ops.others.append(found)
    return found.start(after)


def annotations(ops: Ops) -> dict[str, Any]:
    assert ops.server.lease is not None
    return dict(ops.server.lease["metadata"].get("annotations") or {})


def test_a_leader_that_is_asked_hands_over_within_two_looks():
    ops = Ops().both()
    restore = asker(ops)

    ops.time.run(1.0 + 2 * 2.0 + 0.5)

    assert restore.leads
    assert not ops.a.leads
    assert spec(ops.server)["holderIdentity"] == "restore"
    assert restore.epochs[0] > ops.a.epochs[0]


def test_who_stands_by_does_not_get_in_between():
    for apart in (0.1, 0.3, 0.7, 1.1, 1.9):
        ops = Ops().both()
        restore = asker(ops, after=apart)

        ops.time.run(30)

        assert restore.leads
        assert ops.b.epochs == []


def test_an_answered_wish_is_not_left_behind():
    ops = Ops().both()
    asker(ops)
    ops.time.run(10)

    assert annotations(ops) == {}


def test_other_annotations_of_the_lease_stay():
    ops = Ops().both()
    ops.server.edit(lambda lease: lease["metadata"].update(annotations={"team": "platform"}))
    restore = asker(ops)
    ops.time.run(10)

    assert restore.leads
    assert annotations(ops) == {"team": "platform"}


def test_the_lease_of_a_dead_leader_is_taken_after_its_duration_and_the_wish_with_it():
    ops = Ops()
    ops.a.start()
    ops.time.run(30)
    ops.time.kill("a")
    restore = asker(ops)

    ops.time.run(30 + 15 + 4)

    assert restore.leads
    assert annotations(ops) == {}


def test_an_asker_that_is_gone_costs_its_duration_only():
    ops = Ops().both()
    ops.server.edit(lambda lease: lease["metadata"].update(annotations={ASKED_BY: "gone"}))

    ops.time.run(1 + 2 + 15 + 4)

    assert ops.leader in ("a", "b")
    assert annotations(ops) == {}


def test_one_restore_does_not_take_the_lease_from_another():
    ops = Ops()
    first, second = asker(ops, "first"), asker(ops, "second", after=1.0)

    ops.time.run(60)

    assert first.leads
    assert second.epochs == []


def test_two_that_ask_do_not_keep_each_other_from_the_lease_of_a_dead_leader():
    ops = Ops()
    ops.a.start()
    ops.time.run(30)
    ops.time.kill("a")
    askers = [asker(ops, "first"), asker(ops, "second", after=0.2)]

    ops.time.run(30 + 15 + 4)

    assert sum(one.leads for one in askers) == 1


def test_a_hand_that_names_who_has_asked_lets_it_in_after_the_duration_only():
    ops = Ops().both()
    ops.time.at(1.1, lambda: ops.server.edit(lambda lease: lease["spec"].update(holderIdentity="restore")))
    ops.time.at(1.1, lambda: setattr(ops.a.client, "fate", lambda _: "hang"))
    restore = asker(ops, after=0.2)

    ops.time.run(15)
    early = restore.leads
    ops.time.run(20)

    assert (early, restore.leads) == (False, True)


def test_a_wish_that_cannot_be_an_identity_is_not_heard():
    for text in ("x" * 201, "a\nb", 7, {"a": 1}):
        ops = Ops().both()
        ops.server.edit(lambda lease, text=text: lease["metadata"].update(annotations={ASKED_BY: text}))
        ops.time.run(30)

        assert ops.a.leads


def test_a_lease_can_be_left_to_others_for_later():
    ops = Ops().both()
    restore = asker(ops)
    ops.time.run(10)
    ops.time.kill("restore")
    ops.time.start("restore", restore.lease.release(after=30))
    ops.time.run(10 + 29)
    before = ops.leader

    ops.time.run(10 + 30 + 5)

    assert (before, ops.leader in ("a", "b")) == ("nobody", True)
