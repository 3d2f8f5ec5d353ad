"""The one writer: everything that is ever done to somebody's object goes through here.

`settle` (engine/ledger.py) decides; this carries it out in the only safe order: store the entries, write the
targets, look at what is there, store again. A write whose outcome is unknown is looked at, never assumed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stepdown.api.status import Entry, EntryState, PolicyStatus
from stepdown.engine.annotation import names
from stepdown.engine.document import NotADocument
from stepdown.engine.fields import KINDS, FieldChange, Ref, Target, text_at
from stepdown.engine.ledger import (
    Fact,
    FieldKey,
    Moment,
    Settlement,
    Write,
    annotation_of,
    is_only_intended,
    settle,
    target_of,
)
from stepdown.engine.marks import mark_for
from stepdown.engine.patch import Patch, at_version, build_patch, target_patch
from stepdown.engine.plan import rank
from stepdown.engine.reasons import Problem
from stepdown.ports import Cluster, Conflict, Journal, Policy, Refused, Unknown

BUSY_RETRIES = 2
"""How often a write is tried again at once when the object has a new version, but not in anything that we write."""

Objects = dict[tuple[str, str], dict[str, Any] | None]


@dataclass(slots=True)
class Written:
    """What a pass of the writer left: the policy as stored, its status, and what happened on the way.

    `problems` are refusals by target; `pending` are fields that aren't as wanted yet; `answered` are targets that a
    write has just given back; `never` are entries, by id, that were intended and have had no effect. `judged` are
    objects as the facts were found on them: a write of ours afterwards makes us the last who has changed a list that
    others changed before.
    """

    policy: Policy
    status: PolicyStatus
    facts: list[Fact] = field(default_factory=list)
    applied: list[Write] = field(default_factory=list)
    problems: list[tuple[Problem, str, Target]] = field(default_factory=list)
    pending: set[FieldKey] = field(default_factory=set)
    answered: set[Target] = field(default_factory=set)
    never: set[str] = field(default_factory=set)
    judged: Objects = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes for one leadership. Raises Conflict, Refused and Unknown of the journal; targets' go to `problems`.

    `hold` is told what a policy is about to hold, before anything is waited for: another policy that is ticked
    meanwhile must find the field taken, or it would remember our value as its original.
    """

    cluster: Cluster
    journal: Journal
    hold: Callable[[Policy, Iterable[Entry]], None] = lambda _policy, _entries: None

    async def apply(
        self,
        policy: Policy,
        status: PolicyStatus,
        wanted: Mapping[FieldKey, FieldChange],
        objects: Objects,
        moment: Moment,
        *,
        upwards: bool,
    ) -> Written:
        """Brings every held or wanted field to where it shall be, as far as the cluster lets us.

        `objects` holds each target as just read. `upwards` turns the order of kinds round.
        """
        done = Written(policy, status)
        before = await self._settled(done, wanted, objects, moment)
        done.facts += before.facts
        done.judged = dict(objects)
        if before.writes:
            entries = [*before.entries, *_unfinished(before)]
            self.hold(policy, entries)
            await self._store_entries(done, entries)
            for target in _ordered(before.writes, upwards=upwards):
                await self._write(done, before.writes[target], objects, before)
        after = await self._settled(done, wanted, objects, moment) if before.writes else before
        new_facts = [fact for fact in after.facts if fact not in before.facts]
        done.facts += new_facts
        done.judged |= {place: objects[place] for place in ((f.target.kind, f.target.name) for f in new_facts)}
        done.pending = after.pending
        refused = {target for _, _, target in done.problems}
        entries = [_blocked(entry, wanted, refused) for entry in after.entries]
        entries = [entry for entry in entries if entry.id not in done.never]
        entries += _unfinished(after)
        done.problems += after.refusals
        done.status = done.status.model_copy(update={"ledger": entries})
        return done

    async def _settled(
        self, done: Written, wanted: Mapping[FieldKey, FieldChange], objects: Objects, moment: Moment
    ) -> Settlement:
        """What to do next. What seems to be others' doing is looked at once more: a look may have been stale.

        Nothing is given up, and nothing is taken for restored, on such a look alone.
        """
        found = settle(done.status.ledger, wanted, objects, moment)
        seem = dict.fromkeys([*map(target_of, found.retired), *(fact.target for fact in found.facts)])
        doubted = [target for target in seem if target not in done.answered]
        for target in doubted:
            objects[target.kind, target.name] = await self._look(done.policy.namespace, target)
        return settle(done.status.ledger, wanted, objects, moment) if doubted else found

    async def _store_entries(self, done: Written, entries: list[Entry]) -> None:
        if not done.policy.has_finalizer:
            done.policy = await self.journal.set_finalizer(done.policy, present=True)
        if entries != done.status.ledger:
            done.status = done.status.model_copy(update={"ledger": entries})
            done.policy = await self.journal.store(done.policy, done.status)

    async def _write(
        self, done: Written, write: Write, objects: Objects, settlement: Settlement, again: int = 0
    ) -> None:
        target = write.target
        place = (target.kind, target.name)
        obj = objects[place]
        assert obj is not None
        write = _mark_first(obj, write, settlement)
        try:
            patch, subresource = _patch(obj, write, done.policy, settlement)
        except (NotADocument, KeyError) as error:
            done.problems.append((Problem.INVALID_FLAG_DOCUMENT, f"{target.kind} {target.name}: {error}", target))
            return
        try:
            result = await self.cluster.patch(done.policy.namespace, target, at_version(patch, obj), subresource)
        except Conflict:
            found = objects[place] = await self._look(done.policy.namespace, target)
            untouched = again < BUSY_RETRIES and found is not None and _is_untouched(write, obj, found)
            if untouched and await self._still_leads(done.policy, done.status.epoch):
                await self._write(done, write, objects, settlement, again + 1)
            return
        except Unknown:
            objects[place] = await self._look(done.policy.namespace, target)
            return
        except Refused as error:
            intended = {e.id for e in settlement.entries if target_of(e) == target and is_only_intended(e, obj)}
            if intended and not write.texts and not error.is_busy:
                done.never |= intended  # not even a mark is let through, so no earlier write was
                return
            done.problems.append((problem_of(error), f"{target.kind} {target.name}: {error.message}", target))
            return
        objects[place] = _scaled(obj, result) if subresource else result
        done.answered.add(target)
        if write.texts:
            done.applied.append(write)

    async def _look(self, namespace: str, target: Target) -> dict[str, Any] | None:
        ref = Ref(target.kind, target.name)
        found = (await self.cluster.read(namespace, [ref])).get(ref)
        return found if isinstance(found, dict) else None

    async def _still_leads(self, policy: Policy, epoch: int) -> bool:
        """Whether the policy as stored is this leadership's: asked before a write is tried again.

        What has changed the target may be the next leader, who may have put everything back by now: then the target
        looks as if nobody had touched it, and the policy says that somebody has.
        """
        try:
            found = await self.journal.load(policy)
        except (Refused, Unknown):
            return False
        return found is not None and (found.raw.get("status") or {}).get("epoch") == epoch

    async def claim(
        self, policy: Policy, status: PolicyStatus, objects: Objects, epoch: int
    ) -> tuple[Policy, PolicyStatus, bool]:
        """Takes a policy with a ledger over: its status and its targets' annotations carry the new epoch.

        The last one given says whether all of them do; else it must be called again.

        The changed annotations move each target's resourceVersion and content, so that a late write of the
        leader before us fails its test. Targets without an annotation (replicas) are compared at every tick.
        """
        entries = [entry.model_copy(update={"epoch": epoch}) for entry in status.ledger]
        status = status.model_copy(update={"ledger": entries, "epoch": epoch})
        policy = await self.journal.store(policy, status)
        is_done = True
        for target in dict.fromkeys(target_of(entry) for entry in entries):
            if not KINDS[target.kind].scale:
                is_done &= await self._mark(policy, target, entries, objects, epoch)
        return policy, status, is_done

    async def _mark(self, policy: Policy, target: Target, entries: list[Entry], objects: Objects, epoch: int) -> bool:
        """Writes a target's mark; while that is not done a late write of the leader before us may arrive.

        Where the API server refuses ours, it is done: it would refuse that one, too.
        """
        place = (target.kind, target.name)
        held = [e for e in entries if target_of(e) == target and e.state is not EntryState.CONTESTED]
        for _ in range(1 + BUSY_RETRIES):
            obj = objects.get(place)
            if obj is None or obj["metadata"]["uid"] != target.uid:
                return True
            patch = build_patch(obj, {}, mark_for(target.kind, obj, policy.name, held, entries))
            try:
                objects[place] = await self.cluster.patch(policy.namespace, target, at_version(patch, obj))
            except (Conflict, Unknown):
                objects[place] = await self._look(policy.namespace, target)
                if not await self._still_leads(policy, epoch):
                    return False
            except Refused as error:
                return not error.is_busy
            else:
                return True
        return False


