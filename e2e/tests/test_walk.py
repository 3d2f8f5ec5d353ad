"""Both example policies walk their whole ladder down and up, on a real Prometheus and real objects.

Each walk is done once and recorded; the tests look at the record. Timers are in seconds instead of minutes
(plane.examples), everything else is as the examples say.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plane.flag_reader import read_flags
from plane.operator import Operator
from plane.pod_server import PodServer
from plane.walk import Walk, finish, look

FLAGS = ("recommendations", "reviews", "read-only")


@pytest.fixture(scope="module")
def smallest(lead: Callable[[], Operator], open_shop: Any) -> Iterator[Walk]:
    """examples/smallest.yaml: 10 % errors, then 60 %, then none."""
    lead()
    with open_shop("walk-smallest") as shop:
        shop.apply_workloads()
        shop.all_is_well("shop")
        walk = Walk("shop", before=shop.snapshot())
        shop.start(shop.quick("smallest.yaml"))
        shop.wait_condition("shop", "MetricsAvailable", "True")
        shop.requests("shop", ok=90, failed=10)
        shop.wait_level("shop", "scaled-out")
        walk.down["scaled-out"] = look(shop, "shop", "condition=Ready", "condition=Degraded")
        shop.requests("shop", ok=40, failed=60)
        shop.wait_level("shop", "status-page")
        walk.down["status-page"] = look(shop, "shop", "condition=Ready", "jsonpath={.status.level}=status-page")
        shop.all_is_well("shop")
        shop.wait_level("shop", "scaled-out")
        walk.up["scaled-out"] = look(shop, "shop", "condition=Ready")
        shop.wait_level("shop", "full")
        walk.up["full"] = look(
            shop, "shop", "condition=Ready", "condition=Degraded=false", "jsonpath={.status.level}=full"
        )
        finish(shop, walk)
        yield walk


@pytest.fixture(scope="module")
def four_levels(lead: Callable[[], Operator], open_shop: Any) -> Iterator[Walk]:
    """examples/four-levels.yaml: load, then a slow database, then errors; the pods answer probes in the end."""
    lead()
    with open_shop("walk-four-levels") as shop, contextlib.closing(_Closing()) as pods:
        shop.apply_workloads(annotations={"plane.test/pod-ip": "host"})
        shop.all_is_well("checkout")
        walk = Walk("checkout", before=shop.snapshot())
        policy = shop.quick("four-levels.yaml")
        policy["spec"]["levels"][3]["recover"]["probe"]["http"]["port"] = pods.port
        shop.start(policy)
        shop.wait_condition("checkout", "MetricsAvailable", "True")
        shop.load(0.95)
        shop.wait_level("checkout", "core-only")
        walk.down["core-only"] = look(shop, "checkout", "condition=Ready")
        shop.db_latency(0.4)
        shop.wait_level("checkout", "read-only")
        walk.down["read-only"] = look(shop, "checkout", "condition=Ready")
        shop.requests("checkout", ok=40, failed=60)
        shop.wait_level("checkout", "static")
        walk.down["static"] = look(shop, "checkout", "condition=Ready")
        shop.all_is_well("checkout")
        shop.wait("the probe's failure is told", lambda: "probe" in shop.status("checkout")["summary"]["why"])
        walk.waiting = look(shop, "checkout")
        pods.status = 200
        shop.wait_level("checkout", "read-only")
        walk.up["read-only"] = look(shop, "checkout", "condition=Ready")
        shop.wait_level("checkout", "core-only")
        walk.up["core-only"] = look(shop, "checkout", "condition=Ready")
        shop.wait_level("checkout", "full")
        walk.up["full"] = look(shop, "checkout", "condition=Ready", "condition=Degraded=false")
        finish(shop, walk)
        walk.asked = list(pods.paths)
        yield walk


class _Closing(PodServer):
    """Pods that answer 503 until they are told otherwise."""

    def __init__(self) -> None:
        super().__init__(503)

    def close(self) -> None:
        self.stop()


# The smallest policy


def test_the_smallest_policy_goes_down_level_by_level_and_up_by_a_trial(smallest: Walk) -> None:
    assert smallest.steps == [
        ("full", "scaled-out", "Breached"),
        ("scaled-out", "status-page", "Breached"),
        ("status-page", "scaled-out", "TrialStarted"),
        ("scaled-out", "full", "Recovered"),
    ]


def test_scaled_out_doubles_the_replicas(smallest: Walk) -> None:
    assert smallest.down["scaled-out"].replicas("shop") == 4


def test_the_status_page_takes_the_traffic_and_the_replicas_stay_doubled(smallest: Walk) -> None:
    assert smallest.down["status-page"].selector("shop") == {"app": "shop-static"}
    assert smallest.down["status-page"].replicas("shop") == 4


def test_the_trial_gives_the_traffic_back_first_and_the_replicas_later(smallest: Walk) -> None:
    assert smallest.up["scaled-out"].selector("shop") == {"app": "shop"}
    assert smallest.up["scaled-out"].replicas("shop") == 4


def test_nothing_else_of_the_user_is_changed_on_the_way(smallest: Walk) -> None:
    changed = {
        name for stop in smallest.down.values() for name, obj in stop.objects.items() if obj != smallest.before[name]
    }

    assert changed == {"Deployment/shop", "Service/shop"}


# The four levels


def test_four_levels_go_down_and_come_back_by_probe_trial_and_recovery(four_levels: Walk) -> None:
    assert four_levels.steps == [
        ("full", "core-only", "Breached"),
        ("core-only", "read-only", "Breached"),
        ("read-only", "static", "Breached"),
        ("static", "read-only", "ProbeSucceeded"),
        ("read-only", "core-only", "TrialStarted"),
        ("core-only", "full", "Recovered"),
    ]


def test_core_only_raises_the_core_and_stops_what_is_not_core(four_levels: Walk) -> None:
    stop = four_levels.down["core-only"]

    assert (stop.replicas("checkout"), stop.replicas("recommendations")) == (12, 0)
    assert stop.selector("checkout") == {"app": "checkout"}


def test_each_deeper_level_keeps_what_the_ones_above_it_did(four_levels: Walk) -> None:
    for name, takes in (("read-only", "checkout-readonly"), ("static", "checkout-static")):
        stop = four_levels.down[name]
        assert (stop.replicas("checkout"), stop.replicas("recommendations")) == (12, 0)
        assert stop.selector("checkout") == {"app": takes}


def test_the_way_up_takes_back_one_level_at_a_time(four_levels: Walk) -> None:
    assert four_levels.up["read-only"].selector("checkout") == {"app": "checkout-readonly"}
    assert four_levels.up["core-only"].selector("checkout") == {"app": "checkout"}
    assert four_levels.up["core-only"].replicas("checkout") == 12


def test_static_is_kept_while_the_pods_fail_their_probe_though_every_signal_is_healthy(four_levels: Walk) -> None:
    assert four_levels.waiting is not None
    assert four_levels.waiting.status["level"] == "static"
    assert four_levels.waiting.status["summary"]["why"] == "probe fails"


def test_the_probe_asks_the_path_of_the_policy_on_the_pods_own_address(four_levels: Walk) -> None:
    assert set(four_levels.asked) == {"/healthz"}


def test_an_application_reads_the_flags_as_each_level_says(four_levels: Walk, tmp_path: Path) -> None:
    """As an insider, for whom the targeting rule of `reviews` says on."""
    read = {
        "before": four_levels.before["ConfigMap/checkout-flags"]["data"]["flags.json"],
        **{name: stop.flags for name, stop in four_levels.down.items()},
        "after": four_levels.end.flags,
    }
    values = {when: read_flags(text, tmp_path, *FLAGS, email="ann@example.com") for when, text in read.items()}

    assert values == {
        "before": {"recommendations": True, "reviews": True, "read-only": False},
        "core-only": {"recommendations": False, "reviews": False, "read-only": False},
        "read-only": {"recommendations": False, "reviews": False, "read-only": True},
        "static": {"recommendations": False, "reviews": False, "read-only": True},
        "after": {"recommendations": True, "reviews": True, "read-only": False},
    }


def test_a_targeting_rule_is_back_after_recovery(four_levels: Walk, tmp_path: Path) -> None:
    assert read_flags(four_levels.end.flags, tmp_path, "reviews", email="bob@elsewhere.org") == {"reviews": False}


# Both


@pytest.fixture(params=["smallest", "four_levels"])
def walk(request: pytest.FixtureRequest) -> Walk:
    """One walk after the other."""
    return request.getfixturevalue(request.param)


def test_everything_of_the_user_is_byte_for_byte_what_it_was(walk: Walk) -> None:
    assert walk.end.objects == walk.before


def test_no_mark_of_ours_is_left(walk: Walk) -> None:
    assert "finalizers" not in walk.policy["metadata"]
    assert walk.policy["status"].get("ledger", []) == []
    assert "stepdown.dev" not in str([obj["metadata"] for obj in walk.end.objects.values()])


def test_ready_stays_true_while_degraded(walk: Walk) -> None:
    stops = [*walk.down.values(), *walk.up.values()]

    assert {stop.conditions["Ready"]["status"] for stop in stops} == {"True"}
    assert {stop.conditions["Degraded"]["status"] for stop in walk.down.values()} == {"True"}
    assert walk.end.conditions["Degraded"]["status"] == "False"


def test_kubectl_wait_understands_the_conditions_and_the_level(walk: Walk) -> None:
    said = f"degradationpolicy.stepdown.dev/{walk.name} condition met"

    assert {line.strip() for stop in [*walk.down.values(), *walk.up.values()] for line in stop.waited} == {said}


def test_why_is_value_against_threshold_on_the_way_down(walk: Walk) -> None:
    thresholds = {
        "scaled-out": r"errors [0-9.]+%>2%",
        "status-page": r"errors [0-9.]+%>25%",
        "core-only": r"load [0-9.]+%>80%",
        "read-only": r"db-latency [0-9.]+ms>250ms",
        "static": r"errors [0-9.]+%>25%",
    }

    for name, stop in walk.down.items():
        assert re.fullmatch(thresholds[name], stop.status["summary"]["why"]), name


def test_the_line_of_kubectl_get_says_it_in_100_columns(walk: Walk) -> None:
    for name, stop in walk.down.items():
        assert stop.line.split()[:3] == [walk.name, name, "Degraded"]
        assert len(stop.line) <= 100


def test_each_step_of_the_history_has_its_reason_in_words(walk: Walk) -> None:
    for step in walk.policy["status"]["history"]:
        assert step["to"] in step["message"]


def test_each_step_is_an_event_on_the_policy(walk: Walk) -> None:
    levels = len(walk.down)

    assert [e["reason"] for e in walk.events].count("LevelEntered") == levels
    assert [e["reason"] for e in walk.events].count("LevelLeft") == levels
    assert {e["type"] for e in walk.events if e["reason"] == "LevelEntered"} == {"Warning"}
    assert {e["source"]["component"] for e in walk.events} == {"stepdown"}


def test_each_touched_object_has_events_of_the_change_and_of_the_restore(walk: Walk) -> None:
    for events in (walk.deployment_events, walk.service_events):
        ours = [e["reason"] for e in events if e["source"].get("component") == "stepdown"]
        assert set(ours) == {"ActionApplied", "Restored"}
