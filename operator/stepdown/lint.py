"""Checks manifests without a cluster: everything that the API server would refuse, and what it can't see.

Each finding has a file, a line and a cure. Objects of other kinds are skipped with a note, so that all
files of a directory can be given.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepdown.api.actions import ScaleAs
from stepdown.api.policy import GROUP, VERSION
from stepdown.api.sentences import nearest
from stepdown.api.validation import InvalidSpec, parse_endpoint, parse_policy
from stepdown.engine import promql
from stepdown.manifests import Document, read_documents

KINDS = {"DegradationPolicy": parse_policy, "MetricsEndpoint": parse_endpoint}
"""Our kinds, with what checks them."""

_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to correct, or with `note` something to know."""

    file: str
    line: int
    message: str
    note: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def lint(files: Iterable[str]) -> list[Finding]:
    """What is found in files, in their order and by line. Never raises for what is in them."""
    return [finding for file in files for finding in _lint_file(file)]


def _lint_file(file: str) -> list[Finding]:
    findings: list[Finding] = []
    others: list[Document] = []
    for document in read_documents(Path(file)):
        findings += [Finding(file, flaw.line, flaw.message) for flaw in document.flaws]
        flawed = {flaw.path for flaw in document.flaws}
        for prefix, value in objects_of(document):
            if not _is_ours(value):
                others.append(document)
                continue
            for path, message in _judge(value):
                place = f"{prefix}.{path}".strip(".")
                if place not in flawed:
                    findings.append(Finding(file, document.line_of(place), message))
            for path, message in _cautions(value):
                place = f"{prefix}.{path}".strip(".")
                findings.append(Finding(file, document.line_of(place), message, note=True))
    if others:
        kinds = ", ".join(dict.fromkeys(_kind(document.value) for document in others))
        findings.append(Finding(file, others[0].line, f"not checked, of other kinds: {kinds}", note=True))
    return sorted(dict.fromkeys(findings), key=lambda finding: (finding.note, finding.line))


def objects_of(document: Document) -> Iterator[tuple[str, Any]]:
    """The objects of a document with their paths: itself, or the items of a List."""
    value = document.value
    if isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list):
        for index, item in enumerate(value["items"]):
            yield f"items[{index}]", item
    elif value is not None:
        yield "", value


def _is_ours(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return str(value.get("apiVersion")).partition("/")[0] == GROUP or (
        value.get("kind") in KINDS and "apiVersion" not in value
    )


def _kind(value: Any) -> str:
    return str(value.get("kind", "no kind")) if isinstance(value, dict) else "not an object"


def _judge(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The problems of an object of our group: path and message."""
    if value.get("apiVersion") != f"{GROUP}/{VERSION}":
        yield "apiVersion", f"apiVersion: this is not {GROUP}/{VERSION}. Write apiVersion: {GROUP}/{VERSION}"
    kind = str(value.get("kind"))
    if kind not in KINDS:
        meant = nearest(kind, list(KINDS))
        cure = f"Did you mean {meant}?" if meant else f"Write {' or '.join(KINDS)}"
        yield "kind", f"kind: {GROUP} has no kind {kind}. {cure}"
        return
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or not (metadata.get("name") or metadata.get("generateName")):
        yield "metadata", "metadata.name: is required. Add it, like metadata: {name: checkout}"
    for key in value:
        if key not in _FIELDS:
            meant = nearest(key, _FIELDS)
            yield key, f"{key}: there is no field {key} here. {f'Did you mean {meant}?' if meant else 'Remove it'}"
    try:
        KINDS[kind](value)
    except InvalidSpec as error:
        yield from ((problem.path, str(problem)) for problem in error.problems)
    yield from _queries(value.get("spec"))


def _cautions(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is allowed in a valid policy, and seldom meant: path and message."""
    try:
        spec = parse_policy(value)
    except InvalidSpec:
        return
    target = (spec.target.deployment, spec.target.stateful_set)
    for place, level in enumerate(spec.levels):
        moves = any(action.route is not None or action.status_page is not None for action in level.actions)
        for number, action in enumerate(level.actions):
            scale = action.scale
            if not moves or scale is None or scale.to != 0 or scale.as_ is ScaleAs.FLOOR:
                continue
            if (scale.deployment, scale.stateful_set) in ((None, None), target):
                path = f"spec.levels[{place}].actions[{number}].scale"
                cure = "Scale it to 0 in a deeper level"
                why = "so that a step up brings traffic back before a pod is ready"
                yield path, f"{path}: {level.name} moves traffic away and scales the target to 0, {why}. {cure}"


def _queries(spec: Any) -> Iterator[tuple[str, str]]:
    """PromQL that does not parse."""
    for key, fields in (("signals", ("query",)), ("objectives", ("errors", "total"))):
        items = spec.get(key) if isinstance(spec, dict) else None
        for index, item in enumerate(items if isinstance(items, list) else []):
            for name in fields:
                text = item.get(name) if isinstance(item, dict) else None
                problem = promql.check(text.replace("$window", "5m")) if isinstance(text, str) and text else None
                if problem:
                    path = f"spec.{key}[{index}].{name}"
                    yield path, f"{path}: {problem}"
