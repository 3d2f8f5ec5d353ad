"""What every action module gives and is given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stepdown.engine.fields import FieldChange, Ref, Target
from stepdown.engine.reasons import Problem


@dataclass(frozen=True, slots=True)
class ActionIssue:
    """Why an action can't be done now, in one sentence with its cure.

    `is_fault` where somebody has to do something, even while the action isn't called for.
    """

    problem: Problem
    message: str
    is_fault: bool = False


@dataclass(frozen=True, slots=True)
class Translation:
    """The changes of one action. Where `unready` is set they must not be made.

    Those that are made already stay nevertheless, unless what they replaced is fit to be gone back to. `no_way_back`
    says why the pods that it had at first couldn't answer. `remarks` say what is wrong although the changes are made.
    """

    changes: list[FieldChange] = field(default_factory=list)
    issues: list[ActionIssue] = field(default_factory=list)
    remarks: list[ActionIssue] = field(default_factory=list)
    unready: ActionIssue | None = None
    may_go_back: bool = False
    no_way_back: ActionIssue | None = None


def issue(problem: Problem, message: str) -> Translation:
    """A translation that only says what is wrong."""
    return Translation(issues=[ActionIssue(problem, message)])


class View:
    """Objects as they were before us, by reference."""

    def __init__(self, objects: Mapping[Ref, Any]) -> None:
        self._objects = objects

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """An object, or None where there is none."""
        found = self._objects.get(Ref(kind, name))
        return found if isinstance(found, dict) else None

    def all(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind."""
        found = self._objects.get(Ref(kind))
        return found if isinstance(found, list) else []


def target_of(kind: str, obj: Mapping[str, Any]) -> Target:
    """The very object, by uid."""
    return Target(kind, str(obj["metadata"]["name"]), str(obj["metadata"]["uid"]))
