"""One fault at every call of an episode whose pods mount the flags: touched or not, in the end none carries a mark."""

import copy

import pytest

from torture.explore import Result, explore
from torture.shop import READERS, SPEC
from torture.world import World


def with_pods() -> World:
    """The shop, with pods that mount its flags and are touched."""
    spec = copy.deepcopy(SPEC)
    spec["levels"][1]["actions"][0]["flags"]["refresh"] = "Pods"
    world = World(spec)
    for pod in READERS:
        world.server.sandbox.create(pod)
        world.server.twin.create(pod)
    return world


@pytest.fixture(scope="module")
def explored() -> Result:
    return explore(faults=1, begin=with_pods)


@pytest.mark.row(13)
def test_row_13_one_fault_at_any_call_leaves_no_mark_on_a_pod(explored: Result) -> None:
    assert explored.schedules > 300
    assert [str(violation) for violation in explored.violations] == []
