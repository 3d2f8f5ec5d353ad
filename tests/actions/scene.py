"""Objects as they were read, and one action translated over them: what the tests of actions stand on."""

from typing import Any

from stepdown.actions import translate
from stepdown.actions.translation import Translation
from stepdown.api.actions import Action
from stepdown.api.policy import PolicySpec
from stepdown.engine.fields import Ref

TARGET = PolicySpec.model_validate(
    {
        "target": {"service": "shop", "deployment": "shop"},
        "signals": [{"name": "load", "query": "load"}],
        "levels": [{"name": "full"}, {"name": "low", "enter": {"any": [{"signal": "load", "above": 1}]}}],
    }
)


def obj(kind: str, name: str, spec: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """An object whose uid is `uid-` and its name."""
    metadata = {"name": name, "uid": f"uid-{name}", "resourceVersion": "1", **fields.pop("metadata", {})}
    return {"kind": kind, "metadata": metadata, **({"spec": spec} if spec is not None else {}), **fields}


def snapshot(*objects: dict[str, Any]) -> dict[Ref, Any]:
    """The objects by name and by kind."""
    found: dict[Ref, Any] = {}
    for kind in ("Pod", "HorizontalPodAutoscaler", "ScaledObject"):
        found[Ref(kind)] = [o for o in objects if o["kind"] == kind]
    return found | {Ref(o["kind"], o["metadata"]["name"]): o for o in objects}


def translated(action: dict[str, Any], *objects: dict[str, Any], spec: PolicySpec = TARGET) -> Translation:
    """The translation of an action of level 1."""
    return translate(Action.model_validate(action), spec, 1, snapshot(*objects))


def fields(translation: Translation) -> dict[str, Any]:
    """What is wanted, as `Kind/name path` to value; nothing else was found."""
    assert translation.issues == []
    return {f"{c.target.kind}/{c.target.name} {c.path}": c.desired for c in translation.changes}


def problem(translation: Translation) -> tuple[str, str]:
    """The only issue, with no change beside it."""
    assert translation.changes == []
    (issue,) = translation.issues
    return str(issue.problem), issue.message
