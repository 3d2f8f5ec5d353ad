"""Rows 13 and 19 of the fault table: the operator is killed, or told to end, in the middle of an episode.

An episode is a way down and up over a Service, a ConfigMap and replicas. A watch sees each write as the API server
makes it; at the one under test the operator is killed before it can go on.
"""

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plane.api import Object
from plane.ladders import BREACHED, HEALTHY, WORSE
from plane.operator import Operator
from plane.record import Record
from plane.release import Release
from plane.shop import POLICY
from plane.strikes import KINDS, SHORT_LEASE, Lands, Moment, Stage
from replicas.pair import UNHURRIED

RELEASE_SECONDS = 2.0
"""By when an operator that is told to end has let go of its lease."""


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


@pytest.fixture(scope="module")
def record_and_stage(
    request: pytest.FixtureRequest, stand_down: Any, release: Release, session_folder: Path, open_shop: Any
) -> Iterator[tuple[Record, Stage]]:
    stand_down()
    lease = getattr(request, "param", SHORT_LEASE)

    def start() -> Operator:
        return Operator(release, session_folder / "operator", config=lease).start()

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


unhurried = pytest.mark.parametrize(
    "record_and_stage", [{"lease": SHORT_LEASE["lease"] | UNHURRIED}], indirect=True, ids=["unhurried"]
)
"""Nobody else may lead before the one that leads is told to end."""


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
@unhurried
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
@unhurried
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
