"""The weights of an HTTPRoute's backends, found by what a rule and a backend are and never by where they stand.

Both are lists without keys, so an index means another backend as soon as somebody has put a rule before it. A rule is
known by its name, else by its matches; a backend by its name and port, with kind and namespace where these are not the
usual ones. What is there twice is neither read nor written.

`raw` and `with_raw` are to a list of rules what those of document.py are to a text.
"""

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from stepdown.engine.document import NotADocument
from stepdown.engine.pointer import escape, segments

Rules = list[Any]


def weight_path(rule: dict[str, Any], backend: dict[str, Any]) -> str:
    """The path of a weight in an HTTPRoute: `/spec/rules#/checkout/checkout-static:80/weight`."""
    return f"/spec/rules#/{escape(_name_of_rule(rule))}/{escape(name_of(backend))}/weight"


def name_of(backend: dict[str, Any]) -> str:
    """What a backend is known by in its rule: `shop:80`, `other-namespace/shop:80`, `InferencePool shop`."""
    name = str(backend.get("name"))
    if backend.get("port") is not None:
        name = f"{name}:{backend['port']}"
    if backend.get("namespace"):
        name = f"{backend['namespace']}/{name}"
    return name if is_service(backend) else f"{backend.get('kind')} {name}"


def is_service(backend: dict[str, Any]) -> bool:
    """Whether a backend is a Service, as one that names no kind is."""
    return (backend.get("group") or "", backend.get("kind") or "Service") == ("", "Service")


def raw(rules: Rules, pointer: str) -> str | None:
    """The weight at a pointer as JSON, or None where it isn't said. Raises NotADocument."""
    found = _find(rules, pointer)
    return json.dumps(found[3]["weight"]) if found is not None and "weight" in found[3] else None


def with_raw(rules: Rules, pointer: str, text: str | None) -> Rules:
    """The rules with one weight replaced, added, or (None) removed; all else is shared with what was given.

    Raises NotADocument, and KeyError where there is no such backend to give a weight to.
    """
    found = _find(rules, pointer)
    if found is None:
        if text is None:
            return rules
        raise KeyError(pointer)
    rule_place, rule, place, backend = found
    changed = {key: value for key, value in backend.items() if key != "weight"}
    if text is not None:
        changed = {**backend, "weight": json.loads(text)}
    return _put(rules, rule_place, {**rule, "backendRefs": _put(rule["backendRefs"], place, changed)})


def _find(rules: Rules, pointer: str) -> tuple[int, dict[str, Any], int, dict[str, Any]] | None:
    """The rule and the backend that a pointer names, each after its place now."""
    names = segments(pointer)
    if len(names) != 3 or names[2] != "weight":
        return None
    rule = _only((found for found in _maps(rules) if _name_of_rule(found[1]) == names[0]), f"rule {names[0]}")
    if rule is None:
        return None
    backends = _maps(rule[1].get("backendRefs") or [])
    backend = _only((found for found in backends if name_of(found[1]) == names[1]), f"backend {names[1]}")
    return None if backend is None else (*rule, *backend)


def _name_of_rule(rule: dict[str, Any]) -> str:
    """Its name, or a digest of its matches, which no name can look like."""
    if rule.get("name"):
        return str(rule["name"])
    text = json.dumps(rule.get("matches"), sort_keys=True, separators=(",", ":"))
    return f"matches={sha256(text.encode()).hexdigest()[:12]}"


def _maps(items: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    return ((place, item) for place, item in enumerate(items) if isinstance(item, dict))


def _only(found: Iterable[tuple[int, dict[str, Any]]], what: str) -> tuple[int, dict[str, Any]] | None:
    places = list(found)
    if len(places) > 1:
        raise NotADocument(f"{what} is there twice")
    return places[0] if places else None


def _put(items: list[Any], place: int, item: Any) -> list[Any]:
    return [*items[:place], item, *items[place + 1 :]]
