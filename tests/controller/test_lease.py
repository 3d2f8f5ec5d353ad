"""One leader at a time whatever happens to the Lease, the calls and the processes; the epoch only grows."""

from typing import Any

import pytest

from controller.fake_time import Contender, Server, Time
from stepdown.ports import Unknown


class Ops:
    """Two replicas, `a` started first, with the seconds at which leadership changed hands."""

    def __init__(self, **settings: Any) -> None:
        self.time, self.server = Time(), Server()
        self.a = Contender(self.time, self.server, "a", **settings)
        self.b = Contender(self.time, self.server, "b", **settings)
        self.others: list[Contender] = []
        self.changes: list[tuple[float, str]] = []
        self.time.look = self._look

    def both(self) -> "Ops":
        self.a.start()
        self.b.start(0.5)
        self.time.run(1.0)
        return self

    def _look(self) -> None:
        leaders = [c.name for c in (self.a, self.b, *self.others) if c.leads]
        assert len(leaders) <= 1, f"{leaders} both lead at {self.time.now - 100}"
        leader = leaders[0] if leaders else "nobody"
        if not self.changes or self.changes[-1][1] != leader:
            self.changes.append((round(self.time.now - 100, 1), leader))

    @property
    def leader(self) -> str:
        return self.changes[-1][1]


def spec(server: Server) -> dict[str, Any]:
    assert server.lease is not None
    return dict(server.lease["spec"])


def test_where_there_is_no_lease_it_is_made_at_once():
    ops = Ops().both()
    assert ops.leader == "a"
    assert spec(ops.server)["holderIdentity"] == "a"
    assert spec(ops.server)["leaseTransitions"] == ops.a.lease.epoch == ops.a.epochs[0]


def test_of_two_that_start_together_one_leads():
    ops = Ops()
    ops.a.start()
    ops.b.start()
    ops.time.run(60)
    assert ops.leader in ("a", "b")
    assert len(ops.a.epochs) + len(ops.b.epochs) == 1


def test_a_leader_renews_and_stays():
    ops = Ops().both()
    renewed = spec(ops.server)["renewTime"]
    ops.time.run(600)
    assert (ops.leader, ops.a.epochs, ops.b.epochs) == ("a", [ops.a.lease.epoch], [])
    assert spec(ops.server)["renewTime"] != renewed


def test_a_dead_leader_is_replaced_after_the_duration():
    ops = Ops().both()
    ops.time.run(30)
    ops.time.kill("a")
    ops.time.run(60)
    lost, won = ops.changes[-2:]
    assert (lost[1], won[1]) == ("nobody", "b")
    assert 38 <= lost[0] <= 40
    assert 43.5 <= won[0] <= 46
    assert ops.b.epochs[0] > ops.a.epochs[0]


def test_a_release_lets_the_next_one_in_at_its_next_look():
    ops = Ops().both()
    ops.time.run(30)
    ops.time.kill("a")
    ops.time.start("a", ops.a.lease.release())
    ops.time.run(30.6)
    assert ops.leader == "b"
    assert ops.b.epochs[0] > ops.a.epochs[0]


def test_who_does_not_lead_has_nothing_to_release():
    ops = Ops().both()
    calls = len(ops.server.calls)
    ops.time.kill("a")
    ops.time.kill("b")
    ops.time.start("b", ops.b.lease.release())
    ops.time.run(2)
    assert len(ops.server.calls) == calls


@pytest.mark.parametrize("fate", ["hang", "before", "refused"])
def test_a_leader_whose_calls_fail_stops_believing_before_another_may_lead(fate):
    ops = Ops().both()
    ops.time.at(30, lambda: setattr(ops.a.client, "fate", lambda _: fate))
    ops.time.run(29.9)
    ops.time.run(100)
    changes = [c for c in ops.changes if c[0] > 29]
    assert [name for _, name in changes] == ["nobody", "b"]
    assert changes[1][0] - changes[0][0] >= 4.5


@pytest.mark.parametrize("fate", ["hang", "before", "after", "refused"])
def test_one_failed_call_does_not_end_a_leadership(fate):
    ops = Ops().both()
    fates = iter([fate])
    ops.a.client.fate = lambda _: next(fates, "ok")
    ops.time.run(120)
    assert [name for _, name in ops.changes] == ["nobody", "a"]


def test_a_renewal_whose_answer_was_lost_counts_as_none_but_is_no_loss():
    ops = Ops().both()
    fates = iter(["ok", "after"])
    ops.a.client.fate = lambda verb: next(fates, "ok")
    ops.time.run(60)
    assert ops.leader == "a"
    assert ops.a.epochs == [ops.a.lease.epoch]


def test_a_takeover_whose_answer_was_lost_is_recognized_as_ones_own():
    ops = Ops()
    ops.a.client.fate = lambda verb: "after" if verb == "post" and ops.server.calls.count("post") == 1 else "ok"
    ops.a.start()
    ops.time.run(5)
    assert ops.leader == "a"


def test_a_paused_leader_does_not_believe_itself_and_gives_way():
    ops = Ops().both()
    ops.time.run(30)
    ops.time.pause("a", 60)
    ops.time.run(60)
    assert ops.leader == "b"
    assert not ops.a.leads
    with pytest.raises(Unknown, match="not the leader any more"):
        ops.a.lease.guard()
    ops.time.run(300)
    assert ops.leader == "b"
    assert ops.b.epochs[0] > ops.a.epochs[0]


def test_a_short_pause_ends_nothing():
    ops = Ops().both()
    ops.time.run(30)
    ops.time.pause("a", 7)
    ops.time.run(300)
    assert [name for _, name in ops.changes] == ["nobody", "a"]


def test_a_leader_paused_beyond_its_belief_leads_on_where_nobody_took_over():
    ops = Ops()
    ops.a.start()
    ops.time.run(30)
    ops.time.pause("a", 60)
    ops.time.run(200)
    assert ops.leader == "a"
    assert len(ops.a.epochs) in (1, 2)
