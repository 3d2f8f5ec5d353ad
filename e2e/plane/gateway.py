"""The Gateway API as far as the API server goes: the real CRD of HTTPRoute, and rules as people write them."""

import contextlib
from collections.abc import Iterator
from typing import Any

from plane.api import Api, Object
from plane.binaries import gateway_crd
from plane.processes import wait_for
from plane.tools import Tool

CRD = "httproutes.gateway.networking.k8s.io"


@contextlib.contextmanager
def served(api: Api, kubectl: Tool) -> Iterator[None]:
    """The kind HTTPRoute, served."""
    kubectl("create", "--filename", str(gateway_crd()))
    try:
        wait_for(
            "HTTPRoutes are served", lambda: api.find("HTTPRoute", "any", "default") is None and is_served(kubectl)
        )
        yield
    finally:
        api.delete("CustomResourceDefinition", CRD)
        wait_for("HTTPRoutes are gone", lambda: api.find("CustomResourceDefinition", CRD) is None)


def is_served(kubectl: Tool) -> bool:
    """Whether the API server knows HTTPRoutes."""
    return "httproutes" in kubectl("api-resources", "--api-group", "gateway.networking.k8s.io", "--output", "name")


def backend(name: str, weight: int | None = None, **more: Any) -> Object:
    """A Service at port 80 as backend; without a weight none is said."""
    return {"name": name, "port": 80, **({} if weight is None else {"weight": weight}), **more}


def http_route(name: str, *rules: Object) -> Object:
    """An HTTPRoute of the gateway `shared`."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "labels": {"team": "shop"}},
        "spec": {"parentRefs": [{"name": "shared"}], "hostnames": ["shop.example.com"], "rules": list(rules)},
    }


def weights(route: Object) -> list[list[int]]:
    """The weights of its backends, rule by rule."""
    return [[found["weight"] for found in rule["backendRefs"]] for rule in route["spec"]["rules"]]
