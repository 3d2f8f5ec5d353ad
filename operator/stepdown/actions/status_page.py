"""`statusPage`: a Service's selector pointed at a small page of our own.

It moves traffic as `route` does; what takes over is a Deployment that the operator makes up front (page_keeper.py),
one for each level and Service, by a name that both can tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from stepdown.actions import route
from stepdown.actions.starting import trouble
from stepdown.actions.translation import ActionIssue, Translation, View, issue
from stepdown.api.actions import StatusPageAction
from stepdown.api.policy import Mode, PolicySpec
from stepdown.engine.fields import Ref
from stepdown.engine.reasons import Problem

LABEL = "stepdown.dev/page"
"""On a page's Deployment and on its pods: its name."""

STEM_MAX = 24
FIRST_PORT = 8080


@dataclass(frozen=True, slots=True)
class PagePort:
    """A port that a Service sends traffic to: its number in the pods, and the name that the Service knows."""

    number: int
    name: str | None = None


def pages(spec: PolicySpec) -> Mapping[str, tuple[int, StatusPageAction]]:
    """Every page of a policy by the name of its Deployment: the place of its level, and the action."""
    return {
        page_name(action.status_page, spec, place): (place, action.status_page)
        for place, level in enumerate(spec.levels)
        for action in level.actions
        if action.status_page is not None
    }


def page_name(action: StatusPageAction, spec: PolicySpec, place: int) -> str:
    """The name of a page's Deployment, a DNS label: two policies that move one Service differ by their levels."""
    service = route.service_of(action, spec)
    digest = sha256(f"{service}/{spec.levels[place].name}".encode()).hexdigest()[:8]
    stem = service[:STEM_MAX].replace(".", "-").rstrip("-")
    return f"stepdown-page-{stem}-{digest}"


def page_labels(name: str) -> dict[str, str]:
    """What a page's pods are selected by."""
    return {"app.kubernetes.io/name": "stepdown-page", LABEL: name}


def references(action: StatusPageAction, spec: PolicySpec, place: int) -> list[Ref]:
    """The Service, the page, and the pods."""
    name = page_name(action, spec, place)
    return [Ref("Service", route.service_of(action, spec)), Ref("Deployment", name), Ref("Pod")]


def translate(action: StatusPageAction, spec: PolicySpec, place: int, view: View) -> Translation:
    """The change of the selector; `unready` where the page couldn't answer now.

    Who only observes has no page made, and none is missed.
    """
    service = route.service_in(view, route.service_of(action, spec), "statusPage")
    if isinstance(service, ActionIssue):
        return Translation(issues=[service])
    if not ports_of(service):
        return issue(
            Problem.ACTION_UNSUPPORTED,
            f"statusPage: Service {service['metadata']['name']} has no TCP port, so no page can answer for it;"
            " give it one, or name another Service in the action's service",
        )
    name = page_name(action, spec, place)
    deployment = view.get("Deployment", name)
    pods = route.selected(view.all("Pod"), page_labels(name))
    cure = "it is being started" if deployment is None else _trouble(deployment, pods)
    who = f"statusPage: Deployment {name}"
    found = route.pointed(_over_tcp(service), who, page_labels(name), place, view, cure, is_fault=True)
    return Translation(found.changes) if deployment is None and spec.mode is Mode.OBSERVE else found


def ports_of(service: Mapping[str, Any]) -> list[PagePort]:
    """The ports that a page has to serve for a Service, each once; none where it has no TCP port."""
    targets = dict.fromkeys(port.get("targetPort", port.get("port")) for port in _tcp(service))
    taken = {target for target in targets if isinstance(target, int)}
    free = (number for number in range(FIRST_PORT, 65536) if number not in taken)
    return [PagePort(t) if isinstance(t, int) else PagePort(next(free), str(t)) for t in targets]


def _tcp(service: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [port for port in service["spec"].get("ports") or [] if port.get("protocol", "TCP") == "TCP"]


def _over_tcp(service: dict[str, Any]) -> dict[str, Any]:
    """A Service as far as a page can serve it."""
    return {**service, "spec": {**service["spec"], "ports": _tcp(service)}}


def _trouble(deployment: Mapping[str, Any], pods: list[dict[str, Any]]) -> str:
    """Why a page has no ready pod, as far as its Deployment and its pods tell."""
    if deployment["spec"].get("replicas", 1) == 0:
        return "it is scaled to 0; scale it up"
    return trouble(deployment, pods) or "it is being started"
