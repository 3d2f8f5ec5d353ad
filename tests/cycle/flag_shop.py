"""The shop with pods that mount its flags: what the tests of touches stand on."""

import copy
import json
from collections.abc import Callable
from typing import Any

from cycle.world import SPEC, World
from stepdown.engine.fields import Target
from stepdown.ports import JsonPatch, Refused

REFRESH = "stepdown.dev/refresh"
NO_RIGHT = Refused(403, 'pods "one" is forbidden: User "system:serviceaccount:a:b" cannot patch resource "pods"')


def spec(**changes: Any) -> dict[str, Any]:
    """The shop's first two levels alone: one sets a flag, a further one another."""
    found = copy.deepcopy(SPEC)
    flags = found["levels"][1]["actions"][0]["flags"]
    flags.update(changes.pop("flags", {}))
    found["levels"][1]["actions"] = [{"flags": flags}]
    more = {**flags, "disable": [], "enable": ["read-only"]}
    enter = {"any": [{"signal": "load", "above": "150%"}]}
    found["levels"][2] = {"name": "read-only", "enter": enter, "actions": [{"flags": more}]}
    return {**found, **changes}


def pod(name: str, config_map: str = "flags", **mount: str) -> dict[str, Any]:
    mounts = [{"name": "flags", "mountPath": "/flags", **mount}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": {"owner": "ann"}},
        "spec": {
            "containers": [{"name": "main", "volumeMounts": mounts}],
            "volumes": [{"name": "flags", "configMap": {"name": config_map}}],
        },
        "status": {"phase": "Running"},
    }


class FlagShop(World):
    """The shop with pods: two that mount the flags, and one that mounts something else."""

    def __init__(self, given: dict[str, Any] | None = None) -> None:
        super().__init__(given or spec())
        for made in (pod("one"), pod("two"), pod("other", "settings")):
            self.sandbox.create(made)
        self.lists = 0
        self.sandbox.on_call = self._count

    def _count(self, when: str, what: str) -> None:
        self.lists += when == "before" and what == "read"

    def touched(self) -> dict[str, list[str]]:
        """The pods that carry our annotation, with the ConfigMaps that it names."""
        found = {}
        for name in ("one", "two", "other"):
            obj = self.sandbox.get("Pod", name)
            if obj is not None and REFRESH in obj["metadata"]["annotations"]:
                found[name] = list(json.loads(obj["metadata"]["annotations"][REFRESH]))
        return found

    def writes_to_pods(self) -> list[str]:
        return [name for kind, name, _ in self.sandbox.writes if kind == "Pod"]

    def step(self, load: float, level: str) -> None:
        """To a level, and until it is there."""
        self.values["load"] = load
        for _ in range(40):
            self.tick()
            if self.level == level:
                return
        raise AssertionError(f"at {self.level}, not at {level}")

    @property
    def ready(self) -> tuple[str, str]:
        found = next(c for c in self.status["conditions"] if c["type"] == "Ready")
        return found["status"], found["message"]


def failing(world: World, outcome: Callable[[], Exception | None]) -> None:
    """From now on patches of pods fail as `outcome` says."""
    send = world.sandbox.patch

    async def patch(namespace: str, target: Target, change: JsonPatch, subresource: str = "") -> Any:
        error = outcome() if target.kind == "Pod" else None
        if error is not None:
            raise error
        return await send(namespace, target, change, subresource)

    world.sandbox.patch = patch  # type: ignore[method-assign]
