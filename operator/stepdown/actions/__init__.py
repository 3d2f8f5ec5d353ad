"""What a level's actions mean for what is there: pure translations to field changes."""

from collections.abc import Mapping
from typing import Any

from stepdown.actions import flags, restart, route, scale, status_page, weights
from stepdown.actions.translation import ActionIssue, Translation, View
from stepdown.api.actions import Action
from stepdown.api.policy import PolicySpec
from stepdown.engine.fields import Ref

__all__ = ["ActionIssue", "Translation", "View", "all_references", "home", "moved", "references", "translate"]


def references(action: Action, spec: PolicySpec, place: int) -> list[Ref]:
    """The objects that must be read before an action of the level at `place` can be translated."""
    if action.scale is not None:
        return scale.references(action.scale, spec)
    if action.flags is not None:
        return flags.references(action.flags)
    if action.status_page is not None:
        return status_page.references(action.status_page, spec, place)
    if action.restart is not None:
        return restart.references(action.restart, spec)
    assert action.route is not None
    if action.route.http_route is not None:
        return weights.references(action.route, spec)
    return route.references(action.route, spec)


def all_references(spec: PolicySpec) -> list[Ref]:
    """The objects that must be read for the actions of all levels."""
    return [r for place, level in enumerate(spec.levels) for a in level.actions for r in references(a, spec, place)]


def translate(action: Action, spec: PolicySpec, place: int, view: Mapping[Ref, Any]) -> Translation:
    """The field changes of one action of the level at `place`, over the objects as they were before us."""
    if action.scale is not None:
        return scale.translate(action.scale, spec, place, View(view))
    if action.flags is not None:
        return flags.translate(action.flags, place, View(view))
    if action.status_page is not None:
        return status_page.translate(action.status_page, spec, place, View(view))
    if action.restart is not None:
        return restart.translate(action.restart, spec, View(view))
    assert action.route is not None
    if action.route.http_route is not None:
        return weights.translate(action.route, spec, place, View(view))
    return route.translate(action.route, spec, place, View(view))


def moved(action: Action, spec: PolicySpec) -> Ref | None:
    """What an action moves the traffic of; None where it moves none."""
    moving = action.route or action.status_page
    return route.moved(moving, spec) if moving is not None else None


def home(action: Action, spec: PolicySpec) -> Ref | None:
    """The Service whose traffic an action moves, by its selector or by the weights of an HTTPRoute."""
    moving = action.route or action.status_page
    return route.home(moving, spec) if moving is not None else None
