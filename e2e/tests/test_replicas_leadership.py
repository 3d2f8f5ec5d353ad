"""Rows 15 to 18 of the fault table: leaders that are late, a Lease in somebody's hands, clocks that are apart."""

import random
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from plane.control_plane import ControlPlane
from plane.release import Release
from plane.shop import Shop
from replicas.clocks import HOUR, Clock
from replicas.disruptions import WEIGHTS, end
from replicas.gate import Gate
from replicas.hands import garble_in_every_way, start_together
from replicas.late_writes import Late, lose_lease_before_writing, one_target, write_late
from replicas.overlaps import History, describe, history
from replicas.pair import PATIENT, UNHURRIED, Pair, stopped
from replicas.together import played_together
from replicas.trials import Trials, seed

REFUSED = 422
"""The API server's answer to a JSON patch whose test fails."""

Played = Mapping[str, Future[Any]]


@pytest.fixture(scope="module")
def played(
    stand_down: Any, plane: ControlPlane, release: Release, session_folder: Path, open_shop: Any
) -> Iterator[Played]:
    folder = session_folder / "replicas"

    def gated(scene: Any, shop: Shop, resource: str = "") -> Any:
        gate = Gate(plane.url)
        gate.open()
        policy = one_target(resource, shop.namespace) if resource else None
        try:
            with stopped(Pair(shop, release, folder, PATIENT, policy=policy, gate=gate)) as pair:
                return scene(pair, gate)
        finally:
            gate.let_go()
            gate.close()

    def late(resource: str, level: str, shop: Shop) -> Late:
        return gated(lambda pair, gate: write_late(pair, gate, resource, level), shop, resource)

    def plain(scene: Any, shop: Shop) -> Any:
        with stopped(Pair(shop, release, folder, UNHURRIED)) as pair:
            return scene(pair)

    def apart(shop: Shop) -> History:
        clocks = [Clock(folder / f"{shop.namespace}-{place}", offset) for place, offset in enumerate((HOUR, -HOUR))]

        def set_a_clock(_pair: Pair, chance: random.Random) -> None:
            chance.choice(clocks).set(chance.choice((-HOUR, 0, HOUR)))

        environments = (clocks[0].environment, clocks[1].environment)
        with stopped(Pair(shop, release, folder, UNHURRIED, environments)) as pair:
            weights = {**WEIGHTS, set_a_clock: 6}
            chance = random.Random(seed())
            Trials(pair.start(), chance, weights).run(12)
            for level in ("low", "lower", "full"):  # whatever chance has chosen, three leaders have written
                end(pair, chance)
                pair.reach(level)
        return history(plane.audit_log, shop.namespace)

    stand_down()
    folder.mkdir(exist_ok=True)
    scenes: dict[str, Any] = {
        "late-service": partial(late, "services", "low"),
        "late-flags": partial(late, "configmaps", "full"),
        "late-replicas": partial(late, "deployments", "low"),
        "late-replicas-unwanted": partial(late, "deployments", "full"),
        "lost": partial(gated, lose_lease_before_writing),
        "hands": partial(plain, lambda pair: garble_in_every_way(pair.start())),
        "together": partial(plain, lambda pair: start_together(pair, 3)),
        "apart": apart,
    }
    with played_together(open_shop, scenes) as playing:
        yield playing


@pytest.mark.row(15)
def test_row_15_a_leader_whose_lease_is_lost_between_intent_and_write_writes_nothing(played: Played) -> None:
    assert played["lost"].result() == Late([])


@pytest.mark.row(16)
@pytest.mark.parametrize("scene", ["late-service", "late-flags", "late-replicas"])
def test_row_16_the_late_write_of_a_paused_leader_is_refused_and_everything_comes_back(
    played: Played, scene: str
) -> None:
    assert played[scene].result() == Late([REFUSED])


@pytest.mark.row(16)
def test_row_16_late_replicas_that_nobody_wants_any_more_are_put_back(played: Played) -> None:
    assert len(played["late-replicas-unwanted"].result().codes) == 1


@pytest.mark.row(17)
def test_row_17_of_two_that_start_together_one_leads(played: Played) -> None:
    assert played["together"].result() == [[False, True]] * 3


@pytest.mark.row(17)
def test_row_17_no_garbage_in_the_lease_ends_a_process_or_keeps_everybody_from_leading(played: Played) -> None:
    assert len(played["hands"].result()) == 2


@pytest.mark.row(18)
def test_row_18_writes_of_leaders_whose_clocks_are_two_hours_apart_and_are_set_never_overlap(played: Played) -> None:
    found = played["apart"].result()

    assert found.leaderships >= 3
    assert not found.overlapping(), describe(found.overlapping())
