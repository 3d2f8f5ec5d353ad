"""What must hold in the end, when no more faults come and every signal is well."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from stepdown.engine.marks import left_over
from stepdown.ports import Object
from torture.shop import READERS, TARGETS

if TYPE_CHECKING:
    from torture.world import World

Found = Iterator[str]

WRITES_PER_EPISODE = 4
"""To one target without faults: two steps down, two up."""

WRITES_PER_FAULT = 5
"""That a fault may cost one target: a claim, a write again, and up to three after a value was set back."""


def it_comes_to_rest(world: "World") -> Found:
    """L1: what the signals call for is reached within the bound, and a policy that is deleted goes."""
    if not world.at_rest:
        status = (world.policy or {}).get("status") or {}
        yield f"no rest after {world.turns} turns: level {status.get('level')}, ledger {status.get('ledger')}"


def at_rest_nothing_is_written(world: "World") -> Found:
    """S14: no target and no status is written any more."""
    writes, versions = world.rested
    for write in world.server.writes[writes:]:
        yield f"{write.target.kind} {write.target.name} was written at rest: {write.patch}"
    for stored in world.server.stored[versions:]:
        if stored.ours:
            yield f"the status of {stored.after['metadata']['name']} was written at rest"


def everything_is_as_others_left_it(world: "World") -> Found:
    """S2, S4, S5: every object is byte for byte what it would be without us, and carries no mark of ours.

    A ledger that was lost to a backup can't say what was there before, so nothing is asked then.
    """
    if world.put_back:
        return
    for about, made in TARGETS.items():
        found, wanted = (_bare(s.stored(*made.place)) for s in (world.server.sandbox, world.server.twin))
        if found != wanted:
            yield f"{about} is {found}, and others left it as {wanted}"


def no_pod_carries_a_mark(world: "World") -> Found:
    """S2: pods that mount the flags carry what they carried at first.

    A policy that was put back from a backup may have lost its finalizer, which says that they are to be looked at.
    """
    if world.put_back:
        return
    for made in READERS:
        found = world.server.sandbox.stored("Pod", made["metadata"]["name"])
        if found is not None and found["metadata"].get("annotations") != made["metadata"]["annotations"]:
            yield f"pod {made['metadata']['name']} ends with {found['metadata'].get('annotations')}"


def every_entry_has_ended(world: "World") -> Found:
    """L3: nothing is in the ledger, and our finalizer is gone."""
    for name, policy in world.server.policies.items():
        ledger = (policy.get("status") or {}).get("ledger")
        if ledger:
            yield f"the ledger of {name} still has {ledger}"
        if policy["metadata"].get("finalizers"):
            yield f"{name} still has the finalizer"


def the_end_is_as_without_faults(world: "World") -> Found:
    """The policy says that it is at full service, and that all is well.

    Where a backup lost its ledger, marks may be all that is left of what was there before: then it says so.
    """
    for name, policy in world.server.policies.items():
        status = policy.get("status") or {}
        full = policy["spec"]["levels"][0]["name"]
        found = status.get("level"), (status.get("state") or {}).get("level")
        bad = [
            c["type"] for c in status.get("conditions", []) if c["type"] in _WELL and c["status"] != _WELL[c["type"]]
        ]
        if found != (full, full):
            yield f"{name} ends at {found}, not at {full}"
        is_said = bad == ["Ready"] and world.put_back and _is_left_over(world, name)
        if bad and not is_said and not world.server.touched:
            yield f"{name} ends with {bad} not as at rest"


def writes_are_bounded(world: "World") -> Found:
    """No object is written more often than the steps and the faults account for."""
    if world.goes_its_own_way:
        return
    bound = WRITES_PER_EPISODE + WRITES_PER_FAULT * len(world.schedule)
    for about in TARGETS:
        count = sum(
            1 for w in world.server.writes if w.after is not None and f"{w.target.kind}/{w.target.name}" == about
        )
        if count > bound:
            yield f"{about} was written {count} times, {bound} are accounted for"


_WELL = {"Ready": "True", "Degraded": "False", "Contested": "False", "RestorePending": "False", "Stalled": "False"}

OF_THE_END: tuple[Callable[["World"], Found], ...] = (
    it_comes_to_rest,
    at_rest_nothing_is_written,
    everything_is_as_others_left_it,
    no_pod_carries_a_mark,
    every_entry_has_ended,
    the_end_is_as_without_faults,
    writes_are_bounded,
)


def judge_end(world: "World") -> None:
    """Asks all of them."""
    for oracle in OF_THE_END:
        for text in oracle(world):
            world.violated(oracle.__name__, text)


def _is_left_over(world: "World", policy: str) -> bool:
    found = [(made.place[0], world.server.sandbox.stored(*made.place)) for made in TARGETS.values()]
    return any(obj is not None and left_over(policy, (), kind, obj) for kind, obj in found)


def _bare(obj: Object | None) -> Object | None:
    if obj is None:
        return None
    metadata = {k: v for k, v in obj["metadata"].items() if k not in ("resourceVersion", "generation")}
    return {**obj, "metadata": metadata}
