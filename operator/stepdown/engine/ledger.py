"""The ledger: which fields we hold, what was there before, and what to write next.

The protocol (docs/concepts.md, "The ledger") is write-ahead with compare-and-set: an entry with the original is
stored before its target is written; a second step on a field keeps the first original; a field is put back only
while it holds what we applied; a foreign value wins. Everything here is judged from what is there *now*, so that
a crash, a lost reply or a repeated call needs no case of its own.

`settle` looks at each entry and each wanted change once, and gives the entries to store, the writes to make after
that, and the facts to tell. It never writes.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from stepdown.api.status import Entry, EntryState
from stepdown.engine.annotation import annotation_for, annotation_of
from stepdown.engine.document import NotADocument
from stepdown.engine.fields import KINDS, FieldChange, Target, encode, same_text, text_at
from stepdown.engine.reasons import EventReason, Problem
from stepdown.engine.settlement import Fact, FieldKey, Moment, Settlement, Write, entry_target, target_of

__all__ = [
    "Fact",
    "FieldKey",
    "Moment",
    "Settlement",
    "Write",
    "annotation_for",
    "annotation_of",
    "entry_id",
    "is_only_intended",
    "is_ours",
    "settle",
    "short",
    "target_of",
]

REAPPLY_MAX = 3
"""How often a reverted field is set again before it is given up as Contested."""

LATE_SECONDS = 60.0
"""How long a write without an answer may still arrive: as long as the API server works on a request."""

_REMOVED = ""
"""What an entry `replaces` when our earlier step had removed the field; JSON is never empty."""

Objects = Mapping[tuple[str, str], Mapping[str, Any] | None]


def entry_id(target: Target, path: str) -> str:
    """The identity of a field of one very object."""
    return sha256(f"{target.kind}/{target.name}/{target.uid}{path}".encode()).hexdigest()[:12]


def settle(
    entries: Iterable[Entry], wanted: Mapping[FieldKey, FieldChange], objects: Objects, moment: Moment
) -> Settlement:
    """What must be stored, written and told, given what each target holds now.

    `objects` has every target of the entries and of the wanted changes by kind and name; None for gone.
    """
    result = Settlement()
    held: set[FieldKey] = set()
    for entry in entries:
        key = (target_of(entry), entry.path)
        obj = objects.get((entry.target.kind, entry.target.name))
        if obj is None or obj["metadata"]["uid"] != entry.target.uid:
            _orphan(result, entry, gone=obj is None)
            continue
        change = wanted.get(key)
        try:
            current = text_at(obj, entry.path)
        except NotADocument:
            if change is not None or entry.state is not EntryState.CONTESTED:
                _wait_for_a_document(result, entry)
                held.add(key)
                continue
            current = None
        if change is None:
            _restore(result, entry, obj, current, moment)
        elif _keep(result, entry, change, obj, current, moment):
            held.add(key)
    for key, change in wanted.items():
        if key not in held:
            _begin(result, change, objects, moment)
    return result


def _begin(result: Settlement, change: FieldChange, objects: Objects, moment: Moment) -> None:
    target = change.target
    obj = objects.get((target.kind, target.name))
    if obj is None or obj["metadata"]["uid"] != target.uid:
        result.pending.add((target, change.path))
        return
    try:
        current = text_at(obj, change.path)
    except NotADocument as error:
        result.refuse(change, Problem.INVALID_FLAG_DOCUMENT, f"{error}; it is left untouched, correct it")
        return
    desired = encode(change.desired)
    if same_text(current, desired):
        return
    reason = result.no_room(current, desired)
    if reason is not None:
        result.refuse(change, Problem.LEDGER_FULL, reason)
        return
    result.entries.append(
        Entry(
            id=entry_id(target, change.path),
            target=entry_target(target),
            path=change.path,
            original=current,
            applied=desired,
            state=EntryState.INTENT,
            level=moment.level_names[change.level],
            epoch=moment.epoch,
            time=moment.now,
        )
    )
    result.write(target, change.path, desired, restores=False)


def _keep(
    result: Settlement,
    entry: Entry,
    change: FieldChange,
    obj: Mapping[str, Any],
    current: str | None,
    moment: Moment,
) -> bool:
    """Carries an entry on whose field is still wanted; False when the field must be begun anew."""
    desired = encode(change.desired)
    level = moment.level_names[change.level]

    def apply(**changes: Any) -> bool:
        result.entries.append(_changed(entry, moment, state=EntryState.INTENT, applied=desired, level=level, **changes))
        result.write(change.target, change.path, desired, restores=False)
        return True

    if entry.state is EntryState.RESTORED:
        return False
    if entry.state is EntryState.CONTESTED:
        result.entries.append(entry)
        result.pending.add((change.target, change.path))
        return True
    if _is(current, entry.applied):
        if not same_text(desired, entry.applied):
            return apply(replaces=_earlier(entry))
        if entry.state is not EntryState.APPLIED or entry.level != level or entry.replaces is not None:
            entry = _changed(entry, moment, state=EntryState.APPLIED, level=level, replaces=None)
        result.entries.append(entry)
        return True
    if entry.state is EntryState.INTENT and (_is(current, entry.original) or _is_replaced(current, entry)):
        if not same_text(entry.applied, desired):
            if _may_still_arrive(entry, moment) and (_is(current, desired) or entry.replaces is not None):
                result.entries.append(entry)
                result.pending.add((change.target, change.path))
                return True
            return apply(replaces=_earlier(entry) if entry.replaces is None else entry.replaces)
        if entry.level != level:
            return apply()
        # Replicas carry no mark: when they were written last is all that tells how long that may still arrive.
        result.entries.append(_changed(entry, moment) if KINDS[change.target.kind].scale else entry)
        result.write(change.target, change.path, desired, restores=False)
        return True
    if entry.state is EntryState.INTENT and entry.replaces is None and not _is_marked(entry, obj):
        return False
    if _is(current, entry.original) and entry.state is EntryState.RESTORING:
        return apply(replaces=None)
    if _is(current, entry.original) and entry.reapplied < REAPPLY_MAX:
        again = entry.reapplied + 1
        text = f"{_field(entry)} was set back by somebody else; applied again ({again} of {REAPPLY_MAX})"
        result.facts.append(Fact(EventReason.REAPPLIED, text, target_of(entry), entry.path))
        return apply(reapplied=again, replaces=_earlier(entry))
    result.entries.append(_changed(entry, moment, state=EntryState.CONTESTED))
    result.pending.add((change.target, change.path))
    _contested(result, entry, current)
    return True


def _restore(result: Settlement, entry: Entry, obj: Mapping[str, Any], current: str | None, moment: Moment) -> None:
    target = target_of(entry)
    if entry.state not in (EntryState.CONTESTED, EntryState.RESTORED):
        if _is(current, entry.original) and not _is_our_spelling(current, entry):
            if _may_still_arrive(entry, moment):
                result.entries.append(entry)
                return
            if is_only_intended(entry, obj):
                # A write of it may be under way. A mark, which goes again after it, makes the object another one to it.
                result.entries.append(entry)
                result.touch(target)
                return
            entry = entry.model_copy(update={"state": EntryState.RESTORED})
        elif is_ours(current, entry):
            result.entries.append(entry)
            result.write(target, entry.path, entry.original, restores=True)
            return
        else:
            _contested(result, entry, current)
            entry = entry.model_copy(update={"state": EntryState.CONTESTED})
    if _is_marked(entry, obj):
        result.touch(target)
    result.retired.append(entry)


def _may_still_arrive(entry: Entry, moment: Moment) -> bool:
    """Whether a write of replicas that got no answer could still change them, unseen by any annotation."""
    is_late = not 0 <= moment.now - entry.time < LATE_SECONDS
    return entry.state is EntryState.INTENT and KINDS[entry.target.kind].scale and not is_late


def _wait_for_a_document(result: Settlement, entry: Entry) -> None:
    """What can't be read is not judged: the entry stays until somebody has corrected the document."""
    result.entries.append(entry)
    result.pending.add((target_of(entry), entry.path))


