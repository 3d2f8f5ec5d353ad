"""What must hold, whatever strikes: each oracle is a function, named for what it asserts.

An oracle gives a sentence for each violation. They are asked after every turn about what is new in it: writes to
targets, and stored versions of policies. `ending.py` has those of the end.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from stepdown.api.status import Entry, EntryState, PolicyStatus
from stepdown.engine.annotation import ANNOTATION
from stepdown.engine.breaches import BLINDED
from stepdown.engine.document import NotADocument
from stepdown.engine.fields import KINDS, text_at
from stepdown.engine.ledger import REAPPLY_MAX
from stepdown.engine.observation import Missing
from stepdown.engine.patch import with_texts
from stepdown.engine.refresh import REFRESH
from stepdown.ports import Object, Policy
from torture.faults import Kind
from torture.server import Stored, Write
from torture.shop import BUDGET, INTERVAL, REACHED, TARGETS, THRESHOLDS

if TYPE_CHECKING:
    from torture.world import World

Found = Iterator[str]


def every_target_write_tests_uid_and_value(_world: "World", write: Write) -> Found:
    """S3: a patch tests the uid, and the value at each place that it changes."""
    tested = {operation["path"] for operation in write.patch if operation["op"] == "test"}
    changed = {operation["path"] for operation in write.patch if operation["op"] != "test"}
    for path in sorted({"/metadata/uid", *changed} - tested):
        yield f"a patch of {_name(write)} doesn't test {path}: {write.patch}"


def no_target_is_written_without_an_earlier_entry(world: "World", write: Write) -> Found:
    """S3, S5: what a write changes is our mark, and fields that a stored entry of this very object names."""
    if write.before is None or write.after is None:
        return
    entries = _entries(world, write)
    texts = {entry.path: text_at(write.after, entry.path) for entry in entries}
    if _plain(with_texts(write.before, texts)) != _plain(write.after):
        yield f"{_name(write)} was changed where no stored entry of it says so: {write.patch}"


def no_foreign_value_is_written_over(world: "World", write: Write) -> Found:
    """S4: what a write replaces is the original or a value of ours, and what it writes is one of them too."""
    if write.before is None or write.after is None:
        return
    entries = _entries(world, write)
    for path in dict.fromkeys(entry.path for entry in entries):
        before, after = text_at(write.before, path), text_at(write.after, path)
        known = {text for entry in entries if entry.path == path for text in (entry.original, entry.applied)}
        earlier = {entry.replaces or None for entry in entries if entry.path == path and entry.replaces is not None}
        if before != after and before not in known | earlier:
            yield f"{path} of {_name(write)}: {before} was written over, the ledger knows {known | earlier}"
        if before != after and after not in known | earlier:
            yield f"{path} of {_name(write)}: {after} was written, the ledger knows {known | earlier}"


def epochs_never_go_back(world: "World", write: Write) -> Found:
    """S6: in the order of the server's revisions, writes have non-decreasing epochs.

    That holds for each object, and over all from the successor's first value on: until then it claims object by object.
    Replicas carry no mark that could be claimed, and what a backup has forgotten isn't: a late write of them may arrive
    as long as the successor has not written to that very object.
    """
    if write.before is None or write.after is None or write.after is write.before:
        return
    about = _name(write)
    alone = world.put_back or KINDS[write.target.kind].scale
    highest = max(world.highest.get(about, 0), 0 if alone else world.highest.get("", 0))
    if write.epoch < highest:
        yield f"{about} was written under epoch {write.epoch} after a write under {highest}"
    touched = {about: max(highest, write.epoch)}
    if not alone and _plain(write.before) != _plain(write.after):
        touched[""] = max(world.highest.get("", 0), write.epoch)
    world.highest = {**world.highest, **touched}


def nobody_is_written_over_while_suspended(world: "World", write: Write) -> Found:
    """S13: a person's `suspend` holds from the next interval on."""
    if write.after is None or write.after is write.before:
        return
    for policy in write.policies.values():
        since = world.suspended.get(policy["metadata"]["name"])
        held = any(entry.target.uid == write.target.uid for entry in _ledger(policy))
        if since is not None and write.asked > since + INTERVAL and held and not _deleting(policy):
            yield f"{_name(write)} was written while policy {policy['metadata']['name']} is suspended"


