"""A control plane, a real node and a Prometheus that its pods reach, as one thing to start and stop."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from node.addresses import METRICS
from node.images import operator
from node.real_node import RealNode
from node.routed_plane import RoutedPlane
from plane.api import Api
from plane.processes import wait_for
from plane.prometheus import Prometheus

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


class Cluster:
    """Everything in one folder; `with Cluster(folder) as cluster`.

    `audit` is the plane's audit policy, `prometheus` goes over Prometheus' configuration, key by key at the top.
    Raises node.real_node.CannotRun, plane.binaries.CannotBuild.
    """

    def __init__(
        self, folder: Path, audit: Mapping[str, Any] | None = None, prometheus: Mapping[str, Any] | None = None
    ) -> None:
        self.node = RealNode(folder / "node")
        self.plane = RoutedPlane(folder / "plane", audit=audit)
        self.prometheus = Prometheus(folder / "prometheus", config=prometheus, address=METRICS)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Cluster":
        with contextlib.ExitStack() as stack:
            stack.callback(self.node.close)
            self.node.open()
            stack.callback(self.plane.stop)
            self.plane.start()
            stack.callback(self.prometheus.stop)
            self.prometheus.start()
            self.node.join(self.plane)
            self.node.load(operator())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def logs(self) -> dict[str, str]:
        """The ends of all logs."""
        return {**self.plane.logs(), **self.node.logs()}


def open_namespace(api: Api, name: str) -> None:
    """A namespace that takes only pods of the restricted standard."""
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    wait_for(f"{name} can be used", lambda: api.find("ServiceAccount", "default", name) is not None)
