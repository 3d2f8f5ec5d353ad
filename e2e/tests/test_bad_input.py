"""What bad input gets: a sentence that names the field and the cure, from the API server and from `lint`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plane.examples import EXAMPLES
from plane.operator import Operator, stepdown
from plane.shop import Shop
from plane.tools import Tool

SMALLEST = (EXAMPLES / "smallest.yaml").read_text(encoding="utf-8")

REFUSED = {
    "unknown field": (
        ("above: 2%", "abvoe: 2%"),
        'strict decoding error: unknown field "spec.levels[1].enter.any[0].abvoe"',
        "12: spec.levels[1].enter.any[0].abvoe: there is no field abvoe here. Did you mean above?",
    ),
    "wrong unit of a timer": (
        ("above: 2%, for: 1m", "above: 2%, for: 5 minutes"),
        'spec.levels[1].enter.any[0].for: Invalid value: "5 minutes": not a duration:'
        " write hours, minutes, seconds like 30s, 5m or 1h30m",
        "12: spec.levels[1].enter.any[0].for: '5 minutes' is not a duration."
        " Write hours, minutes, seconds like 30s, 5m or 1h30m",
    ),
    "wrong unit of a threshold": (
        ("above: 2%", "above: 250 mms"),
        'spec.levels[1].enter.any[0].above: Invalid value: "250 mms": not a quantity:'
        " write a number with %, us, ms, s, /s, k, M, Ki, Mi or Gi, like 2% or 250ms",
        "12: spec.levels[1].enter.any[0].above: '250 mms' is not a quantity."
        " Write a number with %, us, ms, s, /s, k, M, Ki, Mi or Gi, like 2% or 250ms",
    ),
    "threshold order reversed": (
        ("above: 2%", "above: 2%, clear: 5%"),
        "spec.levels[1].enter.any[0].clear: Invalid value: clear must not be higher than above:"
        " a breach ends on the way down, like above: 80%, clear: 60%",
        "12: spec.levels[1].enter.any[0].clear: clear must not be higher than above."
        " A breach ends on the way down, like above: 80%, clear: 60%",
    ),
    "levels in reversed order": (
        ("above: 2%", "above: 30%"),
        "spec: Invalid value: a level's threshold is breached no later than that of a level above it, which is then"
        " never entered: put them in order, like above: 2% first and above: 25% deeper",
        "15: spec.levels[2].enter.any[0].above: a level's threshold is breached no later than that of a level above it,"
        " which is then never entered. Put them in order, like above: 2% first and above: 25% deeper",
    ),
    "a threshold of another unit": (
        ("above: 2%", "above: 20ms"),
        "spec: Invalid value: a threshold's unit does not fit its signal's unit: ratios take %",
        "12: spec.levels[1].enter.any[0].above: a threshold's unit does not fit its signal's unit. Ratios take %,"
        " seconds take us, ms, s, bytes take k, M, Ki, Mi, Gi, perSecond takes /s",
    ),
    "duplicate level": (
        ("name: status-page", "name: scaled-out"),
        'spec.levels[2]: Duplicate value: {"name":"scaled-out"}',
        "14: spec.levels[2].name: names must be unique within signals, objectives and levels. Rename one",
    ),
    "duplicate signal": (
        ("  signals:\n", "  signals:\n    - {name: errors, query: up}\n"),
        'spec.signals[1]: Duplicate value: {"name":"errors"}',
        "9: spec.signals[1].name: names must be unique within signals, objectives and levels. Rename one",
    ),
    "level 0 with actions": (
        ("    - name: full\n", "    - name: full\n      actions: [{scale: {to: 1}}]\n"),
        "spec: Invalid value: levels[0] is full service: it takes no enter, actions or recover;"
        " put them on a deeper level",
        "10: spec.levels[0]: levels[0] is full service. It takes no enter, actions or recover;"
        " put them on a deeper level",
    ),
    "traffic moved with no way back": (
        ("      recover: {trial: {after: 5m}}\n", ""),
        "spec.levels[2]: Invalid value: a level that moves traffic away from what its signals watch needs a way back"
        " that does not depend on them: add recover.probe, recover.trial, or with an httpRoute recover.trickle",
        "14: spec.levels[2]: a level that moves traffic away from what its signals watch needs a way back"
        " that does not depend on them. Add recover.probe, recover.trial, or with an httpRoute recover.trickle",
    ),
}


@pytest.fixture(scope="module")
def refusing(open_namespace: Any) -> Iterator[str]:
    """One namespace for everything that is refused."""
    with open_namespace("refused") as name:
        yield name


@pytest.fixture(params=REFUSED)
def bad(request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """A policy's text, what the API server says, and what lint says from the line on."""
    (old, new), server, lint = REFUSED[request.param]
    assert old in SMALLEST
    return SMALLEST.replace(old, new, 1), server, lint


def test_the_api_server_refuses_it_with_field_and_cure(bad: Any, refusing: str, kubectl: Tool) -> None:
    text, sentence, _ = bad

    assert sentence in kubectl.refused("apply", "--namespace", refusing, "--filename", "-", stdin=text)


def test_lint_refuses_it_with_file_line_and_cure(bad: Any, tmp_path: Path) -> None:
    text, _, sentence = bad
    file = tmp_path / "policy.yaml"
    file.write_text(text, encoding="utf-8")

    assert stepdown("lint", str(file)) == (1, f"{file}:{sentence}\n", "")


# PromQL that doesn't parse


@pytest.fixture(scope="module")
def unparsable(lead: Callable[[], Operator], open_shop: Any) -> Iterator[Shop]:
    """A policy with a good and a bad query, and a good policy beside it; errors are 10 %."""
    lead()
    with open_shop("promql") as shop:
        shop.apply_workloads()
        shop.requests("shop", ok=90, failed=10)
        shop.load(0.95)
        bad = shop.quick("smallest.yaml")
        bad["spec"]["signals"].append({"name": "load", "query": "avg(app_worker_utilization"})
        good = shop.quick("four-levels.yaml")
        good["spec"]["signals"] = good["spec"]["signals"][:1]
        good["spec"]["levels"] = good["spec"]["levels"][:2]
        shop.apply(bad, good)
        yield shop


def test_promql_that_does_not_parse_is_told_in_ready_with_its_position(unparsable: Shop) -> None:
    ready = unparsable.wait_condition("shop", "Ready", "False", "InvalidQuery")

    assert "signal load: 1:4: " in ready["message"]
    assert "correct its query" in ready["message"]


def test_other_signals_of_a_policy_with_a_bad_query_go_on(unparsable: Shop) -> None:
    unparsable.wait_level("shop", "scaled-out")

    assert unparsable.replicas("shop") == 4


def test_other_policies_go_on_beside_a_bad_query(unparsable: Shop) -> None:
    unparsable.wait_level("checkout", "core-only")


def test_lint_finds_promql_that_does_not_parse_with_its_position(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    bad = SMALLEST.replace("  signals:\n", "  signals:\n    - name: load\n      query: avg(app_worker_utilization\n")
    file.write_text(bad, encoding="utf-8")

    code, out, _ = stepdown("lint", str(file))

    assert code == 1
    assert out.startswith(f"{file}:9: spec.signals[0].query: 1:4: ")
