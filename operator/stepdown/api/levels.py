"""The ladder: when a level is entered, what it does, and how it is left."""

from enum import StrEnum

from pydantic import Field

from stepdown.api.actions import Action
from stepdown.api.model import (
    Duration,
    Model,
    Name,
    ObjectName,
    PromqlWindow,
    Rule,
    Threshold,
    duration_field,
    exactly_one,
    within,
)

CEL_NUMBER = (
    "(type({x}) == int ? double({x}) : double(string({x}).find('^-?[0-9.]+')) * ("
    "string({x}).endsWith('%') ? 0.01"
    " : string({x}).endsWith('us') ? 0.000001"
    " : string({x}).endsWith('ms') ? 0.001"
    " : string({x}).endsWith('Ki') ? 1024.0"
    " : string({x}).endsWith('Mi') ? 1048576.0"
    " : string({x}).endsWith('Gi') ? 1073741824.0"
    " : string({x}).endsWith('k') ? 1000.0"
    " : string({x}).endsWith('M') ? 1000000.0"
    " : 1.0))"
)
"""A threshold's value in CEL, as quantities.parse_quantity computes it."""


class Severity(StrEnum):
    """How bad it is to be at a level, for people and alerts."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


class BurnRate(Model):
    """An error budget that burns too fast, in every window at once (Google SRE workbook, chapter 5)."""

    above: float = Field(gt=0, description="Times the rate that would just use up the budget. Example: 14.4")
    windows: list[PromqlWindow] = Field(
        min_length=1, max_length=4, description="Windows that must all burn that fast. Example: [1h, 5m]"
    )


class Condition(Model):
    """One threshold on a signal, or a burn rate of an objective."""

    signal: Name | None = Field(None, description="Signal that is compared. Example: errors")
    objective: Name | None = Field(None, description="Objective whose budget is watched. Example: availability")
    above: Threshold | None = Field(None, description="Breached when the value is above. Example: 2%")
    below: Threshold | None = Field(None, description="Breached when the value is below. Example: 50%")
    clear: Threshold | None = Field(
        None,
        description="Value at which a breach ends; the threshold itself where none is given. Example: 1%",
    )
    burn_rate: BurnRate | None = Field(
        None,
        description="Breached when the budget burns this fast. Example: {above: 14.4, windows: [1h, 5m]}",
    )
    for_: Duration = Field(
        default=0.0,
        alias="for",
        description="How long the value must be beyond the threshold. Example: 1m",
        json_schema_extra={"default": "0s"},
    )

    rules = (
        exactly_one("signal", "objective", what="a condition"),
        Rule(
            cel="!has(self.signal) || (has(self.above) != has(self.below))",
            message="a condition on a signal needs exactly one of above, below",
            holds=lambda c: c.signal is None or (c.above is None) != (c.below is None),
        ),
        Rule(
            cel="has(self.objective) == has(self.burnRate)",
            message="objective and burnRate go together",
            holds=lambda c: (c.objective is None) == (c.burn_rate is None),
        ),
        Rule(
            cel="!has(self.objective) || (!has(self.above) && !has(self.below) && !has(self.clear))",
            message="a condition on an objective takes burnRate, not above, below or clear",
            holds=lambda c: c.objective is None or (c.above is None and c.below is None and c.clear is None),
        ),
        Rule(
            cel=f"!has(self.clear) || !has(self.above) || {CEL_NUMBER.format(x='self.clear')} <="
            f" {CEL_NUMBER.format(x='self.above')}",
            message="clear must not be higher than above: a breach ends on the way down, like above: 80%, clear: 60%",
            holds=lambda c: c.clear is None or c.above is None or c.clear.value <= c.above.value,
            field="clear",
        ),
        Rule(
            cel=f"!has(self.clear) || !has(self.below) || {CEL_NUMBER.format(x='self.clear')} >="
            f" {CEL_NUMBER.format(x='self.below')}",
            message="clear must not be lower than below: a breach ends on the way up, like below: 50%, clear: 70%",
            holds=lambda c: c.clear is None or c.below is None or c.clear.value >= c.below.value,
            field="clear",
        ),
    )


class Enter(Model):
    """When a level is entered: any of its conditions, or all of them."""

    any: list[Condition] | None = Field(
        None,
        min_length=1,
        max_length=8,
        description="Enter when one is breached. Example: [{signal: errors, above: 2%}]",
    )
    all: list[Condition] | None = Field(
        None,
        min_length=1,
        max_length=8,
        description="Enter when all are breached. Example: [{signal: load, above: 80%}]",
    )

    rules = (exactly_one("any", "all", what="enter"),)

    @property
    def conditions(self) -> list[Condition]:
        """The conditions, whichever way they are combined."""
        return self.any if self.any is not None else self.all or []


class Trial(Model):
    """Half-open: step up after a wait, watch, and come back down for twice as long if it fails."""

    after: Duration = Field(description="Wait before the first trial; doubles on each failure. Example: 5m")
    watch: Duration = duration_field("1m", "How long a trial must hold before it has succeeded. Example: 1m")
    max: Duration = duration_field("1h", "Longest wait that doubling leads to. Example: 1h")


class HttpProbe(Model):
    """An HTTP request to each ready pod of a workload, on the pod's own address."""

    deployment: ObjectName | None = Field(None, description="Deployment whose pods are asked. Example: checkout")
    stateful_set: ObjectName | None = Field(None, description="StatefulSet whose pods are asked. Example: checkout-db")
    path: str = Field(
        "/",
        max_length=256,
        pattern=r"^/[A-Za-z0-9_./~-]*$",
        description="Path that must answer 2xx. Example: /healthz",
    )
    port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port; the pod's first container port where none is given. Example: 8080",
    )

    rules = (exactly_one("deployment", "statefulSet", what="probe.http"),)


