"""What the files hold: policies to simulate, and the objects that these act on.

Everything in them is judged before anything is asked: a policy as `lint` judges it, the other objects as far as
actions read them, so that a bad file is a sentence with its line.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepdown.lint import Finding, lint, objects_of
from stepdown.manifests import read_documents
from stepdown.ports import Object

POLICY = "DegradationPolicy"


class BadFiles(Exception):
    """Files that can't be simulated; `findings` have file, line, problem and cure."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("; ".join(map(str, findings)))
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Contents:
    """Objects with name and namespace; of two with the same kind, namespace and name the last one counts."""

    policies: list[Object]
    objects: list[Object]


def read_files(files: Sequence[str], namespace: str, policy: str | None = None) -> Contents:
    """The policies of some files (or the one of a name) and all other objects. Raises BadFiles.

    `namespace` is that of objects that name none.
    """
    findings = [finding for finding in lint(files) if not finding.note]
    found: dict[tuple[str, str, str], Object] = {}
    for file in files:
        for line, obj in _objects(file):
            wrong = None if obj["kind"] == POLICY else _unusable(obj)
            if wrong is not None:
                findings.append(Finding(file, line, f"{obj['kind']} {obj['metadata']['name']}: {wrong}"))
            obj["metadata"].setdefault("namespace", namespace)
            kept = obj if obj["kind"] == POLICY else _without_nulls(obj)
            found[obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"]] = kept
    if findings:
        raise BadFiles(findings)
    policies = [obj for (kind, _, _), obj in found.items() if kind == POLICY]
    chosen = [obj for obj in policies if policy in (None, obj["metadata"]["name"])]
    if not chosen:
        names = ", ".join(dict.fromkeys(str(obj["metadata"]["name"]) for obj in policies))
        text = f"no policy {policy} in it, it has {names}" if names else f"no {POLICY} in it; give a file that has one"
        raise BadFiles([Finding(files[0], 1, text)])
    return Contents(chosen, [obj for (kind, _, _), obj in found.items() if kind != POLICY])


def _objects(file: str) -> Iterator[tuple[int, Object]]:
    """The objects that have a kind and a name, with their lines."""
    for document in read_documents(Path(file)):
        for prefix, value in objects_of(document):
            if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
                continue
            metadata = value.get("metadata")
            if not isinstance(metadata, dict):
                continue
            name = metadata.get("name") or metadata.get("generateName")
            if isinstance(name, str) and isinstance(metadata.get("namespace", ""), str):
                yield document.line_of(prefix), {**value, "metadata": {**metadata, "name": name}}


def _without_nulls(value: Any) -> Any:
    """A value without the keys that are null: to the API server they aren't there."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _unusable(obj: Object) -> str | None:
    """What is wrong with the parts of an object that actions read."""
    for path, is_fine, cure in _SHAPES.get(obj["kind"], ()):
        value: Any = obj
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not is_fine(value):
            return f"{path} {cure}"
    return None


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_missing_or_whole(value: Any) -> bool:
    return value is None or _is_whole(value)


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


def _is_missing_or_map(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _is_missing_or_texts(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and all(isinstance(text, str) for text in value.values()))


def _are_maps(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(item, dict) for item in value))


def _are_containers(value: Any) -> bool:
    return _are_maps(value) and all(_are_maps(container.get("ports")) for container in value or [])


def _are_rules(value: Any) -> bool:
    if not _are_maps(value) or not all(_are_maps(rule.get("backendRefs")) for rule in value or []):
        return False
    backends = [backend for rule in value or [] for backend in rule.get("backendRefs") or []]
    matches = [rule.get("matches") for rule in value or []]
    return all(map(_are_maps, matches)) and all(_is_missing_or_whole(backend.get("weight")) for backend in backends)


_Shape = tuple[str, Callable[[Any], bool], str]
_WORKLOAD: tuple[_Shape, ...] = (
    ("spec", _is_map, "is missing; write one"),
    ("spec.replicas", _is_missing_or_whole, "is not a whole number"),
    ("spec.selector.matchLabels", _is_missing_or_texts, "is not a map of texts"),
    ("spec.template.metadata.labels", _is_missing_or_texts, "is not a map of texts"),
    ("spec.template.spec", _is_missing_or_map, "is not a map"),
    ("spec.template.spec.containers", _are_containers, "is not a list of containers"),
)
_SHAPES: dict[str, tuple[_Shape, ...]] = {
    "Deployment": _WORKLOAD,
    "StatefulSet": _WORKLOAD,
    "Service": (
        ("spec", _is_map, "is missing; write one"),
        ("spec.selector", _is_missing_or_texts, "is not a map of texts"),
        ("spec.ports", _are_maps, "is not a list of ports"),
    ),
    "HTTPRoute": (
        ("spec", _is_map, "is missing; write one"),
        ("spec.rules", _are_rules, "is not a list of rules whose backendRefs have whole weights"),
    ),
    "ConfigMap": (("data", _is_missing_or_texts, "is not a map of texts; put values in quotes"),),
    "HorizontalPodAutoscaler": (
        ("spec.scaleTargetRef", _is_map, "is missing; name the workload"),
        ("spec.maxReplicas", _is_whole, "is not a whole number"),
        ("spec.minReplicas", _is_missing_or_whole, "is not a whole number"),
    ),
    "ScaledObject": (
        ("spec.scaleTargetRef", _is_map, "is missing; name the workload"),
        ("spec.maxReplicaCount", _is_missing_or_whole, "is not a whole number"),
        ("spec.minReplicaCount", _is_missing_or_whole, "is not a whole number"),
    ),
}
