"""Paths of the API server. Names come from tenants and from stored status, so each is one plain segment.

A client tidies URLs before it sends them: `..` as a name would lead to another object. What no object of our
kinds can be called is therefore refused here, before anything is asked.
"""

import re

from stepdown.api.model import OBJECT_NAME_PATTERN
from stepdown.api.policy import GROUP, VERSION
from stepdown.engine.fields import KINDS
from stepdown.ports import Refused

_NAME = re.compile(OBJECT_NAME_PATTERN)
_NAME_MAX = 253


def object_path(namespace: str, kind: str, name: str | None = None, subresource: str = "") -> str:
    """The path of an object, of its subresource, or of all objects of a kind. Raises Refused."""
    known = KINDS.get(kind)
    if known is None:
        raise Refused(400, f"{kind[:63]!r} is not a kind that is worked on")
    root = f"/apis/{known.group}/{known.version}" if known.group else f"/api/{known.version}"
    scope = f"/namespaces/{_segment(namespace)}" if known.namespaced else ""
    tail = f"/{_segment(name)}" if name is not None else ""
    return f"{root}{scope}/{known.plural}{tail}" + (f"/{subresource}" if subresource else "")


def kind_path(kind: str, namespace: str | None) -> str:
    """The path of all objects of a namespaced kind, in one namespace or in all. Raises Refused and KeyError."""
    known = KINDS[kind]
    root = f"/apis/{known.group}/{known.version}" if known.group else f"/api/{known.version}"
    return f"{root}/{known.plural}" if namespace is None else object_path(namespace, kind)


def policy_path(namespace: str, name: str, subresource: str = "") -> str:
    """The path of a DegradationPolicy or of its status. Raises Refused."""
    base = f"/apis/{GROUP}/{VERSION}/namespaces/{_segment(namespace)}/degradationpolicies/{_segment(name)}"
    return base + (f"/{subresource}" if subresource else "")


def policies_path(namespace: str | None) -> str:
    """The path of all policies of a namespace, or of the cluster. Raises Refused."""
    scope = f"/namespaces/{_segment(namespace)}" if namespace is not None else ""
    return f"/apis/{GROUP}/{VERSION}{scope}/degradationpolicies"


def endpoints_path() -> str:
    """The path of all MetricsEndpoints."""
    return f"/apis/{GROUP}/{VERSION}/metricsendpoints"


def secret_path(namespace: str, name: str) -> str:
    """The path of one of the operator's own Secrets; no policy can name one. Raises Refused."""
    return f"/api/v1/namespaces/{_segment(namespace)}/secrets/{_segment(name)}"


def resource_of(path: str) -> str:
    """The resource of a path, with its subresource: `deployments/scale`. Never a name, so it is a bounded label."""
    parts = path.partition("?")[0].strip("/").split("/")
    parts = parts[3:] if parts[0] == "apis" else parts[2:]
    if parts[0] == "namespaces" and len(parts) > 2:
        parts = parts[2:]
    return "/".join([parts[0], *parts[2:3]])


def _segment(name: str) -> str:
    if len(name) > _NAME_MAX or not _NAME.fullmatch(name):
        raise Refused(400, f"{name[:63]!r} is not a name that an object can have")
    return name
