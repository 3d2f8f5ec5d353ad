"""What a policy or an endpoint is refused for: each row names the field and gives the cure."""

import copy
from typing import Any

import pytest

from stepdown.api.validation import InvalidSpec, parse_policy

GOOD: dict[str, Any] = {
    "apiVersion": "stepdown.dev/v1alpha1",
    "kind": "DegradationPolicy",
    "metadata": {"name": "checkout"},
    "spec": {
        "target": {"service": "checkout", "deployment": "checkout"},
        "signals": [
            {"name": "errors", "preset": "http-error-ratio"},
            {"name": "latency", "query": "db_latency", "unit": "seconds"},
        ],
        "levels": [
            {"name": "full"},
            {
                "name": "core-only",
                "enter": {"any": [{"signal": "errors", "above": "2%", "clear": "1%", "for": "1m"}]},
                "actions": [{"scale": {"by": "100%"}}],
            },
            {
                "name": "static",
                "enter": {"any": [{"signal": "latency", "above": "250ms"}]},
                "actions": [{"route": {"to": {"deployment": "checkout-static"}}}],
                "recover": {"trial": {"after": "5m"}},
            },
        ],
    },
}
CONDITION = "levels.1.enter.any.0"
WAY_BACK = (
    "a level that moves traffic away from what its signals watch needs a way back that does not depend on"
    " them."
    " Add recover.probe, recover.trial, or with an httpRoute recover.trickle"
)
UNITS = "Write a number with %, us, ms, s, /s, k, M, Ki, Mi or Gi, like 2% or 250ms"
DURATION = "Write hours, minutes, seconds like 30s, 5m or 1h30m"
OBJECTIVE = {"name": "a", "target": "99.9%", "preset": "http-error-ratio"}
REMOVE = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    policy = copy.deepcopy(GOOD)
    parent: Any = policy["spec"]
    *way, last = path.split(".")
    for step in way:
        parent = parent[int(step) if isinstance(parent, list) else step]
    key = int(last) if isinstance(parent, list) else last
    if value is REMOVE:
        del parent[key]
    else:
        parent[key] = value
    return policy


def problems(policy: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidSpec) as caught:
        parse_policy(policy)
    return [str(problem) for problem in caught.value.problems]


