"""The DegradationPolicy: a service, what is watched, and the ladder."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from stepdown.api.levels import Condition, Level
from stepdown.api.model import Duration, Model, Name, ObjectName, Rule, Timestamp, at_most_one, duration_field, within
from stepdown.api.quantities import FACTORS, UNITS_OF
from stepdown.api.signals import Objective, Signal

GROUP = "stepdown.dev"
VERSION = "v1alpha1"


class Mode(StrEnum):
    """Enforce acts; Observe decides and reports, and changes nothing."""

    ENFORCE = "Enforce"
    OBSERVE = "Observe"


class Target(Model):
    """The service that the policy protects."""

    service: ObjectName | None = Field(None, description="Its Service. Example: checkout")
    deployment: ObjectName | None = Field(None, description="Its Deployment. Example: checkout")
    stateful_set: ObjectName | None = Field(None, description="Its StatefulSet. Example: checkout-db")

    rules = (at_most_one("deployment", "statefulSet", what="target"),)


class Stabilization(Model):
    """How long things must stay the same before a step."""

    down: Duration = duration_field("0s", "How long a deeper level must be called for. Example: 0s")
    up: Duration = duration_field("5m", "How long every signal must be healthy before a step up. Example: 5m")
    dwell: Duration = duration_field("1m", "Least time at a level before the next step, down or up. Example: 1m")


class Budget(Model):
    """Most transitions in a time. When it is spent, down is still allowed and up waits."""

    transitions: int = Field(6, ge=1, le=60, description="Number of transitions. Example: 6")
    per: Duration = duration_field("1h", "The time in which they are counted. Example: 1h")


class Override(Model):
    """A level pinned by a person, with a reason and an end."""

    level: Name = Field(description="Level to stay at. Example: read-only")
    reason: str = Field(min_length=1, max_length=256, description="Why. Example: database migration")
    until: Timestamp = Field(description="When it ends. Example: 2026-03-01T18:00:00Z")


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


def _wrong_unit(spec: "PolicySpec") -> str | None:
    units = {s.name: s.base_unit for s in spec.signals if s.base_unit is not None}
    for path, condition in _conditions(spec):
        fitting = UNITS_OF[units[condition.signal]] if condition.signal in units else FACTORS
        for key in ("above", "below", "clear"):
            threshold = getattr(condition, key)
            if threshold is not None and threshold.unit not in fitting:
                return f"{path}.{key}"
    return None


def _repeated_name(spec: "PolicySpec") -> str | None:
    for key in ("signals", "objectives", "levels"):
        names = [item.name for item in getattr(spec, key)]
        for index, name in enumerate(names):
            if name in names[:index]:
                return f"{key}[{index}].name"
    return None


def _has_workload(spec: "PolicySpec") -> bool:
    return spec.target.deployment is not None or spec.target.stateful_set is not None


class PolicySpec(Model):
    """What a user declares."""

    mode: Mode = Field(Mode.ENFORCE, description="Enforce acts; Observe decides and reports only. Example: Enforce")
    target: Target = Field(description="The service. Example: {service: checkout, deployment: checkout}")
    metrics_endpoint: ObjectName = Field(
        "default", description="MetricsEndpoint that answers the queries. Example: default"
    )
    interval: Duration = duration_field("15s", "Time between evaluations, 1s to 1h. Example: 15s")
    stale_after: Duration = duration_field("1m", "Age at which a sample counts as missing. Example: 1m")
    signals: Annotated[
        list[Signal],
        Field(
            min_length=1,
            max_length=32,
            description="What is watched. Example: [{name: errors, preset: http-error-ratio}]",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ]
    objectives: Annotated[
        list[Objective],
        Field(
            default_factory=list,
            max_length=8,
            description="SLOs with an error budget. Example: [{name: availability, target: 99.9%, preset:"
            " http-error-ratio}]",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ]
    levels: Annotated[
        list[Level],
        Field(
            min_length=2,
            max_length=8,
            description="The ladder, full service first. Example: [{name: full}, {name: static, enter: {…}}]",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ]
    stabilization: Stabilization = Field(
        default_factory=Stabilization, description="How long things must stay the same. Example: {up: 5m}"
    )
    budget: Budget = Field(
        default_factory=Budget, description="Most transitions in a time. Example: {transitions: 6, per: 1h}"
    )
    override: Override | None = Field(
        None,
        description="Pin a level. Example: {level: read-only, reason: migration, until: 2026-03-01T18:00:00Z}",
    )
    suspend: bool = Field(False, description="Stop acting and keep what is applied. Example: true")

    rules = (
        within("interval", "1s", "1h"),
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
            cel="!has(self.override) || self.levels.exists(l, l.name == self.override.level)",
            message="override names a level that is not in levels: correct the name",
            holds=lambda s: s.override is None or any(level.name == s.override.level for level in s.levels),
            field="override.level",
        ),
        Rule(
            cel="has(self.target.service) || !self.signals.exists(s, has(s.preset) && s.preset.startsWith('http-'))",
            message="http presets read the target Service's metrics: set target.service",
            holds=lambda s: (
                s.target.service is not None
                or not any(x.preset is not None and x.preset.startswith("http-") for x in s.signals)
            ),
        ),
        Rule(
            cel="has(self.target.service) || !has(self.objectives) || !self.objectives.exists(o, has(o.preset))",
            message="an objective's preset reads the target Service's metrics: set target.service",
            holds=lambda s: s.target.service is not None or not any(o.preset is not None for o in s.objectives),
        ),
        Rule(
            cel="has(self.target.deployment) || has(self.target.statefulSet)"
            " || !self.signals.exists(s, has(s.preset) && s.preset == 'saturation')",
            message="preset saturation reads the target workload's metrics: set target.deployment or"
            " target.statefulSet",
            holds=lambda s: _has_workload(s) or not any(x.preset == "saturation" for x in s.signals),
        ),
        Rule(
            cel="has(self.target.deployment) || has(self.target.statefulSet)"
            " || self.levels.all(l, !has(l.actions) || l.actions.all(a, !has(a.scale)"
            " || has(a.scale.deployment) || has(a.scale.statefulSet)))",
            message="scale without a workload means the target's: set target.deployment or name one in the action",
            holds=lambda s: (
                _has_workload(s)
                or all(
                    a.scale is None or a.scale.deployment is not None or a.scale.stateful_set is not None
                    for level in s.levels
                    for a in level.actions
                )
            ),
        ),
        Rule(
            cel="has(self.target.service) || self.levels.all(l, !has(l.actions)"
            " || l.actions.all(a, !has(a.route) || has(a.route.service)))",
            message="route without a Service means the target's: set target.service or name one in the action",
            holds=lambda s: (
                s.target.service is not None
                or all(a.route is None or a.route.service is not None for level in s.levels for a in level.actions)
            ),
        ),
        Rule(
            cel="",
            message="a threshold's unit does not fit its signal's unit: ratios take %, seconds take us, ms,"
            " s,"
            " bytes take k, M, Ki, Mi, Gi, perSecond takes /s",
            holds=lambda s: _wrong_unit(s) is None,
            where=_wrong_unit,
        ),
        Rule(
            cel="",
            message="names must be unique within signals, objectives and levels: rename one",
            holds=lambda s: _repeated_name(s) is None,
            where=_repeated_name,
        ),
    )
