"""Rows 13 and 19 of the fault table: the operator is killed, or told to end, in the middle of an episode.

An episode is a way down and up over a Service, a ConfigMap and replicas. A watch sees each write as the API server
makes it; at the one under test the operator is killed before it can go on.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from plane.api import Object
from plane.ladders import BREACHED, HEALTHY, WORSE, ladder, level, route, scale, settings, switch
from plane.operator import Operator
from plane.record import Record, Seen, wait_quiet
from plane.release import Release
from plane.shop import POLICY, Shop

KINDS = (POLICY, "Service", "ConfigMap", "Deployment")
SHORT_LEASE = {"lease": {"name": "stepdown", "durationSeconds": 2, "renewSeconds": 0.4}}
"""A dead leader is replaced after two seconds."""

REPLICAS = 3
RELEASE_SECONDS = 2.0
"""By when an operator that is told to end has let go of its lease."""

Lands = Callable[[Object], bool]


def entries(policy: Object) -> list[Object]:
    return list((policy.get("status") or {}).get("ledger") or [])


def states(policy: Object) -> set[str]:
    return {entry["state"] for entry in entries(policy)}


def is_held(policy: Object) -> bool:
    return "stepdown.dev/restore" in policy["metadata"].get("finalizers", [])


def replicas_are(number: int) -> Lands:
    return lambda obj: obj["metadata"]["name"] == "shop" and obj["spec"]["replicas"] == number


def selector_is(app: str) -> Lands:
    return lambda obj: obj["spec"]["selector"] == {"app": app}


def reviews_are(text: str) -> Lands:
    return lambda obj: obj["metadata"]["name"] == "flags" and obj["data"]["reviews"] == text


@dataclass(frozen=True)
class Moment:
    """A kind of write: the object, what it is like after the write, and the load that leads to it."""

    name: str
    kind: str
    lands: Lands
    load: float


DOWN = [
    Moment("finalizer-set", POLICY, is_held, BREACHED),
    Moment("intents-stored", POLICY, lambda p: states(p) == {"Intent"}, BREACHED),
    Moment("service-pointed-elsewhere", "Service", selector_is("shop-static"), BREACHED),
    Moment("flag-switched", "ConfigMap", reviews_are("off"), BREACHED),
    Moment("replicas-raised", "Deployment", replicas_are(4), BREACHED),
    Moment("applied-stored", POLICY, lambda p: states(p) == {"Applied"} and p["status"]["level"] == "low", BREACHED),
]
DEEPER = [
    Moment("second-intent-stored", POLICY, lambda p: any("replaces" in entry for entry in entries(p)), WORSE),
    Moment("replicas-raised-again", "Deployment", replicas_are(6), WORSE),
]
UP = [
    Moment("replicas-put-back", "Deployment", replicas_are(2), HEALTHY),
    Moment("flag-put-back", "ConfigMap", reviews_are("on"), HEALTHY),
    Moment("service-put-back", "Service", selector_is("shop"), HEALTHY),
    Moment("ledger-emptied", POLICY, lambda p: not entries(p), HEALTHY),
    Moment("finalizer-removed", POLICY, lambda p: not is_held(p), HEALTHY),
]
PAIRS = list(zip(DOWN, [*UP, UP[0]], strict=True))
"""Two kills an episode, so that fewer episodes show every kind of write."""

TAKING_OVER = [
    Moment("epoch-stored", POLICY, lambda p: bool(entries(p)), BREACHED),
    Moment("annotation-claimed", "Service", selector_is("shop-static"), BREACHED),
]
"""The leader of the step down is dead, so whatever is written next is the new leader's claim."""


