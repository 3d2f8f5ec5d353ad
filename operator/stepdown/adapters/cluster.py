"""Objects of the users, read and patched."""

import asyncio
from collections.abc import Collection

from stepdown.adapters.api import Api
from stepdown.adapters.paths import object_path
from stepdown.engine.fields import KINDS, Ref, Target
from stepdown.ports import JsonPatch, Object, Refused, Snapshot

READS_AT_ONCE = 8


class KubernetesCluster:
    """ports.Cluster on the real API server."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._slots = asyncio.Semaphore(READS_AT_ONCE)

    async def read(self, namespace: str, refs: Collection[Ref]) -> Snapshot:
        """See ports.Cluster. A kind that isn't served, or not granted because its feature is off, has no objects."""
        found = await asyncio.gather(*(self._read(namespace, ref) for ref in refs))
        return dict(zip(refs, found, strict=True))

    async def _read(self, namespace: str, ref: Ref) -> Object | list[Object] | None:
        async with self._slots:
            try:
                answer = await self._api.get(object_path(namespace, ref.kind, ref.name))
            except Refused as error:
                if error.status == 404 or (error.status == 403 and ref.name is None):
                    return None if ref.name is not None else []
                raise Refused(error.status, f"reading {ref.kind} {ref.name or 'list'}: {error.message}") from None
        if ref.name is None:
            return list(answer.get("items") or [])
        return answer

    async def patch(self, namespace: str, target: Target, patch: JsonPatch, subresource: str = "") -> Object:
        """See ports.Cluster."""
        assert target.kind in KINDS
        return await self._api.patch(object_path(namespace, target.kind, target.name, subresource), patch)
