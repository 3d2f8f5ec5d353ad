"""docs/reference.md: every field of the resources, from the same schemas that the API server checks."""

from collections.abc import Iterator
from typing import Any

from stepdown.api.structural import Schema

_INTRODUCTION = """\
# Reference

<!-- Generated from the models in operator/stepdown/api by `make generate`. -->

Every field of Stepdown's resources. `kubectl explain degradationpolicy.spec --recursive` shows the same on a
cluster. `[]` stands for each item of a list, `.*` for each key of a map. A default in *italics* is assumed by the
operator; the others are filled in by the API server.
"""


def render_reference(crds: list[dict[str, Any]]) -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *(_resource(crd) for crd in crds)])


def _resource(crd: dict[str, Any]) -> str:
    names = crd["spec"]["names"]
    version = crd["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    short = ", ".join(f"`{name}`" for name in names["shortNames"])
    lines = [
        f"## {names['kind']}",
        "",
        f"{schema['description']} {crd['spec']['scope']}; `{crd['spec']['group']}/{version['name']}`, short {short}.",
        "",
    ]
    for part in ("spec", "status"):
        if part in schema["properties"]:
            lines += [f"### {names['kind']} {part}", "", *_table(schema["properties"][part], part), ""]
    rules: dict[str, str] = {}
    for path, message in _rules(schema["properties"]["spec"], "spec"):
        rules.setdefault(message, path)
    lines += [f"### What a {names['kind']} is refused for", ""]
    lines += [f"- `{path}`: {message}" for message, path in rules.items()]
    return "\n".join([*lines, ""])


def _table(schema: Schema, path: str) -> list[str]:
    rows = ["| field | type | default | description |", "| --- | --- | --- | --- |"]
    for name, field in _fields(schema, path):
        text, example = field["description"].rsplit("Example:", 1)
        text, _, described = text.partition("Default: ")
        default = f"*{described.strip().removesuffix('.')}*" if described else _default(field)
        cells = (f"`{name}`", _type(field), default, f"{text.strip()} Example: `{' '.join(example.split())}`")
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return rows


def _default(field: Schema) -> str:
    value = field.get("default")
    return "" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        child = f"{path}.{name}"
        yield child, {**field, "x-required": name in required}
        yield from _fields(field, child)
        for suffix, inner in _inner(field):
            yield from _fields(inner, child + suffix)


def _type(field: Schema) -> str:
    required = ", required" if field.get("x-required") else ""
    return _kind(field) + required


def _kind(field: Schema) -> str:
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if "items" in field:
        return f"list of {_kind(field['items'])}"
    if "additionalProperties" in field:
        return f"map of {_kind(field['additionalProperties'])}"
    return f"{field['type']}{_bounds(field)}"


def _bounds(field: Schema) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if field.get("exclusiveMinimum"):
        return f" above {low}"
    if low is not None and high is not None:
        return f" {low} to {high}"
    return f" from {low}" if low is not None else ""


def _rules(schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", []):
        yield path, rule["message"]
    for name, field in schema.get("properties", {}).items():
        yield from _rules(field, f"{path}.{name}")
    for suffix, inner in _inner(schema):
        yield from _rules(inner, path + suffix)


def _inner(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """The schema of a list's items or a map's values, with how a path goes on."""
    for key, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        if key in schema:
            yield suffix, schema[key]