class Stage:
    """A shop with one policy, three operators of which one leads, and a watch that may signal the one that leads.

    Three, so that one stands by at once when two are killed, and while the next one starts.
    """

    def __init__(self, shop: Shop, start: Callable[[], Operator]) -> None:
        self.shop = shop
        self._start = start
        self._running = [start() for _ in range(REPLICAS)]
        self._armed: tuple[Moment, Operator, signal.Signals] | None = None
        self._struck = Event()
        self.struck_at = 0.0
        self.policy = ladder(
            "shop",
            shop.namespace,
            level("low", route("shop", "shop-static"), switch("flags", reviews="off"), scale("shop", 4), trial=True),
            level("lower", scale("shop", 6), above="120%"),
        )
        shop.apply_workloads("shop", "shop-static")
        shop.apply(settings("flags", reviews="on"))
        self.before = shop.snapshot()

    def begin(self) -> "Stage":
        """At full service, with numbers, whatever the test before has left."""
        self._armed = None
        self.load(HEALTHY)
        self.leader()
        self.shop.start(self.policy, timeout=60)
        self.shop.wait_condition("shop", "MetricsAvailable", "True", timeout=60)
        self.reach("full")
        return self

    def leader(self) -> Operator:
        """The operator that leads now; the dead are replaced by new ones that stand by."""
        self._running = [operator for operator in self._running if operator.running]
        while len(self._running) < REPLICAS:
            self._running.append(self._start())
        self.shop.wait("one leads", lambda: any(o.is_leader() for o in self._running), timeout=60)
        return next(operator for operator in self._running if operator.is_leader())

    def standby(self) -> list[Operator]:
        """The two others."""
        leader = self.leader()
        return [operator for operator in self._running if operator is not leader]

    def load(self, value: float) -> None:
        self.shop.load(value, "shop")

    def reach(self, name: str) -> None:
        self.shop.wait_level("shop", name, timeout=60)

    def on_write(self, seen: Seen) -> None:
        if self._armed is not None and seen.kind == self._armed[0].kind and self._armed[0].lands(seen.object):
            self._hit()

    def _hit(self) -> None:
        assert self._armed is not None
        _, operator, number = self._armed
        self._armed = None
        assert operator.process is not None
        os.kill(operator.process.pid, number)
        self.struck_at = time.monotonic()
        self._struck.set()

    def strike(self, moment: Moment, number: signal.Signals = signal.SIGKILL) -> Operator:
        """Leads the load to a moment and waits until the leader was hit at it; gives that operator."""
        leader = self.arm(moment, number)
        self.load(moment.load)
        self.wait_struck()
        return leader

    def arm(
        self, moment: Moment, number: signal.Signals = signal.SIGKILL, operator: Operator | None = None
    ) -> Operator:
        """An operator, the leader where none is named, gets a signal at the moment."""
        victim = operator or self.leader()
        self._struck.clear()
        self._armed = (moment, victim, number)
        return victim

    def wait_struck(self) -> None:
        """Waits until the leader was hit."""
        self.shop.wait("the write under test", self._struck.is_set, timeout=60)

    def recover(self) -> None:
        """Up to full service, and until nothing is written any more."""
        self.leader()
        self.load(HEALTHY)
        self.reach("full")
        self.shop.wait("no finalizer", lambda: not is_held(self.shop.policy("shop")), timeout=60)
        wait_quiet(self.shop, self.leader())

    def assert_untouched(self) -> None:
        """Everything of the user is as before the episode, and no mark of ours is left."""
        assert self.shop.snapshot() == self.before
        assert self.shop.ledger("shop") == []

    def stop(self) -> None:
        """Ends all operators."""
        for operator in self._running:
            operator.resume()
            operator.stop()


@pytest.fixture(scope="module")
def record_and_stage(
    stand_down: Any, release: Release, session_folder: Path, open_shop: Any
) -> Iterator[tuple[Record, Stage]]:
    stand_down()

    def start() -> Operator:
        return Operator(release, session_folder / "operator", config=SHORT_LEASE).start()

    with open_shop("row-13") as shop, contextlib.ExitStack() as ending:
        stage = Stage(shop, start)
        with Record(shop.api, shop.namespace, *KINDS, on_write=stage.on_write) as record:
            ending.callback(stage.stop)
            yield record, stage


