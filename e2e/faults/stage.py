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

LEASE_SECONDS = 15
"""The chart's own default: the leader must stay, and a busy machine must not take its lease away."""


class FaultStage:
    """One proxy with one operator behind it, from `start` to `stop`. `lease` in seconds."""

    def __init__(
        self, plane: ControlPlane, release: Release, folder: Path, source: MetricsSource, lease: int = LEASE_SECONDS
    ) -> None:
        self._plane, self._source = plane, source
        self.proxy = FaultProxy(plane)
        self.operator = Operator(
            release,
            folder,
            kubeconfig=self.proxy.kubeconfig(release.kubeconfig()),
            config={"lease": {"name": release.name, "durationSeconds": lease, "renewSeconds": 1}},
        )

    def start(self) -> "FaultStage":
        """Starts both; doesn't wait."""
        self.proxy.start()
        self.operator.start()
        return self

    def stop(self) -> None:
        """Ends both."""
        self.operator.stop()
        self.proxy.stop()

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
