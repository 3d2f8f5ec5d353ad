"""One namespace with the workloads and policies of examples/, and what a test asks of it.

`Shop` is the world of one test: it applies things as a user would, sets the metrics that the operator sees, and
says what became of the objects. Waiting is on conditions with deadlines; each failed wait shows the status.
"""

import contextlib
import copy
import json
from typing import Any

from plane import examples
from plane.api import Api, ApiError, Object
from plane.metrics_source import MetricsSource
from plane.processes import wait_for
from plane.tools import Tool

POLICY = "DegradationPolicy"
OWNED = ("Service", "Deployment", "StatefulSet", "ConfigMap", "HorizontalPodAutoscaler")
"""Kinds whose objects `snapshot` compares."""

_RESTLESS = ("resourceVersion", "managedFields", "generation")
_REVISION = "deployment.kubernetes.io/revision"


class Shop:
    """A namespace under test. `user` is a client of a person who may do everything; `source` feeds Prometheus."""

    def __init__(self, namespace: str, api: Api, kubectl: Tool, source: MetricsSource) -> None:
        self.namespace = namespace
        self.api = api
        self.kubectl = kubectl
        self.source = source

    # What users do

    def apply(self, *objects: Object) -> None:
        """`kubectl apply` of some objects in this namespace. Raises plane.tools.Failed."""
        self.kubectl("apply", "--namespace", self.namespace, "--filename", "-", stdin=examples.dump(*objects))

    def apply_workloads(self, *names: str, annotations: dict[str, str] | None = None) -> None:
        """examples/workloads.yaml, or only its objects with these names, and waits until every pod is ready.

        `annotations` are put on the pods of every Deployment, like {"plane.test/pod-ip": "host"}.
        """
        objects = [o for o in examples.load("workloads.yaml") if not names or o["metadata"]["name"] in names]
        for obj in objects:
            if obj["kind"] == "Deployment" and annotations:
                obj["spec"]["template"]["metadata"]["annotations"] = dict(annotations)
        self.apply(*objects)
        self.wait_ready(*(obj["metadata"]["name"] for obj in objects if obj["kind"] == "Deployment"))

    def quick(self, file: str = "smallest.yaml") -> Object:
        """A policy of examples/ for this namespace with minutes become seconds (plane.examples), to edit and apply."""
        return examples.quick_policy(file, self.namespace)

    def start(self, policy: Object, timeout: float = 20.0) -> str:
        """Applies a policy and waits until it was evaluated and is Ready; gives its name."""
        name = str(policy["metadata"]["name"])
        self.apply(policy)
        self.wait_condition(name, "Ready", "True", timeout=timeout)
        return name

    def patch_policy(self, name: str, spec: Object) -> None:
        """A merge patch of a policy's spec, as another user would."""
        self.api.merge(POLICY, name, self.namespace, {"spec": spec})

    def delete_policy(self, name: str, timeout: float = 20.0) -> None:
        """Deletes a policy and waits until it is gone."""
        self.api.delete(POLICY, name, self.namespace)
        self.wait(f"{name} is gone", lambda: self.api.find(POLICY, name, self.namespace) is None, timeout)

    def scale(self, deployment: str, replicas: int) -> None:
        """Scales a Deployment, as a person would."""
        self.api.merge("Deployment", deployment, self.namespace, {"spec": {"replicas": replicas}}, "scale")

    # What Prometheus sees

    def series(self, name: str, **labels: str) -> str:
        """A series of this namespace, as MetricsSource takes it."""
        pairs = ", ".join(f'{label}="{value}"' for label, value in {"namespace": self.namespace, **labels}.items())
        return f"{name}{{{pairs}}}"

    def requests(self, service: str, *, ok: float, failed: float = 0.0) -> None:
        """Requests per second that a Service answers with 200 and with 500: the preset http-error-ratio."""
        self.source.rate(self.series("http_requests_total", service=service, code="200"), ok)
        self.source.rate(self.series("http_requests_total", service=service, code="500"), failed)

    def load(self, value: float, service: str = "checkout") -> None:
        """Utilization of a Service's workers, 0 to 1: the signal `load` of examples/four-levels.yaml."""
        self.source.set(self.series("app_worker_utilization", service=service), value)

    def db_latency(self, seconds: float, service: str = "checkout", per_second: float = 20.0) -> None:
        """Every database query takes this long from now on: the signal `db-latency` of four-levels.yaml."""
        for bound in ("0.05", "0.1", "0.25", "0.5", "1", "+Inf"):
            rate = per_second if bound == "+Inf" or seconds <= float(bound) else 0.0
            self.source.rate(self.series("db_query_seconds_bucket", service=service, le=bound), rate)

    def all_is_well(self, service: str) -> None:
        """Healthy values for every signal of both example policies."""
        self.requests(service, ok=100.0)
        self.load(0.4, service)
        self.db_latency(0.04, service)

    # What became of it

    def policy(self, name: str) -> Object:
        """A policy."""
        return self.api.get(POLICY, name, self.namespace)

    def status(self, name: str) -> Object:
        """A policy's status; empty before the first evaluation or when the policy is gone."""
        found = self.api.find(POLICY, name, self.namespace) or {}
        return dict(found.get("status") or {})

    def level(self, name: str) -> str:
        """The level reached."""
        return str(self.status(name).get("level", ""))

    def condition(self, name: str, kind: str) -> Object:
        """A condition; empty when it isn't there."""
        return next((dict(c) for c in self.status(name).get("conditions") or [] if c["type"] == kind), {})

    def ledger(self, name: str) -> list[Object]:
        """The ledger's entries."""
        return list(self.status(name).get("ledger") or [])

    def replicas(self, name: str, kind: str = "Deployment") -> int:
        """Replicas that a workload is asked to have."""
        return int(self.api.get(kind, name, self.namespace)["spec"]["replicas"])

    def selector(self, service: str) -> dict[str, str]:
        """A Service's selector."""
        return dict(self.api.get("Service", service, self.namespace)["spec"]["selector"])

    def flags_text(self, config_map: str = "checkout-flags", key: str = "flags.json") -> str:
        """The very text of a flag document."""
        return str(self.api.get("ConfigMap", config_map, self.namespace)["data"][key])

    def variants(self, config_map: str = "checkout-flags", key: str = "flags.json") -> dict[str, str]:
        """The default variant of each flag."""
        flags = json.loads(self.flags_text(config_map, key))["flags"]
        return {name: flag["defaultVariant"] for name, flag in flags.items()}

    def events(self, reason: str | None = None, kind: str = POLICY) -> list[Object]:
        """Events on objects of a kind in this namespace, oldest first; of one reason where it is given."""
        found = [e for e in self.api.list("Event", self.namespace) if e["involvedObject"]["kind"] == kind]
        found = [e for e in found if reason is None or e["reason"] == reason]
        return sorted(found, key=lambda e: int(e["metadata"]["resourceVersion"]))

    def snapshot(self) -> dict[str, Object]:
        """Everything that the user owns, by "Kind/name", without what the server counts and the status.

        Two equal snapshots mean: the same bytes in every field, no annotation and no finalizer of ours.
        """
        return {
            f"{kind}/{obj['metadata']['name']}": _lasting(obj)
            for kind in OWNED
            for obj in self.api.list(kind, self.namespace)
            if obj["metadata"]["name"] != "kube-root-ca.crt"
        }

    def versions(self) -> dict[str, str]:
        """resourceVersions of the policies and of everything that the user owns, by "Kind/name"."""
        return {
            f"{kind}/{obj['metadata']['name']}": str(obj["metadata"]["resourceVersion"])
            for kind in (POLICY, *OWNED)
            for obj in self.api.list(kind, self.namespace)
        }

    # Waiting

    def wait(self, what: str, condition: Any, timeout: float = 20.0) -> None:
        """Waits until a condition holds. Raises AssertionError with all statuses when the time is over."""
        try:
            wait_for(what, condition, timeout)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.describe()}") from None

    def wait_level(self, name: str, level: str, timeout: float = 20.0) -> None:
        """Waits until a level is reached, with all its actions applied."""
        self.wait(f"{name} at {level}", lambda: self.level(name) == level, timeout)

    def wait_condition(
        self, name: str, kind: str, status: str, reason: str | None = None, timeout: float = 20.0
    ) -> Object:
        """Waits for a condition's status (and reason) at the present generation, and gives the condition."""

        def holds() -> bool:
            found = self.api.find(POLICY, name, self.namespace) or {"metadata": {}}
            seen = (found.get("status") or {}).get("observedGeneration", 0)
            now = self.condition(name, kind)
            fresh = seen == found["metadata"].get("generation")
            return fresh and now.get("status") == status and reason in (None, now.get("reason"))

        wanted = f"{kind}={status}" + (f", reason {reason}" if reason else "")
        self.wait(f"{name} {wanted}", holds, timeout)
        return self.condition(name, kind)

    def wait_event(self, reason: str, kind: str = POLICY, timeout: float = 20.0) -> Object:
        """Waits for an Event on an object of a kind, and gives the newest."""
        self.wait(f"an Event {reason} on a {kind}", lambda: bool(self.events(reason, kind)), timeout)
        return self.events(reason, kind)[-1]

    def wait_ready(self, *deployments: str, timeout: float = 60.0) -> None:
        """Waits until each Deployment has all its pods ready."""
        for name in deployments:
            self.wait(f"{name} has its pods", lambda name=name: _is_complete(self._deployment(name)), timeout)

    def describe(self) -> str:
        """All policies of the namespace with their conditions, ledger and newest Events, to read after a failure."""
        lines = []
        for found in self.api.list(POLICY, self.namespace):
            status = found.get("status") or {}
            shown = {key: status.get(key) for key in ("level", "summary", "state", "ledger", "history")}
            lines.append(f"{found['metadata']['name']}: {json.dumps(shown)[:3000]}")
            lines += [f"  {c['type']}={c['status']} {c['reason']} {c['message']}" for c in status.get("conditions", [])]
        lines += [f"  Event {e['reason']}: {e['message']}" for e in self.events()[-10:]]
        return "\n".join(lines) or "no policy here"

    def _deployment(self, name: str) -> Object:
        return self.api.get("Deployment", name, self.namespace)


def let_go(api: Api, namespace: str) -> None:
    """Deletes the policies; those that aren't gone soon lose their finalizers."""
    for policy in api.list(POLICY, namespace):
        api.delete(POLICY, policy["metadata"]["name"], namespace)
    with contextlib.suppress(TimeoutError):
        wait_for("the policies are gone", lambda: not api.list(POLICY, namespace), timeout=3)
    for policy in api.list(POLICY, namespace):
        with contextlib.suppress(ApiError):
            api.merge(POLICY, policy["metadata"]["name"], namespace, {"metadata": {"finalizers": None}})


def _is_complete(deployment: Object) -> bool:
    wanted, status = deployment["spec"]["replicas"], deployment.get("status", {})
    seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return bool(seen and status.get("readyReplicas", 0) == wanted and status.get("updatedReplicas", 0) == wanted)


def _lasting(obj: Object) -> Object:
    kept = copy.deepcopy(obj)
    kept.pop("status", None)
    for key in _RESTLESS:
        kept["metadata"].pop(key, None)
    (kept["metadata"].get("annotations") or {}).pop(_REVISION, None)
    return kept
