"""What a level does: scale workloads, set feature flags, move traffic, show a status page, restart pods."""

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from stepdown.api.model import (
    Duration,
    Model,
    ObjectName,
    Rule,
    at_most_one,
    duration_field,
    exactly_one,
    within,
)
from stepdown.api.status import RESTARTS_MAX

FLAG_PATTERN = r"^[A-Za-z0-9_.-]+$"

FlagName = Annotated[str, Field(min_length=1, max_length=128, pattern=FLAG_PATTERN)]


class ScaleAs(StrEnum):
    """How a number of replicas is meant."""

    FLOOR = "Floor"
    CEILING = "Ceiling"
    PIN = "Pin"


MOST_REPLICAS = 10_000
STEP_PATTERN = r"^-?[0-9]{1,5}%$"


def _step(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(STEP_PATTERN, value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST_REPLICAS:
        return value
    raise ValueError(f"{value!r} is no step: write a whole number of replicas like 3, or a percentage like 100%")


ReplicaStep = Annotated[
    int | str,
    BeforeValidator(_step),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "maxLength": 8,
            "x-kubernetes-validations": [
                {
                    "rule": f"type(self) == int ? -{MOST_REPLICAS} <= self && self <= {MOST_REPLICAS}"
                    f" : self.matches('{STEP_PATTERN}')",
                    "message": "no step: write a whole number of replicas like 3, or a percentage like 100%",
                }
            ],
        }
    ),
]


class ScaleAction(Model):
    """Replicas of a workload, or the bounds of the HPA or ScaledObject that owns them."""

    deployment: ObjectName | None = Field(
        None,
        description="Deployment to scale; the target's workload where none is named. Example: recommendations",
    )
    stateful_set: ObjectName | None = Field(None, description="StatefulSet to scale. Example: checkout-cache")
    to: int | None = Field(None, ge=0, le=MOST_REPLICAS, description="Replicas. Example: 12")
    by: ReplicaStep | None = Field(
        None,
        description="Change against the replicas before the step down, in replicas or percent. Example: 100%",
    )
    as_: ScaleAs | None = Field(
        None,
        alias="as",
        description="Floor never lowers, Ceiling never raises, Pin sets. Without it: `to` pins, "
        "a positive `by` is a Floor, a negative one a Ceiling. Example: Floor",
    )

    rules = (
        exactly_one("to", "by", what="scale"),
        at_most_one("deployment", "statefulSet", what="scale"),
    )


class FlagdDocument(Model):
    """A flagd document in a ConfigMap."""

    config_map: ObjectName = Field(description="ConfigMap that holds the document. Example: checkout-flags")
    key: str | None = Field(
        None,
        min_length=1,
        max_length=253,
        pattern=r"^[-._a-zA-Z0-9]+$",
        description="Key of the document; the only key where there is one. Example: flags.json",
    )


class PlainKeys(Model):
    """A ConfigMap whose keys are flags and whose values are true, false or a variant."""

    name: ObjectName = Field(description="The ConfigMap. Example: checkout-settings")


class FlagStore(Model):
    """Where flags live."""

    flagd: FlagdDocument | None = Field(None, description="A flagd document. Example: {configMap: checkout-flags}")
    config_map: PlainKeys | None = Field(
        None, description="Plain keys of a ConfigMap. Example: {name: checkout-settings}"
    )

    rules = (exactly_one("flagd", "configMap", what="in"),)


class Refresh(StrEnum):
    """What makes a change of flags known sooner."""

    PODS = "Pods"
    NONE = "None"