@pytest.fixture
def record(record_and_stage: tuple[Record, Stage]) -> Record:
    return record_and_stage[0]


@pytest.fixture
def stage(record_and_stage: tuple[Record, Stage]) -> Stage:
    return record_and_stage[1].begin()


def of(moments: list[Moment]) -> Any:
    return pytest.mark.parametrize("moment", moments, ids=[moment.name for moment in moments])


@pytest.mark.row(13)
@pytest.mark.parametrize(("down", "up"), PAIRS, ids=[f"{down.name}-and-{up.name}" for down, up in PAIRS])
def test_row_13_killed_after_a_write_of_the_step_down_and_after_one_of_the_way_up_everything_comes_back(
    stage: Stage, down: Moment, up: Moment
) -> None:
    stage.strike(down)
    stage.reach("low")
    stage.strike(up)
    stage.recover()

    stage.assert_untouched()


@pytest.mark.row(13)
@of(DEEPER)
def test_row_13_killed_after_a_write_of_a_second_step_everything_comes_back(stage: Stage, moment: Moment) -> None:
    stage.load(BREACHED)
    stage.reach("low")
    stage.strike(moment)
    stage.reach("lower")
    stage.recover()

    stage.assert_untouched()


@pytest.mark.row(13)
@of(TAKING_OVER)
def test_row_13_killed_after_a_write_of_the_takeover_everything_comes_back(stage: Stage, moment: Moment) -> None:
    stage.load(BREACHED)
    stage.reach("low")
    leader = stage.leader()
    second, third = stage.standby()
    third.pause()
    stage.arm(moment, operator=second)
    leader.kill()
    stage.wait_struck()
    third.resume()
    stage.recover()

    stage.assert_untouched()


@pytest.mark.row(13)
def test_row_13_killed_while_it_restores_a_deleted_policy_everything_comes_back(stage: Stage) -> None:
    stage.load(BREACHED)
    stage.reach("low")
    stage.arm(UP[0])
    stage.shop.api.delete(POLICY, "shop", stage.shop.namespace)
    stage.wait_struck()
    stage.leader()
    stage.shop.wait("the policy is gone", lambda: not stage.shop.api.list(POLICY, stage.shop.namespace), timeout=60)

    assert stage.shop.snapshot() == stage.before


@pytest.mark.row(19)
@of([DOWN[2], UP[0]])
def test_row_19_told_to_end_in_the_middle_it_lets_go_of_its_lease_in_time_and_the_next_one_goes_on(
    stage: Stage, release: Release, moment: Moment
) -> None:
    with Record(stage.shop.api, release.namespace, "Lease") as leases:
        stage.load(BREACHED if moment in UP else HEALTHY)
        stage.reach("low" if moment in UP else "full")
        ended = stage.strike(moment, signal.SIGTERM)
        stage.shop.wait("it has ended", lambda: not ended.running, timeout=30)
        released = [seen for seen in leases.seen("Lease", release.name) if not seen.object["spec"]["holderIdentity"]]
    stage.reach("full" if moment in UP else "low")
    stage.recover()

    assert ended.returncode == 0
    assert [seen.at - stage.struck_at < RELEASE_SECONDS for seen in released] == [True]
    stage.assert_untouched()


@pytest.mark.row(19)
def test_row_19_told_to_end_it_never_restores_because_it_exits(stage: Stage, record: Record) -> None:
    started = time.monotonic()
    stage.strike(DOWN[2], signal.SIGTERM)
    stage.reach("low")
    stage.stop()
    values = (
        record.values("Service", "shop", lambda obj: obj["spec"]["selector"]["app"], started),
        record.values("ConfigMap", "flags", lambda obj: obj["data"]["reviews"], started),
        record.values("Deployment", "shop", lambda obj: obj["spec"]["replicas"], started),
    )
    stage.begin()

    assert values == (["shop-static"], ["off"], [4])