def test_a_good_policy_is_parsed_with_its_defaults() -> None:
    spec = parse_policy(GOOD)

    assert (spec.mode, spec.interval, spec.stale_after, spec.metrics_endpoint) == ("Enforce", 15.0, 60.0, "default")
    assert (spec.stabilization.up, spec.budget.transitions, spec.budget.per) == (300.0, 6, 3600.0)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        # fields
        ("intervall", "5s", "spec.intervall: there is no field intervall here. Did you mean interval?"),
        ("signals.0.min_rate", 1, "spec.signals[0].min_rate: there is no field min_rate here. Did you mean minRate?"),
        (
            "target.on",
            "x",
            "spec.target.on: there is no field on here. Remove it, or use one of service, deployment, statefulSet",
        ),
        ("target", REMOVE, "spec.target: is required. Add it, like target: {service: checkout, deployment: checkout}"),
        ("signals.0.name", REMOVE, "spec.signals[0].name: is required. Add it, like name: errors"),
        ("signals.0.layer", None, "spec.signals[0].layer: is empty. Give it a value or remove it"),
        # values
        ("interval", "5 minutes", f"spec.interval: '5 minutes' is not a duration. {DURATION}"),
        ("interval", "a: b", f"spec.interval: 'a: b' is not a duration. {DURATION}"),
        ("interval", 5, f"spec.interval: 5 is not a duration. {DURATION}"),
        ("interval", 1.5, f"spec.interval: 1.5 is not a duration. {DURATION}"),
        ("interval", "500ms", "spec.interval: interval must be from 1s to 1h"),
        (
            "signals.0.window",
            "5 m",
            "spec.signals[0].window: '5 m' is not a window. Write a PromQL duration like 5m, 1h or 30d",
        ),
        (f"{CONDITION}.above", "250 mms", f"spec.levels[1].enter.any[0].above: '250 mms' is not a quantity. {UNITS}"),
        (
            f"{CONDITION}.above",
            0.02,
            'spec.levels[1].enter.any[0].above: 0.02 is a bare decimal. Put it in quotes, "0.02"',
        ),
        ("mode", "enforce", "spec.mode: 'enforce' is unknown. Did you mean Enforce?"),
        ("mode", "x", "spec.mode: 'x' is unknown. Write Enforce or Observe"),
        ("suspend", "yes", "spec.suspend: 'yes' is not true or false. Write true or false"),
        (
            "levels.1.actions.0.scale",
            {"to": "12"},
            "spec.levels[1].actions[0].scale.to: '12' is not a whole number. Remove the quotes, 12",
        ),
        ("levels.1.actions.0.scale", {"to": -1}, "spec.levels[1].actions[0].scale.to: -1 is too low. Write at least 0"),
        (
            "levels.1.actions.0.scale",
            {"by": "10"},
            "spec.levels[1].actions[0].scale.by: '10' is no step. Write a whole number of replicas like 3,"
            " or a percentage like 100%",
        ),
        ("budget", {"transitions": 61}, "spec.budget.transitions: 61 is too high. Write at most 60"),
        (
            "signals.0.name",
            "Errors!",
            "spec.signals[0].name: 'Errors!' is not allowed here. Use lower-case letters, digits and -,"
            " with a letter or digit at both ends, like errors",
        ),
        (
            "signals",
            {},
            "spec.signals: a mapping is not a list. Write a list like [{name: errors, preset: http-error-ratio}]",
        ),
        (
            "target",
            "checkout",
            "spec.target: 'checkout' is not a mapping. Write a mapping like {service: checkout, deployment: checkout}",
        ),
        ("levels", [{"name": "full"}], "spec.levels: has too few entries (1), at least 2 are needed. Add more"),
        (
            "override",
            {"level": "full", "reason": 2024, "until": "2026-03-01T18:00:00Z"},
            'spec.override.reason: 2024 is not text. Put it in quotes, "2024"',
        ),
        (
            "override",
            {"level": "full", "reason": "x", "until": "tomorrow"},
            "spec.override.until: 'tomorrow' is not a time. Write RFC 3339 like 2026-03-01T18:00:00Z",
        ),
        (
            "objectives",
            [{"name": "a", "target": 0.999, "preset": "http-error-ratio"}],
            "spec.objectives[0].target: 0.999 is not an objective. Write a percentage above 0% and below"
            " 100% like 99.9%",
        ),
        # thresholds
        (
            f"{CONDITION}.clear",
            "3%",
            "spec.levels[1].enter.any[0].clear: clear must not be higher than above. A breach ends on the"
            " way down, like above: 80%, clear: 60%",
        ),
        (
            CONDITION,
            {"signal": "errors", "below": "50%", "clear": "0.4"},
            "spec.levels[1].enter.any[0].clear: clear must not be lower than below. A breach ends on the"
            " way up, like below: 50%, clear: 70%",
        ),
        (
            CONDITION,
            {"signal": "errors"},
            "spec.levels[1].enter.any[0]: a condition on a signal needs exactly one of above, below",
        ),
        (
            "levels.2.enter.any.0.above",
            "25%",
            "spec.levels[2].enter.any[0].above: a threshold's unit does not fit its signal's unit. Ratios"
            " take %, seconds take us, ms, s, bytes take k, M, Ki, Mi, Gi, perSecond takes /s",
        ),
        (
            "levels.2.enter.any.0",
            {"signal": "errors", "above": "1%", "for": "30s"},
            "spec.levels[2].enter.any[0].above: a level's threshold is breached no later than that of a level above"
            " it, which is then never entered. Put them in order, like above: 2% first and above: 25% deeper",
        ),
        # names
        (
            "levels.2.name",
            "core-only",
            "spec.levels[2].name: names must be unique within signals, objectives and levels. Rename one",
        ),
        (
            "objectives",
            [OBJECTIVE, OBJECTIVE],
            "spec.objectives[1].name: names must be unique within signals, objectives and levels. Rename one",
        ),
        (
            f"{CONDITION}.signal",
            "error",
            "spec.levels[1].enter.any[0].signal: a condition names a signal that is not in signals. Add it"
            " there or correct the name",
        ),
        (
            "override",
            {"level": "statik", "reason": "x", "until": "2026-03-01T18:00:00Z"},
            "spec.override.level: override names a level that is not in levels. Correct the name",
        ),
        # the ladder
        (
            "levels.0.actions",
            [{"scale": {"to": 1}}],
            "spec.levels[0]: levels[0] is full service. It takes no enter, actions or recover; put them on"
            " a deeper level",
        ),
        (
            "levels.1.enter",
            REMOVE,
            "spec.levels[1]: each level below levels[0] needs enter. Say when it is entered, like enter:"
            " {any: [{signal: errors, above: 2%}]}",
        ),
        ("levels.2.recover", REMOVE, f"spec.levels[2]: {WAY_BACK}"),
        (
            "levels.2.recover",
            {"trickle": {"weight": 5}},
            "spec.levels[2]: recover.trickle leaves a share of the traffic, which takes weights. Move it by a route"
            " with httpRoute in the same level, or use recover.probe or recover.trial",
        ),
        (
            "levels.2.actions.0.route.httpRoute",
            "checkout",
            "spec.levels[2].actions[0].route: httpRoute and to.service go together. An HTTPRoute's weights move traffic"
            " to a Service, a Service's selector moves it to a deployment or statefulSet",
        ),
        (
            "levels.2.actions.0.route",
            {"service": "checkout", "httpRoute": "checkout", "to": {"service": "x"}},
            "spec.levels[2].actions[0].route: route takes only one of service, httpRoute",
        ),
        (
            "levels.1.actions.0",
            {"scale": {"to": 1}, "route": {"to": {"deployment": "x"}}},
            "spec.levels[1].actions[0]: an action needs exactly one of scale, flags, route, statusPage, restart",
        ),
        # what presets and actions read from the target
        ("target.service", REMOVE, "spec: http presets read the target Service's metrics. Set target.service"),
        (
            "target.deployment",
            REMOVE,
            "spec: scale without a workload means the target's. Set target.deployment or name one in the action",
        ),
    ],
)
def test_a_policy_is_refused_with_the_field_and_the_cure(path: str, value: Any, problem: str) -> None:
    assert problems(changed(path, value)) == [problem]