class FlagsAction(Model):
    """Feature flags switched on, off or to a variant."""

    enable: list[FlagName] = Field(
        default_factory=list, max_length=64, description="Flags to switch on. Example: [read-only]"
    )
    disable: list[FlagName] = Field(
        default_factory=list,
        max_length=64,
        description="Flags to switch off. Example: [recommendations, reviews]",
    )
    set: dict[FlagName, Annotated[str, Field(min_length=1, max_length=128)]] = Field(
        default_factory=dict,
        max_length=64,
        description="Flags to set to a variant. Example: {payment: secondary}",
    )
    in_: FlagStore = Field(
        alias="in", description="Where the flags live. Example: {flagd: {configMap: checkout-flags}}"
    )
    refresh: Refresh = Field(
        Refresh.PODS,
        description="Pods touches the pods that mount the ConfigMap, which see the change within a second; with None"
        " it takes them about a minute. Example: Pods",
    )

    rules = (
        Rule(
            cel="(has(self.enable) && size(self.enable) > 0) || (has(self.disable) && size(self.disable) > 0)"
            " || (has(self.set) && size(self.set) > 0)",
            message="flags needs at least one of enable, disable, set",
            holds=lambda f: bool(f.enable or f.disable or f.set),
        ),
        Rule(
            cel="!has(self.enable) || (!(has(self.disable) && self.enable.exists(f, f in self.disable))"
            " && !(has(self.set) && self.enable.exists(f, f in self.set)))",
            message="a flag in enable is also in disable or set: keep one",
            holds=lambda f: not (set(f.enable) & (set(f.disable) | set(f.set))),
        ),
        Rule(
            cel="!has(self.disable) || !has(self.set) || !self.disable.exists(f, f in self.set)",
            message="a flag in disable is also in set: keep one",
            holds=lambda f: not (set(f.disable) & set(f.set)),
        ),
    )


class RouteTarget(Model):
    """What takes over: a workload's pods behind the same Service, or another Service of an HTTPRoute."""

    deployment: ObjectName | None = Field(None, description="Deployment that takes over. Example: checkout-static")
    stateful_set: ObjectName | None = Field(None, description="StatefulSet that takes over. Example: checkout-cache")
    service: ObjectName | None = Field(
        None, description="With httpRoute: Service that takes over. Example: checkout-static"
    )

    rules = (exactly_one("deployment", "statefulSet", "service", what="route.to"),)


class RouteAction(Model):
    """Traffic moved: a Service's to another workload's pods, or an HTTPRoute's by weight to another of its backends."""

    service: ObjectName | None = Field(
        None, description="Service to move; the target's where nothing is named. Example: checkout"
    )
    http_route: ObjectName | None = Field(
        None,
        description="Gateway API HTTPRoute whose weights move the target Service's traffic. Example: checkout",
    )
    to: RouteTarget = Field(description="Where the traffic goes. Example: {deployment: checkout-static}")

    rules = (
        at_most_one("service", "httpRoute", what="route"),
        Rule(
            cel="has(self.httpRoute) == has(self.to.service)",
            message="httpRoute and to.service go together: an HTTPRoute's weights move traffic to a Service, a"
            " Service's selector moves it to a deployment or statefulSet",
            holds=lambda r: (r.http_route is None) == (r.to.service is None),
        ),
    )


class StatusPageAction(Model):
    """A Service's traffic moved to a small page of our own, which answers 503 with a message."""

    message: str = Field(
        min_length=1,
        max_length=512,
        description="What people read on it, as plain text. Example: We will be right back.",
    )
    retry_after: Duration = duration_field(
        "1m", "When to try again: sent as Retry-After, and the page asks anew by itself. Example: 1m"
    )
    service: ObjectName | None = Field(
        None, description="Service to move; the target's where none is named. Example: checkout"
    )

    rules = (within("retryAfter", "1s", "1h"),)


class RestartAction(Model):
    """A workload's pods made anew, once each time the level is entered."""

    deployment: ObjectName | None = Field(
        None, description="Deployment to restart; the target's workload where none is named. Example: checkout"
    )
    stateful_set: ObjectName | None = Field(None, description="StatefulSet to restart. Example: checkout-cache")
    at_most: int = Field(2, ge=1, le=RESTARTS_MAX, description="Most restarts within the time. Example: 2")
    per: Duration = duration_field("1h", "The time that restarts are counted in, 1m to 24h. Example: 1h")

    rules = (at_most_one("deployment", "statefulSet", what="restart"), within("per", "1m", "24h"))


class Action(Model):
    """One action: exactly one key names its kind."""

    scale: ScaleAction | None = Field(None, description="Scale a workload. Example: {to: 12, as: Floor}")
    flags: FlagsAction | None = Field(
        None,
        description="Set feature flags. Example: {disable: [reviews], in: {flagd: {configMap: checkout-flags}}}",
    )
    route: RouteAction | None = Field(None, description="Move traffic. Example: {to: {deployment: checkout-static}}")
    status_page: StatusPageAction | None = Field(
        None, description="Move traffic to a status page. Example: {message: We will be right back.}"
    )
    restart: RestartAction | None = Field(None, description="Restart a workload. Example: {atMost: 2, per: 1h}")

    rules = (exactly_one("scale", "flags", "route", "statusPage", "restart", what="an action"),)
