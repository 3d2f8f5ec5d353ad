"""`quiet`: what 200 policies cost while nothing happens, beside a poller that asks every signal by itself.

Policies are the four-level example at its own interval of 15 s: two free-form queries and a preset each, in ten
namespaces with the workloads of examples/. Signals are healthy and move within their thresholds; counters grow.
Writes are counted twice: by the operator's own metric, and by comparing the resourceVersions of every policy and
every object that it may touch, and the number of its Events. The Lease, renewed every 2 s whatever the number of
policies, is not among them.
"""

import contextlib
import json
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.outcome import Outcome, at_least, at_most, say
from bench.peers import started
from bench.scene import Scene, is_ready_at_full, scene
from plane import examples
from plane.metrics_source import MetricsSource
from plane.operator import Samples
from plane.processes import Process, wait_for
from plane.shop import OWNED, POLICY

POLICIES, NAMESPACES = 200, 10
INTERVAL_SECONDS = 15
BUCKETS = ("0.05", "0.1", "0.25", "0.5", "1", "+Inf")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def measure(*, quick: bool) -> Outcome:
    """Raises TimeoutError when the policies never become ready."""
    seconds, naive_seconds = (45, 20) if quick else (300, 60)
    with contextlib.ExitStack() as stack:
        on = stack.enter_context(scene(f"{INTERVAL_SECONDS}s"))
        queries = _set_up(on)
        stack.enter_context(started(_Wobble(on.source)))
        on.operator.start().wait_leader()
        on.wait_policies(POLICIES, is_ready_at_full, 180)
        say("  quiet: every policy is ready; one interval of rest before it counts")
        time.sleep(INTERVAL_SECONDS)
        ours = _watch_operator(on, seconds)
        on.operator.stop()
        naive = _watch_naive(on, queries, naive_seconds)
    return _outcome(ours, naive)


def _set_up(on: Scene) -> list[str]:
    """All namespaces, workloads, series and policies; gives the query of each signal by itself."""
    api = on.plane.api
    workloads = examples.load("workloads.yaml")
    queries = []
    for place in range(NAMESPACES):
        namespace = f"team-{place}"
        on.create_namespace(namespace)
        for obj in workloads:
            api.create(obj, namespace)
        for number in range(place, POLICIES, NAMESPACES):
            service = f"checkout-{number:03}"
            policy = _policy(namespace, service)
            _feed(on.source, namespace, service)
            api.create(policy)
            queries += [signal["query"] for signal in policy["spec"]["signals"] if "query" in signal]
            queries.append(_error_ratio(namespace, service))
    say(f"  quiet: {POLICIES} policies with {len(queries)} signals are there")
    wait_for("all pods run", lambda: _all_ready(on), 180, every=1.0)
    return queries


def _policy(namespace: str, service: str) -> dict[str, Any]:
    found = examples.policy("four-levels.yaml")
    found["metadata"] = {"name": service, "namespace": namespace}
    found["spec"]["target"]["service"] = service
    for signal in found["spec"]["signals"]:
        if "query" in signal:
            where = f'namespace="{namespace}", service="{service}"'
            signal["query"] = signal["query"].replace('service="checkout"', where)
            assert service in signal["query"]
    return found


def _error_ratio(namespace: str, service: str) -> str:
    where = f'namespace="{namespace}", service="{service}"'
    failed = f'sum(rate(http_requests_total{{{where}, code=~"5.."}}[1m]))'
    return f"{failed} / sum(rate(http_requests_total{{{where}}}[1m]))"


def _feed(source: MetricsSource, namespace: str, service: str) -> None:
    labels = f'namespace="{namespace}",service="{service}"'
    source.set(f"app_worker_utilization{{{labels}}}", 0.4)
    source.rate(f'http_requests_total{{{labels},code="200"}}', 100.0)
    source.rate(f'http_requests_total{{{labels},code="500"}}', 0.1)
    for bound in BUCKETS:
        source.rate(f'db_query_seconds_bucket{{{labels},le="{bound}"}}', 20.0)


class _Wobble:
    """Moves every gauge a little, well within the thresholds, between two scrapes."""

    def __init__(self, source: MetricsSource) -> None:
        self._source = source
        self._stop = threading.Event()
        self._chance = random.Random(4)

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL_SECONDS / 2):
            for number in range(POLICIES):
                labels = f'namespace="team-{number % NAMESPACES}",service="checkout-{number:03}"'
                self._source.set(f"app_worker_utilization{{{labels}}}", self._chance.uniform(0.3, 0.5))


def _all_ready(on: Scene) -> bool:
    found = on.plane.api.list("Deployment")
    return all(d.get("status", {}).get("readyReplicas", 0) == d["spec"]["replicas"] for d in found)


