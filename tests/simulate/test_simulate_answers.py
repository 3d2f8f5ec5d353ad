"""What simulate says of bad files, of a Prometheus that fails, and of what it can not replay."""

import json

from typer.testing import CliRunner

from simulate.remembering import during, policy, prometheus, steady, url
from simulate.test_simulate import LOADED, ROOT, document, only
from stepdown.cli import app


def test_observe_suspend_and_override_are_left_out_and_said(written) -> None:
    override = {"level": "core-only", "reason": "migration", "until": "2030-01-01T00:00:00Z"}

    found = only(document(LOADED, written(policy(mode="Observe", suspend=True, override=override))))

    assert found["assumed"][:3] == [
        "mode: Observe is simulated as Enforce, to show what it would change",
        "suspend: true is left out",
        "override to core-only is left out",
    ]
    assert [t["to"] for t in found["transitions"]] == ["core-only", "full"]
    assert len(found["changes"]) == 1


def test_error_budgets_over_long_windows_are_asked_every_five_minutes(written) -> None:
    availability = {"name": "availability", "target": "99%", "window": "30d"}
    availability |= {"errors": "sum(rate(bad_total[$window]))", "total": "sum(rate(all_total[$window]))"}
    file = written(policy(objectives=[availability]))

    with prometheus({"bad": steady(0.0025), "load": steady(0.5)}) as server:
        result = CliRunner().invoke(
            app, ["simulate", file, "--json", "--prometheus", url(server), "--last", "1h"], catch_exceptions=False
        )
        steps = {
            request.params["step"]
            for request in server.requests
            if "bad" in request.params["query"] and request.path.endswith("range")
        }
    assert only(json.loads(result.stdout))["objectives"] == [{"name": "availability", "budgetLeft": "75%"}]
    assert steps == {"300.000"}


def test_the_examples_walk_over_the_objects_beside_them() -> None:
    broken = {"http_requests_total": during(3600, 3000, 0.4, 0.0), "load": steady(0.1)}
    files = [str(ROOT / "examples/smallest.yaml"), str(ROOT / "examples/workloads.yaml")]

    found = only(document(broken, *files, last="2h"))

    assert found["assumed"] == []
    assert [(t["time"], t["to"], t["reason"]) for t in found["transitions"]] == [
        ("2027-01-15T07:01:00Z", "status-page", "Breached"),
        ("2027-01-15T07:10:00Z", "scaled-out", "TrialStarted"),
        ("2027-01-15T07:15:15Z", "full", "Recovered"),
    ]
    assert found["changes"] == [
        {
            "level": "scaled-out",
            "kind": "Deployment",
            "name": "shop",
            "path": "/spec/replicas",
            "before": 2,
            "after": 4,
        },
        {
            "level": "status-page",
            "kind": "Service",
            "name": "shop",
            "path": "/spec/selector",
            "before": {"app": "shop"},
            "after": {"app": "shop-static"},
        },
    ]


def test_a_bad_file_is_exit_1_with_the_sentences_of_lint(written) -> None:
    broken = policy()
    del broken["spec"]["levels"][1]["enter"]["any"][0]["above"]
    file = written(broken)

    result = CliRunner().invoke(app, ["simulate", file, "--prometheus", "http://127.0.0.1:1", "--last", "1h"])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"{file}:1: spec.levels[1].enter.any[0]: a condition on a signal needs exactly one of above, below\n"
    )


def test_a_prometheus_that_is_not_there_is_exit_2_with_one_line(written) -> None:
    result = CliRunner().invoke(app, ["simulate", written(policy()), "--prometheus", "http://127.0.0.1:1"])

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "stepdown: http://127.0.0.1:1 can't be used: no connection: Connection refused."
        " Check --prometheus, or try again\n"
    )


def test_a_url_that_is_none_is_exit_2_with_one_line(written) -> None:
    result = CliRunner().invoke(app, ["simulate", written(policy()), "--prometheus", "localhost:9090"])

    assert result.exit_code == 2
    assert result.stderr == (
        "stepdown: 'localhost:9090' is not a base URL; write one like http://127.0.0.1:9090,"
        " without credentials, query or fragment\n"
    )


def test_a_query_that_fails_now_is_not_taken_for_data_that_were_missing_then(written) -> None:
    from adapters.hostile import Server, error
    from simulate.remembering import answering

    answer = answering({"load": steady(0.5)})
    server = Server(lambda r: error("execution", "multiple matches", 422) if r.path.endswith("range") else answer(r))
    result = CliRunner().invoke(app, ["simulate", written(policy()), "--prometheus", url(server), "--last", "1h"])
    server.close()

    assert result.exit_code == 2
    assert "can't be used: 422: multiple matches. Check --prometheus" in result.stderr


def test_a_time_that_is_none_is_a_usage_error(written) -> None:
    result = CliRunner().invoke(app, ["simulate", written(policy()), "--prometheus", "http://x", "--last", "6 hours"])

    assert result.exit_code == 2
    assert "'6 hours' is not a window" in result.stderr
