"""Row 23 of the fault table: a Prometheus that hangs, is killed, or answers 503.

Two policies ask it, one degraded and one at full service, and behind it the load turns to the opposite. Beside them
a policy on another endpoint and one that watches pods go on. Each outage is recorded once.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from plane.api import Api, Object
from plane.ladders import BREACHED, HEALTHY, ladder, level, settings, switch
from plane.operator import Operator
from plane.prometheus import Prometheus
from plane.record import Record, wait_quiet
from plane.shop import POLICY, Shop

INTERVAL = 1.0
ASKING = ("degraded", "full")
"""The policies that ask the Prometheus that fails."""
OTHERS = ("elsewhere", "pods")
"""The policies that don't."""


class Refusing:
    """An HTTP server on a port that answers 503 to everything."""

    def __init__(self, port: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Failing:
    """A Prometheus of our own and the three ways in which it fails."""

    def __init__(self, prometheus: Prometheus) -> None:
        self.prometheus = prometheus
        self._refusing: Refusing | None = None

    def fail(self, way: str) -> None:
        assert self.prometheus.process is not None
        if way == "hangs":
            self.prometheus.pause()
            return
        self.prometheus.process.kill()
        if way == "answers-503":
            self._refusing = Refusing(self.prometheus.port)

    def heal(self, way: str) -> None:
        if way == "hangs":
            self.prometheus.resume()
            return
        if self._refusing is not None:
            self._refusing.stop()
            self._refusing = None
        self.prometheus.start()


@dataclass
class World:
    """The shop with its four policies, all settled: `degraded` at low, the others at full."""

    shop: Shop
    operator: Operator
    failing: Failing
    untouched: dict[str, Object]

    def load(self, name: str, value: float) -> None:
        self.shop.load(value, name)

    def pods_ready(self, ready: bool) -> None:
        """Whether the pods of the Deployment `shop` are ready."""
        for pod in self.shop.api.list("Pod", self.shop.namespace):
            annotations = {"plane.test/ready": "true" if ready else "false"}
            body = {"metadata": {"annotations": annotations}}
            self.shop.api.merge("Pod", pod["metadata"]["name"], self.shop.namespace, body)

    def reach(self, name: str, wanted: str) -> None:
        self.shop.wait_level(name, wanted, timeout=60)


@dataclass
class Outage:
    """What was there when the outage was told, at its end, and when all was well again."""

    told: dict[str, Object]
    told_after: dict[str, float]
    levels: dict[str, str]
    history_grew: dict[str, int]
    reacted: dict[str, list[str]]
    called: dict[str, str]
    end: dict[str, Object]
    metrics_at_end: dict[str, str]


@pytest.fixture(scope="module")
def world(lead: Callable[[], Operator], open_shop: Any, api: Api, session_folder: Path) -> Iterator[World]:
    operator = lead()
    prometheus = Prometheus(session_folder / "failing").start()
    endpoint = {
        "apiVersion": "stepdown.dev/v1alpha1",
        "kind": "MetricsEndpoint",
        "metadata": {"name": "failing"},
        "spec": {
            "url": prometheus.url,
            "namespaceSelector": {},
            "allowedCIDRs": ["127.0.0.0/8"],
            "timeout": "1s",
        },
    }
    api.create(endpoint)
    try:
        with open_shop("row-23") as shop:
            prometheus.add_target(shop.source.address)
            shop.apply_workloads("shop")
            shop.apply(*(settings(name, reviews="on") for name in (*ASKING, *OTHERS)))
            world = World(shop, operator, Failing(prometheus), shop.snapshot())
            for name in (*ASKING, "elsewhere"):
                world.load(name, BREACHED if name == "degraded" else HEALTHY)
            shop.apply(*(policy(shop.namespace, name) for name in (*ASKING, *OTHERS)))
            yield world
    finally:
        prometheus.resume()
        prometheus.stop()
        api.delete("MetricsEndpoint", "failing")


def policy(namespace: str, name: str) -> Object:
    found = ladder(name, namespace, level("low", switch(name, reviews="off")))
    if name in ASKING:
        found["spec"]["metricsEndpoint"] = "failing"
    if name == "pods":
        found["spec"]["signals"] = [{"name": "load", "pods": {"deployment": "shop"}}]
        found["spec"]["levels"][1]["enter"] = {"any": [{"signal": "load", "below": "50%"}]}
    return found


@pytest.fixture(scope="module", params=["hangs", "is-killed", "answers-503"])
def outage(request: pytest.FixtureRequest, world: World) -> Outage:
    shop = world.shop
    for name in (*ASKING, *OTHERS):
        shop.wait_condition(name, "MetricsAvailable", "True", timeout=60)
        world.reach(name, "low" if name == "degraded" else "full")
    before = {name: shop.status(name).get("history", []) for name in ASKING}
    with Record(shop.api, shop.namespace, POLICY) as record:
        failed = time.monotonic()
        world.failing.fail(request.param)
        world.load("degraded", HEALTHY)
        world.load("full", BREACHED)
        world.load("elsewhere", BREACHED)
        world.pods_ready(False)
        for name in OTHERS:
            world.reach(name, "low")
        told = {name: shop.wait_condition(name, "MetricsAvailable", "False", timeout=60) for name in ASKING}
        world.load("elsewhere", HEALTHY)
        world.pods_ready(True)
        for name in OTHERS:
            world.reach(name, "full")
        told_after = {name: _first_told(record, name) - failed for name in ASKING}
    reacted = {name: [step["to"] for step in shop.status(name)["history"][-2:]] for name in OTHERS}
    levels = {name: shop.level(name) for name in ASKING}
    grew = {name: len(shop.status(name).get("history", [])) - len(before[name]) for name in ASKING}
    world.failing.heal(request.param)
    world.reach("degraded", "full")
    world.reach("full", "low")
    called = {name: shop.level(name) for name in ASKING}
    metrics = {name: shop.wait_condition(name, "MetricsAvailable", "True", timeout=60)["status"] for name in ASKING}
    world.load("full", HEALTHY)
    world.reach("full", "full")
    wait_quiet(shop, world.operator)
    end = shop.snapshot()
    world.load("degraded", BREACHED)
    return Outage(told, told_after, levels, grew, reacted, called, end, metrics)


def _first_told(record: Record, name: str) -> float:
    for seen in record.seen(POLICY, name):
        conditions = (seen.object.get("status") or {}).get("conditions") or []
        if any(c["type"] == "MetricsAvailable" and c["status"] == "False" for c in conditions):
            return seen.at
    raise AssertionError(f"{name} never said that its metrics are missing")


@pytest.mark.row(23)
def test_row_23_both_ways_are_held_while_prometheus_has_no_answer(outage: Outage) -> None:
    assert outage.levels == {"degraded": "low", "full": "full"}
    assert outage.history_grew == {"degraded": 0, "full": 0}


@pytest.mark.row(23)
def test_row_23_missing_metrics_are_told_with_the_kind_and_not_before_the_third_interval(outage: Outage) -> None:
    assert {condition["reason"] for condition in outage.told.values()} == {"Missing"}
    assert {condition["message"].partition(" (")[0] for condition in outage.told.values()} == {"load: Error"}
    assert min(outage.told_after.values()) > 2 * INTERVAL


@pytest.mark.row(23)
def test_row_23_policies_on_another_endpoint_or_on_pods_step_down_and_up_meanwhile(outage: Outage) -> None:
    assert outage.reacted == {"elsewhere": ["low", "full"], "pods": ["low", "full"]}


@pytest.mark.row(23)
def test_row_23_when_it_answers_again_the_signals_decide_again(outage: Outage) -> None:
    assert outage.called == {"degraded": "full", "full": "low"}
    assert outage.metrics_at_end == {"degraded": "True", "full": "True"}


@pytest.mark.row(23)
def test_row_23_everything_is_byte_for_byte_what_it_was(outage: Outage, world: World) -> None:
    assert outage.end == world.untouched
