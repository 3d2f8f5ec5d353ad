"""Somebody's field, and the change that we want of it.

A field is an object and a path. A path is a JSON pointer, and may step on into what a pointer can't: a JSON document
that is kept as text (flagd's file in a ConfigMap), `/data/flags.json#/flags/reviews/defaultVariant`; or the rules of
an HTTPRoute, a list without keys, `/spec/rules#/checkout/checkout-static:80/weight`. Names containing `/`, `~` or `#`
are escaped as `~1`, `~0` and `~2`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from typing import Any, Final

from stepdown.engine import backends, document
from stepdown.engine.pointer import segments


class _Absent(Enum):
    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent.ABSENT
"""The value of a field that is not there; null is a value."""

Value = Any
"""A JSON value, or ABSENT."""


@dataclass(frozen=True, slots=True)
class Ref:
    """An object to read in the policy's namespace; without a name, all of its kind."""

    kind: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """An object to change, this very one by uid."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field and the value that it shall have; `level` is the place on the ladder of the level that wants it."""

    target: Target
    path: str
    desired: Value
    level: int


@dataclass(frozen=True, slots=True)
class Kind:
    """How the API server names a kind. `scale` says that replicas are reached through the subresource only."""

    group: str
    version: str
    plural: str
    scale: bool = False
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for core."""
        return f"{self.group}/{self.version}" if self.group else self.version


KINDS: Final[dict[str, Kind]] = {
    "Deployment": Kind("apps", "v1", "deployments", scale=True),
    "StatefulSet": Kind("apps", "v1", "statefulsets", scale=True),
    "HorizontalPodAutoscaler": Kind("autoscaling", "v2", "horizontalpodautoscalers"),
    "ScaledObject": Kind("keda.sh", "v1alpha1", "scaledobjects"),
    "ConfigMap": Kind("", "v1", "configmaps"),
    "Service": Kind("", "v1", "services"),
    "HTTPRoute": Kind("gateway.networking.k8s.io", "v1", "httproutes"),
    "Pod": Kind("", "v1", "pods"),
    "Namespace": Kind("", "v1", "namespaces", namespaced=False),
}
"""Every kind that we ever read or write on behalf of a policy."""


def split(path: str) -> tuple[str, str | None]:
    """The pointer in the object and, where there is one, the pointer in the document or the rules it leads to."""
    outer, mark, inner = path.partition("#")
    return outer, inner if mark else None


def pointer_of(outer: str) -> str:
    """The outer part of a path as an RFC 6901 pointer (`~2` is ours)."""
    return outer.replace("~2", "#")


def at(obj: Any, pointer: str) -> Value:
    """The value at a pointer of maps, or ABSENT."""
    for name in segments(pointer):
        if not isinstance(obj, dict) or name not in obj:
            return ABSENT
        obj = obj[name]
    return obj


def encode(value: Value) -> str | None:
    """A value as the ledger keeps it: compact JSON, or None for ABSENT."""
    return None if value is ABSENT else json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=False)


def decode(text: str | None) -> Value:
    """What `encode` was given."""
    return ABSENT if text is None else json.loads(text)


def same(left: Value, right: Value) -> bool:
    """Equality of JSON values, all the way down: 1 is not true, 1 is not 1.0, and absent is not null."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def text_at(obj: Any, path: str) -> str | None:
    """The text of a field as the ledger keeps it: JSON, the document's own bytes inside a document, None for absent.

    Raises document.NotADocument.
    """
    outer, inner = split(path)
    value = at(obj, pointer_of(outer))
    if inner is None or value is ABSENT:
        return encode(value)
    return backends.raw(value, inner) if isinstance(value, list) else document.raw(str(value), inner)


def with_texts_inside(value: Value, texts: Mapping[str, str | None]) -> Value:
    """What paths step on into, with the fields in it set to ledger texts (None removes).

    Raises document.NotADocument, and KeyError where it can't hold a field.
    """
    if isinstance(value, list):
        return reduce(lambda rules, inner: backends.with_raw(rules, inner, texts[inner]), texts, value)
    return document.with_raws(str(value), texts)


def same_text(left: str | None, right: str | None) -> bool:
    """Whether two ledger texts are the same JSON value; such as are too deep to compare are just when spelled alike."""
    if left is None or right is None or left == right:
        return left == right
    try:
        return same(decode(left), decode(right))
    except RecursionError:
        return False
