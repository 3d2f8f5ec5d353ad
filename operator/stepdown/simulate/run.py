"""The simulation: the product's own cycle, over what Prometheus remembers and a cluster in memory.

Policies of one namespace share its sandbox, so that two that fight over a field do so here too. Each is ticked at
its own interval (or at one that was asked for), in the order of time. What a live operator does better: near a
threshold it looks every second, here a `for` ends at the next tick.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from stepdown.actions.page_deployment import PageImage
from stepdown.api.policy import Mode, PolicySpec
from stepdown.api.validation import parse_policy
from stepdown.cycle import Cycle
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.questions import PodsQuestion, ProbeQuestion, Question, budget_questions, probe_question
from stepdown.page_keeper import PageKeeper
from stepdown.ports import Policy
from stepdown.prepared import Claims, Memory, Prepared, questions
from stepdown.simulate.files import POLICY, Contents
from stepdown.simulate.past import Grid, Past
from stepdown.simulate.record import Record
from stepdown.simulate.stage import Stage

BUDGET_SECONDS = 300.0
"""How often error budgets over whole windows are asked, as the evaluator does."""

PIECE_TICKS = 1000
"""Ticks whose observations are asked at once."""

_NOTHING = (Missing.EMPTY, Missing.ERROR)
_NOT_ANSWERED = Observation(missing=Missing.ERROR, detail="not answered")


class StepTooLong(Exception):
    """Ticks so far apart that the policy would take each for the first after a gap."""


@dataclass(slots=True)
class _Played:
    """One policy on its stage."""

    policy: Policy
    prepared: Prepared
    stage: Stage
    cycle: Cycle
    grid: Grid
    record: Record
    memory: Memory = field(default_factory=Memory)

    def asked(self) -> list[Question]:
        """Everything that it asks at a tick, but error budgets and probes."""
        return list(self.prepared.questions.values())

    def budgets_grid(self) -> Grid:
        every = -(-1000 * BUDGET_SECONDS // self.grid.step)
        return replace(self.grid, step=int(every) * self.grid.step)


class Simulation:
    """Policies, ready to be played over a time. Raises StepTooLong.

    `last` and `step` are in seconds, without a step each policy has its own interval; `now` is the end.
    """

    def __init__(self, contents: Contents, past: Past, now: float, last: float, step: float | None) -> None:
        self._past = past
        specs: dict[str, list[tuple[str, PolicySpec]]] = {}
        for raw in contents.policies:
            named = str(raw["metadata"]["name"]), parse_policy(raw)
            specs.setdefault(str(raw["metadata"]["namespace"]), []).append(named)
        self._played: list[_Played] = []
        for namespace, policies in specs.items():
            acting = [Prepared.of(namespace, _acting(spec)) for _, spec in policies]
            asked = [question for prepared in acting for question in _every_question(namespace, prepared)]
            stage = Stage(namespace, contents.objects, [prepared.spec for prepared in acting], asked)
            keeper = PageKeeper(stage.sandbox, stage.sandbox, stage.sandbox, PageImage("simulated"))
            cycle = Cycle(stage.sandbox, stage.sandbox, Claims(), epoch=1, keeper=keeper)
            for (name, spec), prepared in zip(policies, acting, strict=True):
                grid = Grid.ending(now, last, step or spec.interval)
                _check(name, spec, grid)
                made = stage.sandbox.create({"kind": POLICY, "metadata": {"name": name}})
                assumed = [*_lifted(spec), *stage.assumed, *_imagined(asked)]
                record = Record(namespace, name, spec, grid.first, grid.last, grid.step, assumed)
                self._played.append(_Played(Policy(made), prepared, stage, cycle, grid, record))
        self.ticks = sum(len(played.grid.times) for played in self._played)

    async def run(self, progress: Callable[[int], None] = lambda _: None) -> list[Record]:
        """Plays all of it; `progress` is told the number of ticks done. Raises NoPrometheus."""
        done = 0
        for begin, end in self._pieces():
            past = await self._read(begin, end)
            budgets = await self._read_budgets(begin, end)
            for at, place in heapq.merge(*(self._times(place, begin, end) for place in range(len(self._played)))):
                await self._tick(self._played[place], at, past, budgets)
                done += 1
                progress(done)
        return [played.record for played in self._played]

    def _pieces(self) -> Iterator[tuple[int, int]]:
        """Spans of time in milliseconds, both ends included, that follow each other."""
        first = min(played.grid.first for played in self._played)
        last = max(played.grid.last for played in self._played)
        length = PIECE_TICKS * min(played.grid.step for played in self._played)
        for begin in range(first, last + 1, length):
            yield begin, min(begin + length - 1, last)

    def _times(self, place: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
        return ((at, place) for at in self._played[place].grid.within(begin, end))

    async def _read(self, begin: int, end: int) -> dict[Question, dict[int, Observation]]:
        """What policies with the same grid ask, as one batch; the answers of all of them."""
        by_grid: dict[Grid, list[Question]] = {}
        for played in self._played:
            by_grid.setdefault(played.grid, []).extend(played.asked())
        return await self._read_grids(by_grid, begin, end)

    async def _read_budgets(self, begin: int, end: int) -> dict[Question, dict[int, Observation]]:
        by_grid: dict[Grid, list[Question]] = {}
        for played in self._played:
            wanted = budget_questions(played.policy.namespace, played.prepared.spec)
            by_grid.setdefault(played.budgets_grid(), []).extend(wanted.values())
        return await self._read_grids(by_grid, begin, end)

    async def _read_grids(
        self, by_grid: Mapping[Grid, list[Question]], begin: int, end: int
    ) -> dict[Question, dict[int, Observation]]:
        found: dict[Question, dict[int, Observation]] = {}
        for grid, asked in by_grid.items():
            if times := grid.within(begin, end):
                piece = await self._past.read(dict.fromkeys(asked), Grid(times[0], times[-1], grid.step))
                for question, answers in piece.items():
                    found.setdefault(question, {}).update(answers)
        return found

    async def _tick(
        self,
        played: _Played,
        at: int,
        past: Mapping[Question, Mapping[int, Observation]],
        budgets: Mapping[Question, Mapping[int, Observation]],
    ) -> None:
        if played.record.data_from is None and not self._begins(played, at, past):
            return
        asked = questions(played.policy, played.prepared, with_budgets=False)
        seen = {name: _observed(played.stage, question, past, at) for name, question in asked.items()}
        for name, question in budget_questions(played.policy.namespace, played.prepared.spec).items():
            if at in budgets.get(question, {}):
                seen[name] = budgets[question][at]
        played.policy = await played.cycle.tick(played.policy, played.prepared, seen, played.memory, at / 1000)
        played.stage.settle()
        played.record.tick(at, played.policy.raw, seen)

    def _begins(self, played: _Played, at: int, past: Mapping[Question, Mapping[int, Observation]]) -> bool:
        """Whether there are data from here on: before, there is nothing to judge by."""
        asked = [past[question][at] for question in played.asked() if question in past]
        if asked and all(seen.missing in _NOTHING for seen in asked):
            return False
        played.record.data_from = at
        return True


def _acting(spec: PolicySpec) -> PolicySpec:
    """The spec without a person's word about now: in a sandbox it may act, and the past isn't pinned."""
    return spec.model_copy(update={"mode": Mode.ENFORCE, "suspend": False, "override": None})


def _lifted(spec: PolicySpec) -> Iterator[str]:
    if spec.mode is not Mode.ENFORCE:
        yield f"mode: {spec.mode} is simulated as {Mode.ENFORCE}, to show what it would change"
    if spec.suspend:
        yield "suspend: true is left out"
    if spec.override is not None:
        yield f"override to {spec.override.level} is left out"


def _imagined(asked: list[Question]) -> Iterator[str]:
    if any(isinstance(question, PodsQuestion) for question in asked):
        yield "pods of workloads above 0 replicas are ready at all times"
    if any(isinstance(question, ProbeQuestion) for question in asked):
        yield "probes are answered well while the workload is above 0 replicas"


def _every_question(namespace: str, prepared: Prepared) -> Iterator[Question]:
    yield from prepared.questions.values()
    for level in prepared.spec.levels:
        yield from probe_question(namespace, prepared.spec, level).values()


def _observed(
    stage: Stage, question: Question, past: Mapping[Question, Mapping[int, Observation]], at: int
) -> Observation:
    if isinstance(question, PodsQuestion):
        if stage.replicas(question.kind, question.name) == 0:
            return Observation(missing=Missing.EMPTY, detail=f"{question.kind} {question.name} is scaled to 0")
        return Observation(value=1.0)
    if isinstance(question, ProbeQuestion):
        return Observation(value=1.0 if stage.replicas(question.kind, question.name) > 0 else 0.0)
    return past.get(question, {}).get(at, _NOT_ANSWERED)


def _check(name: str, spec: PolicySpec, grid: Grid) -> None:
    longest = 2 * spec.interval + 5
    if grid.step / 1000 > longest:
        raise StepTooLong(
            f"policy {name} looks every {spec.interval:g}s, so a step of {grid.step / 1000:g}s is a gap to it;"
            f" give --step {longest:g}s at most"
        )
