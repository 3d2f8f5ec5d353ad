"""What our annotation on a target says by itself, whatever the ledger of its policy knows.

Anybody who may edit the object can have written it, so the operator does nothing by it: it leaves such an object alone
and says so, and a person decides (`stepdown restore --print`).
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from stepdown.api.status import Entry, EntryState
from stepdown.engine.annotation import annotation_of
from stepdown.engine.document import NotADocument
from stepdown.engine.fields import KINDS, Target, decode, text_at
from stepdown.engine.ledger import entry_id, is_ours
from stepdown.engine.settlement import entry_target


def marked(kind: str, obj: Mapping[str, Any]) -> dict[str, list[Entry]]:
    """What an object's annotation alone says is held on it, by policy.

    What doesn't fit this very object is left out: somebody has copied the annotation, or made it.
    """
    found: dict[str, list[Entry]] = {}
    metadata = obj["metadata"]
    target = Target(kind, str(metadata["name"]), str(metadata["uid"]))
    for key, facts in annotation_of(obj).items():
        if not isinstance(facts, dict) or key != entry_id(target, str(facts.get("path"))):
            continue
        try:
            entry = Entry(
                id=key,
                target=entry_target(target),
                path=facts["path"],
                original=facts.get("original"),
                applied=facts.get("applied"),
                state=EntryState.APPLIED,
                level=facts.get("level", ""),
                time=0.0,
            )
            for text in (entry.original, entry.applied):
                decode(text)
        except (ValidationError, ValueError):
            continue
        found.setdefault(str(facts.get("policy")), []).append(entry)
    return found


def is_left_over(policy: str, kind: str, obj: Mapping[str, Any]) -> bool:
    """Whether an object, on which a policy's ledger has no entry, holds what was set for a policy of this name.

    Then the status of that one was lost, and with it what was there before. Replicas carry no annotation.
    """
    return not KINDS[kind].scale and any(_is_applied(obj, entry) for entry in marked(kind, obj).get(policy, []))


def _is_applied(obj: Mapping[str, Any], entry: Entry) -> bool:
    try:
        return is_ours(text_at(obj, entry.path), entry)
    except NotADocument:
        return False