def no_original_is_overwritten(_world: "World", stored: Stored) -> Found:
    """S3: the original of a field that was once applied stays as long as its entry does."""
    before = {entry.id: entry for entry in _ledger(stored.before)} if stored.ours else {}
    for entry in _ledger(stored.after):
        old = before.get(entry.id)
        applied = old is not None and old.state in (EntryState.APPLIED, EntryState.RESTORING)
        if old is not None and applied and old.original != entry.original:
            yield f"{entry.path} of {entry.target.name}: original {old.original} became {entry.original}"


def every_original_was_somebody_elses(world: "World", stored: Stored) -> Found:
    """S3: what is kept for restoring is a value that others gave to the field, never one of ours.

    A ledger that was lost to a backup can't say which ones are ours.
    """
    if not stored.ours or world.put_back:
        return
    for entry in _ledger(stored.after):
        given = [_text(obj, entry.path) for obj in world.server.given.get(entry.target.uid, [])]
        if given and entry.original not in given:
            yield f"{entry.path} of {entry.target.name}: original {entry.original}, but others gave {given}"


def nobody_is_fought_with(_world: "World", stored: Stored) -> Found:
    """S4: what somebody sets back is applied again three times at most."""
    for entry in _ledger(stored.after):
        if entry.reapplied > REAPPLY_MAX:
            yield f"{entry.path} of {entry.target.name} was applied again {entry.reapplied} times"


def a_field_has_one_owner(world: "World", stored: Stored) -> Found:
    """S11: no two entries, of one policy or of several, are of the same field."""
    name = stored.after["metadata"]["name"]
    others = [e for p in world.server.policies.values() if p["metadata"]["name"] != name for e in _ledger(p)]
    seen: set[tuple[str, str]] = {(entry.target.uid, entry.path) for entry in others}
    for entry in _ledger(stored.after):
        key = entry.target.uid, entry.path
        if key in seen:
            yield f"{entry.path} of {entry.target.name} is held twice"
        seen.add(key)


def a_step_has_its_reason(world: "World", stored: Stored) -> Found:
    """S1: down no further than valid, bad samples call for; up with every signal there and none bad."""
    before, after = _state(stored.before), _state(stored.after)
    if not stored.ours or before is None or after is None or _overridden(stored.after):
        return
    was, now = _place_before(world, stored), int(after.get("index", 0))
    called = max((place for place, (name, bound) in THRESHOLDS.items() if _above(stored, name, bound)), default=0)
    if now > was and called < now:
        yield f"stepped down to {after['level']} with {dict(stored.values)}"
    if now >= was:
        return
    blind = [
        v for v in stored.values.values() if isinstance(v, Missing) and not (was == max(THRESHOLDS) and v in BLINDED)
    ]
    if blind or any(_above(stored, *THRESHOLDS[p]) for p in THRESHOLDS if p >= was):
        yield f"stepped up from {before['level']} with {dict(stored.values)}"
    if was - now > 1:
        yield f"stepped up {was - now} levels at once"


def steps_are_spaced_and_budgeted(world: "World", stored: Stored) -> Found:
    """S7: a step up comes a window after the step before it, and only within the budget."""
    before, after = _state(stored.before), _state(stored.after)
    if not stored.ours or before is None or after is None or _overridden(stored.after):
        return
    if int(after.get("index", 0)) >= _place_before(world, stored):
        return
    most, seconds = BUDGET
    spent = [at for at in before.get("transitions", []) if at > stored.now - seconds]
    if len(spent) >= most:
        yield f"stepped up after {len(spent)} transitions within {seconds:g} s"
    if stored.now - before.get("since", 0.0) < 5:
        yield f"stepped up {stored.now - before['since']:g} s after the step before"


OF_WRITES: tuple[Callable[["World", Write], Found], ...] = (
    every_target_write_tests_uid_and_value,
    no_target_is_written_without_an_earlier_entry,
    no_foreign_value_is_written_over,
    epochs_never_go_back,
    nobody_is_written_over_while_suspended,
)
OF_VERSIONS: tuple[Callable[["World", Stored], Found], ...] = (
    no_original_is_overwritten,
    every_original_was_somebody_elses,
    nobody_is_fought_with,
    a_field_has_one_owner,
    a_step_has_its_reason,
    steps_are_spaced_and_budgeted,
)


