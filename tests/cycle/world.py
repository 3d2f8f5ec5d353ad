"""A small shop in the sandbox, and a clock: what the tests of the cycle stand on."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from stepdown.api.policy import PolicySpec
from stepdown.cycle import Cycle
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.reasons import Problem
from stepdown.ports import Conflict, Refused, Unknown
from stepdown.prepared import Claims, Memory, Prepared
from stepdown.simulate.sandbox import Sandbox

Result = TypeVar("Result")

FLAGS = """{
  "flags" : {
    "reviews":  { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "on",
      "targeting": {"if": [true, "on", "off"]} },
    "read-only": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off" }
  }
}
"""

SPEC: dict[str, Any] = {
    "target": {"service": "shop", "deployment": "shop"},
    "interval": "10s",
    "signals": [{"name": "load", "query": "load"}, {"name": "errors", "query": "errors"}],
    "stabilization": {"up": "1m", "dwell": "0s"},
    "levels": [
        {"name": "full"},
        {
            "name": "core-only",
            "enter": {"any": [{"signal": "load", "above": "80%", "clear": "60%"}]},
            "actions": [
                {"flags": {"disable": ["reviews"], "in": {"flagd": {"configMap": "flags"}}}},
                {"scale": {"to": 6}},
                {"scale": {"deployment": "extras", "to": 0}},
            ],
        },
        {
            "name": "static",
            "enter": {"any": [{"signal": "errors", "above": "25%"}]},
            "actions": [{"route": {"to": {"deployment": "shop-static"}}}, {"scale": {"to": 1}}],
            "recover": {"trial": {"after": "1m", "watch": "10s"}},
        },
    ],
}


def deployment(name: str, replicas: int) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}},
    }


def pod(name: str, app: str, ready: str = "True") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": app}},
        "spec": {"containers": [{"name": "main", "ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def objects() -> list[dict[str, Any]]:
    return [
        deployment("shop", 2),
        deployment("extras", 3),
        deployment("shop-static", 1),
        pod("shop-static-1", "shop-static"),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "shop"},
            "spec": {"selector": {"app": "shop", "tier": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags"}, "data": {"flags.json": FLAGS}},
    ]


def policy(name: str = "shop", spec: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "stepdown.dev/v1alpha1",
        "kind": "DegradationPolicy",
        "metadata": {"name": name},
        "spec": spec or SPEC,
    }


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Runs a tick to its end without a loop: over ports in memory there is nothing to wait for."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    work.close()
    raise AssertionError("the cycle waited for something that is not behind its ports")


class World:
    """The sandbox, one operator on it, and what Prometheus would answer."""

    def __init__(self, spec: dict[str, Any] | None = None) -> None:
        self.sandbox = Sandbox([*objects(), policy(spec=spec)])
        self.now = 1_000_000.0
        self.values: dict[str, float | Missing] = {"load": 0.1, "errors": 0.0}
        self._prepared: dict[tuple[str, int], Prepared] = {}
        self.start()

    def start(self, epoch: int = 1) -> None:
        """A new operator process: it remembers nothing."""
        self.cycle = Cycle(self.sandbox, self.sandbox, Claims(), epoch)
        self.memories: dict[str, Memory] = {}

    def prepared(self, raw: dict[str, Any]) -> Prepared:
        """A policy made ready, once per edit."""
        key = (raw["metadata"]["uid"], raw["metadata"]["generation"])
        if key not in self._prepared:
            self._prepared[key] = Prepared.of("default", PolicySpec.model_validate(raw["spec"]))
        return self._prepared[key]

    def tick(self, seconds: float = 10.0, name: str = "shop") -> None:
        """Time passes, then one tick; errors of the journal are met as the evaluator meets them."""
        self.now += seconds
        if ("DegradationPolicy", name) not in self.sandbox:
            return
        seen = {
            key: Observation(missing=value) if isinstance(value, Missing) else Observation(value=value)
            for key, value in self.values.items()
        }
        memory = self.memories.setdefault(name, Memory())
        policy = self.sandbox.policy(name)
        try:
            run(self.cycle.tick(policy, self.prepared(policy.raw), seen, memory, self.now))
        except (Conflict, Refused, Unknown):
            return

    def invalid(self) -> None:
        """One tick of a policy whose spec can't be understood."""
        memory = self.memories.setdefault("shop", Memory())
        problems = ((Problem.INVALID_SPEC, "levels: not a list"),)
        run(self.cycle.tick(self.sandbox.policy("shop"), None, {}, memory, self.now, problems))

    def add_primary(self, name: str = "shop-1", ready: str = "True") -> None:
        """A pod of the Service's own, which carries all the labels of its first selector."""
        primary = pod(name, "shop", ready)
        primary["metadata"]["labels"]["tier"] = "web"
        self.sandbox.create(primary)

    def edit_spec(self, **changes: Any) -> None:
        """A person's edit of the policy."""
        self.sandbox.edit("DegradationPolicy", "shop", lambda obj: obj["spec"].update(changes))

    def ticks(self, count: int) -> None:
        for _ in range(count):
            self.tick()

    @property
    def status(self) -> dict[str, Any]:
        found = self.sandbox.get("DegradationPolicy", "shop")
        assert found is not None
        return dict(found.get("status") or {})

    @property
    def level(self) -> str:
        return str(self.status.get("level"))

    def replicas(self, name: str) -> int:
        found = self.sandbox.get("Deployment", name)
        assert found is not None
        return int(found["spec"]["replicas"])

    def flags(self) -> str:
        found = self.sandbox.get("ConfigMap", "flags")
        assert found is not None
        return str(found["data"]["flags.json"])

    def selector(self) -> dict[str, str]:
        found = self.sandbox.get("Service", "shop")
        assert found is not None
        return dict(found["spec"]["selector"])

    def at_rest(self) -> bool:
        """Whether the policy is back at full service, holds nothing, and everything is as it was."""
        full = self.level == "full" and self.status["ledger"] == []
        return full and not self.sandbox.policy("shop").has_finalizer and self.as_at_first()

    def as_at_first(self) -> bool:
        """Whether everything that is the user's is what it was, and carries no mark of ours."""
        fresh = Sandbox([*objects()])
        for kind, name in (
            ("Deployment", "shop"),
            ("Deployment", "extras"),
            ("Service", "shop"),
            ("ConfigMap", "flags"),
        ):
            now, then = self.sandbox.get(kind, name), fresh.get(kind, name)
            for obj in (now, then):
                if obj is not None:
                    for key in ("resourceVersion", "uid", "generation"):
                        obj["metadata"].pop(key)
            if now != then:
                return False
        return True
