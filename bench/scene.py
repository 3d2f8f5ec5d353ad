"""What `reaction` and `quiet` run on: a plane, a Prometheus with one source, the chart and one operator."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.outcome import say
from plane.control_plane import ControlPlane
from plane.metrics_source import MetricsSource
from plane.operator import Operator
from plane.processes import wait_for
from plane.prometheus import Prometheus
from plane.release import Release
from plane.shop import POLICY

CHART_LEASE = {"durationSeconds": 15, "renewSeconds": 2}
"""The chart's own; the tests' is shorter."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The running parts; `folder` holds their files and is gone at the end. The operator is not started yet."""

    folder: Path
    plane: ControlPlane
    prometheus: Prometheus
    source: MetricsSource
    operator: Operator

    def create_namespace(self, name: str) -> None:
        """A namespace that can be used."""
        api = self.plane.api
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        wait_for(f"{name} can be used", lambda: api.find("ServiceAccount", "default", name) is not None)

    def wait_policies(self, count: int, holds: Callable[[dict[str, Any]], bool], timeout: float) -> None:
        """Waits until a status holds for so many policies."""

        def enough() -> bool:
            found = self.plane.api.list(POLICY)
            return sum(holds(policy.get("status") or {}) for policy in found) >= count

        wait_for(f"{count} policies", enough, timeout, every=0.5)


@contextlib.contextmanager
def scene(scrape_interval: str, prometheus_config: Mapping[str, Any] | None = None) -> Iterator[Scene]:
    """Starts everything, and stops it at the end. Raises plane.binaries.CannotBuild."""
    with tempfile.TemporaryDirectory(prefix="stepdown-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        plane = ControlPlane(folder / "plane")
        stack.callback(plane.stop)
        plane.start()
        prometheus = Prometheus(folder / "prometheus", scrape_interval, prometheus_config)
        stack.callback(prometheus.stop)
        prometheus.start()
        source = MetricsSource()
        stack.callback(source.stop)
        prometheus.add_target(source.address)
        release = Release(plane, folder / "release", prometheus.url, {"lease": CHART_LEASE}).install()
        operator = Operator(release, folder / "operator")
        stack.callback(operator.stop)
        say("  control plane, Prometheus and the chart are there")
        yield Scene(folder, plane, prometheus, source, operator)


def is_ready_at_full(status: Mapping[str, Any]) -> bool:
    """A policy that was evaluated, does its job and is at full service."""
    conditions = status.get("conditions") or []
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and bool((status.get("summary") or {}).get("state") == "Full")
