"""Requests with the operator's own token: what its code never sends, and what it has to send.

`{ns}` stands for the namespace of `objects`.
"""

import json
from dataclasses import dataclass
from typing import Any

from plane.api import Object

NOTE = "/metadata/annotations/stepdown.dev~1ledger"
JSON_PATCH, APPLY = "application/json-patch+json", "application/apply-patch+yaml"

SPEC = {
    "target": {"service": "shop", "deployment": "shop"},
    "signals": [{"name": "errors", "preset": "http-error-ratio"}],
    "levels": [{"name": "full"}, {"name": "low", "enter": {"any": [{"signal": "errors", "above": "5%"}]}}],
}


def mark(path: str) -> str:
    """The operator's annotation, naming a field."""
    return json.dumps({"0123": {"path": path, "policy": "shop"}}, separators=(",", ":"))


def objects(namespace: str) -> list[Object]:
    """What is to be protected. The Service and the ConfigMap carry a mark, as while a policy is degraded."""
    here = {"name": "shop", "namespace": namespace}
    pods = {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "main", "image": "shop"}]}}
    workload = {"replicas": 0, "selector": {"matchLabels": {"app": "shop"}}, "template": pods}
    of_deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**here, "annotations": {"stepdown.dev/ledger": mark("/spec/selector"), "owner": "ann"}},
            "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80}]},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {**here, "annotations": {"stepdown.dev/ledger": mark("/data/flags.json#/flags/a")}},
            "data": {"flags.json": "{}", "password.txt": "secret"},
        },
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": here, "spec": workload},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": here, "spec": {**workload, "serviceName": "shop"}},
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {**here, "annotations": {"stepdown.dev/ledger": mark("/spec/minReplicas")}},
            "spec": {"scaleTargetRef": of_deployment, "minReplicas": 1, "maxReplicas": 5},
        },
        {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": here,
            "spec": {"scaleTargetRef": {"name": "shop"}, "minReplicaCount": 1, "triggers": []},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {**here, "annotations": {"stepdown.dev/ledger": mark("/spec/rules#/all/shop:80/weight")}},
            "spec": {
                "rules": [{"name": "all", "backendRefs": [{"name": "shop", "port": 80}, {"name": "x", "port": 80}]}]
            },
        },
        {
            "apiVersion": "stepdown.dev/v1alpha1",
            "kind": "DegradationPolicy",
            "metadata": {**here, "finalizers": ["example.com/kept"]},
            "spec": {"suspend": True, **SPEC},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**here, "annotations": {"owner": "ann", "stepdown.dev/refresh": '{"shop":"0"}'}},
            "spec": {"containers": [{"name": "main", "image": "shop"}]},
        },
        event(namespace, "ours"),
        {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": here, "spec": {}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": here},
    ]


def event(namespace: str, name: str, **changes: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {"kind": "DegradationPolicy", "name": "shop", "namespace": namespace},
        "reason": "LevelEntered",
        "message": "down",
        "source": {"component": "stepdown"},
        "reportingComponent": "stepdown.dev/operator",
        "reportingInstance": "one",
        "count": 1,
        **changes,
    }


@dataclass(frozen=True)
class Write:
    """A request: `of` is a path below the namespace, or a whole one; patches are JSON patches unless said."""

    method: str
    of: str
    body: Any = None
    content: str = "application/json"


def patch(of: str, *operations: tuple[str, str, Any]) -> Write:
    body = [{"op": op, "path": path, **({} if op == "remove" else {"value": value})} for op, path, value in operations]
    return Write("PATCH", of, body, JSON_PATCH)


SERVICE, CONFIG_MAP, EVENTS = "/api/v1/{ns}/services/shop", "/api/v1/{ns}/configmaps/shop", "/api/v1/{ns}/events"
POD, TOUCH = "/api/v1/{ns}/pods/shop", "/metadata/annotations/stepdown.dev~1refresh"
DEPLOYMENT, STATEFUL_SET = "/apis/apps/v1/{ns}/deployments/shop", "/apis/apps/v1/{ns}/statefulsets/shop"
HPA = "/apis/autoscaling/v2/{ns}/horizontalpodautoscalers/shop"
HPA_V1 = "/apis/autoscaling/v1/{ns}/horizontalpodautoscalers/shop"
SCALED_OBJECT = "/apis/keda.sh/v1alpha1/{ns}/scaledobjects/shop"
HTTP_ROUTE = "/apis/gateway.networking.k8s.io/v1/{ns}/httproutes/shop"
RULE = "/spec/rules/0"
POLICY = "/apis/stepdown.dev/v1alpha1/{ns}/degradationpolicies/shop"
LEASES = "/apis/coordination.k8s.io/v1/{ns}/leases"
OWN_LEASES = "/apis/coordination.k8s.io/v1/namespaces/stepdown-system/leases"
PAUSED = "/metadata/annotations/autoscaling.keda.sh~1paused-replicas"
MIRROR = [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "thief", "port": 80}}}]
SOMEBODY = {"apiVersion": "v1", "kind": "Secret", "name": "shop", "uid": "1"}
RBAC = "/apis/rbac.authorization.k8s.io/v1"
AS_ADMIN = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}


