"""JSON patches that are their own compare-and-set: every one tests the uid and what it replaces."""

import json
from collections.abc import Mapping
from typing import Any

from stepdown.engine.annotation import ANNOTATION_POINTER
from stepdown.engine.fields import ABSENT, KINDS, Target, at, decode, pointer_of, split, with_texts_inside
from stepdown.engine.pointer import segments

Patch = list[dict[str, Any]]


def with_texts(obj: Mapping[str, Any], texts: Mapping[str, str | None]) -> dict[str, Any]:
    """An object with fields set to ledger texts (None removes); it shares with `obj` all that isn't on their way.

    Raises document.NotADocument and KeyError where a document can't hold the field.
    """
    result = dict(obj)
    inside: dict[str, dict[str, str | None]] = {}
    for path, text in texts.items():
        outer, inner = split(path)
        if inner is None:
            result = _set(result, segments(pointer_of(outer)), decode(text))
        else:
            inside.setdefault(outer, {})[inner] = text
    for outer, values in inside.items():
        before = at(result, pointer_of(outer))
        if before is ABSENT:
            raise KeyError(f"{outer}#{next(iter(values))}")
        result = _set(result, segments(pointer_of(outer)), with_texts_inside(before, values))
    return result


def build_patch(obj: Mapping[str, Any], texts: Mapping[str, str | None], annotation: str | None) -> Patch:
    """The patch that takes `obj` to these texts and this annotation (None: no annotation), testing all it replaces.

    The annotation is compared and set in the same patch as the values that it describes.
    """
    after = with_texts(obj, texts)
    after = _set(after, segments(ANNOTATION_POINTER), ABSENT if annotation is None else annotation)
    pointers = list(dict.fromkeys([*(pointer_of(split(path)[0]) for path in texts), ANNOTATION_POINTER]))
    patch: Patch = [{"op": "test", "path": "/metadata/uid", "value": obj["metadata"]["uid"]}]
    if "annotations" not in obj["metadata"] and after["metadata"].get("annotations"):
        patch.append({"op": "test", "path": "/metadata/annotations", "value": None})
        patch.append({"op": "add", "path": "/metadata/annotations", "value": {}})
    for pointer in pointers:
        patch += _operations(pointer, at(obj, pointer), at(after, pointer))
    return patch


def scale_patch(uid: str, before: int, replicas: int) -> Patch:
    """The patch of a `scale` subresource, which leaves `replicas` out when they are 0."""
    return [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/spec/replicas", "value": before or None},
        {"op": "add", "path": "/spec/replicas", "value": replicas},
    ]


def target_patch(
    target: Target, obj: Mapping[str, Any], texts: Mapping[str, str | None], annotation: str | None
) -> tuple[Patch, str]:
    """The patch that takes a target to these texts, and the subresource that it is for (empty: the object itself).

    Replicas are reached through `scale` only, which can hold no annotation. Raises as `with_texts`.
    """
    if KINDS[target.kind].scale:
        (text,) = texts.values()
        return scale_patch(target.uid, int(obj["spec"].get("replicas", 1)), int(decode(text))), "scale"
    return build_patch(obj, texts, annotation), ""


def at_version(patch: Patch, obj: Mapping[str, Any]) -> Patch:
    """A patch that holds for the very version of the object that was read.

    Values alone may have gone and come back: then a write that was delayed in between would pass their tests.
    """
    version = obj["metadata"].get("resourceVersion")
    test = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
    return [*patch[:1], test, *patch[1:]] if version is not None else patch


def kubectl_line(namespace: str, plural: str, name: str, patch: Patch, subresource: str = "") -> str:
    """The patch as a command that a person can paste; pasting it is itself compare-and-set."""
    body = json.dumps(patch, separators=(",", ":"), ensure_ascii=True).replace("'", "'\\''")
    sub = f" --subresource={subresource}" if subresource else ""
    return f"kubectl -n {namespace} patch {plural} {name}{sub} --type=json -p '{body}'"


def _operations(pointer: str, before: Any, after: Any) -> Patch:
    if before is ABSENT and after is ABSENT:
        return []
    if before is not ABSENT and after is not ABSENT and before == after and type(before) is type(after):
        return [{"op": "test", "path": pointer, "value": before}]
    test = {"op": "test", "path": pointer, "value": None if before is ABSENT else before}
    if after is ABSENT:
        return [test, {"op": "remove", "path": pointer}]
    return [test, {"op": "add" if before is ABSENT else "replace", "path": pointer, "value": after}]


def _set(obj: Any, names: list[str], value: Any) -> dict[str, Any]:
    """A map with the value at the end of these names set or removed; removing never makes the maps on the way."""
    first, *rest = names
    changed = dict(obj) if isinstance(obj, dict) else {}
    if not rest and value is ABSENT:
        changed.pop(first, None)
    elif not rest:
        changed[first] = value
    elif value is not ABSENT or isinstance(changed.get(first), dict):
        changed[first] = _set(changed.get(first), rest, value)
    return changed
