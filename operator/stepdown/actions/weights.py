"""`route` on a Gateway API HTTPRoute: weights moved from the target's Service to a fallback's.

In every rule that has both as backends the fallback gets 1 and the others of this namespace get 0. Where a rule has
backends in other namespaces, which are never touched, the fallback gets the sum of what the others had, so that these
keep their share. Only weights change, and only while the fallback's Service has a ready pod that serves the port.

Under `recover.trickle` the target's Service keeps a percentage, while it has a ready pod itself: nobody is sent where
nobody can answer. Beside backends of other namespaces it is rounded down.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from stepdown.actions.route import SCALE_UP, is_ready, no_way_back, selected, service_of, silence
from stepdown.actions.starting import trouble
from stepdown.actions.translation import ActionIssue, Translation, View, issue, target_of
from stepdown.api.actions import RouteAction
from stepdown.api.policy import PolicySpec
from stepdown.engine.backends import is_service, weight_path
from stepdown.engine.document import NotADocument
from stepdown.engine.fields import FieldChange, Ref, text_at
from stepdown.engine.reasons import Problem

Object = dict[str, Any]

WEIGHT_MAX = 1_000_000
"""The largest weight that the API takes."""


def references(action: RouteAction, spec: PolicySpec) -> list[Ref]:
    """The HTTPRoute, the Services that it moves traffic from and to, and the pods."""
    services = [Ref("Service", service_of(action, spec)), Ref("Service", action.to.service)]
    return [Ref("HTTPRoute", action.http_route), *services, Ref("Pod")]


def translate(action: RouteAction, spec: PolicySpec, place: int, view: View) -> Translation:
    """The changes of weights; `unready` where the fallback couldn't answer now.

    A rule that can't be moved is an issue, and the others still are: traffic that was moved must stay so, whatever is
    added to the HTTPRoute later.
    """
    name, primary, fallback = str(action.http_route), service_of(action, spec), str(action.to.service)
    obj, service, before = view.get("HTTPRoute", name), view.get("Service", fallback), view.get("Service", primary)
    if obj is None:
        return issue(
            Problem.TARGET_NOT_FOUND,
            f"route: HTTPRoute {name} isn't there; create it, correct the action's name, or install the CRDs of the"
            " Gateway API",
        )
    if service is None:
        return issue(
            Problem.TARGET_NOT_FOUND,
            f"route: Service {fallback} isn't there; create it or set the level's route to one that is ready",
        )
    if not service.get("spec", {}).get("selector"):
        return issue(
            Problem.ACTION_UNSUPPORTED,
            f"route: Service {fallback} has no selector, so nobody can tell whether it has a ready pod; give it one",
        )
    pods = view.all("Pod")
    may_go_back = before is not None and _answers(before, pods)
    back = no_way_back(before, pods) if before is not None and before["spec"].get("selector") else None
    result = Translation(may_go_back=may_go_back, no_way_back=back)
    ports = _move(result, obj, primary, service, place, _trickle(spec, place) if may_go_back else 0)
    own = selected(pods, service["spec"]["selector"])
    found = trouble({}, own)
    why = _silence(service, own, ports, found or SCALE_UP)
    if why is None:
        return result
    is_fault = found is not None or any(map(is_ready, own))
    unready = ActionIssue(Problem.FALLBACK_NOT_READY, f"route: Service {fallback} {why}", is_fault)
    return replace(result, unready=unready)


def _move(
    result: Translation, obj: Object, primary: str, service: Object, place: int, percent: int
) -> list[int | None]:
    """Adds what becomes of every rule with the primary; gives the ports at which the fallback's Service takes over."""
    name, fallback, ports = obj["metadata"]["name"], service["metadata"]["name"], []
    for rule in obj["spec"].get("rules") or []:
        own = list(_own(obj, rule))
        if not any(_is(backend, primary) for backend in own):
            continue
        takes_over = next((backend for backend in own if _is(backend, fallback)), None)
        if takes_over is None:
            result.issues.append(_no_backend(rule, name, primary, service))
            continue
        weights = _weights(own, takes_over, primary, percent, alone=len(own) == len(rule["backendRefs"]))
        try:
            result.changes.extend(list(_changes(obj, rule, weights, place)))  # all of a rule, or nothing
        except NotADocument as error:
            text = f"route: {error} in HTTPRoute {name}, so neither is known for itself; name its rules, keep one"
            result.issues.extend({ActionIssue(Problem.ACTION_UNSUPPORTED, text)} - set(result.issues))
            continue
        ports.append(takes_over.get("port"))
    if not result.changes and not result.issues:
        text = f"route: HTTPRoute {name} has no rule with Service {primary}; add it to a rule's backendRefs"
        result.issues.append(ActionIssue(Problem.TARGET_NOT_FOUND, text))
    return ports


