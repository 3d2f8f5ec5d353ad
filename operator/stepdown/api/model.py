"""What all models share: frozen, strict about unknown fields, and rules that exist once in two languages.

A `Rule` is a sentence with a CEL expression, run by the API server, and a Python twin, run by `lint` and by the
operator itself. Tests feed both with the same generated examples.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel

from stepdown.api import durations, quantities


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that must hold of a model: `cel` over `self`, `holds` over the parsed model, and the sentence."""

    cel: str
    message: str
    holds: Callable[[Any], bool]
    message_expression: str | None = None


class Model(BaseModel):
    """A frozen part of a resource. Subclasses list their `rules`; the first one broken is the error."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, arbitrary_types_allowed=True)
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        for rule in self.rules:
            if not rule.holds(self):
                raise ValueError(rule.message)
        return self


def exactly_one(*names: str, what: str) -> Rule:
    """The rule of a one-key union: exactly one of these (camelCase) fields is set."""
    fields = [_snake(name) for name in names]
    count = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in names)
    return Rule(
        cel=f"{count} == 1",
        message=f"{what} needs exactly one of {', '.join(names)}",
        holds=lambda model: sum(getattr(model, field) is not None for field in fields) == 1,
    )


def at_most_one(*names: str, what: str) -> Rule:
    """The rule of optional alternatives: at most one of these (camelCase) fields is set."""
    fields = [_snake(name) for name in names]
    count = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in names)
    return Rule(
        cel=f"{count} <= 1",
        message=f"{what} takes only one of {', '.join(names)}",
        holds=lambda model: sum(getattr(model, field) is not None for field in fields) <= 1,
    )


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def _validated(rule: str, hint: str, **schema: Any) -> WithJsonSchema:
    """A schema whose syntax check answers with a sentence (a pattern would answer with the pattern)."""
    return WithJsonSchema({**schema, "x-kubernetes-validations": [{"rule": rule, "message": hint}]})


def _gateway(value: Any) -> Any:
    return durations.parse_gateway(value) if not isinstance(value, float) else value


def _promql(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a window: write a PromQL duration like 5m, 1h or 30d")
    durations.parse_promql(value)
    return value


def _quantity(value: Any) -> Any:
    return value if isinstance(value, quantities.Quantity) else quantities.parse_quantity(value)


def _timestamp(value: Any) -> Any:
    if isinstance(value, int | float):
        return float(value)
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a time: write RFC 3339 like 2026-03-01T18:00:00Z") from None
    if parsed.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone: end it with Z")
    return parsed.timestamp()


Duration = Annotated[
    float,
    BeforeValidator(_gateway),
    _validated(
        f"self.matches('{durations.GATEWAY_PATTERN}')",
        "not a duration: write hours, minutes, seconds like 30s, 5m or 1h30m",
        type="string",
        maxLength=24,
    ),
]
"""A Gateway API duration, parsed to seconds."""

PromqlWindow = Annotated[
    str,
    BeforeValidator(_promql),
    _validated(
        f"self != '' && self.matches('{durations.PROMQL_PATTERN}')",
        "not a window: write a PromQL duration like 5m, 1h or 30d",
        type="string",
        maxLength=24,
    ),
]
"""A PromQL duration, kept as text because it goes into queries."""

Threshold = Annotated[
    quantities.Quantity,
    BeforeValidator(_quantity),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "maxLength": 32,
            "x-kubernetes-validations": [
                {
                    "rule": f"type(self) == int || self.matches('{quantities.QUANTITY_PATTERN}')",
                    "message": "not a quantity: write a number with %, us, ms, s, /s, k, M, Ki, Mi or Gi, like 2% or 250ms",
                }
            ],
        }
    ),
]
"""An int-or-string with a unit."""

Timestamp = Annotated[float, BeforeValidator(_timestamp), WithJsonSchema({"type": "string", "format": "date-time"})]
"""An RFC 3339 time, parsed to seconds since the epoch."""

Name = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
"""A DNS-1123 label."""

ObjectName = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
]
"""A DNS-1123 subdomain: the name of an object in the policy's own namespace."""


def duration_field(default: str, description: str) -> Any:
    """A `Duration` field with a default written as users write it."""
    return Field(default=durations.parse_gateway(default), description=description, json_schema_extra={"default": default})


def format_timestamp(seconds: float) -> str:
    """RFC 3339 in UTC to the second, as Kubernetes writes times."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
