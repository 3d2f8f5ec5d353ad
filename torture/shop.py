"""The shop that is tortured: three targets, a ladder of two levels below full service, and the way down and up."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stepdown.engine.document import with_raw
from stepdown.engine.observation import Missing
from stepdown.ports import Object

INTERVAL = 5.0
"""Seconds between two turns of the world."""

POLICY = "shop"
FLAGD = "flags.json"
VARIANT = "/flags/reviews/defaultVariant"

FLAGS = """{
  "flags" : {
    "reviews":  { "state": "ENABLED", "variants": { "on": true, "off": false, "few": true }, "defaultVariant": "on" }
  }
}
"""

SPEC: dict[str, Any] = {
    "target": {"service": "shop", "deployment": "shop"},
    "interval": "5s",
    "signals": [{"name": "load", "query": "load"}, {"name": "errors", "query": "errors"}],
    "stabilization": {"up": "5s", "dwell": "0s"},
    "budget": {"transitions": 6, "per": "10m"},
    "levels": [
        {"name": "full"},
        {
            "name": "core-only",
            "enter": {"any": [{"signal": "load", "above": "80%", "clear": "60%"}]},
            "actions": [
                {"flags": {"disable": ["reviews"], "in": {"flagd": {"configMap": "flags"}}, "refresh": "None"}},
                {"scale": {"to": 6}},
            ],
        },
        {
            "name": "static",
            "enter": {"any": [{"signal": "errors", "above": "25%"}]},
            "actions": [{"route": {"to": {"deployment": "static"}}}, {"scale": {"to": 1}}],
            "recover": {"trial": {"after": "5s", "watch": "5s", "max": "30s"}},
        },
    ],
}
"""The second level takes a field of the first one further, so that originals can be lost in between."""

BUDGET = 6, 600.0
"""Transitions of the policy's budget, and the seconds in which they are counted."""

GOOD: dict[str, float | Missing] = {"load": 0.1, "errors": 0.0}
DOWN: list[dict[str, float | Missing]] = [{"load": 0.9, "errors": 0.0}, {"load": 0.9, "errors": 0.4}]
"""What Prometheus answers until each level is decided on."""
SIGNALS: dict[str, dict[str, float | Missing]] = {
    "good": GOOD,
    "load": DOWN[0],
    "both": DOWN[1],
    "errors": {"load": 0.1, "errors": 0.4},
    **{str(kind): {"load": kind, "errors": kind} for kind in Missing},
    **{f"load-{kind}": {"load": kind, "errors": 0.0} for kind in Missing},
    **{f"errors-{kind}": {"load": 0.1, "errors": kind} for kind in Missing},
}
"""What may be measured, by name: good, bad, and each way in which there is no number."""

THRESHOLDS = {1: ("load", 0.8), 2: ("errors", 0.25)}
"""What calls for each level."""

REACHED: dict[str, tuple[str, tuple[str, ...]]] = {
    "ConfigMap/flags": (f"/data/{FLAGD}#{VARIANT}", ('"on"', '"off"', '"off"')),
    "Deployment/shop": ("/spec/replicas", ("2", "6", "1")),
    "Service/shop": ("/spec/selector", ('{"app":"shop","tier":"web"}',) * 2 + ('{"app":"static"}',)),
}
"""What each field holds at each level, while nobody else touches it."""


@dataclass(frozen=True, slots=True)
class Made:
    """A target: its manifest, what a person does to the field that we hold, and what a tool that reverts it does."""

    manifest: Object
    set_field: Callable[[Object, int], None]
    revert: Callable[[Object, int], None]

    @property
    def place(self) -> tuple[str, str]:
        """Kind and name."""
        return self.manifest["kind"], self.manifest["metadata"]["name"]


def _deployment(name: str, replicas: int) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}},
    }


def _set_variant(obj: Object, turn: int) -> None:
    text = obj["data"][FLAGD]
    obj["data"][FLAGD] = with_raw(text, VARIANT, ('"few"', '"none"')[turn % 2])


def _set_replicas(obj: Object, turn: int) -> None:
    obj["spec"]["replicas"] = 9 + turn


def _set_selector(obj: Object, turn: int) -> None:
    obj["spec"]["selector"] = {"app": f"canary-{turn}"}


def _revert_variant(obj: Object, _turn: int) -> None:
    obj["data"][FLAGD] = with_raw(obj["data"][FLAGD], VARIANT, '"on"')


def _revert_replicas(obj: Object, _turn: int) -> None:
    obj["spec"]["replicas"] = 2


def _revert_selector(obj: Object, _turn: int) -> None:
    obj["spec"]["selector"] = {"app": "shop", "tier": "web"}


def set_label(obj: Object, turn: int) -> None:
    """An edit of a field that nobody holds."""
    obj["metadata"]["labels"] = {**obj["metadata"].get("labels", {}), "touched": str(turn)}


TARGETS: dict[str, Made] = {
    f"{made.place[0]}/{made.place[1]}": made
    for made in (
        Made(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags"}, "data": {FLAGD: FLAGS}},
            _set_variant,
            _revert_variant,
        ),
        Made(_deployment("shop", 2), _set_replicas, _revert_replicas),
        Made(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "shop", "annotations": {"owner": "ann"}},
                "spec": {"selector": {"app": "shop", "tier": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
            },
            _set_selector,
            _revert_selector,
        ),
    )
}

AROUND: list[Object] = [
    _deployment("static", 1),
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "static-1", "labels": {"app": "static"}},
        "spec": {"containers": [{"name": "main", "ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    },
]
"""What the levels lead to."""


READERS: list[Object] = [
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "shop"}, "annotations": {"owner": "ann"}},
        "spec": {
            "containers": [{"name": "main", "volumeMounts": [{"name": "flags", "mountPath": "/flags"}]}],
            "volumes": [{"name": "flags", "configMap": {"name": "flags"}}],
        },
        "status": {"phase": "Running"},
    }
    for name in ("shop-1", "shop-2")
]
"""Pods that mount the flags; an episode that touches them has more calls, so it is played where it is asked for."""


def policy(spec: dict[str, Any] | None = None, name: str = POLICY) -> Object:
    """A policy of the shop."""
    return {
        "apiVersion": "stepdown.dev/v1alpha1",
        "kind": "DegradationPolicy",
        "metadata": {"name": name},
        "spec": spec or SPEC,
    }


def without_a_target(obj: Object) -> None:
    """An edit of a policy: its first level scales nothing any more, and is known by another name."""
    level = dict(obj["spec"]["levels"][1], name="core")
    level["actions"] = level["actions"][:1]
    obj["spec"]["levels"][1] = level