def new(kind: str, version: str = "v1", **rest: Any) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "new"}, **rest}


ABUSES: dict[str, Write] = {
    # Services
    "another port": patch(SERVICE, ("replace", "/spec/ports/0/port", 81)),
    "a port on every node": patch(SERVICE, ("replace", "/spec/type", "NodePort")),
    "an address from outside": patch(SERVICE, ("add", "/spec/externalIPs", ["10.9.9.9"])),
    "a Service as an alias": patch(
        SERVICE, ("add", "/spec/externalName", "example.com"), ("replace", "/spec/type", "ExternalName")
    ),
    "sessions bound to a client": patch(SERVICE, ("replace", "/spec/sessionAffinity", "ClientIP")),
    "a selector beside another port": patch(
        SERVICE, ("replace", "/spec/selector", {"app": "x"}), ("replace", "/spec/ports/0/port", 81)
    ),
    "no selector": patch(SERVICE, ("remove", "/spec/selector", None)),
    "a selector that no mark names": patch(SERVICE.replace("shop", "bare"), ("add", "/spec/selector/app", "x")),
    "a selector under the mark of another field": patch(
        SERVICE.replace("shop", "bare"),
        ("add", "/metadata/annotations", {"stepdown.dev/ledger": mark("/spec/ports")}),
        ("add", "/spec/selector/app", "x"),
    ),
    "a label": patch(SERVICE, ("add", "/metadata/labels", {"team": "x"})),
    "somebody's annotation changed": patch(SERVICE, ("replace", "/metadata/annotations/owner", "bob")),
    "somebody's annotation removed": patch(SERVICE, ("remove", "/metadata/annotations/owner", None)),
    "an annotation of a load balancer": patch(SERVICE, ("add", "/metadata/annotations/example.com~1public", "true")),
    "a finalizer": patch(SERVICE, ("add", "/metadata/finalizers", ["example.com/held"])),
    "our finalizer on a Service": patch(SERVICE, ("add", "/metadata/finalizers", ["stepdown.dev/restore"])),
    "an owner": patch(SERVICE, ("add", "/metadata/ownerReferences", [SOMEBODY])),
    "the status of a Service": patch(SERVICE + "/status", ("add", "/metadata/labels", {"team": "x"})),
    "a Service deleted": Write("DELETE", SERVICE),
    "a Service made": Write("POST", SERVICE.removesuffix("/shop"), new("Service", spec={"ports": [{"port": 80}]})),
    # ConfigMaps
    "a value that no mark names": patch(CONFIG_MAP, ("replace", "/data/password.txt", "known")),
    "a named value beside another": patch(
        CONFIG_MAP, ("replace", "/data/flags.json", "[]"), ("replace", "/data/password.txt", "known")
    ),
    "a value under the mark of a longer key": patch(
        CONFIG_MAP, ("replace", NOTE, mark("/data/password.txt.old")), ("replace", "/data/password.txt", "known")
    ),
    "a new key": patch(CONFIG_MAP, ("replace", NOTE, mark("/data/new")), ("add", "/data/new", "x")),
    "a key less": patch(CONFIG_MAP, ("replace", NOTE, mark("/data/flags.json")), ("remove", "/data/flags.json", None)),
    "binary data": patch(CONFIG_MAP, ("add", "/binaryData", {"flags.bin": "AAAA"})),
    "a ConfigMap made immutable": patch(CONFIG_MAP, ("add", "/immutable", True)),
    "a ConfigMap deleted": Write("DELETE", CONFIG_MAP),
    "a ConfigMap made": Write("POST", CONFIG_MAP.removesuffix("/shop"), new("ConfigMap")),
    "a ConfigMap made by apply": Write("PATCH", CONFIG_MAP.replace("shop", "new"), new("ConfigMap"), APPLY),
    # Workloads
    "another image": patch(DEPLOYMENT, ("replace", "/spec/template/spec/containers/0/image", "evil")),
    "replicas without /scale": patch(DEPLOYMENT, ("replace", "/spec/replicas", 9)),
    "a mark on a Deployment": patch(DEPLOYMENT, ("add", "/metadata/annotations", {"stepdown.dev/ledger": "{}"})),
    "a privileged StatefulSet": patch(STATEFUL_SET, ("add", "/spec/template/spec/hostPID", True)),
    "a Deployment deleted": Write("DELETE", DEPLOYMENT),
    "every Deployment deleted": Write("DELETE", DEPLOYMENT.removesuffix("/shop")),
    "a pod made": Write(
        "POST", "/api/v1/{ns}/pods", new("Pod", spec={"containers": [{"name": "main", "image": "evil"}]})
    ),
    # Pods
    "another image of a pod": patch(POD, ("replace", "/spec/containers/0/image", "evil")),
    "another image beside our annotation": patch(
        POD, ("replace", TOUCH, "{}"), ("replace", "/spec/containers/0/image", "evil")
    ),
    "a label of a pod": patch(POD, ("add", "/metadata/labels", {"app": "shop"})),
    "somebody's annotation of a pod": patch(POD, ("replace", "/metadata/annotations/owner", "bob")),
    "a mark on a pod": patch(POD, ("add", "/metadata/annotations/stepdown.dev~1ledger", "{}")),
    "the status of a pod": patch(POD + "/status", ("add", "/status/podIP", "10.9.9.9")),
    "a pod bound to a node": Write(
        "POST", POD + "/binding", {**new("Binding"), "metadata": {"name": "shop"}, "target": {"name": "fake-node"}}
    ),
    "a pod deleted": Write("DELETE", POD),
    # Autoscalers
    "bounds of another workload": patch(HPA, ("replace", "/spec/scaleTargetRef/name", "other")),
    "another metric": patch(HPA, ("add", "/spec/behavior", {"scaleDown": {"selectPolicy": "Disabled"}})),
    "a bound that no mark names": patch(HPA, ("replace", "/spec/maxReplicas", 100)),
    "a metric by the older version": patch(HPA_V1, ("add", "/spec/targetCPUUtilizationPercentage", 1)),
    "an autoscaler deleted": Write("DELETE", HPA),
    "another trigger": patch(SCALED_OBJECT, ("add", "/spec/triggers", [{"type": "cron"}])),
    "a ScaledObject of another workload": patch(SCALED_OBJECT, ("replace", "/spec/scaleTargetRef/name", "other")),
    "a pause that no mark names": patch(
        SCALED_OBJECT, ("add", "/metadata/annotations", {"autoscaling.keda.sh/paused-replicas": "0"})
    ),
    # HTTPRoutes
    "another backend": patch(HTTP_ROUTE, ("replace", f"{RULE}/backendRefs/0/name", "other")),
    "a backend of another namespace": patch(HTTP_ROUTE, ("add", f"{RULE}/backendRefs/0/namespace", "other")),
    "a backend more": patch(HTTP_ROUTE, ("add", f"{RULE}/backendRefs/-", {"name": "other", "port": 80})),
    "a filter of a backend": patch(HTTP_ROUTE, ("add", f"{RULE}/backendRefs/0/filters", MIRROR)),
    "a filter of a rule": patch(HTTP_ROUTE, ("add", f"{RULE}/filters", MIRROR)),
    "a time-out of a rule": patch(HTTP_ROUTE, ("add", f"{RULE}/timeouts", {"request": "1ms"})),
    "a rule without backends": patch(HTTP_ROUTE, ("remove", f"{RULE}/backendRefs", None)),
    "another match": patch(HTTP_ROUTE, ("replace", f"{RULE}/matches/0/path/value", "/admin")),
    "a rule more": patch(HTTP_ROUTE, ("add", "/spec/rules/-", {"name": "new"})),
    "another host name": patch(HTTP_ROUTE, ("add", "/spec/hostnames", ["example.com"])),
    "a weight that no mark names": patch(
        HTTP_ROUTE.replace("shop", "bare"), ("replace", f"{RULE}/backendRefs/0/weight", 0)
    ),
    "an HTTPRoute deleted": Write("DELETE", HTTP_ROUTE),
    # Our own resources
    "a policy's levels": patch(POLICY, ("replace", "/spec/levels/1/name", "other")),
    "a policy let go on": patch(POLICY, ("replace", "/spec/suspend", False)),
    "a policy let go on by leaving it out": patch(POLICY, ("remove", "/spec/suspend", None)),
    "a policy's label": patch(POLICY, ("add", "/metadata/labels", {"team": "x"})),
    "a policy's annotation": patch(POLICY, ("add", "/metadata/annotations", {"stepdown.dev/note": "x"})),
    "somebody's finalizer taken off a policy": patch(POLICY, ("remove", "/metadata/finalizers", None)),
    "a policy made": Write(
        "POST", POLICY.removesuffix("/shop"), new("DegradationPolicy", "stepdown.dev/v1alpha1", spec=SPEC)
    ),
    "a policy deleted": Write("DELETE", POLICY),
    "a MetricsEndpoint made": Write(
        "POST",
        "/apis/stepdown.dev/v1alpha1/metricsendpoints",
        new("MetricsEndpoint", "stepdown.dev/v1alpha1", spec={"url": "http://example.com", "namespaceSelector": {}}),
    ),
    "a Lease of somebody": patch(LEASES + "/shop", ("add", "/spec/holderIdentity", "us")),
    "a Lease of our name elsewhere": Write(
        "POST", LEASES, {**new("Lease", "coordination.k8s.io/v1"), "metadata": {"name": "stepdown"}}
    ),
    "another Lease beside ours": Write("POST", OWN_LEASES, new("Lease", "coordination.k8s.io/v1")),
    "an Event in another's name": Write("POST", EVENTS, event("{ns}", "new", source={"component": "kubelet"})),
    "an Event told anew": patch(EVENTS + "/ours", ("replace", "/message", "all is well")),
    "an Event deleted": Write("DELETE", EVENTS + "/ours"),
    # The rest of the cluster
    "a Secret made": Write("POST", "/api/v1/{ns}/secrets", new("Secret")),
    "a Secret changed": patch("/api/v1/{ns}/secrets/shop", ("add", "/stringData", {"token": "x"})),
    "a token of another account": Write(
        "POST",
        "/api/v1/{ns}/serviceaccounts/default/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    ),
    "a role bound": Write(
        "POST",
        f"{RBAC}/{{ns}}/rolebindings",
        new("RoleBinding", "rbac.authorization.k8s.io/v1", roleRef=AS_ADMIN, subjects=[]),
    ),
    "a namespace deleted": Write("DELETE", "/api/v1/{ns}"),
    "a node cordoned": patch("/api/v1/nodes/fake-node", ("add", "/spec/unschedulable", True)),
}

NEEDED: dict[str, Write] = {
    "a marked selector": patch(SERVICE, ("replace", "/spec/selector", {"app": "other"})),
    "a selector back, and its mark off": patch(
        SERVICE, ("replace", "/spec/selector", {"app": "other"}), ("remove", NOTE, None)
    ),
    "a flag of a marked document": patch(CONFIG_MAP, ("replace", "/data/flags.json", '{"flags":{}}')),
    "a mark alone": patch(CONFIG_MAP, ("replace", NOTE, mark("/data/password.txt"))),
    "replicas by /scale": patch(DEPLOYMENT + "/scale", ("add", "/spec/replicas", 3)),
    "replicas of a StatefulSet by /scale": patch(STATEFUL_SET + "/scale", ("add", "/spec/replicas", 3)),
    "a pod evicted": Write("POST", POD + "/eviction", {**new("Eviction", "policy/v1"), "metadata": {"name": "shop"}}),
    "a pod touched": patch(POD, ("replace", TOUCH, '{"shop":"1"}')),
    "a pod's touch taken back": patch(POD, ("remove", TOUCH, None)),
    "a marked bound": patch(HPA, ("replace", "/spec/minReplicas", 3)),
    "a marked weight": patch(HTTP_ROUTE, ("replace", f"{RULE}/backendRefs/0/weight", 0)),
    "a marked weight taken away": patch(HTTP_ROUTE, ("remove", f"{RULE}/backendRefs/0/weight", None)),
    "a marked pause": patch(
        SCALED_OBJECT,
        (
            "add",
            "/metadata/annotations",
            {"stepdown.dev/ledger": mark(PAUSED), "autoscaling.keda.sh/paused-replicas": "0"},
        ),
    ),
    "our finalizer on a policy": patch(
        POLICY, ("replace", "/metadata/finalizers", ["example.com/kept", "stepdown.dev/restore"])
    ),
    "a policy's status": patch(POLICY + "/status", ("add", "/status", {"level": "full"})),
    "an Event": Write("POST", EVENTS, event("{ns}", "new")),
    "an Event once more": patch(EVENTS + "/ours", ("add", "/count", 2)),
}
