"""`scale`: replicas of a workload, or the bounds of whatever owns them.

Where an HPA or a ScaledObject targets the workload, its bounds are changed and never the replicas behind its
back, because the owner would win the fight.
"""

import math
from dataclasses import replace
from typing import Any

from stepdown.actions.route import belongs_to
from stepdown.actions.starting import trouble
from stepdown.actions.translation import ActionIssue, Translation, View, issue, target_of
from stepdown.api.actions import RestartAction, ScaleAction, ScaleAs
from stepdown.api.policy import PolicySpec
from stepdown.engine.fields import ABSENT, FieldChange, Ref
from stepdown.engine.pointer import escape
from stepdown.engine.reasons import Problem

PAUSED_REPLICAS = "autoscaling.keda.sh/paused-replicas"


def references(action: ScaleAction, spec: PolicySpec) -> list[Ref]:
    """The workload and all that could own its replicas."""
    return [Ref(*workload(action, spec)), Ref("HorizontalPodAutoscaler"), Ref("ScaledObject")]


def workload(action: ScaleAction | RestartAction, spec: PolicySpec) -> tuple[str, str]:
    """Kind and name of the workload, the target's where none is named."""
    for kind, name in (("Deployment", action.deployment), ("StatefulSet", action.stateful_set)):
        if name is not None:
            return kind, name
    if spec.target.deployment is not None:
        return "Deployment", spec.target.deployment
    assert spec.target.stateful_set is not None
    return "StatefulSet", spec.target.stateful_set


def translate(action: ScaleAction, spec: PolicySpec, place: int, view: View) -> Translation:
    """The change of replicas, or of the owner's bounds; a remark where pods of the workload don't start.

    Pods are looked at where they were read: of a workload that has all it wants nobody needs to know them.
    """
    kind, name = workload(action, spec)
    obj = view.get(kind, name)
    if obj is None:
        return issue(
            Problem.TARGET_NOT_FOUND,
            f"scale: {kind} {name} isn't there; create it or correct the action's name",
        )
    found = trouble(obj, [pod for pod in view.all("Pod") if belongs_to(pod, obj, kind)])
    remarks = [ActionIssue(Problem.PODS_NOT_STARTED, f"scale: {kind} {name}: {found}")] if found else []
    return replace(_translated(action, place, kind, obj, view), remarks=remarks)


def _translated(action: ScaleAction, place: int, kind: str, obj: dict[str, Any], view: View) -> Translation:
    name = obj["metadata"]["name"]
    scaled = _targeting(view.all("ScaledObject"), kind, name)
    if scaled is not None:
        return _scaled_object(action, place, scaled)
    autoscaler = _targeting(view.all("HorizontalPodAutoscaler"), kind, name)
    if autoscaler is not None:
        return _autoscaler(action, place, autoscaler, name)
    before = int(obj.get("spec", {}).get("replicas", 1))
    wanted = _wanted(action, before)
    match _meaning(action):
        case ScaleAs.FLOOR:
            wanted = max(before, wanted)
        case ScaleAs.CEILING:
            wanted = min(before, wanted)
        case ScaleAs.PIN:
            pass
    return Translation([FieldChange(target_of(kind, obj), "/spec/replicas", wanted, place)])


def _meaning(action: ScaleAction) -> ScaleAs:
    if action.as_ is not None:
        return action.as_
    if action.by is None:
        return ScaleAs.PIN
    return ScaleAs.CEILING if str(action.by).startswith("-") else ScaleAs.FLOOR


def _wanted(action: ScaleAction, base: int) -> int:
    if action.to is not None:
        return action.to
    if isinstance(action.by, str):
        exact = base * (100 + int(action.by.removesuffix("%"))) / 100
        return max(0, math.ceil(exact) if exact >= base else math.floor(exact))
    return max(0, base + (action.by or 0))


def _targeting(owners: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any] | None:
    for owner in owners:
        ref = owner.get("spec", {}).get("scaleTargetRef", {})
        if ref.get("name") == name and ref.get("kind", "Deployment") == kind:
            return owner
    return None


def _bounds(action: ScaleAction, low: int, high: int) -> tuple[int, int]:
    match _meaning(action):
        case ScaleAs.FLOOR:
            low = max(low, _wanted(action, low))
            return low, max(low, high)
        case ScaleAs.CEILING:
            high = min(high, _wanted(action, high))
            return min(low, high), high
        case ScaleAs.PIN:
            wanted = _wanted(action, low)
            return wanted, wanted


def _autoscaler(action: ScaleAction, place: int, owner: dict[str, Any], name: str) -> Translation:
    spec = owner["spec"]
    low, high = _bounds(action, int(spec.get("minReplicas", 1)), int(spec["maxReplicas"]))
    if low < 1:
        return issue(
            Problem.ACTION_UNSUPPORTED,
            f"scale: HorizontalPodAutoscaler {owner['metadata']['name']} owns the replicas of {name} and can't hold 0;"
            " scale to 1 or more, or let KEDA own them",
        )
    target = target_of("HorizontalPodAutoscaler", owner)
    return Translation(
        [
            FieldChange(target, "/spec/minReplicas", low, place),
            FieldChange(target, "/spec/maxReplicas", high, place),
        ]
    )


def _scaled_object(action: ScaleAction, place: int, owner: dict[str, Any]) -> Translation:
    spec = owner["spec"]
    target = target_of("ScaledObject", owner)
    low, high = _bounds(action, int(spec.get("minReplicaCount", 0)), int(spec.get("maxReplicaCount", 100)))
    path = f"/metadata/annotations/{escape(PAUSED_REPLICAS)}"
    if high < 1:
        return Translation([FieldChange(target, path, "0", place)])
    paused = (owner["metadata"].get("annotations") or {}).get(PAUSED_REPLICAS, ABSENT)
    return Translation(
        [
            FieldChange(target, "/spec/minReplicaCount", low, place),
            FieldChange(target, "/spec/maxReplicaCount", high, place),
            FieldChange(target, path, paused, place),  # as it was, so that a shallower level's pause ends here
        ]
    )
