"""A cluster in memory: objects with uids, resourceVersions and JSON patches whose tests count.

It answers as the API server was measured to: a failed test is a conflict, a test for null holds for an absent
field, a patch that changes nothing keeps the resourceVersion. `simulate` walks a ladder in it; tests put faults
before and after every call by `on_call`.

A stored object is never changed in place: a write makes a new one. So what the ports give is the stored object
itself, and costs nothing; whoever reads must not write into it. `get` gives a copy that may be written into.
"""

import copy
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

import jsonpatch

from stepdown.api.status import PolicyStatus
from stepdown.engine.fields import Ref, Target
from stepdown.ports import FINALIZER, Conflict, Event, JsonPatch, Object, Policy, Refused, Snapshot, Unknown


class Sandbox:
    """Cluster, Journal and Pages in one, for one namespace. Keeps all writes in `writes`, all Events in `events`."""

    def __init__(self, objects: Collection[Object], namespace: str = "default") -> None:
        self.namespace = namespace
        self._objects: dict[tuple[str, str], Object] = {}
        self._version = 0
        self._uids = 0
        self.writes: list[tuple[str, str, JsonPatch]] = []
        self.events: list[Event] = []
        self.on_call: Callable[[str, str], None] = lambda _when, _what: None
        for obj in objects:
            self.create(obj)

    def fork(self) -> "Sandbox":
        """The same cluster, to take another course from here; what is stored is shared, and so costs nothing."""
        other = copy.copy(self)
        other._objects = dict(self._objects)
        other.writes, other.events = list(self.writes), list(self.events)
        return other

    def create(self, obj: Object) -> Object:
        """Adds an object with a new uid."""
        self._uids += 1
        given = copy_json(obj)
        metadata = {"namespace": self.namespace, **given.get("metadata", {})}
        return self._put({**given, "metadata": {**metadata, "uid": f"uid-{self._uids}", "generation": 1}})

    def __contains__(self, place: tuple[str, str]) -> bool:
        return place in self._objects

    def get(self, kind: str, name: str) -> Object | None:
        """A copy of an object."""
        found = self._objects.get((kind, name))
        return copy_json(found) if found is not None else None

    def names(self, kind: str) -> list[str]:
        """The names of all objects of a kind."""
        return [name for of, name in self._objects if of == kind]

    def stored(self, kind: str, name: str) -> Object | None:
        """An object as it is stored; not to be written into."""
        return self._objects.get((kind, name))

    def delete(self, kind: str, name: str) -> None:
        """Takes an object away; one with finalizers is only marked."""
        obj = self._objects[(kind, name)]
        if obj["metadata"].get("finalizers"):
            self._put({**obj, "metadata": {**obj["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}})
        else:
            del self._objects[(kind, name)]

    def edit(self, kind: str, name: str, change: Callable[[Object], None]) -> None:
        """Somebody else's edit; an edit of a spec counts as a generation."""
        before = self._objects[(kind, name)]
        after = copy_json(before)
        change(after)
        if after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] += 1
        self._put(after)

    def policy(self, name: str) -> Policy:
        """A policy as it is now."""
        return Policy(self._objects[("DegradationPolicy", name)])

    async def read(self, namespace: str, refs: Collection[Ref]) -> Snapshot:
        """See ports.Cluster."""
        assert namespace == self.namespace
        self.on_call("before", "read")
        found: dict[Ref, Object | list[Object] | None] = {}
        for ref in refs:
            if ref.name is not None:
                found[ref] = self._objects.get((ref.kind, ref.name))
            else:
                found[ref] = [obj for (kind, _), obj in self._objects.items() if kind == ref.kind]
        return found

    async def patch(self, namespace: str, target: Target, patch: JsonPatch, subresource: str = "") -> Object:
        """See ports.Cluster."""
        assert namespace == self.namespace
        what = f"patch {target.kind}/{target.name}" + (f"/{subresource}" if subresource else "")
        self.on_call("before", what)
        obj = self._objects.get((target.kind, target.name))
        if obj is None:
            raise Refused(404, f"{target.kind} {target.name} not found")
        self.writes.append((target.kind, target.name, patch))
        if subresource:
            before = obj["spec"].get("replicas", 1)
            scale = {"metadata": obj["metadata"], "spec": {"replicas": before} if before else {}}  # 0 is left out
            replicas = _patched(scale, patch)["spec"].get("replicas", 0)
            result = self._put({**obj, "spec": {**obj["spec"], "replicas": replicas}})
        else:
            result = self._put(_patched(obj, patch))
        self.on_call("after", what)
        return result

    async def evict(self, namespace: str, target: Target) -> None:
        """See ports.Cluster."""
        assert namespace == self.namespace
        what = f"evict {target.kind}/{target.name}"
        self.on_call("before", what)
        obj = self._objects.get((target.kind, target.name))
        if obj is None:
            raise Refused(404, f"{target.kind} {target.name} not found")
        if obj["metadata"]["uid"] != target.uid:
            raise Conflict(409, "the UID in the precondition is another one")
        self.delete(target.kind, target.name)
        self.on_call("after", what)

    async def patch_all(
        self, namespace: str, patches: Mapping[Target, JsonPatch]
    ) -> Mapping[Target, Refused | Unknown]:
        """See ports.Cluster."""
        return await patch_each(self.patch, namespace, patches)

    async def load(self, policy: Policy) -> Policy | None:
        """See ports.Journal."""
        found = self._objects.get(("DegradationPolicy", policy.name))
        return Policy(found) if found is not None and found["metadata"]["uid"] == policy.uid else None

    async def make(self, namespace: str, deployment: Object) -> Object:
        """See ports.Pages."""
        assert namespace == self.namespace
        name = str(deployment["metadata"]["name"])
        self.on_call("before", f"make {name}")
        if ("Deployment", name) in self:
            raise Conflict(409, f"Deployment {name} already exists")
        made = self.create(deployment)
        self.writes.append(("Deployment", name, []))
        self.on_call("after", f"make {name}")
        return made

    async def remove(self, namespace: str, name: str, uid: str) -> None:
        """See ports.Pages."""
        assert namespace == self.namespace
        self.on_call("before", f"remove {name}")
        found = self._objects.get(("Deployment", name))
        if found is not None and found["metadata"]["uid"] == uid:
            self.delete("Deployment", name)
            self.writes.append(("Deployment", name, []))
        self.on_call("after", f"remove {name}")

    async def store(self, policy: Policy, status: PolicyStatus) -> Policy:
        """See ports.Journal."""
        self.on_call("before", "store status")
        obj = self._current(policy)
        dumped = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        result = self._put({**obj, "status": dumped})
        self.on_call("after", "store status")
        return Policy(result)

    async def set_finalizer(self, policy: Policy, *, present: bool) -> Policy:
        """See ports.Journal."""
        self.on_call("before", "set finalizer")
        obj = self._current(policy)
        metadata = {**obj["metadata"], "finalizers": [FINALIZER] if present else []}
        if not present and "deletionTimestamp" in metadata:
            del self._objects[("DegradationPolicy", policy.name)]
            return Policy({**obj, "metadata": metadata})
        result = self._put({**obj, "metadata": metadata})
        self.on_call("after", "set finalizer")
        return Policy(result)

    def tell(self, policy: Policy, event: Event) -> None:  # noqa: ARG002 - one namespace, one list
        """See ports.Journal."""
        self.events.append(event)

    def _current(self, policy: Policy) -> Object:
        obj = self._objects.get(("DegradationPolicy", policy.name))
        if obj is None:
            raise Refused(404, f"DegradationPolicy {policy.name} not found")
        if obj["metadata"]["resourceVersion"] != policy.resource_version:
            raise Conflict(409, "the object has been modified")
        return obj

    def _put(self, obj: Object) -> Object:
        key = (str(obj["kind"]), str(obj["metadata"]["name"]))
        if obj["metadata"].get("annotations") == {}:
            obj = {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "annotations"}}
        before = self._objects.get(key)
        if before == obj:
            return before
        self._version += 1
        stored = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self._version)}}
        self._objects[key] = stored
        return stored


