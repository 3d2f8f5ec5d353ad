"""What a policy watches: signals, and objectives with an error budget."""

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

from stepdown.api import quantities
from stepdown.api.model import Model, Name, ObjectName, PromqlWindow, Rule, exactly_one, is_parsed

Query = Annotated[str, Field(min_length=1, max_length=4096)]


class Layer(StrEnum):
    """Where in the system a signal is measured."""

    INFRASTRUCTURE = "Infrastructure"
    APPLICATION = "Application"
    BUSINESS = "Business"


class Preset(StrEnum):
    """Ready queries over the target's labels; docs/concepts.md says which metrics each expects."""

    HTTP_ERROR_RATIO = "http-error-ratio"
    HTTP_LATENCY = "http-latency"
    SATURATION = "saturation"


class WhenMissing(StrEnum):
    """What a missing value does: hold the level (the default), or be left out of the decision."""

    HOLD = "Hold"
    IGNORE = "Ignore"


class Unit(StrEnum):
    """The base unit of a signal's values."""

    RATIO = "ratio"
    SECONDS = "seconds"
    BYTES = "bytes"
    PER_SECOND = "perSecond"
    COUNT = "count"


class PodsSignal(Model):
    """The ready share of a workload's pods, from the API server: works without Prometheus."""

    deployment: ObjectName | None = Field(None, description="Deployment whose pods are counted. Example: checkout")
    stateful_set: ObjectName | None = Field(
        None, description="StatefulSet whose pods are counted. Example: checkout-db"
    )

    rules = (exactly_one("deployment", "statefulSet", what="pods"),)


PRESET_UNITS = {
    Preset.HTTP_ERROR_RATIO: Unit.RATIO,
    Preset.HTTP_LATENCY: Unit.SECONDS,
    Preset.SATURATION: Unit.RATIO,
}


class Signal(Model):
    """One number, watched: a query, a preset, or the ready share of pods."""

    name: Name = Field(description="Name that levels refer to. Example: errors")
    layer: Layer | None = Field(None, description="Layer that the signal belongs to, for people. Example: Application")
    query: Query | None = Field(
        None,
        description='PromQL that gives one number. Example: avg(app_worker_utilization{service="checkout"})',
    )
    preset: Preset | None = Field(None, description="Ready query over the target's labels. Example: http-error-ratio")
    pods: PodsSignal | None = Field(
        None, description="Ready share (0 to 1) of a workload's pods. Example: {deployment: checkout}"
    )
    unit: Unit | None = Field(None, description="Base unit of the query's values. Example: seconds")
    window: PromqlWindow = Field("1m", description="Window of a preset's rates, a PromQL duration. Example: 1m")
    quantile: int = Field(95, ge=1, le=99, description="Percentile of http-latency. Example: 95")
    min_rate: float | None = Field(
        None,
        ge=0,
        description="Requests per second below which an HTTP preset is missing (TooFew). Example: 1",
    )
    when_missing: WhenMissing = Field(
        WhenMissing.HOLD,
        description="What a missing value does: Hold the level, or Ignore the signal. Example: Hold",
    )
    allow_partial: bool = Field(
        False, description="Accept an answer that carries warnings about partial data. Example: false"
    )

    rules = (
        exactly_one("query", "preset", "pods", what="a signal"),
        Rule(
            cel="!has(self.minRate) || (has(self.preset) && self.preset.startsWith('http-'))",
            message="minRate counts requests: it needs preset http-error-ratio or http-latency",
            holds=lambda s: s.min_rate is None or (s.preset is not None and s.preset.startswith("http-")),
            field="minRate",
        ),
        Rule(
            cel="!has(self.unit) || has(self.query)",
            message="unit belongs to a query: presets and pods have their own",
            holds=lambda s: s.unit is None or s.query is not None,
            field="unit",
        ),
    )

    @property
    def base_unit(self) -> Unit | None:
        """The unit of the values, where it is known."""
        if self.preset is not None:
            return PRESET_UNITS[self.preset]
        return Unit.RATIO if self.pods is not None else self.unit


PERCENTAGE_PATTERN = r"^[0-9]{1,2}([.][0-9]{1,9})?%$"


def _percent(value: Any, info: ValidationInfo) -> Any:
    if is_parsed(value, info):
        return value
    share = 0.0
    if isinstance(value, str) and re.fullmatch(PERCENTAGE_PATTERN, value):
        share = quantities.parse_quantity(value).value
    if share == 0:
        raise ValueError(f"{value!r} is not an objective: write a percentage above 0% and below 100% like 99.9%")
    return share


Percentage = Annotated[
    float,
    BeforeValidator(_percent),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 16,
            "x-kubernetes-validations": [
                {
                    "rule": f"self.matches('{PERCENTAGE_PATTERN}') && double(self.replace('%', '')) > 0.0",
                    "message": "not an objective: write a percentage above 0% and below 100% like 99.9%",
                }
            ],
        }
    ),
]


class Objective(Model):
    """An SLO: the share of good events over a window, and with it an error budget."""

    name: Name = Field(description="Name that levels refer to. Example: availability")
    target: Percentage = Field(description="Share of good events. Example: 99.9%")
    window: PromqlWindow = Field("30d", description="Time over which the target holds, a PromQL duration. Example: 30d")
    errors: Query | None = Field(
        None,
        description="Number of bad events over $window. Example: sum(increase(orders_failed_total[$window]))",
    )
    total: Query | None = Field(
        None, description="Number of all events over $window. Example: sum(increase(orders_total[$window]))"
    )
    preset: Preset | None = Field(
        None,
        description="Use the requests and errors of http-error-ratio instead of queries. Example: http-error-ratio",
    )

    rules = (
        Rule(
            cel="has(self.preset) ? (!has(self.errors) && !has(self.total)) : (has(self.errors) && has(self.total))",
            message="an objective needs either preset, or both errors and total",
            holds=lambda o: (
                (o.errors is None and o.total is None)
                if o.preset is not None
                else (o.errors is not None and o.total is not None)
            ),
        ),
        Rule(
            cel="!has(self.preset) || self.preset == 'http-error-ratio'",
            message="the preset of an objective is http-error-ratio",
            holds=lambda o: o.preset in (None, Preset.HTTP_ERROR_RATIO),
            field="preset",
        ),
        Rule(
            cel="!has(self.errors) || !has(self.total) || (self.errors.contains('$window') &&"
            " self.total.contains('$window'))",
            message="errors and total count over $window: put [$window] where the range goes",
            holds=lambda o: o.errors is None or o.total is None or ("$window" in o.errors and "$window" in o.total),
        ),
    )
