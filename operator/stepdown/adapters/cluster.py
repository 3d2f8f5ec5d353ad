"""Objects of the users, read and patched.

An object that is not there and a kind that the cluster does not have are answers. A refusal is none: who may not
list HorizontalPodAutoscalers must not conclude that there are none, and then fight with one.
"""

import asyncio
import contextlib
from collections.abc import Collection, Mapping

from stepdown.adapters.api import Api
from stepdown.adapters.denials import Denials
from stepdown.adapters.paging import pages
from stepdown.adapters.paths import object_path, resource_of
from stepdown.adapters.versions import Versions
from stepdown.engine.fields import Ref, Target
from stepdown.ports import Conflict, JsonPatch, Object, Refused, Snapshot, Unknown

READS_AT_ONCE = 8

PATCHES_AT_ONCE = 16
"""Of `patch_all`: half of the connections, so that the other policies' calls find one."""

PATCH_ALL_SECONDS = 8.0
"""Longest time for all patches of `patch_all`; a tick has thirty seconds."""


class KubernetesCluster:
    """ports.Cluster on the real API server. `opt_in` is the command that lets the operator into a namespace."""

    def __init__(self, api: Api, opt_in: str = "") -> None:
        self._api = api
        self._denials = Denials(opt_in)
        self._versions = Versions()
        self._slots = asyncio.Semaphore(READS_AT_ONCE)

    async def read(self, namespace: str, refs: Collection[Ref]) -> Snapshot:
        """See ports.Cluster."""
        wanted = list(dict.fromkeys(refs))
        found = await asyncio.gather(*(self._read(namespace, ref) for ref in wanted), return_exceptions=True)
        snapshot: dict[Ref, Object | list[Object] | None] = {}
        for ref, result in zip(wanted, found, strict=True):
            if isinstance(result, BaseException):
                raise result
            snapshot[ref] = result
        return snapshot

    async def _read(self, namespace: str, ref: Ref) -> Object | list[Object] | None:
        path = object_path(namespace, ref.kind, ref.name)
        verb = "list" if ref.name is None else "get"
        self._denials.check(verb, path)
        async with self._slots:
            newest = self._versions.newest(path)
            try:
                if ref.name is None:
                    return await self._listed(path, ref.kind, newest)
                answer = await self._api.get(path)
            except Refused as error:
                if error.status == 404:
                    return [] if ref.name is None else None
                if error.is_busy:
                    raise Unknown(f"{verb} {path}: {error.message}") from None
                named = _named(error, verb, path, ref.name)
                raise self._denials.denied(verb, path, namespace, named) from None
        self._believe(verb, path, answer, newest)
        return answer

    async def _listed(self, path: str, kind: str, newest: int) -> list[Object]:
        """All objects of a kind; pods, of which there may be thousands, without who has changed what in them."""
        found: list[Object] = []
        async for page in pages(self._api, path):
            self._believe("list", path, page, newest)
            for obj in page.get("items") or []:
                if kind == "Pod":
                    obj["metadata"].pop("managedFields", None)
                found.append(obj)
        return found

    def _believe(self, verb: str, path: str, answer: Object, newest: int) -> None:
        """Raises Unknown for a stale answer."""
        self._denials.granted(verb, path)
        self._versions.check(path, answer, newest)

    async def patch(self, namespace: str, target: Target, patch: JsonPatch, subresource: str = "") -> Object:
        """See ports.Cluster."""
        path = object_path(namespace, target.kind, target.name, subresource)
        self._denials.check("patch", path)
        try:
            result = await self._api.patch(path, patch)
        except Conflict:
            raise
        except Refused as error:
            named = _named(error, "patch", path, target.name)
            raise self._denials.denied("patch", path, namespace, named) from None
        self._denials.granted("patch", path)
        self._versions.note(object_path(namespace, target.kind, target.name), result)
        return result

    async def evict(self, namespace: str, target: Target) -> None:
        """See ports.Cluster."""
        path = object_path(namespace, target.kind, target.name, "eviction")
        self._denials.check("create", path)
        body: Object = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": target.name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": target.uid}},
        }
        try:
            await self._api.post(path, body)
        except Conflict:
            raise
        except Refused as error:
            named = _named(error, "create", path, target.name)
            raise self._denials.denied("create", path, namespace, named) from None

    async def patch_all(
        self, namespace: str, patches: Mapping[Target, JsonPatch]
    ) -> Mapping[Target, Refused | Unknown]:
        """See ports.Cluster. Where a right is missing, the others aren't asked for."""
        failed: dict[Target, Refused | Unknown] = {target: Unknown("no time was left") for target in patches}
        slots = asyncio.Semaphore(PATCHES_AT_ONCE)
        denied: list[Refused] = []

        async def send(target: Target, patch: JsonPatch) -> None:
            async with slots:
                if denied:
                    failed[target] = denied[0]
                    return
                try:
                    await self.patch(namespace, target, patch)
                except (Refused, Unknown) as error:
                    failed[target] = error
                    if isinstance(error, Refused) and error.lacks_right:
                        denied.append(error)
                else:
                    del failed[target]

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATCH_ALL_SECONDS):
                await asyncio.gather(*(send(target, patch) for target, patch in patches.items()))
        return failed


def _named(error: Refused, verb: str, path: str, name: str | None) -> Refused:
    """The refusal with what was refused: the server names it in some of its sentences only."""
    what = f"{verb} {resource_of(path)}" + (f" {name}" if name is not None else "")
    return Refused(error.status, f"{what}: {error.message}")
