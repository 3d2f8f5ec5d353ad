"""A short run of the state machine, and the way in which a finding is told."""

import pytest
from hypothesis import Phase, seed
from hypothesis.stateful import run_state_machine_as_test

from torture.explore import replay, run
from torture.faults import Fault, Kind, line_of, parse
from torture.machine import Torture
from torture.soak import machine_settings
from torture.world import World


@pytest.mark.row(14)
def test_row_14_a_crash_loop_makes_no_more_transitions_than_the_way_down_and_up():
    world = replay(tuple(Fault(place, Kind.CRASH) for place in range(4, 60, 7)))
    assert [str(violation) for violation in world.violations] == []
    assert world.met == 8
    assert world.policy is not None
    assert len(world.policy["status"]["state"]["transitions"]) == 4


@pytest.mark.row(41)
def test_row_41_whatever_comes_to_mind_ends_as_others_left_it():
    numbered = seed(20_261_124)(type("Numbered", (Torture,), {}))
    before = Torture.runs
    run_state_machine_as_test(numbered, settings=machine_settings(100, (Phase.generate, Phase.shrink)))
    assert Torture.runs - before >= 100


def test_what_a_state_machine_does_is_replayed_by_its_line():
    torture = Torture()
    torture.begin()
    torture.measure("both", 3)
    torture.fail(Kind.LOST, 2)
    torture.tick(4)
    torture.teardown()
    again = run(World(), parse(line_of(torture.world.schedule))).end
    assert again.told == torture.world.told
    assert again.turns == torture.world.turns
