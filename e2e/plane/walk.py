"""One policy's walk down its ladder and up again, as a test has seen it: a Stop per level."""

from dataclasses import dataclass, field

from plane.api import Object
from plane.shop import Shop


@dataclass
class Stop:
    """What was there at one level of a walk."""

    status: Object
    conditions: dict[str, Object]
    objects: dict[str, Object]
    flags: str = ""
    line: str = ""
    waited: list[str] = field(default_factory=list)

    def replicas(self, name: str) -> int:
        """Replicas that a Deployment was asked to have."""
        return int(self.objects[f"Deployment/{name}"]["spec"]["replicas"])

    def selector(self, name: str) -> dict[str, str]:
        """A Service's selector."""
        return dict(self.objects[f"Service/{name}"]["spec"]["selector"])


@dataclass
class Walk:
    """One walk down and up: a Stop per level on the way down, one when it waited below, and the end."""

    name: str
    before: dict[str, Object] = field(default_factory=dict)
    down: dict[str, Stop] = field(default_factory=dict)
    waiting: Stop | None = None
    up: dict[str, Stop] = field(default_factory=dict)
    policy: Object = field(default_factory=dict)
    events: list[Object] = field(default_factory=list)
    deployment_events: list[Object] = field(default_factory=list)
    service_events: list[Object] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def end(self) -> Stop:
        return self.up["full"]

    @property
    def steps(self) -> list[tuple[str, str, str]]:
        """The history as (from, to, reason)."""
        return [(step["from"], step["to"], step["reason"]) for step in self.policy["status"]["history"]]


def look(shop: Shop, name: str, *waits: str) -> Stop:
    """What is there now; `waits` are conditions that `kubectl wait --for` waits for."""
    objects = shop.snapshot()
    status = shop.status(name)
    lines = shop.kubectl("get", "dgp", name, "--namespace", shop.namespace).splitlines()
    where = ("--namespace", shop.namespace, "--timeout", "10s")
    return Stop(
        status=status,
        conditions={c["type"]: c for c in status["conditions"]},
        objects=objects,
        flags=objects["ConfigMap/checkout-flags"]["data"]["flags.json"],
        line=lines[1],
        waited=[shop.kubectl("wait", f"dgp/{name}", f"--for={wait}", *where) for wait in waits],
    )


def finish(shop: Shop, walk: Walk) -> None:
    """Waits for the walk's last word, and keeps the policy and the Events."""
    shop.wait_event("RestoreVerified")
    walk.policy = shop.policy(walk.name)
    walk.events = shop.events()
    walk.deployment_events = shop.events(kind="Deployment")
    walk.service_events = shop.events(kind="Service")
