"""Row 8 and its neighbours: an API server that stops answering, and one that is slow and fails."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from faults.calls import Request
from faults.plan import Fault, Hang, Where, noise
from faults.scenes import Player
from faults.stage import FaultStage
from faults.world import LOW, World
from plane.ladders import BREACHED, HEALTHY, level, scale
from plane.processes import wait_for

LEASE_SECONDS = 6
BELIEVED_SECONDS = LEASE_SECONDS * 2 / 3
CALL_SECONDS = 5.0
SLACK_SECONDS = 1.0
"""For a machine that is busy with other things."""

SLOW_LEASE_SECONDS = 60
"""As docs/install.md says for an API server that takes seconds to answer."""

SLOW = (3.5, 4.0)
FAILING = 0.3
"""Seconds that each call takes, near the deadline of five; and the share that then fails, the Lease's own included."""

SEEDS = (1, 4)
"""Few, for the operator reads eight objects at a time, and each takes about four seconds here."""
STEP_SECONDS = 60.0

Stages = Callable[[int], FaultStage]


@pytest.fixture
def stages(
    plane: Any, release: Any, session_folder: Any, stand_down: Callable[[], None], open_source: Any
) -> Iterator[Stages]:
    """A factory of operators behind proxies of their own, by the seconds of their lease; none is started."""
    stand_down()
    with open_source() as source, contextlib.ExitStack() as ending:

        def stage(lease: int) -> FaultStage:
            made = FaultStage(plane, release, session_folder / "operator", source, lease)
            ending.callback(made.stop)
            return made

        yield stage


class Silence:
    """From the first write of a target on, nothing is answered any more."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()

    def __call__(self, request: Request, _: int) -> Fault | None:
        if request.kind == ("patch", "services"):
            self.has_begun.set()
        return Hang() if self.has_begun.is_set() else None


@pytest.mark.row(8)
def test_row_08_who_gets_no_answers_stops_writing_by_its_deadline_and_the_next_one_finishes_the_step(
    stages: Stages, release: Any, open_namespace: Any
) -> None:
    first, second = stages(LEASE_SECONDS), stages(LEASE_SECONDS)
    first.start().operator.wait_leader(60)
    second.start()
    with first.worlds(1, open_namespace) as (world,):
        player = Player(world, first.proxy)
        player.episode.begin()
        silence = Silence()
        first.proxy.plan.add_rule(Where(), silence)
        world.load(BREACHED)
        assert silence.has_begun.wait(60)
        second.operator.wait_leader(60)

        def reached() -> str:
            return str((player.stored().get("status") or {}).get("level"))

        wait_for("the second one at low", lambda: reached() == "low", 60)
        world.load(HEALTHY)
        wait_for("nothing held", lambda: reached() == "full" and not player.stored()["status"].get("ledger"), 60)
        wait_for("no finalizer", lambda: not player.stored()["metadata"].get("finalizers"), 60)
        first.operator.stop()
        mine, theirs = (stage.proxy.log.seen(world.namespace) for stage in (first, second))
        player.end([*mine, *theirs])
        leases = [e for e in first.proxy.log.seen(release.namespace) if e.request.resource == "leases"]
        world.remove()

    renewed = max(e.asked for e in leases if e.is_done)
    late = [e.asked - renewed for e in mine if e.request.is_write]
    hung = [e.ended - e.asked for e in [*mine, *leases] if e.fault == "Hang"]
    assert player.scene.wrong == []
    assert max(late) <= BELIEVED_SECONDS + SLACK_SECONDS
    assert hung
    assert max(hung) <= CALL_SECONDS + SLACK_SECONDS


@pytest.mark.row(5)
@pytest.mark.row(8)
def test_row_08_a_step_down_ends_within_a_minute_though_calls_take_four_seconds_and_a_third_fails(
    stages: Stages, release: Any, open_namespace: Any, figure: Callable[..., None]
) -> None:
    stage = stages(SLOW_LEASE_SECONDS)
    stage.start().operator.wait_leader(60)
    plan = stage.proxy.plan

    def step_down(seed: int, world: World) -> tuple[float, list[str]]:
        player = Player(world, stage.proxy)
        player.episode.begin(levels=[{"name": "full"}, level("low", scale("workers", LOW))])
        bad = plan.add_rule(Where(world.namespace), noise(seed, FAILING, SLOW))
        started = time.monotonic()
        player.episode.to("low", timeout=3 * STEP_SECONDS)
        took = time.monotonic() - started
        plan.remove(bad)
        player.episode.to("full")
        player.end()
        world.remove()
        return took, player.scene.wrong

    with stage.worlds(len(SEEDS), open_namespace) as worlds, ThreadPoolExecutor(len(SEEDS)) as pool:
        slow = plan.add_rule(Where(release.namespace), noise(0, FAILING, SLOW))
        outcomes = list(pool.map(step_down, SEEDS, worlds))
        plan.remove(slow)  # the lease of a minute is let go, and nobody waits for its end

    took = [round(seconds, 1) for seconds, _ in outcomes]
    figure("slowest step down with calls of 3.5 to 4 s of which 30 % fail", max(took), "s")
    assert [wrong for _, wrong in outcomes] == [[]] * len(SEEDS)
    assert max(took) <= STEP_SECONDS, took