def _orphan(result: Settlement, entry: Entry, *, gone: bool) -> None:
    fate = "is gone" if gone else "was created anew"
    result.retired.append(entry.model_copy(update={"state": EntryState.ORPHANED}))
    text = f"{entry.target.kind} {entry.target.name} {fate}: its {entry.path} needs no restore"
    result.facts.append(Fact(EventReason.ORPHANED, text, target_of(entry), entry.path))


def _contested(result: Settlement, entry: Entry, current: str | None) -> None:
    if _is(current, entry.original):
        text = f"{_field(entry)} was set back to {short(current)} more than {REAPPLY_MAX} times: it is left so"
    else:
        text = (
            f"{_field(entry)} is {short(current)}, which is neither what was applied ({short(entry.applied)}) nor"
            f" what was there before ({short(entry.original)}): the foreign value stays"
        )
    result.facts.append(Fact(EventReason.CONTESTED, text, target_of(entry), entry.path))


def _changed(entry: Entry, moment: Moment, **changes: Any) -> Entry:
    return entry.model_copy(update={"epoch": moment.epoch, "time": moment.now, **changes})


def _is(current: str | None, text: str | None) -> bool:
    try:
        return same_text(current, text)
    except ValueError:
        return False


def is_only_intended(entry: Entry, obj: Mapping[str, Any]) -> bool:
    """Whether a field holds what was there before, and no mark says that a write of it has ever arrived.

    Replicas carry no mark, so that this can't be said of them.
    """
    if entry.state is not EntryState.INTENT or KINDS[entry.target.kind].scale or _is_marked(entry, obj):
        return False
    try:
        return _is(text_at(obj, entry.path), entry.original)
    except NotADocument:
        return False


def _is_our_spelling(current: str | None, entry: Entry) -> bool:
    """Whether a field holds the original's value as we have written it, which is not how it was written before."""
    return current == entry.applied and entry.applied != entry.original


def is_ours(current: str | None, entry: Entry) -> bool:
    """Whether a field holds what we applied, or our own earlier value while a second step is under way."""
    return _is(current, entry.applied) or _is_replaced(current, entry)


def _earlier(entry: Entry) -> str:
    """What an entry held until now, as `replaces` keeps it: it may be there still, whatever a look has shown."""
    return _REMOVED if entry.applied is None else entry.applied


def _is_replaced(current: str | None, entry: Entry) -> bool:
    """Whether a field still holds our own earlier value, which a step under way replaces."""
    return entry.replaces is not None and _is(current, None if entry.replaces == _REMOVED else entry.replaces)


def _is_marked(entry: Entry, obj: Mapping[str, Any]) -> bool:
    """Whether an object carries our mark of an entry; one on replicas is not ours, whoever has put it there."""
    return not KINDS[entry.target.kind].scale and entry.id in annotation_of(obj)


def _field(entry: Entry) -> str:
    return f"{entry.path} of {entry.target.kind} {entry.target.name}"


def short(text: str | None) -> str:
    """A ledger text for people: bounded, and `absent` for a field that is not there."""
    if text is None:
        return "absent"
    return text if len(text) <= 60 else text[:57] + "..."
