"""A Lease that is deleted, garbled or grabbed by hand, and bad half hours."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from controller.test_lease import Ops, spec
from stepdown.ports import Object, Unknown


def test_a_deleted_lease_stands_for_its_holder_until_the_duration_is_over():
    ops = Ops().both()
    ops.time.at(30, lambda: setattr(ops.server, "lease", None))
    ops.time.at(30, lambda: setattr(ops.a.client, "fate", lambda _: "hang"))
    ops.time.run(120)
    changes = [c for c in ops.changes if c[0] > 29]
    assert [name for _, name in changes] == ["nobody", "b"]
    assert changes[1][0] >= 45
    assert ops.b.epochs[0] > ops.a.epochs[0]


def test_a_leader_whose_lease_is_deleted_gives_up_and_leads_again_under_a_new_epoch_only():
    ops = Ops().both()
    ops.time.at(30, lambda: setattr(ops.server, "lease", None))
    ops.time.run(60)
    assert [name for _, name in ops.changes] == ["nobody", "a", "nobody", "a"]
    assert ops.a.epochs[1] > ops.a.epochs[0]
    assert ops.b.epochs == []


def test_a_process_that_finds_no_lease_waits_for_whoever_policies_remember_and_leads_beyond_that_epoch():
    ops = Ops(remembered=remembering(2_000_000_000))
    ops.a.start()
    ops.time.run(60)
    assert 15 <= ops.changes[-1][0] <= 16
    assert ops.a.epochs == [2_000_000_001]


def test_a_process_that_finds_no_lease_does_not_lead_while_nobody_says_what_policies_remember():
    ops = Ops(remembered=unanswered)
    ops.a.start()
    ops.time.run(60)
    assert ops.changes == [(0.0, "nobody")]


def remembering(epoch: int) -> Any:
    async def remembered() -> int:
        return epoch

    return remembered


async def unanswered() -> int:
    raise Unknown("no answer")


def hand(**fields: Any) -> Any:
    def change(lease: Object) -> None:
        lease["spec"] = {**lease["spec"], **fields}

    return change


def without_spec(lease: Object) -> None:
    del lease["spec"]


def text_for_spec(lease: Object) -> None:
    lease["spec"] = "garbage"


GARBLED = [
    hand(holderIdentity=7),
    hand(holderIdentity=0),
    hand(holderIdentity=None),
    hand(holderIdentity={"a": 1}),
    hand(leaseTransitions="many"),
    hand(leaseTransitions=None),
    hand(leaseTransitions=-5),
    hand(leaseTransitions=0),
    hand(leaseTransitions=2**31 - 1),
    hand(holderIdentity=""),
    hand(leaseTransitions=True, holderIdentity="bob"),
    hand(leaseDurationSeconds="long", holderIdentity="bob"),
    hand(leaseDurationSeconds=1, holderIdentity="bob"),
    hand(leaseDurationSeconds=999_999, holderIdentity="bob"),
    hand(acquireTime=5, renewTime=[]),
    without_spec,
    text_for_spec,
]


@pytest.mark.parametrize("garbled", GARBLED, ids=range(len(GARBLED)))
@pytest.mark.parametrize("reaches", [True, False], ids=["the leader sees it", "the leader hangs"])
def test_a_garbled_lease_is_nobodys_crash_and_its_epoch_is_never_undercut(garbled, reaches):
    ops = Ops().both()
    ops.time.at(30, lambda: ops.server.edit(garbled))
    if not reaches:
        ops.time.at(30, lambda: setattr(ops.a.client, "fate", lambda _: "hang"))
    ops.time.run(400)
    assert ops.leader in ("a", "b")
    if not reaches:
        assert ops.leader == "b"
        assert ops.b.epochs[0] > ops.a.epochs[0]
    epochs = sorted(ops.a.epochs + ops.b.epochs)
    assert len(epochs) == len(set(epochs))
    assert spec(ops.server)["leaseTransitions"] == epochs[-1]


def test_a_lease_grabbed_by_hand_is_obeyed_and_taken_back_after_its_duration():
    ops = Ops().both()
    ops.time.at(30, lambda: ops.server.edit(hand(holderIdentity="bob")))
    ops.time.run(120)
    changes = [c for c in ops.changes if c[0] > 29]
    assert changes[0][1] == "nobody"
    assert changes[0][0] <= 32.5
    assert changes[1][0] >= 45
    assert (ops.a.epochs[1:] + ops.b.epochs)[0] > ops.a.epochs[0]


def test_a_holder_emptied_by_hand_stands_for_who_may_not_have_noticed():
    ops = Ops().both()
    ops.time.at(30.01, lambda: ops.server.edit(hand(holderIdentity="")))
    ops.time.at(30.01, lambda: setattr(ops.a.client, "fate", lambda _: "hang"))
    ops.time.run(120)
    changes = [c for c in ops.changes if c[0] > 29]
    assert [name for _, name in changes] == ["nobody", "b"]
    assert changes[1][0] >= 45


def test_the_highest_epoch_that_a_lease_can_hold_does_not_keep_everybody_from_leading():
    ops = Ops().both()
    ops.time.at(30, lambda: ops.server.edit(hand(leaseTransitions=2**31 - 1)))
    ops.time.run(120)
    assert ops.leader in ("a", "b")
    assert ops.a.epochs[0] < spec(ops.server)["leaseTransitions"] < 2**31 - 1


def test_a_hand_that_shortens_the_duration_lets_nobody_in_early():
    ops = Ops().both()
    ops.time.at(30, lambda: ops.server.edit(hand(leaseDurationSeconds=1)))
    ops.time.at(30, lambda: setattr(ops.a.client, "fate", lambda _: "hang"))
    ops.time.run(44)
    assert ops.b.epochs == []
    ops.time.run(60)
    assert ops.leader == "b"


def test_two_that_call_themselves_the_same_do_not_lead_at_once():
    ops = Ops(identity="stepdown").both()
    ops.time.run(300)
    assert ops.leader == "a"
    assert ops.b.epochs == []


def test_two_that_call_themselves_the_same_and_take_over_together_do_not_lead_at_once():
    ops = Ops(identity="stepdown")
    held = {"holderIdentity": "old", "leaseTransitions": 5, "leaseDurationSeconds": 15}
    ops.server.put({"metadata": {"name": "stepdown"}, "spec": held})
    ops.a.start()
    ops.b.start(0.005)
    ops.time.run(120)
    assert len(ops.a.epochs + ops.b.epochs) == 1


def test_a_renewal_rarer_than_the_belief_is_made_more_often():
    ops = Ops(duration=3.0, renew_every=60.0).both()
    ops.time.run(120)
    assert [name for _, name in ops.changes] == ["nobody", "a"]


def fates(source: random.Random) -> Iterator[str]:
    """Mostly well; now and then a bad time of some calls."""
    while True:
        if source.random() < 0.05:
            fate = source.choice(["hang", "before", "after", "refused"])
            yield from [fate] * source.randint(1, 8)
        yield "ok"


@pytest.mark.parametrize("seed", range(12))
def test_in_any_bad_half_hour_at_most_one_leads_and_epochs_grow(seed):
    source = random.Random(seed)
    ops = Ops()
    ops.server.latency = lambda: source.choice([0.001, 0.01, 0.3, 1.2])
    streams = {"a": fates(source), "b": fates(source)}
    for contender in (ops.a, ops.b):
        contender.client.fate = lambda _, name=contender.name: next(streams[name])
        contender.start(source.random())
    for second in range(10, 1800, 30):
        draw = source.random()
        if draw < 0.1:
            ops.time.at(second, lambda: setattr(ops.server, "lease", None))
        elif draw < 0.2:
            ops.time.at(second, lambda: ops.server.lease and ops.server.edit(source.choice(GARBLED[:12])))
        elif draw < 0.4:
            name, length = source.choice("ab"), source.choice([3, 12, 60])
            ops.time.at(second, lambda name=name, length=length: ops.time.pause(name, length))
    ops.time.run(1800)
    epochs = sorted(ops.a.epochs + ops.b.epochs)
    assert len(epochs) == len(set(epochs))
    for contender in (ops.a, ops.b):
        assert contender.epochs == sorted(contender.epochs)
    for contender in (ops.a, ops.b):
        contender.client.fate = lambda _: "ok"
    ops.time.run(1800 + 400)
    assert ops.leader in ("a", "b")
