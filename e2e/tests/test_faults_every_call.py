"""Rows 1, 2, 5, 6, 7, 8 and 20: one fault at every call of the operator in an episode, on the real API server."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from faults.every_call import Kind, Outcome, play_all, points, record
from faults.stage import FaultStage

WORLDS = 16


@dataclass
class Played:
    """The calls of an episode without a fault, and every point with what came of it."""

    calls: Counter[Kind]
    outcomes: list[Outcome]

    def wrong(self, *names: str, at: tuple[str, ...] = ("",)) -> list[str]:
        """What is wrong at the points with one of these faults, at resources that begin with one of these words."""
        mine = [o for o in self.outcomes if o.point.name in names and o.point.kind[1].startswith(at)]
        assert mine
        return [f"{outcome.point}: {text}" for outcome in mine for text in outcome.wrong]


@pytest.fixture(scope="module")
def played(faults: FaultStage, open_namespace: Any) -> Iterator[Played]:
    with faults.worlds(WORLDS, open_namespace) as worlds:
        calls, wrong = record(worlds, faults.proxy)
        assert wrong == []
        yield Played(calls, play_all(points(calls), worlds, faults.proxy))


def test_the_episode_has_every_kind_of_call(played: Played) -> None:
    assert set(played.calls) == {
        ("any", "events"),
        ("get", "configmaps"),
        ("get", "deployments"),
        ("get", "services"),
        ("list", "horizontalpodautoscalers"),
        ("list", "pods"),
        ("list", "scaledobjects"),
        ("patch", "configmaps"),
        ("patch", "degradationpolicies"),
        ("patch", "degradationpolicies/status"),
        ("patch", "deployments/scale"),
        ("patch", "services"),
    }


def test_every_point_was_struck_but_for_one_in_a_hundred_whose_tick_never_came(played: Played) -> None:
    missed = [str(outcome.point) for outcome in played.outcomes if not outcome.was_struck]

    assert len(missed) <= len(played.outcomes) / 100, missed


@pytest.mark.row(1)
def test_row_01_a_conflict_at_any_write_of_the_ledger_is_read_again_and_decided_from_what_is_there(
    played: Played,
) -> None:
    assert played.wrong("409 before", "422 before", at=("degradationpolicies",)) == []


@pytest.mark.row(2)
def test_row_02_a_conflict_at_any_write_of_a_target_loses_nothing(played: Played) -> None:
    assert played.wrong("409 before", "422 before", at=("services", "configmaps", "deployments")) == []


@pytest.mark.row(5)
def test_row_05_an_error_before_the_effect_at_any_call_changes_nothing_of_the_episode(played: Played) -> None:
    assert played.wrong("500 before", "503 before", "504 before") == []


@pytest.mark.row(6)
def test_row_06_an_answer_lost_after_the_effect_at_any_call_makes_no_second_original_and_no_double_step(
    played: Played,
) -> None:
    assert played.wrong("answer lost", "answer never comes") == []


@pytest.mark.row(7)
def test_row_07_an_answer_cut_in_the_middle_of_its_json_at_any_call_is_looked_up_and_never_assumed(
    played: Played,
) -> None:
    assert played.wrong("answer cut") == []


@pytest.mark.row(8)
def test_row_08_a_call_of_any_kind_that_is_never_answered_ends_by_its_deadline(played: Played) -> None:
    assert played.wrong("never answered", "answer never comes") == []


@pytest.mark.row(20)
def test_row_20_a_stale_answer_to_any_read_makes_nothing_lost(played: Played) -> None:
    assert played.wrong("stale answer") == []


def test_the_figures_of_one_fault_episodes(played: Played, figure: Callable[..., None]) -> None:
    struck = [outcome for outcome in played.outcomes if outcome.was_struck]
    wrong = [text for outcome in struck for text in outcome.wrong]
    figure("one-fault points on the real API server", len(struck))
    figure("violations on the real API server", len(wrong))

    assert wrong == []