def _own(obj: Object, rule: Object) -> Iterator[Object]:
    """The backends of a rule in the HTTPRoute's own namespace."""
    home = obj["metadata"].get("namespace")
    return (backend for backend in rule.get("backendRefs") or [] if backend.get("namespace") in (None, "", home))


def _is(backend: Object, service: str) -> bool:
    return is_service(backend) and backend.get("name") == service


def _trickle(spec: PolicySpec, place: int) -> int:
    """Percent that the target's Service keeps at a level."""
    recover = spec.levels[place].recover
    return recover.trickle.weight if recover is not None and recover.trickle is not None else 0


def _weights(
    own: list[Object], fallback: Object, primary: str, percent: int, *, alone: bool
) -> list[tuple[Object, int]]:
    """Each backend with its weight; `alone` says that the rule has no others, so that only proportions matter."""
    if alone:
        total = 100 if percent else 1
    else:
        total = min(max(1, sum(int(backend.get("weight", 1)) for backend in own)), WEIGHT_MAX)
    kept = total * percent // 100
    keeps = next(backend for backend in own if _is(backend, primary))
    return [(b, total - kept if b is fallback else kept if b is keeps else 0) for b in own]


def _changes(obj: Object, rule: Object, weights: list[tuple[Object, int]], place: int) -> Iterator[FieldChange]:
    """Raises NotADocument where a rule or a backend can't be told from another."""
    for backend, weight in weights:
        path = weight_path(rule, backend)
        text_at(obj, path)
        yield FieldChange(target_of("HTTPRoute", obj), path, weight, place)


def _no_backend(rule: Object, name: str, primary: str, service: Object) -> ActionIssue:
    fallback = service["metadata"]["name"]
    ports = service["spec"].get("ports") or [{}]
    line = f"{{name: {fallback}, port: {ports[0].get('port', 80)}, weight: 0}}"
    return ActionIssue(
        Problem.TARGET_NOT_FOUND,
        f"route: {_words(rule)} of HTTPRoute {name} has Service {primary} and not {fallback}; add to its backendRefs"
        f" {line}",
    )


def _words(rule: Object) -> str:
    if rule.get("name"):
        return f"rule {rule['name']}"
    paths = [(match.get("path") or {}).get("value", "/") for match in rule.get("matches") or [{}]]
    return f"the rule for {', '.join(map(str, paths[:3]))}"


def _answers(service: Object, pods: list[Object]) -> bool:
    selector = service["spec"].get("selector")
    return bool(selector) and silence(service, selected(pods, selector)) is None


def _silence(service: Object, pods: list[Object], ports: list[int | None], cure: str) -> str | None:
    """Why the pods of a Service couldn't answer at the ports that rules name; None where they can."""
    offered = service["spec"].get("ports") or []
    for port in ports:
        if port is not None and not any(found.get("port") == port for found in offered):
            return f"has no port {port}, which the HTTPRoute names; give it that port"
    named = [found for found in offered if found.get("port") in ports]
    narrowed = {**service, "spec": {**service["spec"], "ports": named}}
    return silence(narrowed, pods, cure)
