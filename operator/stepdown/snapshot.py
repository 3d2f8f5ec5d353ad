"""What a tick is decided on: every object that a policy's levels and its ledger name, as they are now."""

from collections.abc import Iterable, Mapping
from typing import Any

from stepdown.actions import all_references
from stepdown.actions.starting import is_short
from stepdown.api.policy import PolicySpec
from stepdown.api.status import Entry
from stepdown.engine.fields import Ref
from stepdown.engine.marks import left_over
from stepdown.ports import Cluster, Policy


async def snapshot(cluster: Cluster, policy: Policy, spec: PolicySpec, ledger: Iterable[Entry]) -> dict[Ref, Any]:
    """The objects; pods too where a workload is short of some. Raises Refused and Unknown.

    What seems to be left over from a lost status is looked at once more: a look may have been stale, and have shown a
    mark that we have taken away since.
    """
    entries = list(ledger)
    refs = [*all_references(spec), *(Ref(entry.target.kind, entry.target.name) for entry in entries)]
    found = dict(await cluster.read(policy.namespace, list(dict.fromkeys(refs))))
    doubted = _left_over(policy.name, {entry.id for entry in entries}, found)
    if Ref("Pod") not in found and any(map(is_short, found.values())):
        doubted.append(Ref("Pod"))
    return found | dict(await cluster.read(policy.namespace, doubted)) if doubted else found


def _left_over(policy: str, known: set[str], found: Mapping[Ref, Any]) -> list[Ref]:
    def doubts(kind: str, read: Any) -> bool:
        objects = read if isinstance(read, list) else [read]
        return any(obj is not None and left_over(policy, known, kind, obj) for obj in objects)

    return [ref for ref, read in found.items() if ref.kind != "Pod" and doubts(ref.kind, read)]
