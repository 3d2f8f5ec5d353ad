"""What our annotation on a target says by itself, whatever the ledger of its policy knows.

Anybody who may edit the object can have written it, so the operator does nothing by it: it leaves such a field alone,
keeps what is said of it, and says so; a person decides (`stepdown restore --print`).
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from stepdown.api.status import LEDGER_MAX, Entry, EntryState
from stepdown.engine.annotation import annotation_for, annotation_of
from stepdown.engine.document import NotADocument
from stepdown.engine.fields import KINDS, Target, decode, text_at
from stepdown.engine.ledger import entry_id, is_ours
from stepdown.engine.settlement import entry_target


def marked(kind: str, obj: Mapping[str, Any]) -> dict[str, list[Entry]]:
    """What an object's annotation alone says is held on it, by policy."""
    found: dict[str, list[Entry]] = {}
    for key, facts in annotation_of(obj).items():
        if isinstance(facts, dict) and (entry := _entry(kind, obj, key, facts)) is not None:
            found.setdefault(str(facts.get("policy")), []).append(entry)
    return found


def left_over(policy: str, known: Collection[str], kind: str, obj: Mapping[str, Any]) -> list[Entry]:
    """Fields that hold what was set for a policy of this name, although none of its entries (by id) is of them.

    Then that part of its status was lost, and what was there before with it. Replicas carry no annotation, and none of
    ours names more fields than a ledger has.
    """
    if KINDS[kind].scale:
        return []
    unknown = [
        (key, facts)
        for key, facts in annotation_of(obj).items()
        if isinstance(facts, dict) and facts.get("policy") == policy and key not in known
    ]
    found = (_entry(kind, obj, key, facts) for key, facts in unknown[:LEDGER_MAX])
    return [entry for entry in found if entry is not None and _is_applied(obj, entry)]


def mark_for(
    kind: str, obj: Mapping[str, Any], policy: str, held: Iterable[Entry], entries: Iterable[Entry]
) -> str | None:
    """The annotation's text for what is `held` on an object, of all `entries` of a policy; what is left over stays."""
    spared = {entry.id for entry in left_over(policy, {entry.id for entry in entries}, kind, obj)}
    return annotation_for(obj, policy, held, spared)


def _entry(kind: str, obj: Mapping[str, Any], key: str, facts: Mapping[str, Any]) -> Entry | None:
    """An entry as the annotation has it; None where it doesn't fit this very object: somebody has copied or made it."""
    target = Target(kind, str(obj["metadata"]["name"]), str(obj["metadata"]["uid"]))
    if key != entry_id(target, str(facts.get("path"))):
        return None
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
        return None
    return entry


def _is_applied(obj: Mapping[str, Any], entry: Entry) -> bool:
    """Whether a field holds what was applied, or what it holds can't be read now."""
    try:
        return is_ours(text_at(obj, entry.path), entry)
    except NotADocument:
        return True
