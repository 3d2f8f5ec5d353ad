"""Rows 14, 18, 53 and 54 of the fault table: crash loops, clocks that are set, nothing left to use, a starved loop."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from plane.release import Release
from plane.shop import Shop
from replicas.budgets import crash_until_spent, pods_ladder, wait_up_over_a_set_clock
from replicas.clocks import HOUR, Clock
from replicas.exhaustion import LIMITS, READ_ONLY, exhaust
from replicas.overlaps import History, describe, history
from replicas.pair import UNHURRIED, Pair, stopped
from replicas.starving import Probes, starve, starved_for
from replicas.together import played_together

UP_SECONDS = 8
STARVED_SECONDS = 30
"""Three of the chart's probes: so long a loop may get no turn until /healthz says so."""

Played = Mapping[str, Future[Any]]


@pytest.fixture(scope="module")
def played(stand_down: Any, release: Release, session_folder: Path, open_shop: Any) -> Iterator[Played]:
    folder = session_folder / "replicas"

    def pods(scene: Any, shop: Shop, offsets: tuple[int, int] = (0, 0), **policy: Any) -> Any:
        clocks = [Clock(folder / f"{shop.namespace}-{place}", offset) for place, offset in enumerate(offsets)]
        environments = (clocks[0].environment, clocks[1].environment)
        made = Pair(shop, release, folder, UNHURRIED, environments, policy=pods_ladder(shop.namespace, **policy))
        with stopped(made) as pair:
            pair.start_first()
            pair.start_second()
            return scene(pair, clocks[0])

    def exhausted(limit: str, shop: Shop) -> int | None:
        with stopped(Pair(shop, release, folder, UNHURRIED, (READ_ONLY, READ_ONLY))) as pair:
            return exhaust(pair.start(), LIMITS[limit]).code

    def starved(seconds: float, until: float, shop: Shop) -> tuple[Probes, History]:
        environment = starved_for(seconds)
        with stopped(Pair(shop, release, folder, UNHURRIED, (environment, environment))) as pair:
            probes = starve(pair.start(), until)
        return probes, history(release.plane.audit_log, shop.namespace)

    stand_down()
    folder.mkdir(exist_ok=True)
    scenes: dict[str, Any] = {
        "crash-loop": partial(pods, lambda pair, _clock: crash_until_spent(pair, crashes_after=3)),
        "crash-apart": partial(pods, lambda pair, _: crash_until_spent(pair, crashes_after=0), offsets=(HOUR, -HOUR)),
        "clock-set": partial(pods, wait_up_over_a_set_clock, up=f"{UP_SECONDS}s"),
        "starved-10": partial(starved, 10, 12),
        "starved-40": partial(starved, 40, 43),
        **{limit: partial(exhausted, limit) for limit in LIMITS},
    }
    with played_together(open_shop, scenes) as playing:
        yield playing


@pytest.mark.row(14)
def test_row_14_a_crash_loop_in_the_middle_of_an_incident_spends_no_more_than_the_budget(played: Played) -> None:
    assert played["crash-loop"].result() == ["low", "full", "low"]


@pytest.mark.row(18)
def test_row_18_leaders_whose_clocks_are_two_hours_apart_and_that_take_turns_spend_one_budget(played: Played) -> None:
    assert played["crash-apart"].result() == ["low", "full", "low"]


@pytest.mark.row(18)
def test_row_18_a_clock_set_an_hour_ahead_makes_no_step_up_come_sooner(played: Played) -> None:
    assert played["clock-set"].result() >= UP_SECONDS - 1


@pytest.mark.row(53)
@pytest.mark.parametrize("limit", list(LIMITS))
def test_row_53_a_leader_that_is_given_nothing_more_goes_on_or_fails_and_a_restart_resumes(
    played: Played, limit: str
) -> None:
    assert played[limit].result() != 0


@pytest.mark.row(54)
@pytest.mark.parametrize("scene", ["starved-10", "starved-40"])
def test_row_54_writes_of_a_starved_leader_and_of_its_successor_never_overlap(played: Played, scene: str) -> None:
    _, found = played[scene].result()

    assert found.leaderships >= 2
    assert not found.overlapping(), describe(found.overlapping())


@pytest.mark.row(54)
def test_row_54_liveness_holds_for_a_loop_starved_for_10_seconds(played: Played) -> None:
    probes, _ = played["starved-10"].result()

    assert probes.first_failure is None


@pytest.mark.row(54)
def test_row_54_liveness_fails_after_three_probes_without_a_turn_and_not_before(played: Played) -> None:
    probes, _ = played["starved-40"].result()

    assert STARVED_SECONDS - 2 <= probes.first_failure <= STARVED_SECONDS + 3
    assert probes.last == 200
