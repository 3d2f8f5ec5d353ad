"""A policy's ladder made ready for deciding: thresholds as plain numbers, one flat list of conditions.

A ladder is built once per edit; a decision walks it once per tick.
"""

from dataclasses import dataclass, replace

from stepdown.api.durations import parse_promql
from stepdown.api.levels import Condition, Level, Probe, Trial, Trickle
from stepdown.api.policy import PolicySpec
from stepdown.api.quantities import Quantity
from stepdown.api.signals import Signal, Unit, WhenMissing
from stepdown.engine import promql
from stepdown.engine.questions import probe_question

PAGE_TRIAL = Trial(after=60.0)
"""The way back of a status page that names none: once the target's pods are ready."""

_SHOWN_AS = {Unit.RATIO: Quantity(0, "%"), Unit.SECONDS: Quantity(0, "ms")}


@dataclass(frozen=True, slots=True)
class Watch:
    """One condition: `sign` is 1 for above and -1 for below, `names` the observations that it reads.

    A burn rate reads one error ratio per window; its value is the smallest of them, times `scale` (1 over the
    error budget), so that all windows must burn.
    """

    key: str
    level: int
    names: tuple[str, ...]
    label: str
    sign: int
    threshold: Quantity
    clear: float
    hold: float
    scale: float
    ignore_missing: bool
    shown_as: Quantity

    def text(self, value: float) -> str:
        """Value against what it is held against: `db-latency 412ms>250ms`, or `clear` where it has only to clear."""
        mark = ">" if self.sign > 0 else "<"
        bound = self.threshold.value if self.is_beyond(value) else self.clear
        return f"{self.label} {self.shown_as.show(value)}{mark}{self.shown_as.show(bound)}"

    def is_beyond(self, value: float) -> bool:
        """Whether a value is beyond the threshold; the threshold itself is not."""
        return value > self.threshold.value if self.sign > 0 else value < self.threshold.value


@dataclass(frozen=True, slots=True)
class Step:
    """One level: the numbers of its watches in `Ladder.watches`, and its effective way back.

    `probe_name` is the observation that the way back needs, of a probe or of the target's pods; empty for none.
    A level without a way back of its own takes the one of the nearest level above it that has one, because
    that level's traffic is still away.
    """

    name: str
    watches: tuple[int, ...]
    all_of: bool
    trial: Trial | None
    probe: Probe | None
    probe_name: str
    trickle: Trickle | None


@dataclass(frozen=True, slots=True)
class Ladder:
    """Everything that `decide` reads of a policy; times in seconds.

    `window` is how far back the values of now look: so long after a gap they may know less than they seem to.
    """

    steps: tuple[Step, ...]
    watches: tuple[Watch, ...]
    needed: tuple[str, ...]
    window: float
    down: float
    up: float
    dwell: float
    budget: int
    per: float
    suspend: bool
    override: int | None
    override_until: float
    override_reason: str

    def index(self, name: str) -> int | None:
        """The place of a level, or None for a name that is not on the ladder."""
        for i, step in enumerate(self.steps):
            if step.name == name:
                return i
        return None


def build_ladder(spec: PolicySpec) -> Ladder:
    """The ladder of a valid spec."""
    watches: list[Watch] = []
    steps: list[Step] = []
    trial: Trial | None = None
    probe: Probe | None = None
    trickle: Trickle | None = None
    probe_name = ""
    for place, level in enumerate(spec.levels):
        numbers = []
        for condition in level.enter.conditions if level.enter else []:
            numbers.append(len(watches))
            watches.append(_watch(spec, level, place, condition))
        if level.recover is not None:
            trial, probe, trickle = level.recover.trial, level.recover.probe, level.recover.trickle
        elif level.shows_page:
            trial, probe, trickle = PAGE_TRIAL, None, None
        if level.recover is not None or level.shows_page:
            probe_name = next(iter(probe_question("", spec, level)), "")
        all_of = level.enter is not None and level.enter.all is not None
        steps.append(Step(level.name, tuple(numbers), all_of, trial, probe, probe_name, trickle))
    ignored = {s.name for s in spec.signals if s.when_missing is WhenMissing.IGNORE}
    needed = [s.name for s in spec.signals if s.name not in ignored]
    needed += [n for w in watches for n in w.names if n not in ignored and n not in needed]
    override = spec.override
    return Ladder(
        steps=tuple(steps),
        watches=tuple(_told_apart(watches)),
        needed=tuple(dict.fromkeys(needed)),
        window=max((_window(signal) for signal in spec.signals if signal.name not in ignored), default=0.0),
        down=spec.stabilization.down,
        up=spec.stabilization.up,
        dwell=spec.stabilization.dwell,
        budget=spec.budget.transitions,
        per=spec.budget.per,
        suspend=spec.suspend,
        override=None if override is None else next(i for i, s in enumerate(steps) if s.name == override.level),
        override_until=override.until if override else 0.0,
        override_reason=override.reason if override else "",
    )


def _window(signal: Signal) -> float:
    """How far back a signal's value looks: the longest range in its query, or the window of its preset."""
    if signal.query is None:
        return parse_promql(signal.window) if signal.preset is not None else 0.0
    try:
        return max((selector.window or 0.0 for selector in promql.analyse(signal.query).selectors), default=0.0)
    except promql.Malformed:
        return 0.0


def _told_apart(watches: list[Watch]) -> list[Watch]:
    """The same watches; one that compares the same as an earlier one of its level gets a key of its own."""
    seen: dict[str, int] = {}
    result = []
    for watch in watches:
        seen[watch.key] = seen.get(watch.key, 0) + 1
        again = seen[watch.key]
        result.append(watch if again == 1 else replace(watch, key=f"{watch.key} ({again})"))
    return result


def _watch(spec: PolicySpec, level: Level, place: int, condition: Condition) -> Watch:
    if condition.burn_rate is not None:
        objective = next(o for o in spec.objectives if o.name == condition.objective)
        rate = Quantity(condition.burn_rate.above, "")
        windows = condition.burn_rate.windows
        return Watch(
            key=f"{level.name}/{objective.name}[{','.join(windows)}]>{rate.value!r}",
            level=place,
            names=tuple(f"{objective.name}[{window}]" for window in windows),
            label=f"{objective.name} burn rate",
            sign=1,
            threshold=rate,
            clear=rate.value,
            hold=condition.for_,
            scale=1 / (1 - objective.target),
            ignore_missing=False,
            shown_as=Quantity(0, ""),
        )
    signal = next(s for s in spec.signals if s.name == condition.signal)
    threshold = condition.above if condition.above is not None else condition.below
    assert threshold is not None
    unit = signal.base_unit
    shown_as = threshold if threshold.unit else _SHOWN_AS.get(unit, threshold) if unit else threshold
    sign = 1 if condition.above is not None else -1
    return Watch(
        key=f"{level.name}/{signal.name}{'>' if sign > 0 else '<'}{threshold.value!r}",
        level=place,
        names=(signal.name,),
        label=signal.name,
        sign=sign,
        threshold=threshold,
        clear=condition.clear.value if condition.clear is not None else threshold.value,
        hold=condition.for_,
        scale=1.0,
        ignore_missing=signal.when_missing is WhenMissing.IGNORE,
        shown_as=shown_as,
    )
