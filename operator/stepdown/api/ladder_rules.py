"""Rules over a whole policy: levels, the conditions in them, and the signals and objectives that these name.

Each exists twice, in CEL and in Python (model.py). CEL counts no items, so that a rule about the order of levels
goes over the places that a ladder can have.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stepdown.api.durations import GATEWAY_PATTERN
from stepdown.api.levels import CEL_NUMBER, Condition, Level
from stepdown.api.model import Rule
from stepdown.api.quantities import FACTORS, UNITS_OF

if TYPE_CHECKING:
    from stepdown.api.policy import PolicySpec

LEVELS_MAX = 8


def _conditions(spec: "PolicySpec") -> Iterator[tuple[str, Condition]]:
    """Every condition with its path."""
    for index, level in enumerate(spec.levels):
        for key, conditions in (
            ("any", level.enter and level.enter.any),
            ("all", level.enter and level.enter.all),
        ):
            for number, condition in enumerate(conditions or []):
                yield f"levels[{index}].enter.{key}[{number}]", condition


def _of_all_conditions(expression: str) -> str:
    """CEL that says it of every condition `c`."""
    lists = (f"(!has(l.enter.{key}) || l.enter.{key}.all(c, {expression}))" for key in ("any", "all"))
    return f"self.levels.all(l, !has(l.enter) || ({' && '.join(lists)}))"


def _level_without_enter(spec: "PolicySpec") -> str | None:
    deeper = list(enumerate(spec.levels))[1:]
    return next((f"levels[{index}]" for index, level in deeper if level.enter is None), None)


def _unknown_signal(spec: "PolicySpec") -> str | None:
    known = {None, *(s.name for s in spec.signals)}
    return next((f"{path}.signal" for path, c in _conditions(spec) if c.signal not in known), None)


def _unknown_objective(spec: "PolicySpec") -> str | None:
    known = {None, *(o.name for o in spec.objectives)}
    return next((f"{path}.objective" for path, c in _conditions(spec) if c.objective not in known), None)


def _repeated_name(spec: "PolicySpec") -> str | None:
    for key in ("signals", "objectives", "levels"):
        names = [item.name for item in getattr(spec, key)]
        for index, name in enumerate(names):
            if name in names[:index]:
                return f"{key}[{index}].name"
    return None


def _wrong_unit(spec: "PolicySpec") -> str | None:
    units: dict[str | None, str] = {s.name: s.base_unit for s in spec.signals if s.base_unit is not None}
    for path, condition in _conditions(spec):
        fitting = UNITS_OF[units[condition.signal]] if condition.signal in units else FACTORS
        for key in ("above", "below", "clear"):
            threshold = getattr(condition, key)
            if threshold is not None and threshold.unit not in fitting:
                return f"{path}.{key}"
    return None


def _cel_units() -> str:
    """CEL: condition `c` is written in the unit of signal `s`, as Signal.base_unit has it, or in none."""

    def fits(unit: str) -> str:
        return f"t.matches('[0-9]({'|'.join(known for known in UNITS_OF[unit] if known)})?$')"

    texts = ", ".join(f"has(c.{key}) ? string(c.{key}) : '0'" for key in ("above", "below", "clear"))
    declared = "".join(f"s.unit == '{unit}' ? {fits(unit)} : " for unit in UNITS_OF)
    return (
        f"[{texts}].all(t, has(s.preset) ? (s.preset == 'http-latency' ? {fits('seconds')} : {fits('ratio')})"
        f" : has(s.pods) ? {fits('ratio')} : !has(s.unit) ? true : {declared}true)"
    )


def _only_condition(level: Level) -> Condition | None:
    """The condition of a level that has just one, on a signal."""
    conditions = level.enter.any if level.enter is not None else None
    return conditions[0] if conditions and len(conditions) == 1 and conditions[0].signal is not None else None


def _is_eclipsed(shallow: Condition, deep: Condition) -> bool:
    """Whether the deep condition is breached whenever the shallow one is, and as soon."""
    if shallow.signal != deep.signal or deep.for_ > shallow.for_:
        return False
    if shallow.above is not None and deep.above is not None:
        return deep.above.value <= shallow.above.value
    if shallow.below is not None and deep.below is not None:
        return deep.below.value >= shallow.below.value
    return False


def _reversed_level(spec: "PolicySpec") -> str | None:
    for deep, level in enumerate(spec.levels):
        condition = _only_condition(level)
        if deep == 0 or condition is None:
            continue
        shallower = [found for other in spec.levels[1:deep] if (found := _only_condition(other)) is not None]
        if any(_is_eclipsed(other, condition) for other in shallower):
            return f"levels[{deep}].enter.any[0].{'above' if condition.above is not None else 'below'}"
    return None


def _cel_reversed() -> str:
    """CEL: no level has a single condition that is breached whenever that of a level above it is."""
    shallow, deep = "self.levels[i].enter.any[0]", "self.levels[j].enter.any[0]"

    def single(place: str) -> str:
        level = f"self.levels[{place}]"
        return f"has({level}.enter) && has({level}.enter.any) && size({level}.enter.any) == 1"

    def beyond(key: str, sign: str) -> str:
        numbers = (CEL_NUMBER.format(x=f"{condition}.{key}") for condition in (deep, shallow))
        return f"(has({shallow}.{key}) && has({deep}.{key}) && {f' {sign} '.join(numbers)})"

    def hold(condition: str) -> str:
        timer = f"{condition}.__for__"
        return f"(has({timer}) && {timer}.matches('{GATEWAY_PATTERN}') ? duration({timer}) : duration('0s'))"

    eclipsed = (
        f"{single('i')} && {single('j')} && has({shallow}.signal) && has({deep}.signal)"
        f" && {shallow}.signal == {deep}.signal && {hold(deep)} <= {hold(shallow)}"
        f" && ({beyond('above', '<=')} || (!(has({shallow}.above) && has({deep}.above)) && {beyond('below', '>=')}))"
    )
    places = list(range(1, LEVELS_MAX))
    return f"{places}.all(j, j >= size(self.levels) || {places}.all(i, i >= j || !({eclipsed})))"


LADDER_RULES = (
    Rule(
        cel="",
        message="names must be unique within signals, objectives and levels: rename one",
        holds=lambda s: _repeated_name(s) is None,
        where=_repeated_name,
    ),
    Rule(
        cel="!has(self.levels[0].enter) && !has(self.levels[0].recover)"
        " && !(has(self.levels[0].actions) && size(self.levels[0].actions) > 0)",
        message="levels[0] is full service: it takes no enter, actions or recover; put them on a deeper level",
        holds=lambda s: s.levels[0].enter is None and not s.levels[0].actions and s.levels[0].recover is None,
        where=lambda _: "levels[0]",
    ),
    Rule(
        cel="self.levels.all(l, l.name == self.levels[0].name || has(l.enter))",
        message="each level below levels[0] needs enter: say when it is entered, like"
        " enter: {any: [{signal: errors, above: 2%}]}",
        holds=lambda s: _level_without_enter(s) is None,
        where=_level_without_enter,
    ),
    Rule(
        cel=_of_all_conditions("!has(c.signal) || self.signals.exists(s, s.name == c.signal)"),
        message="a condition names a signal that is not in signals: add it there or correct the name",
        holds=lambda s: _unknown_signal(s) is None,
        where=_unknown_signal,
    ),
    Rule(
        cel=_of_all_conditions(
            "!has(c.objective) || (has(self.objectives) && self.objectives.exists(o, o.name == c.objective))"
        ),
        message="a condition names an objective that is not in objectives: add it there or correct the name",
        holds=lambda s: _unknown_objective(s) is None,
        where=_unknown_objective,
    ),
    Rule(
        cel=_of_all_conditions(f"!has(c.signal) || self.signals.all(s, s.name != c.signal || {_cel_units()})"),
        message="a threshold's unit does not fit its signal's unit: ratios take %, seconds take us, ms, s,"
        " bytes take k, M, Ki, Mi, Gi, perSecond takes /s",
        holds=lambda s: _wrong_unit(s) is None,
        where=_wrong_unit,
    ),
    Rule(
        cel=_cel_reversed(),
        message="a level's threshold is breached no later than that of a level above it, which is then never entered:"
        " put them in order, like above: 2% first and above: 25% deeper",
        holds=lambda s: _reversed_level(s) is None,
        where=_reversed_level,
    ),
    Rule(
        cel="!has(self.override) || self.levels.exists(l, l.name == self.override.level)",
        message="override names a level that is not in levels: correct the name",
        holds=lambda s: s.override is None or any(level.name == s.override.level for level in s.levels),
        field="override.level",
    ),
)
"""What must hold of a policy's levels."""
