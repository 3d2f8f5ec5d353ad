"""pydantic's errors in plain words: what is wrong, and what to write instead, with the field's own example."""

import difflib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic_core import ErrorDetails

from stepdown.api.actions import FLAG_PATTERN
from stepdown.api.model import NAME_PATTERN, OBJECT_NAME_PATTERN, BrokenRule, Model
from stepdown.api.structural import Defaults, Schema, structural

Loc = Sequence[str | int]

_SHAPES = {
    NAME_PATTERN: "use lower-case letters, digits and -, with a letter or digit at both ends",
    OBJECT_NAME_PATTERN: "use lower-case letters, digits, - and ., with a letter or digit at both ends",
    FLAG_PATTERN: "use letters, digits, _, . and -",
}
_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("is too low", "write more than {gt}"),
    "greater_than_equal": ("is too low", "write at least {ge}"),
    "less_than": ("is too high", "write less than {lt}"),
    "less_than_equal": ("is too high", "write at most {le}"),
}
_SIZES = {
    "too_long": ("has {actual_length} entries, at most {max_length} are allowed", "remove some"),
    "too_short": ("has too few entries ({actual_length}), at least {min_length} are needed", "add more"),
    "string_too_long": ("is too long", "write at most {max_length} characters"),
    "string_too_short": ("is empty", "give it a value or remove it"),
}


def explain(model: type[Model], spec: Any, error: ErrorDetails) -> tuple[str, str, str]:
    """The sentence and the cure of an error, and the path from its place to the field to blame (often empty)."""
    field = spec_field(error["loc"], spec)
    name = join("spec", field).rpartition(".")[2]
    kind, value, facts = error["type"], error.get("input"), error.get("ctx", {})
    schema = _schema_at(_schema_of(model), field)
    if kind == "value_error":
        broken = facts["error"]
        shown = repr(value) if str(broken).startswith(repr(value)) else ""
        sentence, _, cure = str(broken).removeprefix(shown).partition(": ")
        return shown + sentence, cure, broken.path if isinstance(broken, BrokenRule) else ""
    if kind == "extra_forbidden":
        return _unknown_field(name, list(_schema_at(_schema_of(model), field[:-1]).get("properties", {})))
    example = _example(schema)
    if kind == "missing":
        return "is required", f"add it, like {name}: {example}" if example else "add it", ""
    if kind == "enum":
        return _unknown_choice(value, [str(choice) for choice in schema.get("enum", [])])
    like = f" like {example}" if example else ""
    if kind == "string_pattern_mismatch":
        shape = _SHAPES.get(str(facts.get("pattern")), "write it")
        return f"{value!r} is not allowed here", shape + (f", like {example}" if example else ""), ""
    if kind in _BOUNDS:
        sentence, cure = _BOUNDS[kind]
        return f"{_shown(value)} {sentence}", cure.format(**facts), ""
    if kind in _SIZES:
        sentence, cure = _SIZES[kind]
        return sentence.format(**facts), cure.format(**facts), ""
    if kind in _KINDS:
        return f"{_shown(value)} is not {_KINDS[kind]}", _retype(value, _KINDS[kind], like), ""
    return f"{_shown(value)} can't be used", f"write it{like}", ""


def spec_field(loc: Loc, spec: Any) -> Loc:
    """The place of an error as keys and indexes of what was written, without pydantic's own marks."""
    field: list[str | int] = []
    value = spec
    for step in loc:
        if isinstance(value, Mapping) and isinstance(step, str):
            if step == "[key]":
                break
            field.append(step)
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int):
            field.append(step)
            value = value[step] if step < len(value) else None
    return field


def join(path: str, field: Loc | str) -> str:
    """A path and the rest of it: `spec` and `(levels, 1)` is `spec.levels[1]`."""
    if isinstance(field, str):
        return f"{path}.{field}" if field else path
    for step in field:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that a misspelt one was meant to be, if one is near."""
    plain = {name.lower().replace("_", ""): name for name in known}
    match = difflib.get_close_matches(word.lower().replace("_", "").replace("-", ""), plain, n=1, cutoff=0.6)
    return plain[match[0]] if match else None


def _unknown_field(name: str, known: list[str]) -> tuple[str, str, str]:
    sentence = f"there is no field {name} here"
    if meant := nearest(name, known):
        return sentence, f"did you mean {meant}?", ""
    return sentence, f"remove it, or use one of {', '.join(known)}" if known else "remove it", ""


def _unknown_choice(value: Any, known: list[str]) -> tuple[str, str, str]:
    meant = nearest(str(value), known)
    choices = " or ".join([", ".join(known[:-1]), known[-1]]) if len(known) > 1 else "".join(known)
    return f"{_shown(value)} is unknown", f"did you mean {meant}?" if meant else f"write {choices}", ""


def _retype(value: Any, kind: str, like: str) -> str:
    if kind == "text" and not isinstance(value, dict | list):
        return f'put it in quotes, "{_shown(value)}"'
    if kind == "a whole number" and isinstance(value, str) and value.isdecimal():
        return f"remove the quotes, {value}"
    return f"write {kind}{'' if kind == 'true or false' else like}"


def _shown(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case None:
            return "nothing"
        case _:
            return repr(value)


def _example(schema: Schema) -> str:
    return " ".join(str(schema.get("description", "")).partition("Example:")[2].split())


@cache
def _schema_of(model: type[Model]) -> Schema:
    return structural(model.model_json_schema(), "spec", Defaults.OMITTED)


def _schema_at(schema: Schema, field: Loc) -> Schema:
    for step in field:
        if isinstance(step, int):
            schema = schema.get("items", {})
        else:
            schema = schema.get("properties", {}).get(step) or schema.get("additionalProperties", {})
    return schema
