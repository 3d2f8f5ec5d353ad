"""What all models share: frozen, strict about unknown fields, and rules that exist once in two languages.

A `Rule` is a sentence with a CEL expression, run by the API server, and a Python twin, run by `lint` and by the
operator itself. Tests feed both with the same generated examples.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from stepdown.api import durations, quantities


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that must hold of a model: `cel` over `self`, `holds` over the parsed model, and the sentence.

    `field` is the path, from the model, of the field to blame; `where` finds it in a list, which CEL can't.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool]
    field: str = ""
    where: Callable[[Any], str | None] | None = None

    def as_validation(self) -> dict[str, str]:
        """The rule as the API server takes it."""
        blamed = {"fieldPath": f".{self.field}"} if self.field else {}
        return {"rule": self.cel, "message": self.message, **blamed}

    def blame(self, model: Any) -> str:
        """The path from a model that breaks the rule to the field to correct; empty for the model itself."""
        return self.field if self.where is None else self.where(model) or ""


class BrokenRule(ValueError):
    """A rule that does not hold, with the path to the field to correct."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message)
        self.path = path


class Model(BaseModel):
    """A frozen part of a resource. Subclasses list their `rules`; the first one broken is the error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        arbitrary_types_allowed=True,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        for rule in self.rules:
            if not rule.holds(self):
                raise BrokenRule(rule.message, rule.blame(self))
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> JsonSchemaValue:
        schema = handler(core_schema)
        if validations := [rule.as_validation() for rule in cls.rules if rule.cel]:
            handler.resolve_ref_schema(schema)["x-kubernetes-validations"] = validations
        return schema


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


def within(field: str, low: str, high: str) -> Rule:
    """The rule of a timer's bounds, both included. What is no duration is left to the field's own rule."""
    least, most = durations.parse_gateway(low), durations.parse_gateway(high)
    timer = f"self.{field}"
    return Rule(
        cel=f"!has({timer}) || !{timer}.matches('{durations.GATEWAY_PATTERN}')"
        f" || (duration('{low}') <= duration({timer}) && duration({timer}) <= duration('{high}'))",
        message=f"{field} must be from {low} to {high}",
        holds=lambda model: least <= getattr(model, _snake(field)) <= most,
        field=field,
    )


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def _validated(rule: str, hint: str, **schema: Any) -> WithJsonSchema:
    """A schema whose syntax check answers with a sentence (a pattern would answer with the pattern)."""
    return WithJsonSchema({**schema, "x-kubernetes-validations": [{"rule": rule, "message": hint}]})


def is_parsed(value: Any, info: ValidationInfo) -> bool:
    """Whether a value was parsed before. Users write JSON, where a bare decimal stands for no unit at all."""
    return isinstance(value, float) and info.mode == "python"


def _gateway(value: Any, info: ValidationInfo) -> Any:
    return value if is_parsed(value, info) else durations.parse_gateway(value)


def _promql(value: Any) -> Any:
    durations.parse_promql(value)
    return value


def _quantity(value: Any) -> Any:
    return value if isinstance(value, quantities.Quantity) else quantities.parse_quantity(value)


def _timestamp(value: Any, info: ValidationInfo) -> Any:
    if is_parsed(value, info):
        return value
    try:
        if not _RFC3339.fullmatch(value):
            raise ValueError
        return datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{value!r} is not a time: write RFC 3339 like 2026-03-01T18:00:00Z") from None


_RFC3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")

Duration = Annotated[
    float,
    BeforeValidator(_gateway),
    _validated(
        f"self.matches('{durations.GATEWAY_PATTERN}')",
        "not a duration: write hours, minutes, seconds like 30s, 5m or 1h30m",
        type="string",
        maxLength=durations.MAX_LENGTH,
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
        maxLength=durations.MAX_LENGTH,
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
                    "rule": f"type(self) == int ? -{quantities.MOST} < self && self < {quantities.MOST}"
                    f" : self.matches('{quantities.QUANTITY_PATTERN}')",
                    "message": "not a quantity: write a number with %, us, ms, s, /s, k, M, Ki, Mi or Gi,"
                    " like 2% or 250ms",
                }
            ],
        }
    ),
]
"""An int-or-string with a unit."""

Timestamp = Annotated[float, BeforeValidator(_timestamp), WithJsonSchema({"type": "string", "format": "date-time"})]
"""An RFC 3339 time, parsed to seconds since the epoch."""

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
OBJECT_NAME_PATTERN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"

Name = Annotated[str, Field(min_length=1, max_length=63, pattern=NAME_PATTERN)]
"""A DNS-1123 label."""

ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=OBJECT_NAME_PATTERN)]
"""A DNS-1123 subdomain: the name of an object in the policy's own namespace."""


def duration_field(default: str, description: str) -> Any:
    """A `Duration` field with a default written as users write it."""
    return Field(
        default=durations.parse_gateway(default),
        description=description,
        json_schema_extra={"default": default},
    )


def format_timestamp(seconds: float) -> str:
    """RFC 3339 in UTC to the second, as Kubernetes writes times."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