def judge_turn(world: "World") -> None:
    """Asks about everything that is new since the last turn."""
    server = world.server
    writes, versions = world.judged
    for write in server.writes[writes:]:
        for oracle in OF_WRITES:
            for text in oracle(world, write):
                world.violated(oracle.__name__, text)
    for stored in server.stored[versions:]:
        for of_version in OF_VERSIONS:
            for text in of_version(world, stored):
                world.violated(of_version.__name__, text)
    world.judged = len(server.writes), len(server.stored)


def the_level_reported_is_reached(world: "World", policy: Policy) -> Found:
    """S1: after a tick that went well, what the levels down to the one reported do is done.

    What others have touched is theirs to change at any time, so it says nothing; nor does a write of the leader before
    that has arrived in this very turn, nor a level that is still to be left.
    """
    status = policy.raw.get("status") or {}
    names = [found["name"] for found in policy.raw["spec"]["levels"]]
    if world.server.edited or status.get("level") not in names or not _state(policy.raw):
        return
    reported, decided = names.index(status["level"]), int(status["state"].get("index", 0))
    late = any(write.epoch < status.get("epoch", 0) for write in world.server.writes[world.judged[0] :])
    if reported > decided or late:
        return
    for about, (path, texts) in REACHED.items():
        found = world.server.sandbox.stored(*TARGETS[about].place)
        if texts[reported] == texts[0] or about in world.server.touched or found is None:
            continue
        text, wanted = text_at(found, path), texts[reported : decided + 1]
        if text not in wanted:
            yield f"{status['level']} is reported, and {path} of {about} is {text}, not {wanted[-1]}"


def judge_report(world: "World", policy: Policy) -> None:
    """Asks about what a tick has reported."""
    for text in the_level_reported_is_reached(world, policy):
        world.violated(the_level_reported_is_reached.__name__, text)


def _entries(world: "World", write: Write) -> list[Entry]:
    """The entries of a target as they were stored when it was written; of all that ever were after a backup."""
    policies = [stored.after for stored in world.server.stored] if world.put_back else write.policies.values()
    return [e for policy in policies for e in _ledger(policy) if e.target.uid == write.target.uid]


_LEDGERS: dict[int, tuple[Any, list[Entry]]] = {}


def _ledger(policy: Object | None) -> list[Entry]:
    """The entries of a stored policy; read once for each stored object."""
    status = (policy or {}).get("status") or {}
    raw = status.get("ledger")
    if not raw:
        return []
    known = _LEDGERS.get(id(raw))
    if known is None or known[0] is not raw:
        if len(_LEDGERS) > 5000:
            _LEDGERS.clear()
        known = _LEDGERS[id(raw)] = raw, PolicyStatus.model_validate({"ledger": raw}).ledger
    return known[1]


def _state(policy: Object | None) -> Mapping[str, Any] | None:
    return ((policy or {}).get("status") or {}).get("state")


def _place_before(world: "World", stored: Stored) -> int:
    """The place on the ladder before; full service where the policy only observed until now, and begins to act.

    That is no step, and counts as none. Its last look in Observe may have put everything back and not been stored.
    """
    before, after = _state(stored.before) or {}, _state(stored.after) or {}
    acts = (stored.after["spec"].get("mode") or "Enforce") == "Enforce" and not after.get("observing")
    observed = any(fault.kind is Kind.OBSERVE for fault in world.schedule)
    is_no_step = after.get("transitions") == before.get("transitions") and after.get("index", 0) == 0
    begins = acts and (before.get("observing") or (observed and is_no_step))
    return 0 if begins else int(before.get("index", 0))


def _overridden(policy: Object) -> bool:
    return "override" in policy["spec"]


def _deleting(policy: Object) -> bool:
    return "deletionTimestamp" in policy["metadata"]


def _above(stored: Stored, name: str, bound: float) -> bool:
    value = stored.values.get(name)
    return isinstance(value, float) and not isinstance(value, Missing) and value > bound


def _text(obj: Object, path: str) -> str | None:
    try:
        return text_at(obj, path)
    except NotADocument:
        return None


def _plain(obj: Object) -> Object:
    """An object without what the server keeps, and without our mark."""
    metadata = {k: v for k, v in obj["metadata"].items() if k not in ("resourceVersion", "generation", "annotations")}
    marks = (REFRESH,) if obj["kind"] == "Pod" else (ANNOTATION,)
    notes = {k: v for k, v in (obj["metadata"].get("annotations") or {}).items() if k not in marks}
    return {**obj, "metadata": {**metadata, "annotations": notes}}


def _name(write: Write) -> str:
    return f"{write.target.kind} {write.target.name}"