async def patch_each(
    patch: Callable[[str, Target, JsonPatch], Awaitable[Object]], namespace: str, patches: Mapping[Target, JsonPatch]
) -> Mapping[Target, Refused | Unknown]:
    """Sends patches one after the other; gives those that failed, as ports.Cluster.patch_all does."""
    failed: dict[Target, Refused | Unknown] = {}
    for target, operations in patches.items():
        try:
            await patch(namespace, target, operations)
        except (Refused, Unknown) as error:
            failed[target] = error
    return failed


def copy_json(value: Any) -> Any:
    """A deep copy of JSON; several times as fast as copy.deepcopy, which must be ready for anything."""
    if isinstance(value, dict):
        return {key: copy_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [copy_json(inner) for inner in value]
    return value


def _patched(obj: Object, patch: JsonPatch) -> Object:
    result: Any = copy_json(obj)
    for operation in patch:
        if operation["op"] == "test":
            found = _pointer(operation["path"]).resolve(result, None)
            if found != operation.get("value"):
                raise Conflict(422, f"the server rejected our request: {operation['path']} is not as tested")
            continue
        try:
            result = jsonpatch.apply_patch(result, [copy_json(operation)], in_place=True)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
            raise Conflict(422, f"the server rejected our request: {error}") from None
    return dict(result)


@lru_cache(maxsize=1024)
def _pointer(path: str) -> Any:
    return jsonpatch.JsonPointer(path)
