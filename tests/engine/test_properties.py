"""What must hold for every ladder and every history: safety, replay, and an end at rest.

The oracle never looks at the engine's memory: it reads the history of samples again at every transition.
"""

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.play import START, Value, condition, ladder_of, level, observed
from stepdown.api.status import EngineState
from stepdown.engine.breaches import value_of
from stepdown.engine.decide import Decision, after_gap, decide, initial_state
from stepdown.engine.ladder import Ladder, Watch
from stepdown.engine.observation import Missing
from stepdown.engine.reasons import Reason

VALUES: list[Value] = [0.1, 0.1, 0.3, 0.7, 0.7, 0.85, 0.95, Missing.EMPTY, Missing.ERROR]
SECONDS = [1.0, 5.0, 10.0, 10.0, 30.0]


@dataclass(frozen=True)
class Tick:
    """What happens at one tick; `gap` means that the process was started again just before it."""

    seconds: float
    load: Value
    errors: Value
    probe: Value
    unavailable: frozenset[int]
    gap: bool


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    signal = draw(st.sampled_from(["load", "errors"]))
    hold = {"for": draw(st.sampled_from(["0s", "0s", "20s", "1m"]))}
    if draw(st.integers(0, 4)) == 0:
        return condition(signal, below="20%", **draw(st.sampled_from([{}, {"clear": "40%"}])), **hold)
    above, clear = draw(st.sampled_from([("80%", None), ("80%", "60%"), ("90%", "50%"), ("60%", None)]))
    return condition(signal, above=above, **({"clear": clear} if clear else {}), **hold)


RECOVERIES = [
    {},
    {},
    {"recover": {"trial": {"after": "30s", "watch": "20s", "max": "2m"}}},
    {"recover": {"probe": {"http": {"deployment": "shop"}, "successes": 2, "interval": "10s"}}},
]


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    levels = []
    for name in ("one", "two", "three")[: draw(st.integers(1, 3))]:
        wanted = draw(st.lists(conditions(), min_size=1, max_size=2))
        # One condition stands in `all`, where levels may be in any order: what holds must hold for these too.
        every = len(wanted) == 1 or draw(st.booleans())
        levels.append(level(name, *wanted, every=every, **draw(st.sampled_from(RECOVERIES))))
    when_missing = draw(st.sampled_from(["Hold", "Hold", "Ignore"]))
    return ladder_of(
        *levels,
        signals=[{"name": "load", "query": "load", "whenMissing": when_missing}, {"name": "errors", "query": "errors"}],
        stabilization={
            "down": draw(st.sampled_from(["0s", "0s", "20s"])),
            "up": draw(st.sampled_from(["30s", "1m"])),
            "dwell": draw(st.sampled_from(["0s", "30s"])),
        },
        budget={
            "transitions": draw(st.sampled_from([1, 3, 60])),
            "per": draw(st.sampled_from(["2m", "10m"])),
        },
    )


PHASES = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 2, 3, 7]),
        st.builds(
            Tick,
            seconds=st.sampled_from(SECONDS),
            load=st.sampled_from(VALUES),
            errors=st.sampled_from(VALUES),
            probe=st.sampled_from([0.0, 1.0, 1.0, Missing.ERROR]),
            unavailable=st.sampled_from([frozenset(), frozenset(), frozenset({1}), frozenset({2, 3})]),
            gap=st.sampled_from([False] * 9 + [True]),
        ),
    ),
    min_size=1,
    max_size=20,
)
HISTORIES = PHASES.map(
    lambda phases: [replace(tick, gap=tick.gap and not i) for count, tick in phases for i in range(count)]
)
"""Ticks in phases in which nothing changes, as trouble comes in phases."""


@dataclass
class Run:
    """A history played; `at` has the tick, its time, the decision and the state before and after."""

    ladder: Ladder
    at: list[tuple[Tick, float, Decision]] = field(default_factory=list)
    now: float = START

    def __post_init__(self) -> None:
        self.state = initial_state(self.ladder)

    def play(self, tick: Tick) -> Decision:
        self.now += tick.seconds
        if tick.gap:
            self.state = after_gap(self.state, self.now)
        before = self.state
        decision, self.state = decide(self.ladder, before, self.seen(tick), self.now, tick.unavailable)
        assert self.state is before or self.state != before, "an equal state is the same object"
        self.at.append((tick, self.now, decision))
        return decision

    def seen(self, tick: Tick) -> Any:
        probes = {step.probe_name: tick.probe for step in self.ladder.steps if step.probe_name}
        return observed({"load": tick.load, "errors": tick.errors, **probes})


def is_beyond(watch: Watch, value: float) -> bool:
    return value > watch.threshold.value if watch.sign > 0 else value < watch.threshold.value


def is_cleared(watch: Watch, value: float) -> bool:
    return value <= watch.clear if watch.sign > 0 else value >= watch.clear


