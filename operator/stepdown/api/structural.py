"""JSON schema, as pydantic writes it, rewritten into the structural schema that a CRD takes.

The API server refuses `$ref`, `anyOf` and much else, and silently ignores the rest. So everything that it does not
know is refused here, with the path of the field, instead of being dropped: a constraint that only Python knows
would let `kubectl apply` accept what the operator then rejects. Two things are dropped knowingly: patterns on the
keys of a map, because CEL can't bound their cost, and defaults inside lists, because Argo CD and others show an
object as changed for ever when the API server adds to the items of a list.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

Schema = dict[str, Any]

_KEPT = (
    "type",
    "format",
    "enum",
    "description",
    "default",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
)
_DROPPED = ("title", "examples", "discriminator", "propertyNames")
_NESTED = ("properties", "required", "items", "additionalProperties", "patternProperties")
_ONLY_PYTHON = re.compile(r"\(\?[=!<P]|\\[1-9]")
_UNBOUNDED = {"string": "maxLength", "array": "maxItems"}


class Defaults(Enum):
    """Where a field's default goes: to the API server, into the description, or nowhere."""

    APPLIED = "applied"
    DESCRIBED = "described"
    OMITTED = "omitted"


class Inexpressible(ValueError):
    """A model says something that a structural schema can't; the message opens with the field's path."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}")


def structural(schema: Schema, path: str, defaults: Defaults = Defaults.APPLIED) -> Schema:
    """The structural schema of a whole JSON schema with its `$defs`; `path` names its root in errors.

    What only we write (status) wants `Defaults.OMITTED`: it must stay as we wrote it.
    """
    definitions = schema.get("$defs", {})
    root = {key: value for key, value in schema.items() if key != "$defs"}
    return _rewrite(_resolve(root, definitions, path), definitions, path, defaults)


def _resolve(schema: Schema, definitions: Mapping[str, Schema], path: str) -> Schema:
    """The schema with its reference inlined and an optional value reduced to the value."""
    if "anyOf" in schema:
        branches = [branch for branch in schema["anyOf"] if branch != {"type": "null"}]
        if len(branches) != 1 or schema.get("default", ...) is not None:
            raise Inexpressible(path, "only `X | None = None` is possible; write a union as one field per case")
        outer = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
        return _merged(_resolve(branches[0], definitions, path), outer)
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        if name not in definitions:
            raise Inexpressible(path, f"the reference {schema['$ref']} leads nowhere")
        outer = {key: value for key, value in schema.items() if key != "$ref"}
        return _merged(_resolve(definitions[name], definitions, path), outer)
    return schema


def _merged(inner: Schema, outer: Schema) -> Schema:
    rules = [*inner.get("x-kubernetes-validations", []), *outer.get("x-kubernetes-validations", [])]
    return {**inner, **outer, **({"x-kubernetes-validations": rules} if rules else {})}


def _rewrite(schema: Schema, definitions: Mapping[str, Schema], path: str, defaults: Defaults) -> Schema:
    schema = _without_json_schema_forms(schema, path)
    known = {*_KEPT, *_NESTED, "x-kubernetes-validations"}
    if unknown := sorted(set(schema) - known):
        raise Inexpressible(path, f"a structural schema has no {', '.join(unknown)}")
    _require_bounds(schema, path)
    result = {key: schema[key] for key in _KEPT if key in schema}
    if defaults is not Defaults.APPLIED:
        result.pop("default", None)
    if "properties" in schema:
        if schema.get("required"):
            result["required"] = schema["required"]
        result["properties"] = {
            name: _field(value, definitions, f"{path}.{name}", defaults) for name, value in schema["properties"].items()
        }
    inside = Defaults.OMITTED if defaults is Defaults.OMITTED else Defaults.DESCRIBED
    if "items" in schema:
        items = _resolve(schema["items"], definitions, f"{path}[]")
        result["items"] = _anonymous(_rewrite(items, definitions, f"{path}[]", inside))
        _require_map_keys(result, path)
    if isinstance(schema.get("additionalProperties"), dict):
        values = _resolve(schema["additionalProperties"], definitions, f"{path}.*")
        result["additionalProperties"] = _anonymous(_rewrite(values, definitions, f"{path}.*", inside))
    if schema.get("x-kubernetes-validations"):
        result["x-kubernetes-validations"] = schema["x-kubernetes-validations"]
    return result


def _field(schema: Schema, definitions: Mapping[str, Schema], path: str, defaults: Defaults) -> Schema:
    description = schema.get("description", "")
    if "Example:" not in description:
        raise Inexpressible(path, 'needs a description that ends with "Example: …", for kubectl explain')
    result = _rewrite(_resolve(schema, definitions, path), definitions, path, defaults)
    default = schema.get("default")
    if default is not None and defaults is Defaults.DESCRIBED:
        text, example = description.rsplit("Example:", 1)
        result["description"] = f"{text}Default: {_as_written(default)}. Example:{example}"
    return result


def _as_written(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return '""' if default == "" else str(default)


def _anonymous(schema: Schema) -> Schema:
    """Items and values of maps have no name to explain; their field's description covers them."""
    return {key: value for key, value in schema.items() if key != "description"}


def _without_json_schema_forms(schema: Schema, path: str) -> Schema:
    """Spellings of JSON schema that the API server has another word for."""
    result = {key: value for key, value in schema.items() if key not in _DROPPED}
    if "const" in result:
        result["enum"] = [result.pop("const")]
    for exclusive, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        bound = result.get(exclusive)
        if bound is not None and not isinstance(bound, bool):
            result |= {inclusive: bound, exclusive: True}
    if result.get("additionalProperties") is False:
        del result["additionalProperties"]
    if result.pop("uniqueItems", False):
        result["x-kubernetes-list-type"] = "set"
    if patterns := result.pop("patternProperties", None):
        if len(patterns) > 1:
            raise Inexpressible(path, "the values of a map need one type, whatever their keys")
        result["additionalProperties"] = next(iter(patterns.values()))
    if _ONLY_PYTHON.search(result.get("pattern", "")):
        raise Inexpressible(path, f"the pattern {result['pattern']} uses what RE2 lacks (look-around, references)")
    return result


def _require_bounds(schema: Schema, path: str) -> None:
    """CEL is charged for the longest possible value, so an unbounded one spoils every rule above it."""
    kind = schema.get("type")
    if kind is None and not schema.get("x-kubernetes-int-or-string"):
        raise Inexpressible(path, "needs one type")
    if kind == "string" and ("enum" in schema or schema.get("format") == "date-time"):
        return
    needed = _UNBOUNDED.get(str(kind), "maxLength" if kind is None else None)
    if kind == "object" and "properties" not in schema:
        needed = "maxProperties"
    if needed is not None and needed not in schema:
        raise Inexpressible(path, f"needs a {needed}: every list, map and string is bounded")


def _require_map_keys(schema: Schema, path: str) -> None:
    for key in schema.get("x-kubernetes-list-map-keys", []):
        if key not in schema["items"].get("required", []):
            raise Inexpressible(path, f"its items are told apart by {key}, which must be required")
