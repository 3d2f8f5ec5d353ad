"""What a simulated policy acts on: the files' objects, and made-up ones for what it names and they don't hold.

Pods are always made up: every workload that is scaled above zero has a ready one, so that routes find their
fallback. What is assumed is said, one sentence each.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stepdown.actions import flags, references, status_page
from stepdown.actions.route import service_of
from stepdown.api.actions import FlagsAction, RouteAction
from stepdown.api.policy import PolicySpec
from stepdown.engine.fields import KINDS, Ref
from stepdown.engine.questions import PodsQuestion, ProbeQuestion, Question
from stepdown.ports import Object
from stepdown.simulate.sandbox import Sandbox

WORKLOADS = ("Deployment", "StatefulSet")
REPLICAS = 2
"""Replicas of a made-up workload."""

FLAGD_KEY = "flags.json"

_Place = tuple[str, str]


class Stage:
    """The sandbox of one namespace, filled for its policies. `assumed` are sentences."""

    def __init__(
        self,
        namespace: str,
        objects: Sequence[Object],
        specs: Sequence[PolicySpec],
        questions: Sequence[Question],
    ) -> None:
        given = [obj for obj in objects if obj["metadata"]["namespace"] == namespace and _is_used(obj)]
        self.assumed: list[str] = []
        self._objects: dict[_Place, Object] = {(obj["kind"], obj["metadata"]["name"]): obj for obj in given}
        self._add_workloads(specs, questions)
        self._add_services(specs)
        self._add_http_routes(specs)
        self._add_flags(specs)
        self.sandbox = Sandbox(list(self._objects.values()), namespace)
        self._settled = -1
        self.settle()

    def settle(self) -> None:
        """Pods follow replicas: one that is ready for each workload above zero, none at zero."""
        if len(self.sandbox.writes) == self._settled:
            return
        self._settled = len(self.sandbox.writes)
        for kind in WORKLOADS:
            for name in self.sandbox.names(kind):
                pod = f"{kind.lower()}-{name}"
                there = ("Pod", pod) in self.sandbox
                if self.replicas(kind, name) > 0 and not there:
                    self.sandbox.create(_pod(pod, self.sandbox.get(kind, name) or {}))
                elif self.replicas(kind, name) == 0 and there:
                    self.sandbox.delete("Pod", pod)

    def replicas(self, kind: str, name: str) -> int:
        """Replicas of a workload now."""
        found = self.sandbox.get(kind, name)
        return int(found["spec"].get("replicas", 1)) if found is not None else 0

    def _add_workloads(self, specs: Sequence[PolicySpec], questions: Sequence[Question]) -> None:
        named = [ref for spec in specs for ref in _references(spec)]
        named += [Ref(q.kind, q.name) for q in questions if isinstance(q, PodsQuestion | ProbeQuestion)]
        for spec in specs:
            named += [Ref("Deployment", spec.target.deployment), Ref("StatefulSet", spec.target.stateful_set)]
        ports = list(_container_ports(self._objects))
        for ref in named:
            if ref.kind in WORKLOADS and ref.name is not None and (ref.kind, ref.name) not in self._objects:
                self._objects[ref.kind, ref.name] = _workload(ref.kind, ref.name, ports)
                self.assumed.append(f"{ref.kind} {ref.name} is in no file: made up with {REPLICAS} replicas")

    def _add_services(self, specs: Sequence[PolicySpec]) -> None:
        """Without ports, so that any workload can take over; but a page needs one to serve."""
        for spec in specs:
            named = [ref.name for ref in _references(spec) if ref.kind == "Service"]
            paged = {service_of(action, spec) for _, action in status_page.pages(spec).values()}
            for name in (name for name in named if name is not None and ("Service", name) not in self._objects):
                ports = [
                    {"port": port} for port in _ports_by_name(self._objects, name) or ([80] if name in paged else [])
                ]
                parts = {"selector": {"app": name}, **({"ports": ports} if ports else {})}
                self._objects["Service", name] = _named("Service", name, {"spec": parts})
                self.assumed.append(f"Service {name} is in no file: made up with the selector app={name}")

    def _add_http_routes(self, specs: Sequence[PolicySpec]) -> None:
        """Those that no file holds, with what they lead to: for each of their Services pods that it selects."""
        for spec in specs:
            for action in _weighted(spec):
                names = service_of(action, spec), str(action.to.service)
                if ("HTTPRoute", str(action.http_route)) not in self._objects:
                    backends = [{"name": name, "weight": weight} for name, weight in zip(names, (1, 0), strict=True)]
                    rules = {"spec": {"rules": [{"name": "all", "backendRefs": backends}]}}
                    name = str(action.http_route)
                    self._objects["HTTPRoute", name] = _named("HTTPRoute", name, rules)
                    self.assumed.append(f"HTTPRoute {name} is in no file: made up with the backends {', '.join(names)}")
                for name in names:
                    self._add_pods_of(name)

    def _add_pods_of(self, service: str) -> None:
        labels = self._objects["Service", service]["spec"].get("selector") or {}
        workloads = [obj for (kind, _), obj in self._objects.items() if kind in WORKLOADS]
        if not any(labels.items() <= _labels(workload).items() for workload in workloads):
            made = _workload("Deployment", service, list(_container_ports(self._objects)), labels)
            self._objects["Deployment", service] = made
            self.assumed.append(f"Deployment {service} is in no file: made up with {REPLICAS} replicas")

    def _add_flags(self, specs: Sequence[PolicySpec]) -> None:
        made: dict[str, dict[str, str]] = {}
        for action in _flag_actions(specs):
            store = action.in_
            (name,) = (str(ref.name) for ref in flags.references(action))
            if ("ConfigMap", name) in self._objects:
                continue
            data = made.setdefault(name, {})
            if store.flagd is None:
                data.update({flag: first for flag, (first, _) in _variants(action).items() if flag not in data})
            else:
                key = store.flagd.key or FLAGD_KEY
                data[key] = _document(data.get(key), action)
        for name, data in made.items():
            self._objects["ConfigMap", name] = _named("ConfigMap", name, {"data": data})
            self.assumed.append(f"ConfigMap {name} is in no file: made up with the flags that policies name")


def _is_used(obj: Object) -> bool:
    return obj["kind"] in KINDS and obj["kind"] not in ("Pod", "Namespace")


def _references(spec: PolicySpec) -> Iterator[Ref]:
    """What a spec names; the Deployments of its status pages are made by the cycle itself."""
    made = status_page.pages(spec)
    for place, level in enumerate(spec.levels):
        for action in level.actions:
            yield from (ref for ref in references(action, spec, place) if ref.name not in made)


def _weighted(spec: PolicySpec) -> Iterator[RouteAction]:
    for level in spec.levels:
        yield from (a.route for a in level.actions if a.route is not None and a.route.http_route is not None)


def _flag_actions(specs: Sequence[PolicySpec]) -> Iterator[FlagsAction]:
    for spec in specs:
        for level in spec.levels:
            yield from (action.flags for action in level.actions if action.flags is not None)


def _named(kind: str, name: str, parts: Mapping[str, Any]) -> Object:
    return {"apiVersion": KINDS[kind].api_version, "kind": kind, "metadata": {"name": name}, **parts}


def _workload(kind: str, name: str, ports: list[dict[str, Any]], selected: dict[str, str] | None = None) -> Object:
    labels = selected or {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "ports": ports}]}}
    spec = {"replicas": REPLICAS, "selector": {"matchLabels": labels}, "template": template}
    return _named(kind, name, {"spec": spec})


def _container_ports(objects: Mapping[_Place, Object]) -> Iterator[dict[str, Any]]:
    """Ports that fit every Service of the files, for containers that are made up."""
    wanted = [
        port.get("targetPort", port.get("port"))
        for (kind, _), obj in objects.items()
        if kind == "Service"
        for port in obj["spec"].get("ports") or []
    ]
    for number, port in enumerate(dict.fromkeys(wanted)):
        yield {"containerPort": port} if isinstance(port, int) else {"name": port, "containerPort": 8080 + number}


def _ports_by_name(objects: Mapping[_Place, Object], service: str) -> list[int]:
    """The ports at which HTTPRoutes of the files lead to a Service."""
    rules = [rule for (kind, _), obj in objects.items() if kind == "HTTPRoute" for rule in obj["spec"].get("rules", [])]
    backends = [backend for rule in rules for backend in rule.get("backendRefs", []) if backend.get("name") == service]
    return list(dict.fromkeys(backend["port"] for backend in backends if "port" in backend))


def _pod(name: str, workload: Object) -> Object:
    template = workload["spec"].get("template") or {}
    parts = {
        "metadata": {"name": name, "labels": _labels(workload)},
        "spec": template.get("spec") or {},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    return {**_named("Pod", name, {}), **parts}


def _labels(workload: Object) -> dict[str, str]:
    """The labels of a workload's pods."""
    spec = workload["spec"]
    template = spec.get("template") or {}
    return (template.get("metadata") or {}).get("labels") or spec.get("selector", {}).get("matchLabels") or {}


def _variants(action: FlagsAction) -> dict[str, tuple[str, str]]:
    """Each flag of an action with a value that it may have had before, and the one that it is set to."""
    found = dict.fromkeys(action.enable, ("false", "true")) | dict.fromkeys(action.disable, ("true", "false"))
    return found | {flag: ("default", variant) for flag, variant in action.set.items()}


def _document(before: str | None, action: FlagsAction) -> str:
    """A flagd document with an action's flags added; the first action that names a flag says how it was before."""
    known: dict[str, Any] = json.loads(before)["flags"] if before is not None else {}
    for name, (first, then) in _variants(action).items():
        made = known.setdefault(name, {"state": "ENABLED", "variants": {}, "defaultVariant": ""})
        if name in action.set:
            made["variants"] |= {"default": "default", then: then}
            made["defaultVariant"] = made["defaultVariant"] or "default"
        else:
            made["variants"] |= {"on": True, "off": False}
            made["defaultVariant"] = made["defaultVariant"] or ("on" if first == "true" else "off")
    return json.dumps({"flags": known}, indent=2)