def problem_of(error: Refused) -> Problem:
    """What keeps a policy from doing its job where the API server said no."""
    return Problem.NOT_AUTHORIZED if error.lacks_right else Problem.ACTION_REJECTED


async def read_targets(cluster: Cluster, namespace: str, entries: Iterable[Entry]) -> Objects:
    """The targets of some entries as they are now. Raises Refused and Unknown."""
    refs = dict.fromkeys(Ref(entry.target.kind, entry.target.name) for entry in entries)
    found = await cluster.read(namespace, list(refs))
    return {(r.kind, r.name or ""): obj if isinstance(obj, dict) else None for r, obj in found.items()}


def _unfinished(settlement: Settlement) -> list[Entry]:
    """Ended entries whose target still carries our mark stay in the ledger until it is gone."""
    touched = {target for target, write in settlement.writes.items() if not write.texts}
    return [entry for entry in settlement.retired if target_of(entry) in touched]


def _patch(obj: dict[str, Any], write: Write, policy: Policy, settlement: Settlement) -> tuple[Patch, str]:
    mark = mark_for(write.target.kind, obj, policy.name, _kept(write, settlement), settlement.every_entry)
    return target_patch(write.target, obj, write.texts, mark)


def _kept(write: Write, settlement: Settlement) -> list[Entry]:
    """What the target's mark says after a write."""
    return [
        entry
        for entry in settlement.entries
        if target_of(entry) == write.target
        and entry.state is not EntryState.CONTESTED
        and not (
            entry.path in write.texts and write.texts[entry.path] == entry.original and entry.applied != entry.original
        )
    ]


