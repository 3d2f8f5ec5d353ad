"""What the reference lists, and what a structural schema can and can not say."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, WithJsonSchema

from api.test_crd import EXAMPLE, all_nodes
from stepdown.api import crd
from stepdown.api.model import Model
from stepdown.api.status import PolicyStatus
from stepdown.api.structural import Defaults, Inexpressible, structural


def test_the_reference_lists_every_field() -> None:
    text = crd.render()[crd.REFERENCE]

    assert "| `spec.interval` | string | `15s` | Time between evaluations, 1s to 1h. Example: `15s` |" in text
    assert "| `spec.signals[].quantile` | integer 1 to 99 | *95* | Percentile of http-latency. Example: `95` |" in text
    for path, node in all_nodes():
        for name in node.get("properties", {}):
            assert f"| `{path}.{name}` |" in text


class Deep(Model):
    value: str = Field(max_length=8, description=EXAMPLE)


def of(annotation: Any, **field: Any) -> type[Model]:
    """A model with one field inside a list, so that a path has something to say."""
    inner = type(
        "Inner",
        (Model,),
        {"__annotations__": {"field": annotation}, "field": Field(**{"description": EXAMPLE, **field})},
    )
    outer = {"items": Annotated[list[inner], Field(max_length=2, description=EXAMPLE)]}  # type: ignore[valid-type]
    return type("Outer", (Model,), {"__annotations__": outer})


@pytest.mark.parametrize(
    ("model", "refusal"),
    [
        (
            of(str, max_length=8, description="no sample"),
            'spec.items[].field: needs a description that ends with "Example: …", for kubectl explain',
        ),
        (of(str), "spec.items[].field: needs a maxLength: every list, map and string is bounded"),
        (of(list[int]), "spec.items[].field: needs a maxItems: every list, map and string is bounded"),
        (of(dict[str, int]), "spec.items[].field: needs a maxProperties: every list, map and string is bounded"),
        (of(int | bool), "spec.items[].field: only `X | None = None` is possible; write a union as one field per case"),
        (
            of(int | None, default=3),
            "spec.items[].field: only `X | None = None` is possible; write a union as one field per case",
        ),
        (of(Any), "spec.items[].field: needs one type"),
        (
            of(Annotated[str, WithJsonSchema({"type": "string", "not": {}})]),
            "spec.items[].field: a structural schema has no not",
        ),
        (of(tuple[int, int]), "spec.items[].field: a structural schema has no prefixItems"),
        (
            of(Annotated[str, WithJsonSchema({"type": "string", "maxLength": 8, "pattern": "^(?!a)"})]),
            "spec.items[].field: the pattern ^(?!a) uses what RE2 lacks (look-around, references)",
        ),
        (
            of(list[Deep], max_length=2, json_schema_extra={"x-kubernetes-list-map-keys": ["name"]}),
            "spec.items[].field: its items are told apart by name, which must be required",
        ),
    ],
)
def test_what_cant_be_expressed_is_refused_with_its_path(model: type[Model], refusal: str) -> None:
    with pytest.raises(Inexpressible) as caught:
        structural(model.model_json_schema(), "spec")

    assert str(caught.value) == refusal


@pytest.mark.parametrize(
    ("annotation", "field", "expected"),
    [
        (float, {"gt": 0}, {"type": "number", "minimum": 0, "exclusiveMinimum": True}),
        (float, {"lt": 9}, {"type": "number", "maximum": 9, "exclusiveMaximum": True}),
        (Literal["a"], {}, {"type": "string", "enum": ["a"]}),
        (int | None, {"default": None}, {"type": "integer"}),
        (
            set[int],
            {"max_length": 3},
            {"type": "array", "maxItems": 3, "items": {"type": "integer"}, "x-kubernetes-list-type": "set"},
        ),
        (
            dict[Annotated[str, Field(pattern="^a$")], int],
            {"max_length": 3},
            {"type": "object", "maxProperties": 3, "additionalProperties": {"type": "integer"}},
        ),
        (
            Deep,
            {},
            {
                "type": "object",
                "required": ["value"],
                "properties": {"value": {"type": "string", "maxLength": 8, "description": EXAMPLE}},
            },
        ),
    ],
)
def test_spellings_of_json_schema_are_rewritten(
    annotation: Any, field: dict[str, Any], expected: dict[str, Any]
) -> None:
    schema = structural(of(annotation, **field).model_json_schema(), "spec")

    rewritten = schema["properties"]["items"]["items"]["properties"]["field"]
    assert rewritten == {**expected, "description": EXAMPLE}


def test_status_models_can_be_described_without_defaults() -> None:
    found = structural(PolicyStatus.model_json_schema(), "status", Defaults.OMITTED)

    assert found["properties"]["epoch"] == {
        "type": "integer",
        "minimum": 0,
        "description": "Leadership that last claimed the policy. Example: 3",
    }
