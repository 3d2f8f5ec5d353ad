"""The ledger: which fields we hold, what was there before, and what to write next.

The protocol (docs/concepts.md, "The ledger") is write-ahead with compare-and-set: an entry with the original is
stored before its target is written; a second step on a field keeps the first original; a field is put back only
while it holds what we applied; a foreign value wins. Everything here is judged from what is there *now*, so that
a crash, a lost reply or a repeated call needs no case of its own.

`settle` looks at each entry and each wanted change once, and gives the entries to store, the writes to make after
that, and the facts to tell. It never writes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from stepdown.api.status import Entry, EntryState, EntryTarget
from stepdown.engine.document import NotADocument
from stepdown.engine.fields import KINDS, FieldChange, Target, encode, same_text, text_at
from stepdown.engine.patch import ANNOTATION
from stepdown.engine.reasons import EventReason

REAPPLY_MAX = 3
"""How often a reverted field is set again before it is given up as Contested."""

FieldKey = tuple[Target, str]


@dataclass(frozen=True, slots=True)
class Write:
    """One target's fields to set to these ledger texts. `entries` are the ids whose annotation is kept after it."""

    target: Target
    texts: dict[str, str | None]
    restores: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to tell people about a target."""

    reason: EventReason
    message: str
    target: Target
    path: str = ""


@dataclass(slots=True)
class Settlement:
    """What `settle` found: entries to store first, then writes, and facts. `retired` are entries that ended."""

    entries: list[Entry] = field(default_factory=list)
    writes: dict[Target, Write] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    retired: list[Entry] = field(default_factory=list)
    pending: set[FieldKey] = field(default_factory=set)

    def write(self, target: Target, path: str, text: str | None, *, restores: bool) -> None:
        """Adds a field to the target's write."""
        made = self.writes.get(target)
        texts = {**(made.texts if made else {}), path: text}
        self.writes[target] = Write(target, texts, restores and (made is None or made.restores))
        self.pending.add((target, path))

    def touch(self, target: Target) -> None:
        """Adds a write that changes nothing but the annotation."""
        if target not in self.writes:
            self.writes[target] = Write(target, {}, True)


@dataclass(frozen=True, slots=True)
class Moment:
    """Under which leadership, at which level and when."""

    epoch: int
    level_names: tuple[str, ...]
    now: float


def entry_id(target: Target, path: str) -> str:
    """The identity of a field of one very object."""
    return sha256(f"{target.kind}/{target.name}/{target.uid}{path}".encode()).hexdigest()[:12]


def target_of(entry: Entry) -> Target:
    """The object that an entry binds to."""
    return Target(entry.target.kind, entry.target.name, entry.target.uid)


