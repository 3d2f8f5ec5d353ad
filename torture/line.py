"""The connection of one process to the server: every call is a place where a fault may strike.

Like the real connection it asks the lease right before each write, and takes no answer older than one before.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from stepdown.api.status import PolicyStatus
from stepdown.engine.fields import Ref, Target
from stepdown.ports import Conflict, Event, JsonPatch, Object, Policy, Refused, Snapshot, Unknown
from stepdown.simulate.sandbox import patch_each
from torture.faults import WRITES, Fault, Kind
from torture.server import Write

if TYPE_CHECKING:
    from torture.process import Process

Result = TypeVar("Result")


class Crash(BaseException):
    """The process dies here."""


class Standstill:
    """Yields to whoever drives a turn: the process is stopped here, until it is driven on."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def __await__(self) -> Generator["Standstill", None, None]:
        yield self


class Line:
    """ports.Cluster and ports.Journal of one process."""

    def __init__(self, process: "Process") -> None:
        self._process = process

    async def read(self, namespace: str, refs: Collection[Ref]) -> Snapshot:
        """See ports.Cluster."""
        world, known = self._process.world, self._process.versions
        named = [f"{ref.kind}/{ref.name}" for ref in refs if ref.name is not None]

        async def do() -> Snapshot:
            return await world.server.sandbox.read(namespace, refs)

        faults = world.meet("read", named)
        found = dict(await self._struck(faults, do, "read"))
        for fault in faults:
            if fault.kind is Kind.STALE and fault.about in named:
                kind, _, name = fault.about.partition("/")
                versions = world.server.versions[kind, name]
                found[Ref(kind, name)] = versions[-2] if len(versions) > 1 else None
        for ref, obj in found.items():
            if isinstance(obj, dict):
                known.check(f"{ref.kind}/{ref.name}", obj, known.newest(f"{ref.kind}/{ref.name}"))
        return found

    async def patch(self, namespace: str, target: Target, patch: JsonPatch, subresource: str = "") -> Object:
        """See ports.Cluster."""
        world = self._process.world
        epoch, asked = self._process.epoch, world.now

        async def do() -> Object:
            server = world.server
            before = server.sandbox.stored(target.kind, target.name)
            after: Object | None = None
            try:
                after = await server.sandbox.patch(namespace, target, patch, subresource)
            finally:
                server.note(Write(asked, epoch, target, patch, before, after, dict(server.policies)))
            return after

        name = f"{target.kind}/{target.name}"
        result = await self._struck(world.meet("patch", [name]), do, "patch")
        self._process.versions.note(name, result)
        return result

    async def evict(self, namespace: str, target: Target) -> None:
        """See ports.Cluster."""
        server = self._process.world.server
        await self._struck(
            self._process.world.meet("patch", [f"{target.kind}/{target.name}"]),
            lambda: server.sandbox.evict(namespace, target),
            "patch",
        )

    async def patch_all(
        self, namespace: str, patches: Mapping[Target, JsonPatch]
    ) -> Mapping[Target, Refused | Unknown]:
        """See ports.Cluster."""
        return await patch_each(self.patch, namespace, patches)

    async def load(self, policy: Policy) -> Policy | None:
        """See ports.Journal."""
        world = self._process.world
        return await self._struck(world.meet("load", ()), lambda: world.server.sandbox.load(policy), "load")

    async def store(self, policy: Policy, status: PolicyStatus) -> Policy:
        """See ports.Journal."""
        world = self._process.world
        return await self._struck(world.meet("store", ()), lambda: world.server.sandbox.store(policy, status), "store")

    async def set_finalizer(self, policy: Policy, *, present: bool) -> Policy:
        """See ports.Journal."""
        if policy.has_finalizer == present:
            return policy
        world = self._process.world
        return await self._struck(
            world.meet("finalizer", ()),
            lambda: world.server.sandbox.set_finalizer(policy, present=present),
            "finalizer",
        )

    def tell(self, policy: Policy, event: Event) -> None:
        """See ports.Journal."""
        self._process.world.told.append(f"{policy.name}: {event.reason}: {event.message}")

    async def _struck(self, faults: Sequence[Fault], do: Callable[[], Awaitable[Result]], verb: str) -> Result:
        """A call, struck by the faults of its place."""
        process = self._process
        is_write = verb in WRITES
        if is_write:
            process.lease.guard()
        after: Kind | None = None
        for fault in faults:
            match fault.kind:
                case Kind.CRASH:
                    raise Crash
                case Kind.NO_ANSWER:
                    raise Unknown("500: etcdserver: request timed out")
                case Kind.BUSY:
                    process.is_blind |= verb == "read"
                    raise Refused(429, "too many requests")
                case Kind.CONFLICT:
                    raise Conflict(409, "the object has been modified")
                case Kind.PAUSE | Kind.FREEZE:
                    await Standstill(fault.kind)
                case Kind.CRASH_AFTER | Kind.LOST | Kind.STOP:
                    after = fault.kind
                case _:
                    pass
        try:
            result = await do()
        finally:
            process.world.look(process if is_write else None)
        match after:
            case Kind.CRASH_AFTER:
                raise Crash
            case Kind.LOST:
                raise Unknown("no answer within 5 s")
            case Kind.STOP:
                raise asyncio.CancelledError
            case _:
                return result
