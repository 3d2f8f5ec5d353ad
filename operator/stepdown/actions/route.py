"""`route`: a Service's selector pointed at another workload's pods.

Only when one of these pods is ready and serves the Service's target port: a fallback that can't answer is worse
than the trouble. The whole selector is one field, because a merge would leave old keys in it.
"""

from dataclasses import replace
from typing import Any

from stepdown.actions.starting import trouble
from stepdown.actions.translation import ActionIssue, Translation, View, issue, target_of
from stepdown.api.actions import RouteAction, StatusPageAction
from stepdown.api.policy import PolicySpec
from stepdown.engine.fields import FieldChange, Ref
from stepdown.engine.reasons import Problem

SCALE_UP = "scale it up, or set the level's route to one that is ready"


def references(action: RouteAction, spec: PolicySpec) -> list[Ref]:
    """The Service, the workload that takes over, and the pods."""
    return [moved(action, spec), Ref(*_fallback(action)), Ref("Pod")]


def translate(action: RouteAction, spec: PolicySpec, place: int, view: View) -> Translation:
    """The change of the selector; `unready` where the fallback couldn't answer now."""
    service = service_in(view, service_of(action, spec), "route")
    if isinstance(service, ActionIssue):
        return Translation(issues=[service])
    kind, fallback = _fallback(action)
    workload, pods = view.get(kind, fallback), view.all("Pod")
    if workload is None:
        missing = issue(
            Problem.TARGET_NOT_FOUND,
            f"route: {kind} {fallback} isn't there; create it or set the level's route to one that is ready",
        )
        return replace(missing, may_go_back=_primary_answers(service, pods))
    selector = workload["spec"].get("selector", {})
    labels = selector.get("matchLabels") or {}
    if selector.get("matchExpressions") or not labels:
        return issue(
            Problem.ACTION_UNSUPPORTED,
            f"route: {kind} {fallback} selects its pods by expressions, which a Service can't; use matchLabels",
        )
    found = trouble(workload, selected(pods, labels))
    who = f"route: {kind} {fallback}"
    return pointed(service, who, labels, place, view, found or SCALE_UP, is_fault=found is not None)


def service_in(view: View, name: str, action: str) -> dict[str, Any] | ActionIssue:
    """A Service whose traffic can be moved, or why it can't; `action` is the one that would."""
    service = view.get("Service", name)
    if service is None:
        text = f"{action}: Service {name} isn't there; create it or correct the action's name"
        return ActionIssue(Problem.TARGET_NOT_FOUND, text)
    if not service.get("spec", {}).get("selector"):
        text = f"{action}: Service {name} has no selector, so there is nothing to point elsewhere"
        return ActionIssue(Problem.ACTION_UNSUPPORTED, text)
    return service


def pointed(
    service: dict[str, Any], who: str, labels: dict[str, str], place: int, view: View, cure: str, *, is_fault: bool
) -> Translation:
    """A Service's selector pointed at the pods with some labels; `unready` where they couldn't answer now.

    `who` names them for people, `cure` says what helps where none of them is ready, `is_fault` whether that is one even
    while no traffic is there. Ready pods that don't serve the Service's port always are.
    """
    change = FieldChange(target_of("Service", service), "/spec/selector", labels, place)
    pods = view.all("Pod")
    own = selected(pods, labels)
    why = silence(service, own, cure)
    back = no_way_back(service, pods)
    if why is None:
        return Translation([change], no_way_back=back)
    is_fault = is_fault or any(map(is_ready, own))
    unready = ActionIssue(Problem.FALLBACK_NOT_READY, f"{who} {why}", is_fault)
    return Translation([change], unready=unready, may_go_back=_primary_answers(service, pods), no_way_back=back)


