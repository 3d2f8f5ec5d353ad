"""Paths of the API server. Names come from tenants, so each is one quoted segment."""

from urllib.parse import quote

from stepdown.api.policy import GROUP, VERSION
from stepdown.engine.fields import KINDS


def object_path(namespace: str, kind: str, name: str | None = None, subresource: str = "") -> str:
    """The path of an object, of its subresource, or of all objects of a kind."""
    known = KINDS[kind]
    root = f"/apis/{known.group}/{known.version}" if known.group else f"/api/{known.version}"
    scope = f"/namespaces/{quote(namespace, safe='')}" if known.namespaced else ""
    tail = f"/{quote(name, safe='')}" if name is not None else ""
    return f"{root}{scope}/{known.plural}{tail}" + (f"/{subresource}" if subresource else "")


def policy_path(namespace: str, name: str, subresource: str = "") -> str:
    """The path of a DegradationPolicy or of its status."""
    base = f"/apis/{GROUP}/{VERSION}/namespaces/{quote(namespace, safe='')}/degradationpolicies/{quote(name, safe='')}"
    return base + (f"/{subresource}" if subresource else "")