def fires(run: Run, watch: Watch) -> list[bool]:
    """Whether a condition fires at each tick, from the samples alone: beyond for its time, then until it clears.

    Time counts from a valid sample to the next tick; a gap starts what hasn't fired again.
    """
    result: list[bool] = []
    firing, credit, valid = False, None, False
    for tick, _, _ in run.at:
        value = value_of(watch, run.seen(tick))
        if tick.gap and not firing:
            credit = 0.0 if credit is not None else None
        elif credit is not None and valid:
            credit += tick.seconds
        if isinstance(value, Missing):
            if watch.ignore_missing:
                firing, credit = False, None
            valid = False
        else:
            valid = True
            if is_beyond(watch, value):
                credit = 0.0 if credit is None else credit
                firing = firing or credit >= watch.hold
            elif not firing or is_cleared(watch, value):
                firing, credit = False, None
        result.append(firing)
    return result


def holds(run: Run, place: int, judged: dict[str, bool]) -> bool:
    """A level's `enter` over a verdict for each of its conditions."""
    step = run.ladder.steps[place]
    found = [judged[run.ladder.watches[number].key] for number in step.watches]
    return all(found) if step.all_of else any(found)


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(ladders(), HISTORIES)
def test_a_step_down_has_a_level_between_whose_conditions_fire_and_are_beyond_right_now(ladder, history):
    run = Run(ladder)
    for tick in history:
        decision = run.play(tick)
        if decision.level <= decision.came_from:
            continue
        if decision.reason is Reason.FALLBACK_NOT_READY:  # nobody was answered where it was
            assert set(range(decision.came_from, decision.level)) <= tick.unavailable
            assert decision.level not in tick.unavailable
            continue
        firing = {watch.key: fires(run, watch)[-1] for watch in ladder.watches}
        for watch in ladder.watches:
            value = value_of(watch, run.seen(tick))
            firing[watch.key] &= not isinstance(value, Missing) and is_beyond(watch, value)
        called = [p for p in range(decision.came_from + 1, decision.level + 1) if holds(run, p, firing)]
        assert called
        between = set(range(called[-1], decision.level))
        assert between <= tick.unavailable
        assert decision.level not in tick.unavailable


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(ladders(), HISTORIES)
def test_a_recovery_had_every_signal_present_and_healthy_for_its_whole_window(ladder, history):
    run = Run(ladder)
    for tick in history:
        decision = run.play(tick)
        if decision.reason is not Reason.RECOVERED:
            continue
        since = next(i for i in reversed(range(len(run.at))) if run.at[i][1] <= run.now - ladder.up)
        firing = {watch.key: fires(run, watch) for watch in ladder.watches}
        for i in range(since, len(run.at)):
            then, _, earlier = run.at[i]
            assert not (then.gap and i > since)
            seen = run.seen(then)
            assert all(seen[name].missing is None for name in ladder.needed)
            assert earlier.level == decision.came_from or i == len(run.at) - 1
            for place in range(decision.came_from, len(ladder.steps)):
                unhealthy = {}
                for watch in ladder.watches:
                    value = value_of(watch, seen)
                    beyond = not isinstance(value, Missing) and is_beyond(watch, value)
                    unhealthy[watch.key] = beyond or firing[watch.key][i]
                assert not holds(run, place, unhealthy)


@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(ladders(), HISTORIES)
def test_steps_up_are_single_within_the_budget_and_after_the_least_time(ladder, history):
    run = Run(ladder)
    moves: list[float] = []
    for tick in history:
        decision = run.play(tick)
        if not decision.is_transition:
            continue
        if decision.level < decision.came_from:
            assert decision.level == decision.came_from - 1
            assert len([t for t in moves if t > run.now - ladder.per]) < ladder.budget
        if decision.reason is not Reason.TRIAL_FAILED and moves:
            assert run.now - moves[-1] >= ladder.dwell
        moves.append(run.now)
    assert run.state.transitions == [t for t in moves if not moves or t > moves[-1] - ladder.per][-60:]


@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(ladders(), HISTORIES)
def test_a_restart_between_any_two_ticks_changes_no_decision(ladder, history):
    run, again = Run(ladder), Run(ladder)
    for tick in history:
        again.state = EngineState.model_validate_json(again.state.model_dump_json(by_alias=True, exclude_none=True))
        assert again.play(tick) == run.play(tick)
        assert again.state == run.state


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(ladders(), HISTORIES, st.sampled_from([Missing.ERROR, Missing.STALE, Missing.PARTIAL, Missing.NOT_SCALAR]))
def test_while_nothing_is_known_nothing_moves(ladder, history, missing):
    run = Run(ladder)
    for tick in history:
        run.play(tick)
    for seconds in itertools.islice(itertools.cycle(SECONDS), 60):
        decision = run.play(Tick(seconds, missing, missing, missing, frozenset(), gap=False))
        assert not decision.is_transition


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(ladders(), HISTORIES)
def test_once_all_is_well_it_comes_back_to_full_service_and_then_rests(ladder, history):
    run = Run(ladder)
    for tick in history:
        run.play(tick)
    well = Tick(10.0, 0.45, 0.45, 1.0, frozenset(), gap=False)
    waits = len(ladder.steps) * (120 + ladder.up + ladder.dwell) + ladder.per * (1 + 3 / ladder.budget)
    for _ in range(int(waits / 10) + 30):
        run.play(well)
    state = run.state
    decision = run.play(well)
    assert (decision.level, decision.reason) == (0, Reason.STEADY)
    assert run.state is state