def settle(
    entries: Iterable[Entry],
    wanted: Mapping[FieldKey, FieldChange],
    objects: Mapping[tuple[str, str], Mapping[str, Any] | None],
    moment: Moment,
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
        try:
            current = text_at(obj, entry.path)
        except NotADocument:
            current = "\x00not a document"
        change = wanted.get(key)
        if change is not None:
            if _keep(result, entry, change, current, moment):
                held.add(key)
        else:
            _restore(result, entry, obj, current)
    for key, change in wanted.items():
        if key in held:
            continue
        _begin(result, change, objects, moment)
    return result


def _begin(
    result: Settlement,
    change: FieldChange,
    objects: Mapping[tuple[str, str], Mapping[str, Any] | None],
    moment: Moment,
) -> None:
    obj = objects.get((change.target.kind, change.target.name))
    if obj is None or obj["metadata"]["uid"] != change.target.uid:
        return
    current = text_at(obj, change.path)
    desired = encode(change.desired)
    if same_text(current, desired):
        return
    kind = KINDS[change.target.kind]
    result.entries.append(
        Entry(
            id=entry_id(change.target, change.path),
            target=EntryTarget(
                group=kind.group,
                version=kind.version,
                kind=change.target.kind,
                name=change.target.name,
                uid=change.target.uid,
            ),
            path=change.path,
            original=current,
            applied=desired,
            state=EntryState.INTENT,
            level=moment.level_names[change.level],
            epoch=moment.epoch,
            time=moment.now,
        )
    )
    result.write(change.target, change.path, desired, restores=False)


def _keep(result: Settlement, entry: Entry, change: FieldChange, current: str | None, moment: Moment) -> bool:
    """Carries an entry on whose field is still wanted; False when the field must be begun anew."""
    desired = encode(change.desired)
    level = moment.level_names[change.level]
    if entry.state is EntryState.CONTESTED:
        result.entries.append(entry)
        result.pending.add((change.target, change.path))
        return True
    if _is(current, entry.applied):
        if same_text(desired, entry.applied):
            if entry.state is not EntryState.APPLIED or entry.level != level or entry.replaces is not None:
                entry = _changed(entry, moment, state=EntryState.APPLIED, level=level, replaces=None)
            result.entries.append(entry)
            return True
        intent = _changed(entry, moment, state=EntryState.INTENT, applied=desired, replaces=entry.applied, level=level)
        result.entries.append(intent)
        result.write(change.target, change.path, desired, restores=False)
        return True
    if entry.state is EntryState.INTENT and (
        _is(current, entry.original) or (entry.replaces is not None and _is(current, entry.replaces))
    ):
        intent = entry if same_text(entry.applied, desired) else _changed(entry, moment, applied=desired, level=level)
        result.entries.append(intent)
        result.write(change.target, change.path, desired, restores=False)
        return True
    if entry.state is EntryState.INTENT and entry.replaces is None:
        return False
    if _is(current, entry.original) and entry.state is EntryState.RESTORING:
        result.entries.append(_changed(entry, moment, state=EntryState.INTENT, applied=desired, level=level))
        result.write(change.target, change.path, desired, restores=False)
        return True
    if _is(current, entry.original) and entry.reapplied < REAPPLY_MAX:
        again = entry.reapplied + 1
        result.entries.append(
            _changed(entry, moment, state=EntryState.INTENT, applied=desired, level=level, reapplied=again)
        )
        result.write(change.target, change.path, desired, restores=False)
        result.facts.append(
            Fact(
                EventReason.REAPPLIED,
                f"{_field(entry)} was set back by somebody else; applied again ({again} of {REAPPLY_MAX})",
                target_of(entry),
                entry.path,
            )
        )
        return True
    result.entries.append(_changed(entry, moment, state=EntryState.CONTESTED))
    result.pending.add((change.target, change.path))
    _contested(result, entry, current)
    return True


def _restore(result: Settlement, entry: Entry, obj: Mapping[str, Any], current: str | None) -> None:
    target = target_of(entry)
    ours = _is(current, entry.applied) or (entry.replaces is not None and _is(current, entry.replaces))
    if entry.state is not EntryState.CONTESTED and ours and not _is(current, entry.original):
        result.entries.append(entry)
        result.write(target, entry.path, entry.original, restores=True)
        return
    if entry.state is not EntryState.CONTESTED and not _is(current, entry.original):
        _contested(result, entry, current)
        entry = entry.model_copy(update={"state": EntryState.CONTESTED})
    elif entry.state is not EntryState.CONTESTED:
        entry = entry.model_copy(update={"state": EntryState.RESTORED})
    if entry.id in annotation_of(obj):
        result.touch(target)
    result.retired.append(entry)


def _orphan(result: Settlement, entry: Entry, *, gone: bool) -> None:
    fate = "is gone" if gone else "was created anew"
    result.retired.append(entry.model_copy(update={"state": EntryState.ORPHANED}))
    result.facts.append(
        Fact(
            EventReason.ORPHANED,
            f"{entry.target.kind} {entry.target.name} {fate}: its {entry.path} needs no restore",
            target_of(entry),
            entry.path,
        )
    )


def _contested(result: Settlement, entry: Entry, current: str | None) -> None:
    result.facts.append(
        Fact(
            EventReason.CONTESTED,
            f"{_field(entry)} is {_short(current)}, which is neither what was applied ({_short(entry.applied)}) nor"
            f" what was there before ({_short(entry.original)}) or was set back {REAPPLY_MAX} times:"
            " the foreign value stays",
            target_of(entry),
            entry.path,
        )
    )


def annotation_of(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Our annotation's entries by id; empty for none or for something that isn't ours."""
    text = (obj["metadata"].get("annotations") or {}).get(ANNOTATION)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def annotation_for(obj: Mapping[str, Any], policy: str, entries: Iterable[Entry]) -> str | None:
    """The annotation's text after a write: this policy's entries on the object, beside other policies'.

    It holds the same facts as the ledger, so that either alone is enough to restore. None for nothing left.
    """
    kept = {key: e for key, e in annotation_of(obj).items() if isinstance(e, dict) and e.get("policy") != policy}
    for entry in entries:
        facts: dict[str, Any] = {
            "policy": policy,
            "path": entry.path,
            "level": entry.level,
            "epoch": entry.epoch,
        }
        if entry.original is not None:
            facts["original"] = entry.original
        if entry.applied is not None:
            facts["applied"] = entry.applied
        kept[entry.id] = facts
    return json.dumps(kept, separators=(",", ":"), sort_keys=True) if kept else None


def _changed(entry: Entry, moment: Moment, **changes: Any) -> Entry:
    return entry.model_copy(update={"epoch": moment.epoch, "time": moment.now, **changes})


def _is(current: str | None, text: str | None) -> bool:
    try:
        return same_text(current, text)
    except ValueError:
        return False


def _field(entry: Entry) -> str:
    return f"{entry.path} of {entry.target.kind} {entry.target.name}"


def _short(text: str | None) -> str:
    if text is None:
        return "absent"
    return text if len(text) <= 60 else text[:57] + "..."
