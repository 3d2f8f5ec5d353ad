"""`simulate` over a real Prometheus, and `restore` on a real API server, with and without an operator at work."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from plane import examples
from plane.control_plane import ControlPlane
from plane.ladders import BREACHED, HEALTHY, ladder, level, route, scale
from plane.operator import Operator, stepdown
from plane.prometheus import Prometheus
from plane.shop import POLICY, Shop

FLAGS = {"flags": {"disable": ["reviews"], "in": {"flagd": {"configMap": "checkout-flags"}}}}
REPLAY_SECONDS = 3.0
"""How much later or earlier than the operator a replay may step, for it looks at other moments."""
HELD = {"Deployment/shop", "ConfigMap/checkout-flags", "Service/shop"}
"""What `lean` changes: replicas, two values of a flag, a selector."""


def lean(namespace: str) -> dict[str, Any]:
    actions = (scale("shop", 4), FLAGS, route("shop", "shop-static"))
    return ladder("shop", namespace, level("lean", *actions, trial=True))


@pytest.fixture
def before(shop: Shop, operator: Operator) -> dict[str, Any]:
    """The objects as they were; now the operator has stepped the shop down to `lean`."""
    shop.apply_workloads("shop", "shop-static", "checkout-flags")
    shop.load(HEALTHY, "shop")
    shop.start(lean(shop.namespace))
    snapshot = shop.snapshot()
    shop.load(BREACHED, "shop")
    shop.wait_level("shop", "lean")
    now = shop.snapshot()
    assert {place for place, obj in now.items() if obj != snapshot[place]} == HELD
    return snapshot


def restore(plane: ControlPlane, *arguments: str) -> tuple[int, str, str]:
    return stepdown("restore", *arguments, kubeconfig=plane.kubeconfig())


def times(transitions: list[dict[str, Any]]) -> list[float]:
    return [datetime.fromisoformat(found["time"]).timestamp() for found in transitions]


def test_simulate_gives_the_transitions_that_the_operator_has_made(
    shop: Shop, operator: Operator, prometheus: Prometheus, tmp_path: Path
) -> None:
    shop.apply_workloads("shop", "shop-static", "checkout-flags")
    shop.load(HEALTHY, "shop")
    shop.source.stamp(shop.series("app_worker_utilization", service="shop"), None)  # one failed scrape is no gap
    policy = lean(shop.namespace)
    shop.start(policy)
    shop.load(BREACHED, "shop")
    shop.wait_level("shop", "lean")
    shop.load(HEALTHY, "shop")
    shop.wait_level("shop", "full")
    happened = shop.status("shop")["history"]
    shop.wait("a replay may see it all", lambda: time.time() > times(happened)[-1] + REPLAY_SECONDS)
    file = tmp_path / "shop.yaml"
    objects = [o for o in examples.load("workloads.yaml") if o["metadata"]["name"] in ("shop", "shop-static")]
    file.write_text(examples.dump(policy, *objects))

    arguments = (str(file), "--prometheus", prometheus.url, "--last", "2m", "--namespace", shop.namespace)
    code, output, errors = stepdown("simulate", *arguments, "--json")

    assert (code, errors) == (0, "")
    (found,) = json.loads(output)["policies"]
    steps = [("full", "lean", "Breached"), ("lean", "full", "TrialStarted")]
    assert [(t["from"], t["to"], t["reason"]) for t in happened] == steps
    assert [(t["from"], t["to"], t["reason"]) for t in found["transitions"]] == steps
    assert times(found["transitions"]) == pytest.approx(times(happened), abs=REPLAY_SECONDS)
    assert found["missing"] == []
    assert {f"{change['kind']}/{change['name']}" for change in found["changes"]} == HELD
    assert found["assumed"] == ["ConfigMap checkout-flags is in no file: made up with the flags that policies name"]


def test_simulate_without_a_terminal_is_plain_text_alone(shop: Shop, prometheus: Prometheus, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(examples.dump(lean(shop.namespace)))

    code, output, errors = stepdown("simulate", str(file), "--prometheus", prometheus.url, "--last", "30s")

    assert (code, errors) == (0, "")
    assert "\x1b" not in output
    assert output.startswith(f"{shop.namespace}/shop: 30s up to ")


def test_pasting_what_is_printed_puts_everything_back_and_pasting_it_again_changes_nothing(
    shop: Shop, operator: Operator, plane: ControlPlane, before: dict[str, Any], paste: Any
) -> None:
    operator.stop()

    code, lines, errors = restore(plane, "--all", "--print", "-n", shop.namespace)

    assert (code, errors) == (0, "")
    first = paste(lines)
    assert first.stderr == ""
    assert shop.snapshot() == before
    shop.wait_ready("shop")  # its controller writes, too
    versions = shop.versions()
    second = paste(lines)
    assert second.stderr.count("the server rejected our request") == len(HELD)
    assert shop.versions() == versions


def test_restoring_a_policy_suspends_it_and_leaves_no_mark(
    shop: Shop, operator: Operator, plane: ControlPlane, before: dict[str, Any]
) -> None:
    operator.stop()

    code, output, errors = restore(plane, "shop", "-n", shop.namespace, "--deadline", "60s")

    assert (code, errors) == (0, "")
    assert shop.snapshot() == before
    policy = shop.policy("shop")
    assert policy["spec"]["suspend"] is True
    assert "finalizers" not in policy["metadata"]
    assert (policy["status"]["level"], policy["status"]["ledger"]) == ("full", [])
    shown = sorted(line for line in output.splitlines() if line.endswith(" put back"))
    place = f"{shop.namespace}/shop"
    assert shown == [
        f"{place}: ConfigMap checkout-flags /data/flags.json#/flags/reviews/defaultVariant put back",
        f"{place}: ConfigMap checkout-flags /data/flags.json#/flags/reviews/targeting put back",
        f"{place}: Deployment shop /spec/replicas put back",
        f"{place}: Service shop /spec/selector put back",
    ]


def test_a_restored_policy_stays_so_under_a_new_operator_until_it_may_go_on(
    shop: Shop,
    operator: Operator,
    lead: Callable[[], Operator],
    plane: ControlPlane,
    before: dict[str, Any],
    paste: Any,
) -> None:
    operator.stop()
    _, output, _ = restore(plane, "shop", "-n", shop.namespace, "--deadline", "60s")

    lead()
    shop.wait_condition("shop", "Held", "True", "Suspended")
    assert shop.snapshot() == before
    (go_on,) = (line for line in output.splitlines() if line.startswith("  kubectl"))
    assert paste(go_on).stderr == ""
    shop.wait_level("shop", "lean")


def test_an_operator_at_work_hands_its_lease_over_and_leaves_what_is_restored_alone(
    shop: Shop, operator: Operator, plane: ControlPlane, before: dict[str, Any]
) -> None:
    lease = operator.release.lease()
    assert lease is not None

    code, _, errors = restore(plane, "shop", "-n", shop.namespace, "--deadline", "60s")
    operator.wait_leader()
    shop.wait_condition("shop", "Held", "True", "Suspended")

    assert (code, errors) == (
        0,
        f"Lease stepdown-system/stepdown is held by {lease['holderIdentity']}: asking for it\n",
    )
    assert shop.snapshot() == before
    now = operator.release.lease()
    assert now is not None
    assert (now["holderIdentity"], now["leaseTransitions"] > lease["leaseTransitions"]) == (
        lease["holderIdentity"],
        True,
    )


def test_the_lease_of_a_killed_operator_is_taken_over(
    shop: Shop, operator: Operator, plane: ControlPlane, before: dict[str, Any]
) -> None:
    operator.kill()

    code, _, errors = restore(plane, "shop", "-n", shop.namespace, "--deadline", "60s")

    assert code == 0
    assert "is held by" in errors
    assert shop.snapshot() == before
    lease = operator.release.lease()
    assert lease is not None
    assert lease["holderIdentity"] == ""


def test_with_several_leases_of_the_name_it_must_be_told_which(
    shop: Shop, operator: Operator, plane: ControlPlane, before: dict[str, Any]
) -> None:
    operator.stop()
    shop.apply({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "stepdown"}, "spec": {}})

    try:
        unsure = restore(plane, "shop", "-n", shop.namespace)
        sure = restore(plane, "shop", "-n", shop.namespace, "--lease-namespace", "stepdown-system", "--deadline", "60s")
    finally:
        shop.api.delete("Lease", "stepdown", shop.namespace)  # its namespace may outlive this test

    places = ", ".join(sorted([shop.namespace, "stepdown-system"]))
    assert unsure == (
        1,
        "",
        f"stepdown: Leases stepdown are in {places}: name the operator's namespace with --lease-namespace\n",
    )
    assert (sure[0], sure[2]) == (0, "")
    assert shop.snapshot() == before


def test_a_foreign_value_is_left_as_it_is(
    shop: Shop, operator: Operator, plane: ControlPlane, before: dict[str, Any]
) -> None:
    operator.stop()
    shop.scale("shop", 7)

    code, output, _ = restore(plane, "shop", "-n", shop.namespace, "--deadline", "60s")

    assert code == 0
    assert shop.replicas("shop") == 7
    assert f"{shop.namespace}/shop: Deployment shop /spec/replicas left as it is: " in output
    assert {place for place, obj in shop.snapshot().items() if obj != before[place]} == {"Deployment/shop"}


def test_where_the_policy_is_gone_the_annotations_still_say_how_to_restore(
    shop: Shop, operator: Operator, plane: ControlPlane, before: dict[str, Any], paste: Any
) -> None:
    operator.stop()
    shop.api.merge(POLICY, "shop", shop.namespace, {"metadata": {"finalizers": None}})
    shop.delete_policy("shop")

    code, lines, errors = restore(plane, "--all", "--print", "-n", shop.namespace)

    assert (code, errors) == (0, "")
    assert paste(lines).stderr == ""
    assert {place for place, obj in shop.snapshot().items() if obj != before[place]} == {"Deployment/shop"}


def test_a_name_that_is_not_there_is_answered_with_those_that_are(
    shop: Shop, plane: ControlPlane, operator: Operator, before: dict[str, Any]
) -> None:
    wrong = restore(plane, "shopp", "-n", shop.namespace)

    assert wrong == (1, "", f"stepdown: namespace {shop.namespace} has no policy shopp: it has shop\n")


def test_no_rights_and_no_cluster_are_one_line_each(plane: ControlPlane, release: Any, tmp_path: Path) -> None:
    nobody = plane.kubeconfig("nobody-token", "nobody")
    gone = tmp_path / "gone.kubeconfig"
    gone.write_text(plane.kubeconfig().read_text().replace(plane.url, "https://127.0.0.1:1"))

    code, output, errors = stepdown("restore", "--all", kubeconfig=nobody)
    assert (code, output) == (1, "")
    assert errors == (
        'stepdown: degradationpolicies.stepdown.dev is forbidden: User "nobody" cannot list resource'
        ' "degradationpolicies" in API group "stepdown.dev" at the cluster scope; name a namespace of yours with -n,'
        " or use an administrator's kubeconfig\n"
    )
    code, output, errors = stepdown("restore", "--print", kubeconfig=gone)
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith("stepdown: ")
    assert "127.0.0.1" in errors
