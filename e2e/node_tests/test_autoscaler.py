"""A real autoscaler on CPU beside a policy that raises its floor: each does its own part, and neither undoes the other.

The pods' CPU is real, and metrics-server reads it from the kubelet. The API server's audit log says who wrote what.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node import web
from node.autoscaler import CONTROLLER, on_cpu, scalings
from node.cluster import Cluster
from node.metrics_server import MetricsServer
from node.operator_pods import OperatorPods
from node_tests.conftest import SHOP
from plane.api import Api
from plane.audit import read_log
from plane.ladders import BREACHED, HEALTHY, ladder, level
from plane.processes import wait_for
from plane.shop import Shop

OPERATOR = "system:serviceaccount:stepdown-system:stepdown"
AUTOSCALER = "HorizontalPodAutoscaler"


@pytest.fixture(scope="module")
def metrics(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What pods use, as the API server gives it."""
    server = MetricsServer(cluster.plane, tmp_path_factory.mktemp("metrics-server"), resolution="10s")
    try:
        server.start()
        yield
    finally:
        server.stop()


def test_an_autoscaler_and_a_policy_that_raises_its_floor_never_undo_each_others_work(
    metrics: None, shop: Shop, api: Api, pods: OperatorPods, cluster: Cluster, figure: Any
) -> None:
    # Down as soon as it is idle: it waits for five minutes by default.
    shop.apply(
        web.deployment("busy", BURN="20"),
        web.service("busy"),
        on_cpu("busy", 6, percent=200, behavior={"scaleDown": {"stabilizationWindowSeconds": 0}}),
    )
    shop.wait_ready("busy")
    address = str(api.get("Service", "busy", SHOP)["spec"]["clusterIP"])
    before = shop.snapshot()
    shop.load(HEALTHY, "busy")
    target = {"service": "busy", "deployment": "busy"}
    floor = {"scale": {"to": 3, "as": "Floor"}}
    shop.start(ladder("busy", SHOP, level("prepared", floor), target=target))

    shop.load(BREACHED, "busy")
    shop.wait("the floor holds", lambda: shop.replicas("busy") == 3)
    with web.Users(address, pause=0.05):
        shop.wait("the autoscaler goes on above the floor", lambda: shop.replicas("busy") == 6, 90)
    shop.wait("the autoscaler goes down to the floor", lambda: shop.replicas("busy") == 3, 90)
    shop.load(HEALTHY, "busy")
    shop.wait_level("busy", "full")
    shop.wait("the autoscaler goes below what was the floor", lambda: shop.replicas("busy") == 1, 60)

    wait_for("the log has the last of them", lambda: _steps(cluster.plane.audit_log)[-1:] == [(CONTROLLER, 1)])
    steps = _steps(cluster.plane.audit_log)
    calls = [call for call in read_log(cluster.plane.audit_log, SHOP) if 200 <= call.code < 300]
    floors = [call for call in calls if call.kind == "horizontalpodautoscalers"]
    figure("writes of an autoscaler's floor in an episode", len([c for c in floors if c.user == OPERATOR]))
    figure("writes of replicas by the autoscaler beside it", len(steps))
    assert [(call.user, call.object["spec"]["minReplicas"]) for call in floors] == [(OPERATOR, 3), (OPERATOR, 1)]
    assert {user for user, _ in steps} == {CONTROLLER}
    assert _turns([1, *(replicas for _, replicas in steps)]) == [1, 6, 1]
    assert shop.condition("busy", "Contested")["status"] == "False"
    assert _specs(shop.snapshot()) == _specs(before)


def _steps(log: Path) -> list[tuple[str, int]]:
    return [(call.user, int(call.object["spec"]["replicas"])) for call in scalings(log, SHOP, "busy")]


def _turns(replicas: list[int]) -> list[int]:
    """The first, the last, and those at which it turned round: a fight would have many."""
    inner = range(1, len(replicas) - 1)
    turns = [replicas[n] for n in inner if (replicas[n] - replicas[n - 1]) * (replicas[n + 1] - replicas[n]) < 0]
    return [replicas[0], *turns, replicas[-1]]


def _specs(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Without what the autoscaler notes for itself."""
    return {name: obj["spec"] for name, obj in snapshot.items() if "spec" in obj}
