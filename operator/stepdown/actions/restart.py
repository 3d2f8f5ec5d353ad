"""`restart`: a workload's pods made anew, one after another, through the eviction API.

No field of the workload is changed, as `kubectl rollout restart` would: put back, its annotation would restart all
pods a second time, and left, it would be a mark of ours. An eviction respects PodDisruptionBudgets and leaves nothing.
How often that is done and how far it has come is remembered in the status (engine/restarts.py).
"""

from stepdown.actions.route import belongs_to, selected
from stepdown.actions.scale import workload
from stepdown.actions.translation import Translation, View, issue
from stepdown.api.actions import RestartAction
from stepdown.api.policy import PolicySpec
from stepdown.engine.fields import Ref
from stepdown.engine.reasons import Problem
from stepdown.engine.restarts import Pod


def references(action: RestartAction, spec: PolicySpec) -> list[Ref]:
    """The workload and the pods."""
    return [Ref(*workload(action, spec)), Ref("Pod")]


def translate(action: RestartAction, spec: PolicySpec, view: View) -> Translation:
    """No change of a field; what is wrong where the workload isn't there or its pods can't be told."""
    kind, name = workload(action, spec)
    obj = view.get(kind, name)
    if obj is None:
        return issue(
            Problem.TARGET_NOT_FOUND, f"restart: {kind} {name} isn't there; create it or correct the action's name"
        )
    selector = obj["spec"].get("selector") or {}
    if selector.get("matchExpressions") or not selector.get("matchLabels"):
        return issue(
            Problem.ACTION_UNSUPPORTED, f"restart: {kind} {name} selects its pods by expressions; use matchLabels"
        )
    return Translation()


def pods_of(action: RestartAction, spec: PolicySpec, view: View) -> tuple[list[Pod], int]:
    """The pods of the workload and how many there should be; none of one that can't be restarted."""
    obj = view.get(*workload(action, spec))
    if obj is None or translate(action, spec, view).issues:
        return [], 0
    pods: list[Pod] = [
        pod
        for pod in selected(view.all("Pod"), obj["spec"]["selector"]["matchLabels"])
        if belongs_to(pod, obj, workload(action, spec)[0])
    ]
    return pods, int(obj["spec"].get("replicas", 1))
