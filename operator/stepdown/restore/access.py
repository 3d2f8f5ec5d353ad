"""What restoring needs of the API server beside the operator's own ports: lists, the Lease's holder, suspending."""

from dataclasses import dataclass

from stepdown.adapters.api import Api
from stepdown.adapters.paging import pages
from stepdown.adapters.paths import kind_path, object_path, policies_path, policy_path
from stepdown.engine.annotation import ANNOTATION
from stepdown.engine.fields import KINDS
from stepdown.ports import JsonPatch, Object, Policy, Refused

LEASES = "/apis/coordination.k8s.io/v1"

MARKED_KINDS = tuple(name for name, kind in KINDS.items() if kind.namespaced and not kind.scale and name != "Pod")
"""Kinds that carry our annotation; replicas are written through /scale, which has none."""


class NoKind(Exception):
    """The cluster has no DegradationPolicy: the CRD isn't there."""


@dataclass(frozen=True, slots=True)
class Access:
    """Raises Refused and Unknown."""

    api: Api

    async def policies(self, namespace: str | None) -> list[Policy]:
        """The policies of a namespace, or of all. Raises NoKind."""
        try:
            return [Policy(obj) for obj in await self._list(policies_path(namespace))]
        except Refused as error:
            if error.status == 404:
                raise NoKind from None
            raise Refused(error.status, f"{error.message}; {_cure(error.status, namespace)}") from None

    async def marked(self, kind: str, namespace: str | None) -> list[Object]:
        """The objects of a kind that carry our annotation; none for a kind that the cluster doesn't have."""
        try:
            found = await self._list(kind_path(kind, namespace))
        except Refused as error:
            if error.status == 404:
                return []
            raise
        return [obj for obj in found if ANNOTATION in (obj["metadata"].get("annotations") or {})]

    async def suspend(self, policy: Policy) -> Policy:
        """See restorer.Suspend."""
        patch: JsonPatch = [
            {"op": "test", "path": "/metadata/uid", "value": policy.uid},
            {"op": "test", "path": "/metadata/resourceVersion", "value": policy.resource_version},
            {"op": "add", "path": "/spec/suspend", "value": True},
        ]
        return Policy(await self.api.patch(policy_path(policy.namespace, policy.name), patch))

    async def is_gone(self, namespace: str) -> bool:
        """Whether we can see that there is no such namespace."""
        try:
            await self.api.get(object_path("", "Namespace", namespace))
        except Refused as error:
            return error.status == 404
        return False

    async def lease_namespaces(self, name: str) -> list[str]:
        """Where there are Leases of this name."""
        found = await self._list(f"{LEASES}/leases", fieldSelector=f"metadata.name={name}")
        return [str(lease["metadata"]["namespace"]) for lease in found]

    async def has_lease(self, namespace: str, name: str) -> bool:
        """Whether there is a Lease."""
        return await self._lease(namespace, name) is not None

    async def holder(self, namespace: str, name: str) -> str:
        """Who holds a Lease; empty for nobody."""
        found = await self._lease(namespace, name) or {}
        return str((found.get("spec") or {}).get("holderIdentity") or "")

    async def _lease(self, namespace: str, name: str) -> Object | None:
        try:
            return await self.api.get(f"{LEASES}/namespaces/{namespace}/leases/{name}")
        except Refused as error:
            if error.status == 404:
                return None
            raise

    async def _list(self, path: str, **query: str) -> list[Object]:
        return [found async for page in pages(self.api, path, **query) for found in page.get("items") or []]


def _cure(status: int, namespace: str | None) -> str:
    if status in (401, 403) and namespace is None:
        return "name a namespace of yours with -n, or use an administrator's kubeconfig"
    return "use a kubeconfig that may" if status in (401, 403) else "try again"
