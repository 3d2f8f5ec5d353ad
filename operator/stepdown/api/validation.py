"""Objects as users wrote them → models, or every problem with its place, a plain sentence and the cure.

The API server has checked most of this before; `lint` has not, and an operator that is newer than its CRD hasn't
either. So the JSON is judged as strictly as the API server would: no "12" for 12, no snake_case, no null.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from stepdown.api.endpoint import EndpointSpec
from stepdown.api.model import Model
from stepdown.api.policy import PolicySpec
from stepdown.api.sentences import explain, join, spec_field

_Spec = TypeVar("_Spec", bound=Model)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct: `path` like `spec.levels[1].enter.any[0].clear`, what is wrong, and the cure."""

    path: str
    sentence: str
    cure: str

    def __str__(self) -> str:
        cure = f". {self.cure[0].upper()}{self.cure[1:]}" if self.cure else ""
        return f"{self.path}: {self.sentence}{cure}"


class InvalidSpec(ValueError):
    """An object that can't be used, with every problem that was found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


def parse_policy(raw: dict[str, Any]) -> PolicySpec:
    """The spec of a DegradationPolicy, given as the whole object. Raises InvalidSpec."""
    return _parse(PolicySpec, raw)


def parse_endpoint(raw: dict[str, Any]) -> EndpointSpec:
    """The spec of a MetricsEndpoint, given as the whole object. Raises InvalidSpec."""
    return _parse(EndpointSpec, raw)


def _parse(model: type[_Spec], raw: dict[str, Any]) -> _Spec:
    spec = raw.get("spec")
    if not isinstance(spec, dict):
        wrong = "is required" if spec is None else "is not a mapping"
        raise InvalidSpec([Problem("spec", wrong, "put the fields under spec:")])
    problems: dict[str, Problem] = {}
    try:
        text = json.dumps(spec, allow_nan=False)
        if "null" in text:
            nothing = ("is empty", "give it a value or remove it")
            problems = {path: Problem(path, *nothing) for path in _nulls(spec, "spec")}
        result = model.model_validate_json(text, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            path = join("spec", spec_field(details["loc"], spec))
            sentence, cure, below = explain(model, spec, details)
            problems.setdefault(join(path, below), Problem(join(path, below), sentence, cure))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidSpec([Problem("spec", f"is not JSON ({error})", "write plain values")]) from None
    if problems:
        raise InvalidSpec(list(problems.values()))
    return result


def _nulls(value: Any, path: str) -> Iterator[str]:
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _nulls(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _nulls(inner, f"{path}[{index}]")
