"""Who sets a field back, and how to make them stop.

The API server keeps, per field manager, which fields it owns; a fight is named after the one that owns ours.
"""

from collections.abc import Mapping
from typing import Any

from stepdown.engine.pointer import segments

OURS = ("stepdown", "OpenAPI-Generator", "python")
_ARGO = (
    "Argo CD: add to the Application spec.ignoreDifferences [{group: %r, kind: %s, name: %s, %s}]"
    " and the sync option RespectIgnoreDifferences=true"
)
_WEIGHTS = ".spec.rules[].backendRefs[].weight"
_FLUX = (
    "Flux: leave the field out of the manifest, or annotate the object with"
    " kustomize.toolkit.fluxcd.io/ssa: IfNotPresent"
)
_HPA = "an HPA owns the replicas: let the policy scale the HPA by naming the workload that the HPA targets"
_FLAGGER = "Flagger owns these weights: suspend its Canary (spec.suspend: true), or take the action out of the policy"
_ROLLOUTS = (
    "Argo Rollouts owns these weights: take the HTTPRoute out of the Rollout's trafficRouting, or the action out of"
    " the policy"
)
_KEDA = "KEDA owns the replicas: let the policy scale the ScaledObject by naming the workload that it targets"


def manager_of(obj: Mapping[str, Any], path: str) -> str:
    """The field manager that last wrote a field (its path's outer part), or `somebody`."""
    keys = segments(path.partition("#")[0])
    found: list[tuple[str, str]] = []
    for managed in obj["metadata"].get("managedFields") or []:
        name = str(managed.get("manager", ""))[:128]
        if name not in OURS and _owns(managed.get("fieldsV1") or {}, keys):
            found.append((str(managed.get("time", "")), name))
    return max(found)[1] if found else "somebody"


def cure(manager: str, group: str, kind: str, name: str, path: str) -> str:
    """What ends the fight, in one sentence."""
    lower = manager.lower()
    pointer = path.partition("#")[0]
    if "flagger" in lower:
        return _FLAGGER
    if "rollouts" in lower or "gatewayapi" in lower:
        return _ROLLOUTS
    if "argocd" in lower or "argo" in lower:
        what = f"jsonPointers: [{pointer}]" if kind != "HTTPRoute" else f"jqPathExpressions: [{_WEIGHTS}]"
        return _ARGO % (group, kind, name, what)
    if "kustomize" in lower or "flux" in lower or "helm-controller" in lower:
        return _FLUX
    if "keda" in lower:
        return _KEDA
    if "horizontal-pod-autoscaler" in lower or (lower == "kube-controller-manager" and pointer == "/spec/replicas"):
        return _HPA
    if kind == "HTTPRoute":
        return (
            f"change the weights of HTTPRoute {name} only through one of the two, or take the action out of the policy;"
            " a rule that got other matches keeps what it has now, so set its weights yourself"
        )
    return f"change {pointer} of {kind} {name} only through one of the two, or take the action out of the policy"


def _owns(fields: Mapping[str, Any], keys: list[str]) -> bool:
    node: Any = fields
    for key in keys:
        if not isinstance(node, Mapping) or f"f:{key}" not in node:
            return False
        node = node[f"f:{key}"]
    return True
