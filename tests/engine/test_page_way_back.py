"""The way back that a status page brings along: the target's pods are ready, then a trial."""

from typing import Any

import pytest

from engine.play import Play, condition, ladder_of, level
from stepdown.api.policy import PolicySpec
from stepdown.engine.ladder import build_ladder
from stepdown.engine.observation import Missing
from stepdown.engine.questions import PodsQuestion, probe_question

PAGE = {"statusPage": {"message": "Back soon."}}
PAGED = level("static", condition("errors", above="25%"), actions=[PAGE])


def blind(ready: float | Missing, *levels: dict[str, Any]) -> Play:
    """At the page, with nothing to be seen of the service but whether its pods are ready."""
    play = Play(ladder_of(*(levels or (PAGED,))), **{"probe:static": ready})
    play.see(errors=0.4)
    assert play.level == "static"
    play.values["errors"] = Missing.EMPTY
    return play


def asked(*levels: dict[str, Any], **target: str) -> list[PodsQuestion]:
    """What the last level's way back asks."""
    spec = PolicySpec.model_validate(
        {
            "target": {"service": "shop", **target},
            "signals": [{"name": "load", "query": "load"}, {"name": "errors", "query": "errors"}],
            "levels": [{"name": "full"}, *levels],
        }
    )
    found = probe_question("default", spec, spec.levels[-1])
    assert [step.probe_name for step in build_ladder(spec).steps][-1] == "".join(found)
    return list(found.values())  # type: ignore[arg-type]


def test_a_page_is_left_for_a_trial_after_a_minute_when_the_pods_are_ready() -> None:
    play = blind(1.0)

    assert play.until(50) == ["static"] * 5
    assert play.see() == "full"
    assert (play.reason, play.decision.message) == ("TrialStarted", "trying full (trial 1)")


def test_a_failed_trial_comes_back_and_waits_twice_as_long() -> None:
    play = blind(1.0)
    play.until(60)
    assert play.see(errors=0.5) == "static"
    assert play.reason == "TrialFailed"
    play.values["errors"] = Missing.EMPTY

    assert set(play.until(110)) == {"static"}
    assert play.see() == "full"


@pytest.mark.parametrize(
    ("ready", "message"),
    [
        (0.0, "the target's pods aren't ready yet: 0% are, 80% are needed"),
        (0.79, "the target's pods aren't ready yet: 79% are, 80% are needed"),
        (Missing.ERROR, "the target's pods aren't ready yet"),
        (Missing.EMPTY, "the target's pods aren't ready yet"),
    ],
)
def test_a_page_stays_while_the_pods_are_not_ready_or_nobody_knows(ready: float | Missing, message: str) -> None:
    play = blind(ready)

    assert set(play.until(600)) == {"static"}
    assert (play.reason, play.decision.message, play.decision.why) == ("ProbeFailing", message, "pods not ready")


def test_one_pod_in_five_that_never_starts_holds_no_page() -> None:
    assert blind(0.8).until(60)[-1] == "full"


def test_pods_that_have_just_become_ready_are_watched_for_ten_seconds() -> None:
    play = blind(0.0)
    play.until(300)
    play.values["probe:static"] = 1.0

    assert play.see(1) == "static"
    assert play.see(9) == "static"
    assert play.see(1) == "full"


def test_a_way_back_that_is_named_is_taken_instead() -> None:
    tried = level("static", condition("errors", above="25%"), actions=[PAGE], recover={"trial": {"after": "5m"}})
    play = blind(0.0, tried)

    assert play.until(290)[-1] == "static"
    assert play.see() == "full"
    assert asked(tried, deployment="shop") == []


def test_the_targets_own_workload_is_asked() -> None:
    assert asked(PAGED, deployment="shop") == [PodsQuestion("default", "Deployment", "shop")]
    assert asked(PAGED, statefulSet="db") == [PodsQuestion("default", "StatefulSet", "db")]


def test_without_a_workload_just_the_trial_remains() -> None:
    assert asked(PAGED) == []


def test_a_workload_that_a_level_scales_to_zero_is_not_waited_for() -> None:
    emptied = level("static", condition("errors", above="25%"), actions=[PAGE, {"scale": {"to": 0}}])
    other = level("low", condition(), actions=[{"scale": {"deployment": "extras", "to": 0}}])

    assert asked(emptied, deployment="shop") == []
    assert asked(other, PAGED, deployment="shop") == [PodsQuestion("default", "Deployment", "shop")]