class Probe(Model):
    """The workload that traffic left is asked directly, until it has answered well for long enough."""

    http: HttpProbe = Field(description="The request. Example: {deployment: checkout, path: /healthz}")
    successes: int = Field(5, ge=1, le=100, description="Good answers in a row that are needed. Example: 5")
    interval: Duration = duration_field("10s", "Time between two of them. Example: 10s")
    timeout: Duration = duration_field("2s", "Longest time for an answer. Example: 2s")

    rules = (within("timeout", "1ms", "10s"),)


class Trickle(Model):
    """A share of the traffic stays with the target's Service, so that the signals go on seeing it."""

    weight: int = Field(ge=1, le=50, description="Percent of the traffic that stays. Example: 5")
    for_: Duration = Field(
        default=300.0,
        alias="for",
        description="How long every signal must be healthy under it before the step up. Example: 2m",
        json_schema_extra={"default": "5m"},
    )


class Recover(Model):
    """A way back where the level moved traffic away from what its signals watch."""

    trial: Trial | None = Field(None, description="Try the level above after a while. Example: {after: 5m}")
    probe: Probe | None = Field(
        None,
        description="Ask the workload itself. Example: {http: {deployment: checkout, path: /healthz}, successes: 5}",
    )
    trickle: Trickle | None = Field(
        None, description="With httpRoute: leave a share of the traffic. Example: {weight: 5, for: 2m}"
    )

    rules = (exactly_one("trial", "probe", "trickle", what="recover"),)


class Level(Model):
    """One operating level; the first one is full service."""

    name: Name = Field(description="Name of the level. Example: core-only")
    severity: Severity | None = Field(None, description="How bad it is to be here. Example: P2")
    enter: Enter | None = Field(
        None, description="When the level is entered. Example: {any: [{signal: errors, above: 2%, for: 1m}]}"
    )
    actions: list[Action] = Field(
        default_factory=list, max_length=16, description="What the level does. Example: [{scale: {by: 100%}}]"
    )
    recover: Recover | None = Field(
        None,
        description="The way back where traffic was moved away; a statusPage brings its own where there is none."
        " Example: {trial: {after: 5m}}",
    )

    rules = (
        Rule(
            cel="!has(self.actions) || !self.actions.exists(a, has(a.route)) || has(self.recover)",
            message="a level that moves traffic away from what its signals watch needs a way back that does"
            " not depend on"
            " them: add recover.probe, recover.trial, or with an httpRoute recover.trickle",
            holds=lambda level: not any(a.route is not None for a in level.actions) or level.recover is not None,
        ),
        Rule(
            cel="!has(self.recover) || !has(self.recover.trickle) || (has(self.actions)"
            " && self.actions.exists(a, has(a.route) && has(a.route.httpRoute)))",
            message="recover.trickle leaves a share of the traffic, which takes weights: move it by a route with"
            " httpRoute in the same level, or use recover.probe or recover.trial",
            holds=lambda level: (
                level.recover is None
                or level.recover.trickle is None
                or any(a.route is not None and a.route.http_route is not None for a in level.actions)
            ),
        ),
    )

    @property
    def shows_page(self) -> bool:
        """Whether it moves traffic to a status page."""
        return any(action.status_page is not None for action in self.actions)
