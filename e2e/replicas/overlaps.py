"""The oracle of invariant S6: in the order of the server's revisions, target writes have non-decreasing epochs.

Whoever has written a target had at that revision the epoch that it wrote into the Lease last before. The log is the
API server's, so nothing that a replica says of itself is believed.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from plane.audit import Noted, read_log

LEASES = "leases"


@dataclass(frozen=True)
class TargetWrite:
    """A write that has changed a target, under the leadership of its writer then."""

    revision: int
    epoch: int
    who: str
    target: str


@dataclass(frozen=True)
class History:
    """What happened to the targets of one namespace, in the server's order."""

    writes: tuple[TargetWrite, ...]

    @property
    def leaderships(self) -> int:
        """How many leaderships have written a target."""
        return len({write.epoch for write in self.writes})

    def overlapping(self) -> list[tuple[TargetWrite, TargetWrite]]:
        """Each write that came after one of a later leadership, with that one."""
        found = []
        latest: TargetWrite | None = None
        for write in self.writes:
            if latest is not None and write.epoch < latest.epoch:
                found.append((latest, write))
            if latest is None or write.epoch >= latest.epoch:
                latest = write
        return found


def history(log: Path, namespace: str) -> History:
    """The history of a namespace by the audit log."""
    return history_of(read_log(log, namespace))


def history_of(calls: Iterable[Noted]) -> History:
    """The history by calls in the order of revisions; one that left its object as it was is no write."""
    epochs: dict[str, int] = {}
    versions: dict[str, int] = {}
    writes: list[TargetWrite] = []
    for call in calls:
        if not call.revision:
            continue
        if call.kind == LEASES:
            epochs[call.who] = int((call.object.get("spec") or {}).get("leaseTransitions") or 0)
            continue
        target = f"{call.kind}/{call.name}"
        if call.revision > versions.get(target, 0):
            versions[target] = call.revision
            writes.append(TargetWrite(call.revision, epochs.get(call.who, 0), call.who, target))
    return History(tuple(writes))


def describe(pairs: Iterable[tuple[TargetWrite, TargetWrite]]) -> str:
    """Some overlaps, to read."""
    return "\n".join(f"{late} after {later}" for later, late in itertools.islice(pairs, 10))
