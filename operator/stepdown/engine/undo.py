"""From what is held to commands that a person can paste: each is its own compare-and-set.

Pure: what is printed is settled by the same ledger that the operator's own restore is settled by. A field that
somebody else has changed since is left out and remarked, for their value wins.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stepdown.api.status import Entry
from stepdown.engine.annotation import ANNOTATION
from stepdown.engine.document import NotADocument
from stepdown.engine.fields import KINDS, encode
from stepdown.engine.ledger import settle
from stepdown.engine.marks import mark_for
from stepdown.engine.patch import Patch, kubectl_line, target_patch, with_texts
from stepdown.engine.plan import rank
from stepdown.engine.pointer import escape
from stepdown.engine.settlement import Moment

ARGUMENT_MAX = 100_000
"""Most characters of an argument: Linux takes 128 KiB."""

_MARK = "/metadata/annotations/" + escape(ANNOTATION)
_HELD = Moment(0, (), 0.0)

Objects = dict[tuple[str, str], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Undo:
    """Commands in the order in which they are to be run, and what is left as it is, one sentence each."""

    commands: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def undo(namespace: str, policy: str, entries: Sequence[Entry], objects: Objects) -> Undo:
    """What puts a policy's entries back, over their targets as they are now.

    `objects` is taken on to what it is after the commands, for another policy may hold fields of the same objects.
    """
    found = settle(entries, {}, objects, _HELD)
    result = Undo(remarks=[fact.message for fact in found.facts])
    for target in sorted(found.writes, key=lambda target: rank(target.kind), reverse=True):
        obj = objects[target.kind, target.name]
        assert obj is not None
        texts = found.writes[target].texts
        try:
            annotation = mark_for(target.kind, obj, policy, [], entries)
            patch, subresource = target_patch(target, obj, texts, annotation)
        except (NotADocument, KeyError) as error:
            result.remarks.append(f"{target.kind} {target.name}: {', '.join(texts)} can't be put back ({error})")
            continue
        result.commands.append(command(namespace, KINDS[target.kind].plural, target.name, patch, subresource))
        mark = {} if subresource else {_MARK: None if annotation is None else encode(annotation)}
        objects[target.kind, target.name] = with_texts(obj, {**texts, **mark})
    return result


def command(namespace: str, plural: str, name: str, patch: Patch, subresource: str = "") -> str:
    """A patch as a command; one that is too long for an argument goes by standard input."""
    line = kubectl_line(namespace, plural, name, patch, subresource)
    if len(line) <= ARGUMENT_MAX:
        return line
    head = line.partition(" -p '")[0]
    body = json.dumps(patch, separators=(",", ":"), ensure_ascii=True)
    return f"{head} --patch-file=/dev/stdin <<'STEPDOWN'\n{body}\nSTEPDOWN"
