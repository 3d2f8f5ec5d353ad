"""Rows 16 and 17 of the fault table: whatever happens to two replicas and their Lease, their writes never overlap.

200 trials, or $TRIALS. $SEED takes the disruptions of another run again; when they meet the operators is chance.
"""

import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from plane.control_plane import ControlPlane
from plane.release import Release
from replicas.overlaps import describe, history
from replicas.pair import Pair, stopped
from replicas.trials import Trials, seed, wanted_trials

PROGRESS_SECONDS = 30.0
PAIRS_MAX = 5
TRIALS_OF_A_PAIR = 25
"""With fewer trials there are fewer pairs: a process takes two seconds of a processor to start."""


@pytest.fixture(scope="module")
def pairs(stand_down: Any, release: Release, session_folder: Path, open_shop: Any) -> Iterator[list[Pair]]:
    stand_down()
    with contextlib.ExitStack() as opened:
        made = []
        for _ in range(max(1, min(PAIRS_MAX, wanted_trials() // TRIALS_OF_A_PAIR))):
            shop = opened.enter_context(open_shop("trials"))
            made.append(opened.enter_context(stopped(Pair(shop, release, session_folder / "replicas"))))
        yield made


@pytest.mark.row(16)
@pytest.mark.row(17)
def test_rows_16_and_17_writes_of_two_leaders_never_overlap_and_everything_comes_back(
    pairs: list[Pair], plane: ControlPlane, figure: Any
) -> None:
    number, chosen = wanted_trials(), seed()
    print(f"SEED={chosen} TRIALS={number}")
    shares = [len(range(place, number, len(pairs))) for place in range(len(pairs))]
    trials = [Trials(pair.start(), random.Random(chosen + place)) for place, pair in enumerate(pairs)]
    with ThreadPoolExecutor(len(pairs)) as at_once:
        running = [at_once.submit(each.run, share) for each, share in zip(trials, shares, strict=True)]
        while wait(running, PROGRESS_SECONDS).not_done:
            print(f"{sum(each.done.total() for each in trials)} of {number} trials", flush=True)
        for future in running:
            future.result()
    done: Counter[str] = sum((each.done for each in trials), Counter())
    histories = [history(plane.audit_log, pair.namespace) for pair in pairs]
    overlapping = [overlap for each in histories for overlap in each.overlapping()]
    print(dict(done), [(each.leaderships, len(each.writes)) for each in histories])
    figure("trials", done.total())
    figure("overlapping writes", len(overlapping))

    assert done.total() == number
    assert not overlapping, describe(overlapping)
    assert sum(each.leaderships for each in histories) > number / 4
