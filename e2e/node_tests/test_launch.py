"""The launch that kills a shop: 100 users become 10,000 within a minute, with a policy and without, side by side.

One launch for all tests of this file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from rich.console import Console

from demo.node_launch import Outcome
from demo.node_stage import staged
from demo.performance import WITH, WITHOUT, Performance, perform
from node.cluster import Cluster


@dataclass(frozen=True)
class Launch:
    """What a launch came to, and what users got."""

    played: Performance
    outcome: Outcome


@pytest.fixture(scope="module")
def launch(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """The whole launch, until everything is back."""
    with staged(cluster, tmp_path_factory.mktemp("launch"), print) as stage:
        played = perform(Console(highlight=False, markup=False), stage)
        stage.launch.stop()
        yield Launch(played, stage.launch.outcome(played.stepped))


def test_nobody_who_arrives_after_the_first_step_down_gets_an_error_page(launch: Launch, scenario: Any) -> None:
    outcome = launch.outcome

    assert outcome.users[WITH] == pytest.approx(outcome.users[WITHOUT], rel=0.01)
    assert outcome.users[WITH] > 10_000
    assert outcome.strange == set()
    assert outcome.first_step is not None
    assert outcome.late == []
    scenario(
        "The launch",
        users=outcome.users[WITH],
        without=outcome.errors[WITHOUT],
        with_policy=outcome.errors[WITH],
        note=f"{len(outcome.late)} of {outcome.users_after:,} after the first step down, {outcome.first_step:.0f} s",
    )


def test_without_a_policy_most_users_get_an_error_page(launch: Launch) -> None:
    assert launch.outcome.errors[WITHOUT] > 0.5 * launch.outcome.users[WITHOUT]


def test_the_whole_ladder_is_walked_and_everything_is_what_it_was(launch: Launch) -> None:
    assert launch.played.visited[:3] == ["core-only", "read-only", "static"]
    assert [check.text for check in launch.played.checks if not check.holds] == []