def _watch_operator(on: Scene, seconds: int) -> dict[str, float]:
    """Everything that the operator did and used in that time, as numbers by name."""
    assert on.operator.process is not None
    assert on.prometheus.process is not None
    versions, events = _versions(on), _events(on)
    before, cpu, server = on.operator.metrics(), _cpu(on.operator.process), _cpu(on.prometheus.process)
    started_at = time.monotonic()
    for _ in _progress("quiet", seconds):
        assert on.operator.running, on.operator.tail()
    passed = time.monotonic() - started_at
    after = on.operator.metrics()
    used, served = _cpu(on.operator.process) - cpu, _cpu(on.prometheus.process) - server
    now = _versions(on)
    evaluations = _grown(before, after, "stepdown_evaluations_total")
    return {
        "api_writes": _grown(before, after, "stepdown_api_writes_total"),
        "objects_changed": sum(now.get(key) != version for key, version in versions.items()) + _events(on) - events,
        "evaluations": evaluations,
        "prometheus_requests": _grown(before, after, "stepdown_prometheus_requests_total"),
        "rounds": evaluations / (POLICIES * passed / INTERVAL_SECONDS),
        "cpu_percent": 100 * used / passed,
        "memory_mb": _resident_mb(on.operator.process),
        "prometheus_cpu_percent": 100 * served / passed,
        "missing": _grown(before, after, "stepdown_missing_observations_total"),
    }


def _watch_naive(on: Scene, queries: list[str], seconds: int) -> dict[str, float]:
    """A poller that asks every signal by itself, in a process of its own, and does nothing with the answers."""
    assert on.prometheus.process is not None
    asked = on.folder / "queries.json"
    asked.write_text(json.dumps(queries))
    command = [sys.executable, str(Path(__file__).with_name("naive.py")), on.prometheus.url, str(asked)]
    process = Process("naive", [*command, str(INTERVAL_SECONDS)], on.folder / "naive.log").start()
    try:
        wait_for("the poller asks", lambda: "asking" in process.tail(), 20)
        cpu, server = _cpu(process), _cpu(on.prometheus.process)
        started_at = time.monotonic()
        for _ in _progress("quiet: a poller of single queries", seconds):
            assert process.running, process.tail()
        passed = time.monotonic() - started_at
        return {
            "cpu_percent": 100 * (_cpu(process) - cpu) / passed,
            "prometheus_cpu_percent": 100 * (_cpu(on.prometheus.process) - server) / passed,
        }
    finally:
        process.stop()


def _progress(what: str, seconds: int) -> Iterator[int]:
    ends = time.monotonic() + seconds
    told = time.monotonic()
    while (left := ends - time.monotonic()) > 0:
        if time.monotonic() - told >= 60:
            say(f"  {what}: {left:.0f} s left")
            told = time.monotonic()
        time.sleep(min(1.0, left))
        yield int(left)


def _grown(before: Samples, after: Samples, name: str) -> float:
    return after.sum(name) - before.sum(name)


def _versions(on: Scene) -> dict[str, str]:
    """resourceVersions of all policies and of all objects of the kinds that they may touch."""
    return {
        f"{kind}/{obj['metadata']['namespace']}/{obj['metadata']['name']}": obj["metadata"]["resourceVersion"]
        for kind in (POLICY, *OWNED)
        for obj in on.plane.api.list(kind)
        if obj["metadata"]["namespace"].startswith("team-")
    }


def _events(on: Scene) -> int:
    found = on.plane.api.list("Event")
    return sum(int(e.get("count") or 1) for e in found if e.get("source", {}).get("component") == "stepdown")


def _cpu(process: Process) -> float:
    """CPU seconds of a process and its threads since it began."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def _resident_mb(process: Process) -> float:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (found,) = [line for line in lines if line.startswith("VmRSS:")]
    return int(found.split()[1]) / 1024


def _outcome(ours: dict[str, float], naive: dict[str, float]) -> Outcome:
    assert ours["missing"] == 0, f"{ours['missing']:.0f} signals were missing: the run says nothing"
    return Outcome(
        what=f"{POLICIES} policies of four levels while nothing happens, interval {INTERVAL_SECONDS} s",
        figures={
            "api_writes": round(ours["api_writes"]),
            "objects_changed": round(ours["objects_changed"]),
            "evaluations": round(ours["evaluations"]),
            "prometheus_requests": round(ours["prometheus_requests"]),
            "cpu_percent_of_a_core": round(ours["cpu_percent"], 2),
            "memory_mb": round(ours["memory_mb"]),
            "prometheus_cpu_percent": round(ours["prometheus_cpu_percent"], 2),
            "single_queries_cpu_percent": round(naive["cpu_percent"], 2),
            "single_queries_prometheus_cpu_percent": round(naive["prometheus_cpu_percent"], 2),
        },
        ratios={
            "requests_per_evaluation": round(ours["prometheus_requests"] / ours["evaluations"], 4),
            "evaluations_per_policy_and_interval": round(ours["rounds"], 3),
            "single_queries_cpu_per_stepdown": round(naive["cpu_percent"] / ours["cpu_percent"], 2),
            "single_queries_prometheus_cpu_per_stepdown": round(
                naive["prometheus_cpu_percent"] / ours["prometheus_cpu_percent"], 2
            ),
        },
        goals=(
            at_most("api_writes", 0),
            at_most("objects_changed", 0),
            at_most("requests_per_evaluation", 0.05),
            at_least("evaluations_per_policy_and_interval", 0.9),
            at_most("cpu_percent_of_a_core", 3),
        ),
    )
