"""An operator that reaches the API server through the proxy, and worlds for it."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from faults.proxy import FaultProxy
from faults.world import World
from plane.control_plane import ADMIN, ControlPlane
from plane.metrics_source import MetricsSource
from plane.operator import Operator
from plane.processes import wait_for
from plane.release import Release

OpenNamespace = Callable[[str], AbstractContextManager[str]]

LEASE = {"lease": {"name": "stepdown", "durationSeconds": 15, "renewSeconds": 2}}
"""The chart's own lease: here the leader must stay, and a busy machine must not take it away."""


class FaultStage:
    """One proxy with one operator behind it, from `start` to `stop`."""

    def __init__(self, plane: ControlPlane, release: Release, folder: Path, source: MetricsSource) -> None:
        self._plane, self._release, self._folder, self._source = plane, release, folder, source
        self.proxy = FaultProxy(plane)
        self.operator = self.another()

    def start(self) -> "FaultStage":
        """Starts both, and waits until the operator leads."""
        self.proxy.start()
        self.operator.start().wait_leader(60)
        return self

    def stop(self) -> None:
        """Ends both."""
        self.operator.stop()
        self.proxy.stop()

    def another(self) -> Operator:
        """One more operator through the same proxy, not started."""
        kubeconfig = self.proxy.kubeconfig(self._release.kubeconfig())
        return Operator(self._release, self._folder, kubeconfig=kubeconfig, config=LEASE)

    @contextlib.contextmanager
    def worlds(self, count: int, open_namespace: OpenNamespace) -> Iterator[Sequence[World]]:
        """Worlds with pods that are ready, seen by Prometheus."""
        with contextlib.ExitStack() as stack:
            names = [stack.enter_context(open_namespace("faults")) for _ in range(count)]
            worlds = [World(name, self._plane.as_user(ADMIN), self._source).build() for name in names]
            for world in worlds:
                world.wait_ready()
            scraped = len(self._source.scrapes) + 1
            wait_for("a scrape that finds every world", lambda: len(self._source.scrapes) > scraped, 60)
            yield worlds
