"""A ServiceAccount with the chart's rights and Leases in other namespaces than the chart's.

The chart fences its own account off from every other Lease, so that pairs need another one.
"""

from typing import Any

from plane.api import Api, ApiError, Object
from plane.release import Release

ACCOUNT = "replica"
_GROUP = "rbac.authorization.k8s.io"


def give_rights(api: Api, release: Release, namespace: str, lease: str) -> None:
    """Lets the account work in a namespace as the chart's own may, and contend there for a Lease of this name."""
    _make(api, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}}, release.namespace)
    _make(api, _binding("ClusterRoleBinding", "ClusterRole", release.name, release))
    leases = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
    rules = [{**leases, "verbs": ["create"]}, {**leases, "resourceNames": [lease], "verbs": ["get", "patch"]}]
    role = {"apiVersion": f"{_GROUP}/v1", "kind": "Role", "metadata": {"name": f"{ACCOUNT}-lease"}, "rules": rules}
    api.create(role, namespace)
    api.create(_binding("RoleBinding", "Role", f"{ACCOUNT}-lease", release), namespace)
    for part in ("policies", "workloads"):
        api.create(_binding("RoleBinding", "ClusterRole", f"{release.name}-{part}", release), namespace)


def _binding(kind: str, role_kind: str, role: str, release: Release) -> dict[str, Any]:
    return {
        "apiVersion": f"{_GROUP}/v1",
        "kind": kind,
        "metadata": {"name": f"{ACCOUNT}-{role}"},
        "roleRef": {"apiGroup": _GROUP, "kind": role_kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": release.namespace}],
    }


def _make(api: Api, obj: Object, namespace: str = "") -> None:
    """Creates what every pair needs once."""
    try:
        api.create(obj, namespace)
    except ApiError as error:
        if error.status != 409:
            raise