def no_way_back(service: dict[str, Any], pods: list[dict[str, Any]]) -> ActionIssue | None:
    """Why a Service's own pods couldn't answer if its traffic went back to them: it has some, and none is ready.

    Which ports they declare is not asked: they answered before. Where there are none nothing is known against them: a
    level may have scaled them to 0, or an autoscaler that waits for traffic.
    """
    own = [pod for pod in selected(pods, service["spec"].get("selector") or {}) if _is_there(pod)]
    if not own or any(map(is_ready, own)):
        return None
    why = trouble({}, own) or "see why they aren't ready"
    text = f"traffic can't go back to Service {service['metadata']['name']}, none of whose pods is ready; {why};"
    return ActionIssue(Problem.FALLBACK_NOT_READY, f"{text} or bring it back all the same by spec.override")


def _is_there(pod: dict[str, Any]) -> bool:
    """Whether a pod has not ended, and isn't on its way out."""
    ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return not ended and "deletionTimestamp" not in pod["metadata"]


def _primary_answers(service: dict[str, Any], pods: list[dict[str, Any]]) -> bool:
    return silence(service, selected(pods, service["spec"]["selector"])) is None


def moved(action: RouteAction | StatusPageAction, spec: PolicySpec) -> Ref:
    """What an action moves the traffic of."""
    if isinstance(action, RouteAction) and action.http_route is not None:
        return Ref("HTTPRoute", action.http_route)
    return home(action, spec)


def home(action: RouteAction | StatusPageAction, spec: PolicySpec) -> Ref:
    """The Service whose traffic an action moves, by its selector or by the weights of an HTTPRoute."""
    return Ref("Service", service_of(action, spec))


def service_of(action: RouteAction | StatusPageAction, spec: PolicySpec) -> str:
    """The Service that an action takes traffic from, the target's where none is named."""
    name = action.service or spec.target.service
    assert name is not None
    return name


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod takes traffic: Ready, and not on its way out."""
    conditions = pod.get("status", {}).get("conditions") or []
    return "deletionTimestamp" not in pod["metadata"] and any(
        c.get("type") == "Ready" and c.get("status") == "True" for c in conditions
    )


def selected(pods: list[dict[str, Any]], labels: dict[str, str]) -> list[dict[str, Any]]:
    """The pods that carry all the labels."""
    return [p for p in pods if labels.items() <= (p["metadata"].get("labels") or {}).items()]


def belongs_to(pod: dict[str, Any], workload: dict[str, Any], kind: str) -> bool:
    """Whether a pod was made for a workload: by it, or by a ReplicaSet of its name and of the pod's template."""
    metadata, owner = pod["metadata"], workload["metadata"]
    if kind == "Deployment":
        replica_set = f"{owner['name']}-{(metadata.get('labels') or {}).get('pod-template-hash')}"
        return any(r["kind"] == "ReplicaSet" and r["name"] == replica_set for r in _owners(metadata))
    return any(r["uid"] == owner["uid"] for r in _owners(metadata))


def _owners(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    return [ref for ref in metadata.get("ownerReferences") or [] if ref.get("controller")]


def silence(service: dict[str, Any], pods: list[dict[str, Any]], cure: str = SCALE_UP) -> str | None:
    """Why these pods couldn't answer for a Service; None where they can."""
    ready = [pod for pod in pods if is_ready(pod)]
    if not ready:
        return f"has 0 ready pods (needs 1); {cure}"
    name = service["metadata"]["name"]
    for port in service["spec"].get("ports") or []:
        wanted = port.get("targetPort", port.get("port"))
        if not any(_serves(pod, wanted) for pod in ready):
            return f"has no ready pod that serves port {wanted} of Service {name}; give its container that port"
    return None


def _serves(pod: dict[str, Any], wanted: int | str) -> bool:
    """A named port must be declared; a number is believed of pods that declare none."""
    declared = [p for c in pod.get("spec", {}).get("containers") or [] for p in c.get("ports") or []]
    if isinstance(wanted, int):
        return not declared or any(p.get("containerPort") == wanted for p in declared)
    return any(p.get("name") == wanted for p in declared)


def _fallback(action: RouteAction) -> tuple[str, str]:
    if action.to.deployment is not None:
        return "Deployment", action.to.deployment
    assert action.to.stateful_set is not None
    return "StatefulSet", action.to.stateful_set
