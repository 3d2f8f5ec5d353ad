"""The DegradationPolicy: a service, what is watched, and the ladder."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from stepdown.api.ladder_rules import LADDER_RULES, LEVELS_MAX
from stepdown.api.levels import Level
from stepdown.api.model import Duration, Model, Name, ObjectName, Rule, Timestamp, at_most_one, duration_field, within
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


def _has_workload(spec: "PolicySpec") -> bool:
    return spec.target.deployment is not None or spec.target.stateful_set is not None


def _needs_workload(action: str, name: str) -> Rule:
    """An action that means the target's workload where it names none needs a target with one."""
    return Rule(
        cel="has(self.target.deployment) || has(self.target.statefulSet)"
        f" || self.levels.all(l, !has(l.actions) || l.actions.all(a, !has(a.{action})"
        f" || has(a.{action}.deployment) || has(a.{action}.statefulSet)))",
        message=f"{action} without a workload means the target's: set target.deployment or name one in the action",
        holds=lambda s: (
            _has_workload(s)
            or all(found.deployment is not None or found.stateful_set is not None for found in _actions(s, name))
        ),
    )


def _needs_service(action: str, name: str) -> Rule:
    """An action that means the target's Service where it names none needs a target with one."""
    return Rule(
        cel="has(self.target.service) || self.levels.all(l, !has(l.actions)"
        f" || l.actions.all(a, !has(a.{action}) || has(a.{action}.service)))",
        message=f"{action} without a Service means the target's: set target.service or name one in the action",
        holds=lambda s: s.target.service is not None or all(found.service is not None for found in _actions(s, name)),
    )


def _actions(spec: "PolicySpec", name: str) -> list[Any]:
    """The actions of one kind, of all levels."""
    found = [getattr(action, name) for level in spec.levels for action in level.actions]
    return [action for action in found if action is not None]


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
            max_length=LEVELS_MAX,
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
        *LADDER_RULES,
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
        _needs_workload("scale", "scale"),
        _needs_workload("restart", "restart"),
        _needs_service("route", "route"),
        _needs_service("statusPage", "status_page"),
    )
