"""What a look at the ledger comes to: entries to store, then writes to make, facts to tell."""

from dataclasses import dataclass, field

from stepdown.api.status import LEDGER_MAX, Entry, EntryTarget
from stepdown.engine.fields import KINDS, FieldChange, Target
from stepdown.engine.reasons import EventReason, Problem

TEXT_MAX = 32_768
"""Characters of the longest value that an entry keeps, as the resource's schema has it."""

TEXTS_MAX = 262_144
"""Characters of all values in a ledger together: the API server stores no object much larger than a megabyte."""

FieldKey = tuple[Target, str]


@dataclass(frozen=True, slots=True)
class Write:
    """One target's fields to set to these ledger texts; none of them means: only the annotation."""

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
    """Entries to store first, then writes, and facts.

    `retired` are entries that ended. `pending` are fields that aren't as wanted yet. `refusals` are wanted changes
    that can't be kept in the ledger and so are never made: problem, sentence, target.
    """

    entries: list[Entry] = field(default_factory=list)
    writes: dict[Target, Write] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    retired: list[Entry] = field(default_factory=list)
    pending: set[FieldKey] = field(default_factory=set)
    refusals: list[tuple[Problem, str, Target]] = field(default_factory=list)

    @property
    def every_entry(self) -> list[Entry]:
        """Every entry that was looked at, also those that ended, and those that begin."""
        return [*self.entries, *self.retired]

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

    def no_room(self, current: str | None, desired: str | None) -> str | None:
        """Why one more entry with these texts can't be kept."""
        longest = max(len(current or ""), len(desired or ""))
        if longest > TEXT_MAX:
            return f"its value has {longest} characters, and only {TEXT_MAX} can be kept for restoring; make it shorter"
        if len(self.entries) >= LEDGER_MAX:
            return f"{LEDGER_MAX} fields are held already; take actions out of the policy"
        texts = sum(len(text or "") for entry in self.entries for text in (entry.original, entry.applied))
        if texts + len(current or "") + len(desired or "") > TEXTS_MAX:
            return f"more than {TEXTS_MAX} characters of values would be held; take actions out of the policy"
        return None

    def refuse(self, change: FieldChange, problem: Problem, reason: str) -> None:
        """Leaves a wanted change unmade, and says why."""
        target = change.target
        self.refusals.append((problem, f"{change.path} of {target.kind} {target.name}: {reason}", target))
        self.pending.add((target, change.path))


@dataclass(frozen=True, slots=True)
class Moment:
    """Under which leadership, with which levels and when (seconds since the epoch)."""

    epoch: int
    level_names: tuple[str, ...]
    now: float


def target_of(entry: Entry) -> Target:
    """The object that an entry binds to."""
    return Target(entry.target.kind, entry.target.name, entry.target.uid)


def entry_target(target: Target) -> EntryTarget:
    """A target as the ledger keeps it."""
    kind = KINDS[target.kind]
    return EntryTarget(group=kind.group, version=kind.version, kind=target.kind, name=target.name, uid=target.uid)
