"""`stepdown restore --print`: commands for a person, from the policies' ledgers and from annotations alone.

Nothing is written, and no operator is needed. Where the policies are gone, the annotations on their targets still
say how to put back all but replicas.
"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from stepdown.api.status import Entry, PolicyStatus
from stepdown.cycle import label, status_of
from stepdown.engine.fields import Ref
from stepdown.engine.marks import marked
from stepdown.engine.refresh import REFRESH, touch, touched_for
from stepdown.engine.undo import Objects, command, undo
from stepdown.ports import FINALIZER, Cluster, JsonPatch, Object, Policy, Refused, Unknown
from stepdown.restore.access import MARKED_KINDS, Access
from stepdown.restore.page import comment, page

HOW = (
    "Paste these lines into a shell. Each tests what it replaces, and changes nothing where that has changed.",
    "An operator that is at work would set the fields again: suspend the policy first, or stop the operator.",
)
NO_REPLICAS = (
    "Replicas of Deployments and StatefulSets carry no annotation: without a policy, compare them with your manifests."
)


@dataclass(slots=True)
class Printed:
    """Lines for standard output, and what couldn't be looked at."""

    lines: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)


async def print_all(
    access: Access, cluster: Cluster, policies: Sequence[Policy], namespace: str | None, name: str | None
) -> Printed:
    """The commands for some policies, and for what is marked by policies that no longer know of it."""
    result = Printed()
    known: set[str] = set()
    seen: dict[str, Objects] = {}
    for policy in policies:
        status = status_of(policy)
        if status is None:
            result.unseen.append(f"{label(policy)}: its status was written by a newer version; print with that one")
            continue
        known |= {entry.id for entry in status.ledger}
        if status.ledger:
            result.lines += await _of_policy(cluster, policy, status, seen.setdefault(policy.namespace, {}))
    orphaned: list[str] = []
    async for kind, obj in _marked(access, namespace, result.unseen):
        for owner, entries in marked(kind, obj).items():
            unknown = [entry for entry in entries if entry.id not in known]
            if unknown and name in (None, owner):
                objects = seen.setdefault(obj["metadata"]["namespace"], {})
                objects.setdefault((kind, obj["metadata"]["name"]), obj)
                orphaned += _of_object(kind, obj, owner, unknown, objects)
    if orphaned:
        result.lines += [*orphaned, comment(NO_REPLICAS)]
    if result.lines:
        result.lines[:0] = map(comment, HOW)
    return result


async def _of_policy(cluster: Cluster, policy: Policy, status: PolicyStatus, objects: Objects) -> list[str]:
    places = dict.fromkeys((entry.target.kind, entry.target.name) for entry in status.ledger)
    refs = [Ref(*place) for place in places if place not in objects]
    for ref, obj in (await cluster.read(policy.namespace, refs)).items():
        objects[ref.kind, ref.name or ""] = obj if isinstance(obj, dict) else None
    lines = page(
        f"{label(policy)} at level {status.level}",
        [f"to suspend it: {suspend_line(policy, suspend=True)}"] if not policy.raw["spec"].get("suspend") else [],
        undo(policy.namespace, policy.name, status.ledger, objects),
    )
    if policy.has_finalizer:
        lines += await _of_pods(cluster, policy)
        lines.append(comment(f"then, to delete it without an operator: {_release(policy)}"))
    return lines


async def _of_pods(cluster: Cluster, policy: Policy) -> list[str]:
    """The commands that take our annotation off pods, which has them see their flags sooner; none that may fail."""
    try:
        pods = (await cluster.read(policy.namespace, [Ref("Pod")]))[Ref("Pod")]
    except (Refused, Unknown) as error:
        return [comment(f"pods can't be read, some may keep the annotation {REFRESH}: {error}")]
    return [
        command(policy.namespace, "pods", pod["metadata"]["name"], touch(pod, {}))
        for pod in (pods if isinstance(pods, list) else [])
        if touched_for(pod)
    ]


def _of_object(kind: str, obj: Object, owner: str, entries: Sequence[Entry], objects: Objects) -> list[str]:
    namespace, name = str(obj["metadata"]["namespace"]), str(obj["metadata"]["name"])
    title = f"{namespace}/{owner}, by the annotation on {kind} {name} alone"
    return page(title, [], undo(namespace, owner, entries, objects))


async def _marked(access: Access, namespace: str | None, unseen: list[str]) -> AsyncIterator[tuple[str, Object]]:
    for kind in MARKED_KINDS:
        try:
            found = await access.marked(kind, namespace)
        except (Refused, Unknown) as error:
            unseen.append(f"annotations on {kind}s can't be read: {error}")
            continue
        for obj in found:
            yield kind, obj


def _release(policy: Policy) -> str:
    have = list(policy.raw["metadata"]["finalizers"])
    patch: JsonPatch = [
        {"op": "test", "path": "/metadata/uid", "value": policy.uid},
        {"op": "test", "path": "/metadata/finalizers", "value": have},
        {"op": "add", "path": "/metadata/finalizers", "value": [kept for kept in have if kept != FINALIZER]},
    ]
    return command(policy.namespace, "degradationpolicies", policy.name, patch)


def suspend_line(policy: Policy, *, suspend: bool) -> str:
    """The command that suspends a policy, or lets it go on."""
    body = json.dumps({"spec": {"suspend": suspend}}, separators=(",", ":"))
    return f"kubectl -n {policy.namespace} patch degradationpolicies {policy.name} --type=merge -p '{body}'"
