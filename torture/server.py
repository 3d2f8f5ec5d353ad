"""The API server in memory, with what it has seen: versions of every object, news of policies, each write to a target.

Beside it stands a twin in which only others act: what its objects hold is what ours must hold in the end.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stepdown.engine.fields import Target
from stepdown.ports import Conflict, JsonPatch, Object, Refused
from stepdown.simulate.sandbox import Sandbox
from torture.faults import Kind
from torture.shop import AROUND, POLICY, TARGETS, policy

NAMESPACE = "default"
POLICIES = "DegradationPolicy"
LEASE = "stepdown"


@dataclass(frozen=True, slots=True)
class Write:
    """A write to a target as it arrived, asked for at a time. `after` is None where it had no effect.

    `policies` are as stored when it arrived.
    """

    asked: float
    epoch: int
    target: Target
    patch: JsonPatch
    before: Object | None
    after: Object | None
    policies: Mapping[str, Object]


@dataclass(frozen=True, slots=True)
class Stored:
    """A new version of a policy. `ours`: written by the operator; `values`: what it was decided on."""

    now: float
    ours: bool
    before: Object | None
    after: Object
    values: Mapping[str, Any]


class Server:
    """Objects, their twin and a Lease."""

    def __init__(self, spec: dict[str, Any] | None = None) -> None:
        objects = [*(made.manifest for made in TARGETS.values()), *AROUND, policy(spec)]
        self.sandbox = Sandbox(objects, NAMESPACE)
        self.twin = Sandbox(objects, NAMESPACE)
        self.leases = Sandbox([], NAMESPACE)
        self.names = [POLICY]
        self.versions: dict[tuple[str, str], list[Object]] = {made.place: [] for made in TARGETS.values()}
        self.given: dict[str, list[Object]] = {}
        self.policies: dict[str, Object] = {}
        self.news: list[tuple[Object, bool]] = []
        self.writes: list[Write] = []
        self.stored: list[Stored] = []
        self.touches = 0
        self.touched: set[str] = set()
        self.edited = False
        self.look(0.0, {}, ours=False)

    def fork(self) -> "Server":
        """The same server at the same moment; stored objects are shared."""
        other = copy.copy(self)
        other.sandbox, other.twin, other.leases = self.sandbox.fork(), self.twin.fork(), self.leases.fork()
        other.versions, other.given = dict(self.versions), dict(self.given)
        other.policies, other.touched = dict(self.policies), set(self.touched)
        other.news, other.writes, other.stored = list(self.news), list(self.writes), list(self.stored)
        return other

    def look(self, now: float, values: Mapping[str, Any], *, ours: bool) -> None:
        """Takes down what is new; called after everything that may have changed something."""
        for name in self.names:
            self._look_at_policy(name, now, values, ours=ours)
        for made in TARGETS.values():
            found = self.sandbox.stored(*made.place)
            seen = self.versions[made.place]
            if found is not None and (not seen or seen[-1] is not found):
                self.versions[made.place] = [*seen, found]
            if ours:
                continue
            found = self.twin.stored(*made.place)
            if found is not None:
                given = self.given.get(found["metadata"]["uid"], [])
                if not given or given[-1] is not found:
                    self.given[found["metadata"]["uid"]] = [*given, found]

    def _look_at_policy(self, name: str, now: float, values: Mapping[str, Any], *, ours: bool) -> None:
        found, before = self.sandbox.stored(POLICIES, name), self.policies.get(name)
        if found is None:
            if before is not None:
                self.news.append((before, True))
                del self.policies[name]
        elif found is not before:
            self.policies[name] = found
            self.news.append((found, False))
            self.stored.append(Stored(now, ours, before, found, values))

    def note(self, write: Write) -> None:
        """Takes a write to a target down."""
        self.writes.append(write)
        self.sandbox.writes.clear()

    def others(self, act: Callable[[Sandbox], None], about: str) -> None:
        """Somebody else does something to a target, here and in the twin."""
        self.touched.add(about)
        act(self.sandbox)
        act(self.twin)

    def edit(self, about: str, change: Callable[[Object, int], None]) -> None:
        """Somebody edits a target, if it is there; no two edits are the same."""
        place = TARGETS[about].place
        self.touches += 1
        if place in self.sandbox:
            self.others(lambda sandbox: sandbox.edit(*place, lambda obj: change(obj, self.touches)), about)

    def make_anew(self, about: str) -> None:
        """A target is deleted, if it is there, and made again as it was at first."""
        made = TARGETS[about]

        def act(sandbox: Sandbox) -> None:
            if made.place in sandbox:
                sandbox.delete(*made.place)
            sandbox.create(made.manifest)

        self.others(act, about)

    def delete(self, about: str) -> None:
        """Somebody deletes a target, if it is there."""
        place = TARGETS[about].place
        if place in self.sandbox:
            self.others(lambda sandbox: sandbox.delete(*place), about)

    def make_policy(self) -> None:
        """Somebody makes the policy, if it isn't there."""
        if (POLICIES, POLICY) not in self.sandbox:
            self.sandbox.create(policy())
            if (POLICIES, POLICY) in self.twin:
                self.twin.delete(POLICIES, POLICY)
            self.twin.create(policy())

    def edit_policy(self, change: Callable[[Object], None]) -> None:
        """Somebody edits the policy, if it is there."""
        if (POLICIES, POLICY) in self.sandbox:
            self.sandbox.edit(POLICIES, POLICY, change)

    def put_back(self, name: str, versions: int) -> None:
        """A policy's status and finalizers become those of some of our writes ago.

        One that is being deleted keeps its finalizers: without any, no API server has it.
        """
        if name not in self.policies:
            return
        old = [s.before for s in self.stored if s.ours and s.before and s.after["metadata"]["name"] == name][-versions]

        def change(obj: Object) -> None:
            obj["status"] = copy.deepcopy(old.get("status") or {})
            if "deletionTimestamp" not in obj["metadata"]:
                obj["metadata"]["finalizers"] = list(old["metadata"].get("finalizers") or [])

        self.sandbox.edit(POLICIES, name, change)

    def lay_hands_on_the_lease(self, kind: Kind) -> None:
        """What people do to a Lease, if it is there."""
        if ("Lease", LEASE) not in self.leases:
            return
        if kind is Kind.LEASE_GONE:
            self.leases.delete("Lease", LEASE)
            return
        rubbish = {"holderIdentity": 7, "leaseTransitions": "many"} if kind is Kind.LEASE_GARBLED else None

        def change(lease: Object) -> None:
            lease["spec"] = rubbish or {**lease["spec"], "holderIdentity": "somebody"}

        self.leases.edit("Lease", LEASE, change)


class LeaseServer:
    """LeaseApi over the server of a world."""

    def __init__(self, leases: Callable[[], Sandbox]) -> None:
        self._leases = leases

    async def get(self, path: str) -> Object:
        """A GET. Raises Refused."""
        found = self._leases().stored("Lease", path.rpartition("/")[2])
        if found is None:
            raise Refused(404, f"{path} not found")
        return found

    async def patch(self, path: str, patch: JsonPatch) -> Object:
        """A JSON patch. Raises Conflict and Refused."""
        found = await self.get(path)
        leases = self._leases()
        result = await leases.patch(
            NAMESPACE, Target("Lease", found["metadata"]["name"], found["metadata"]["uid"]), patch
        )
        leases.writes.clear()
        return result

    async def post(self, path: str, body: Object) -> Object:
        """A creation. Raises Conflict."""
        leases = self._leases()
        if ("Lease", body["metadata"]["name"]) in leases:
            raise Conflict(409, "it is there")
        return leases.create({"kind": "Lease", **body})
