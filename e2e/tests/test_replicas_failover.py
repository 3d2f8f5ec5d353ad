"""How soon the other replica acts, with the chart's own Lease: after a crash, and after one was told to end."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from plane.release import Release
from replicas.failovers import Failovers, percentile
from replicas.pair import CHARTS, Pair, stopped

PAIRS = 8
CRASHES = 3
ENDS = 2
CRASH_SECONDS = 20.0
END_SECONDS = 2.0
pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def failovers(stand_down: Any, release: Release, session_folder: Path, open_shop: Any) -> Iterator[list[Failovers]]:
    """Crashes at once on several pairs, for most of the time is waiting; ends one by one, for they are quick.

    No process starts while it is measured how soon another acts: starting takes seconds of a whole core.
    """
    stand_down()
    with contextlib.ExitStack() as opened, ThreadPoolExecutor(PAIRS) as at_once:
        shops = [opened.enter_context(open_shop("failover")) for _ in range(PAIRS)]
        folder = session_folder / "replicas"
        pairs = list(at_once.map(lambda shop: Pair(shop, release, folder, CHARTS), shops))
        for pair in pairs:
            opened.enter_context(stopped(pair))
        made = list(at_once.map(lambda pair: Failovers(pair).start(), pairs))
        for _ in range(CRASHES):
            list(at_once.map(Failovers.wait_standby, made))
            list(at_once.map(Failovers.crash, made))
        for _ in range(ENDS):
            list(at_once.map(Failovers.wait_standby, made))
            for each in made:
                each.end()
        list(at_once.map(Pair.finish, pairs))
        yield made


@pytest.mark.row(13)
def test_a_crashed_leader_is_replaced_within_20_seconds(failovers: list[Failovers], figure: Any) -> None:
    seconds = [each for found in failovers for each in found.after_crash]
    figure("failover p50", round(percentile(seconds, 0.5), 1), "s")
    figure("failover p99", round(percentile(seconds, 0.99), 1), "s")

    assert len(seconds) == PAIRS * CRASHES
    assert percentile(seconds, 0.99) <= CRASH_SECONDS


@pytest.mark.row(19)
def test_row_19_a_leader_that_is_told_to_end_is_replaced_within_2_seconds(
    failovers: list[Failovers], figure: Any
) -> None:
    seconds = [each for found in failovers for each in found.after_end]
    figure("failover after SIGTERM, p99", round(percentile(seconds, 0.99), 1), "s")

    assert len(seconds) == PAIRS * ENDS
    assert percentile(seconds, 0.99) <= END_SECONDS
