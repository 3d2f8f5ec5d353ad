"""A small client for tests: raw objects in and out, and an error that shows what the server said."""

import time
from typing import Any

import requests

_BUSY_TRIES = 10
_PLURALS = {
    "Namespace": ("v1", "namespaces"),
    "Node": ("v1", "nodes"),
    "Pod": ("v1", "pods"),
    "Service": ("v1", "services"),
    "ConfigMap": ("v1", "configmaps"),
    "Secret": ("v1", "secrets"),
    "Event": ("v1", "events"),
    "ServiceAccount": ("v1", "serviceaccounts"),
    "Deployment": ("apps/v1", "deployments"),
    "StatefulSet": ("apps/v1", "statefulsets"),
    "HorizontalPodAutoscaler": ("autoscaling/v2", "horizontalpodautoscalers"),
    "ScaledObject": ("keda.sh/v1alpha1", "scaledobjects"),
    "Gateway": ("gateway.networking.k8s.io/v1", "gateways"),
    "HTTPRoute": ("gateway.networking.k8s.io/v1", "httproutes"),
    "ResourceQuota": ("v1", "resourcequotas"),
    "EndpointSlice": ("discovery.k8s.io/v1", "endpointslices"),
    "Job": ("batch/v1", "jobs"),
    "ValidatingAdmissionPolicy": ("admissionregistration.k8s.io/v1", "validatingadmissionpolicies"),
    "ValidatingAdmissionPolicyBinding": ("admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings"),
    "Lease": ("coordination.k8s.io/v1", "leases"),
    "Role": ("rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("rbac.authorization.k8s.io/v1", "rolebindings"),
    "ClusterRoleBinding": ("rbac.authorization.k8s.io/v1", "clusterrolebindings"),
    "CustomResourceDefinition": ("apiextensions.k8s.io/v1", "customresourcedefinitions"),
    "APIService": ("apiregistration.k8s.io/v1", "apiservices"),
    "DegradationPolicy": ("stepdown.dev/v1alpha1", "degradationpolicies"),
    "MetricsEndpoint": ("stepdown.dev/v1alpha1", "metricsendpoints"),
}
Object = dict[str, Any]


class ApiError(Exception):
    """An answer that was not 2xx."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class Api:
    """The API server, as one user."""

    def __init__(self, url: str, ca: str, token: str) -> None:
        self.url, self.ca, self.token = url, ca, token
        self._session = requests.Session()
        self._session.verify = ca
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"

    def acting_as(self, user: str) -> "Api":
        """The same server, as a user of this name: needs an administrator's token."""
        other = Api(self.url, self.ca, self.token)
        other._session.headers["Impersonate-User"] = user
        return other

    def path(self, kind: str, name: str = "", namespace: str = "", subresource: str = "") -> str:
        """The path of an object or a collection."""
        version, plural = _PLURALS[kind]
        root = "/api/v1" if version == "v1" else f"/apis/{version}"
        parts = [f"/namespaces/{namespace}" if namespace else "", f"/{plural}", f"/{name}" if name else ""]
        return root + "".join(parts) + (f"/{subresource}" if subresource else "")

    def call(self, method: str, path: str, body: Any = None, content: str = "application/json", **query: str) -> Object:
        """One request; a server that is busy (429) is asked again, as kubectl does. Raises ApiError."""
        for _ in range(_BUSY_TRIES):
            answer = self._session.request(
                method, self.url + path, json=body, params=query, headers={"Content-Type": content}, timeout=30
            )
            if answer.status_code != 429:
                break
            time.sleep(min(1.0, float(answer.headers.get("Retry-After", "1"))))
        if not answer.ok:
            try:
                message = answer.json().get("message", answer.text)
            except ValueError:
                message = answer.text
            raise ApiError(answer.status_code, message)
        return dict(answer.json())

    def get(self, kind: str, name: str, namespace: str = "") -> Object:
        """An object."""
        return self.call("GET", self.path(kind, name, namespace))

    def find(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """An object, or None."""
        try:
            return self.get(kind, name, namespace)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind: str, namespace: str = "", **query: str) -> list[Object]:
        """All objects of a kind."""
        return list(self.call("GET", self.path(kind, namespace=namespace), **query)["items"])

    def create(self, obj: Object, namespace: str = "", **query: str) -> Object:
        """Creates an object; its own namespace wins."""
        namespace = obj["metadata"].get("namespace", namespace)
        strict = {"fieldValidation": "Strict", **query}
        return self.call("POST", self.path(obj["kind"], namespace=namespace), obj, **strict)

    def merge(self, kind: str, name: str, namespace: str, body: Object, subresource: str = "") -> Object:
        """A merge patch."""
        path = self.path(kind, name, namespace, subresource)
        return self.call("PATCH", path, body, "application/merge-patch+json", fieldManager="a-person")

    def json_patch(self, kind: str, name: str, namespace: str, body: Any, subresource: str = "") -> Object:
        """A JSON patch."""
        return self.call("PATCH", self.path(kind, name, namespace, subresource), body, "application/json-patch+json")

    def delete(self, kind: str, name: str, namespace: str = "", **query: str) -> None:
        """Deletes an object; one that isn't there is fine."""
        try:
            self.call("DELETE", self.path(kind, name, namespace), **query)
        except ApiError as error:
            if error.status != 404:
                raise
