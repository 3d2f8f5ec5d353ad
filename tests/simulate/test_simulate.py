"""`stepdown simulate`, from the command line to its document."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from simulate.remembering import Series, during, policy, prometheus, url
from stepdown.cli import app

ROOT = Path(__file__).parents[2]
FULL_DAY = "2027-01-15T"


def run(series: dict[str, Series], *arguments: str, last: str = "10m") -> Result:
    with prometheus(series) as server:
        return CliRunner().invoke(app, ["simulate", *arguments, "--prometheus", url(server), "--last", last])


def document(series: dict[str, Series], *arguments: str, last: str = "10m") -> dict[str, Any]:
    result = run(series, "--json", *arguments, last=last)
    assert (result.exit_code, result.stderr) == (0, "")
    return dict(json.loads(result.stdout))


def only(found: dict[str, Any]) -> dict[str, Any]:
    (policy,) = found["policies"]
    return dict(policy)


LOADED = {"load": during(500, 300, 0.9, 0.5)}
"""Load is high from 07:51:40 to 07:55:00 (excluded)."""


def test_transitions_come_at_the_second_that_the_series_calls_for(written) -> None:
    found = only(document(LOADED, written(policy())))

    assert found["transitions"] == [
        {
            "time": "2027-01-15T07:52:10Z",
            "from": "full",
            "to": "core-only",
            "reason": "Breached",
            "why": "load 90%>80%: down to core-only",
        },
        {
            "time": "2027-01-15T07:56:00Z",
            "from": "core-only",
            "to": "full",
            "reason": "Recovered",
            "why": "every signal healthy for 1m: up to full",
        },
    ]


def test_the_whole_document_is_as_documented(written) -> None:
    found = document(LOADED, written(policy()))

    policies = found.pop("policies")
    assert found == {"version": 1, "prometheus": found["prometheus"]}
    assert found["prometheus"].startswith("http://127.0.0.1:")
    del policies[0]["transitions"]
    assert policies == [
        {
            "namespace": "default",
            "name": "shop",
            "stepSeconds": 10.0,
            "askedFrom": "2027-01-15T07:50:10Z",
            "dataFrom": "2027-01-15T07:50:10Z",
            "to": "2027-01-15T08:00:00Z",
            "ticks": 60,
            "flaps": {"count": 0, "withinSeconds": 600.0},
            "levels": [
                {"name": "full", "seconds": 370.0, "share": 0.6167, "entered": 1},
                {"name": "core-only", "seconds": 230.0, "share": 0.3833, "entered": 1},
            ],
            "missing": [],
            "changes": [
                {
                    "level": "core-only",
                    "kind": "Deployment",
                    "name": "shop",
                    "path": "/spec/replicas",
                    "before": 2,
                    "after": 6,
                }
            ],
            "problems": [],
            "objectives": [],
            "assumed": ["Deployment shop is in no file: made up with 2 replicas"],
        }
    ]


def test_people_get_a_page_without_colours_when_it_is_piped(written) -> None:
    result = run(LOADED, written(policy()))

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "default/shop: 10m up to 2027-01-15T08:00:00Z, every 10s\n"
        "\n"
        "  2 transitions, 0 flaps (a flap: down into a level again within 10m of leaving it)\n"
        "    2027-01-15T07:52:10Z  full → core-only  Breached   load 90%>80%: down to core-only\n"
        "    2027-01-15T07:56:00Z  core-only → full  Recovered  every signal healthy for 1m: up to full\n"
        "\n"
        "  level\n"
        "    full       6m10s  61.7%  entered 1 time\n"
        "    core-only  3m50s  38.3%  entered 1 time\n"
        "\n"
        "  missing data\n"
        "    none\n"
        "\n"
        "  would have changed\n"
        "    core-only  Deployment shop  /spec/replicas  2 → 6\n"
        "\n"
        "  assumed\n"
        "    Deployment shop is in no file: made up with 2 replicas\n"
    )


def test_missing_data_hold_the_level_and_are_counted_by_signal_and_kind(written) -> None:
    def gone(ago: float) -> float | None:
        return None if 400 >= ago > 100 else 0.9 if ago > 400 else 0.5

    found = only(document({"load": gone}, written(policy())))

    assert found["missing"] == [{"signal": "load", "kind": "Empty", "seconds": 300.0, "share": 0.5}]
    assert [(t["time"], t["to"]) for t in found["transitions"]] == [
        ("2027-01-15T07:50:40Z", "core-only"),
        ("2027-01-15T07:59:20Z", "full"),
    ]


def test_coming_down_again_soon_is_a_flap_and_later_is_none(written) -> None:
    """Down 1970, 1670 and 570 s before the end, up a minute after each load is over: 140 s and 970 s apart."""

    def thrice(ago: float) -> float:
        return 0.9 if 2000 >= ago > 1900 or 1700 >= ago > 1600 or 600 >= ago > 500 else 0.5

    found = only(document({"load": thrice}, written(policy()), last="40m"))

    assert [t["to"] for t in found["transitions"]] == ["core-only", "full"] * 3
    assert found["flaps"] == {"count": 1, "withinSeconds": 600.0}


def test_it_begins_where_data_begin_and_says_so(written) -> None:
    young = {"load": lambda ago: None if ago > 300 else 0.5}

    found = only(document(young, written(policy())))
    assert (found["askedFrom"], found["dataFrom"]) == ("2027-01-15T07:50:10Z", "2027-01-15T07:55:00Z")
    assert (found["ticks"], found["missing"]) == (31, [])
    page = run(young, written(policy())).stdout
    assert "\n  data exist since 2027-01-15T07:55:00Z only: simulated from there\n" in page


def test_without_any_data_nothing_is_simulated_and_it_says_so(written) -> None:
    none: dict[str, Series] = {"load": lambda _: None}

    found = only(document(none, written(policy())))
    assert (found["dataFrom"], found["ticks"], found["transitions"]) == (None, 0, [])
    assert "no signal had data in all this time: nothing was simulated" in run(none, written(policy())).stdout


def test_a_step_of_its_own_is_taken(written) -> None:
    found = only(document(LOADED, written(policy()), "--step", "5s"))

    assert (found["stepSeconds"], found["ticks"]) == (5.0, 120)
    assert [t["time"] for t in found["transitions"]] == ["2027-01-15T07:52:10Z", "2027-01-15T07:56:00Z"]


def test_a_step_that_the_policy_would_take_for_a_gap_is_refused(written) -> None:
    result = run(LOADED, written(policy()), "--step", "30s")

    assert result.exit_code == 2
    assert result.stderr == (
        "stepdown: policy shop looks every 10s, so a step of 30s is a gap to it; give --step 25s at most\n"
    )


def test_several_policies_are_simulated_in_one_cluster_and_one_can_be_chosen(written) -> None:
    file = written(policy("first"), policy("second"))

    first, second = document(LOADED, file)["policies"]
    assert first["problems"] == []
    assert [(p["reason"], p["message"]) for p in second["problems"]] == [
        ("Conflict", "/spec/replicas of Deployment shop is held by policy default/first; let one policy own it")
    ]
    assert only(document(LOADED, file, "--policy", "second"))["problems"] == []


def test_weights_are_simulated_with_the_share_that_a_trickle_leaves(written) -> None:
    levels = policy()["spec"]["levels"]
    levels[1]["actions"] = [{"route": {"httpRoute": "web", "to": {"service": "static"}}}]
    levels[1]["recover"] = {"trickle": {"weight": 5, "for": "2m"}}

    found = only(document(LOADED, written(policy(levels=levels))))

    assert [change | {"kind": "HTTPRoute", "name": "web", "level": "core-only"} for change in found["changes"]] == [
        {
            "level": "core-only",
            "kind": "HTTPRoute",
            "name": "web",
            "path": f"/spec/rules#/all/{service}/weight",
            "before": before,
            "after": after,
        }
        for service, before, after in (("shop", 1, 5), ("static", 0, 95))
    ]
    assert [(move["time"], move["to"]) for move in found["transitions"]] == [
        ("2027-01-15T07:52:10Z", "core-only"),
        ("2027-01-15T07:57:00Z", "full"),
    ]
    assert found["transitions"][1]["why"] == "every signal healthy for 2m under 5% of the traffic: up to full"
