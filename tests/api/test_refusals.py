"""What a refusal says as a whole, of seconds, of endpoints and of the order of levels."""

import re
from typing import Any

import pytest
from pydantic import TypeAdapter

from api.test_policy_rules import DURATION, WAY_BACK, changed, problems
from stepdown.api.model import Duration
from stepdown.api.validation import InvalidSpec, Problem, parse_endpoint, parse_policy


def test_all_problems_are_told_at_once() -> None:
    policy = changed("interval", "soon")
    policy["spec"]["levels"][1]["name"] = "Core"
    del policy["spec"]["levels"][2]["recover"]

    assert problems(policy) == [
        f"spec.interval: 'soon' is not a duration. {DURATION}",
        "spec.levels[1].name: 'Core' is not allowed here. Use lower-case letters, digits and -, with a"
        " letter or"
        " digit at both ends, like core-only",
        f"spec.levels[2]: {WAY_BACK}",
    ]


def test_the_error_itself_holds_every_problem() -> None:
    error = InvalidSpec([Problem("spec.a", "is wrong", "mend it"), Problem("spec.b", "is odd", "")])

    assert str(error) == "spec.a: is wrong. Mend it; spec.b: is odd"


@pytest.mark.parametrize("raw", [{}, {"spec": None}])
def test_an_object_without_a_spec_is_refused(raw: dict[str, Any]) -> None:
    assert problems(raw) == ["spec: is required. Put the fields under spec:"]


def test_what_no_json_can_hold_is_refused_and_never_raises_anything_else() -> None:
    assert problems({"spec": {"interval": float("nan")}})[0].startswith("spec: is not JSON")


@pytest.mark.parametrize("value", [None, 0, 1.5, "", "x", True, [], [1], {}, {"a": 1}], ids=repr)
@pytest.mark.parametrize("field", ["target", "signals", "levels", "interval", "mode", "suspend", "budget", "override"])
def test_messages_are_free_of_the_librarys_own_words(field: str, value: Any) -> None:
    try:
        parse_policy(changed(field, value))
        told = ""
    except InvalidSpec as error:
        told = str(error)

    assert re.findall(r"Input should|Value error|pydantic|https://|\bdict\b|\bstr\b|NoneType|valid ", told) == []


def test_seconds_are_taken_from_python_but_never_from_json() -> None:
    timer = TypeAdapter(Duration)

    assert timer.validate_python(15.0) == 15.0
    with pytest.raises(ValueError, match=r"1.5 is not a duration"):
        timer.validate_json("1.5")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({}, "spec.url: is required. Add it, like url: http://prometheus.monitoring:9090"),
        (
            {"url": "http://user:secret@prometheus"},
            "spec.url: 'http://user:secret@prometheus' is not allowed here. Write it, like"
            " http://prometheus.monitoring:9090",
        ),
        ({"url": "http://p", "timeout": "1m"}, "spec.timeout: timeout must be from 100ms to 30s"),
        (
            {"url": "http://p", "allowed_cidrs": []},
            "spec.allowed_cidrs: there is no field allowed_cidrs here. Did you mean allowedCIDRs?",
        ),
        ({"url": "http://p", "limits": {"series": 0}}, "spec.limits.series: 0 is too low. Write at least 1"),
    ],
)
def test_an_endpoint_is_refused_with_the_field_and_the_cure(spec: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse_endpoint({"spec": spec})

    assert [str(found) for found in caught.value.problems] == [problem]


@pytest.mark.parametrize(
    "deeper",
    [
        {"signal": "errors", "above": "25%", "for": "1m"},
        {"signal": "errors", "above": "1%", "for": "2m"},
        {"signal": "errors", "below": "0.1%"},
        {"signal": "latency", "above": "1ms"},
    ],
    ids=["further out", "lower but longer", "the other side", "another signal"],
)
def test_a_deeper_level_that_leaves_room_for_those_above_it_is_taken(deeper: dict[str, Any]) -> None:
    assert parse_policy(changed("levels.2.enter.any.0", deeper)).levels[2].name == "static"


def test_a_name_that_is_there_twice_is_told_before_what_follows_from_it() -> None:
    policy = changed("signals.1", {"name": "errors", "preset": "http-latency"})
    del policy["spec"]["levels"][2]

    assert problems(policy) == [
        "spec.signals[1].name: names must be unique within signals, objectives and levels. Rename one"
    ]