def _mark_first(obj: dict[str, Any], write: Write, settlement: Settlement) -> Write:
    """The write, or where somebody has taken our mark of a field away, one that only sets the mark again.

    No field is changed that no mark names before or after: a crash would leave it without a trace, and the API server
    refuses it to the operator's account (the chart's self-fence). The field itself follows at the next look.
    """
    if KINDS[write.target.kind].scale:
        return write
    kept = {entry.path for entry in _kept(write, settlement)}
    if all(path in kept or names(obj, path) for path in write.texts):
        return write
    return Write(write.target, {}, write.restores)


def _scaled(obj: dict[str, Any], scale: dict[str, Any]) -> dict[str, Any]:
    """The workload as its `scale` now says; the rest of it is as it was read."""
    return {**obj, "spec": {**obj["spec"], "replicas": scale["spec"].get("replicas", 0)}}


def _is_untouched(write: Write, before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether only what is not ours to look at has changed, such as the status of a workload that rolls out."""
    same_mark = annotation_of(before) == annotation_of(now)
    same_uid = before["metadata"]["uid"] == now["metadata"]["uid"]
    try:
        return same_mark and same_uid and all(text_at(before, path) == text_at(now, path) for path in write.texts)
    except NotADocument:
        return False


def _blocked(entry: Entry, wanted: Mapping[FieldKey, FieldChange], refused: set[Target]) -> Entry:
    """An entry whose restore was refused says so."""
    target = target_of(entry)
    if target in refused and (target, entry.path) not in wanted and entry.state is EntryState.APPLIED:
        return entry.model_copy(update={"state": EntryState.RESTORING})
    return entry


def _ordered(writes: Mapping[Target, Write], *, upwards: bool) -> list[Target]:
    return sorted(writes, key=lambda target: rank(target.kind), reverse=upwards)
