"""What must hold after every run, whatever went wrong: read from the proxy's log of what the API server really did.

Each check gives sentences about what is wrong; nothing is none. S3 and so on are numbers of docs/reliability.md.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

from faults.calls import POLICIES, Exchange
from plane.api import Object

TARGETS = {"services": "Service", "configmaps": "ConfigMap", "deployments": "Deployment"}
ANNOTATION = "stepdown.dev/ledger"
_POINTER = "/metadata/annotations/stepdown.dev~1ledger"


def is_target(exchange: Exchange) -> bool:
    """Whether a call was about an object of the user's."""
    return exchange.request.resource.partition("/")[0] in TARGETS


def done(log: Sequence[Exchange]) -> list[Exchange]:
    """The writes to the policy and to targets that took effect, in the server's own order."""
    kept = [e for e in log if e.is_done and (is_target(e) or e.request.resource.startswith(POLICIES))]
    return sorted(kept, key=lambda e: e.version)


def violations(log: Sequence[Exchange], before: dict[str, Object], after: dict[str, Object]) -> list[str]:
    """Everything that is wrong with one whole episode: down, up, and at rest."""
    writes = done(log)
    return [
        *_differences(before, after),
        *_untested(log),
        *_unannounced(writes),
        *_changed_originals(writes),
        *_epochs_that_fell(writes),
    ]


def _differences(before: dict[str, Object], after: dict[str, Object]) -> Iterator[str]:
    """S2: the same bytes in every field, and no mark of ours."""
    for name in sorted(before.keys() | after.keys()):
        if json.dumps(before.get(name), sort_keys=True) != json.dumps(after.get(name), sort_keys=True):
            yield f"S2: {name} was {before.get(name)} and is {after.get(name)}"
    if ANNOTATION in json.dumps(after):
        yield "S2: our annotation is left"


def _untested(log: Sequence[Exchange]) -> Iterator[str]:
    """S3: every write to a target that was sent tests the uid, and each value that it changes."""
    for exchange in log:
        if not exchange.request.is_write or not is_target(exchange):
            continue
        operations = exchange.request.body
        tested = {op["path"] for op in operations if op["op"] == "test"}
        changed = {op["path"] for op in operations if op["op"] != "test"}
        if exchange.request.verb != "patch" or "/metadata/uid" not in tested or not changed <= tested:
            yield f"S3: {exchange.request.path} was written without testing all it changes: {operations}"


def _unannounced(writes: Sequence[Exchange]) -> Iterator[str]:
    """S3: a field is changed only while the stored ledger has an entry for that very object and field."""
    ledger: list[Object] = []
    for write in writes:
        if not is_target(write):
            ledger = _ledger(write.answer)
            continue
        uid = write.answer["metadata"]["uid"]
        held = {entry["path"] for entry in ledger if entry["target"]["uid"] == uid}
        for path in _fields(write.request.body):
            if path not in held:
                yield f"S3: {path} of {write.request.path} was written, and the stored ledger had {ledger}"


def _changed_originals(writes: Sequence[Exchange]) -> Iterator[str]:
    """S3: once a held field was written, its original is what it was then."""
    originals: dict[tuple[str, str], Any] = {}
    written: set[tuple[str, str]] = set()
    for write in writes:
        if is_target(write):
            written |= {(write.answer["metadata"]["uid"], path) for path in _fields(write.request.body)}
            continue
        entries = {(e["target"]["uid"], e["path"]): e.get("original") for e in _ledger(write.answer)}
        written &= entries.keys()
        for key in written & originals.keys():
            if originals[key] != entries[key]:
                yield f"S3: the original of {key[1]} was {originals[key]} and became {entries[key]}"
        originals = entries


def _epochs_that_fell(writes: Sequence[Exchange]) -> Iterator[str]:
    """S6: in the order of the server's revisions, no leader writes after a newer one."""
    epochs = [(epoch, write) for write in writes for epoch in epochs_of(write)]
    for (before, first), (after, second) in itertools.pairwise(epochs):
        if after < before:
            yield f"S6: {second.request.path} with epoch {after} after {first.request.path} with epoch {before}"


def epochs_of(write: Exchange) -> list[int]:
    """The newest epoch that a write carries: in our annotation or in the ledger; none where it carries no mark."""
    if is_target(write):
        marks = [op.get("value") for op in write.request.body if op["op"] != "test" and op["path"] == _POINTER]
        entries = [entry for mark in marks if mark for entry in json.loads(mark).values()]
    else:
        entries = _ledger(write.answer)
    return [max(entry["epoch"] for entry in entries)] if entries else []


def _ledger(policy: Object) -> list[Object]:
    return list((policy.get("status") or {}).get("ledger") or [])


def _fields(operations: Sequence[Object]) -> list[str]:
    """The fields of the user that a patch changes."""
    changed = [op["path"] for op in operations if op["op"] != "test"]
    return [path for path in changed if not path.startswith("/metadata/annotations")]
