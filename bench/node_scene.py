"""What `delay` runs on: a real node with the operator as the chart's pods, and a shop with a fallback."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.outcome import say
from node import web
from node.cluster import Cluster, open_namespace
from node.metrics_server import MetricsServer
from node.operator_pods import OperatorPods, installed
from plane.audit import EVERYBODYS
from plane.metrics_source import MetricsSource
from plane.processes import wait_for
from plane.shop import Shop
from plane.tools import kubectl_for

NAMESPACE = "shop"
PRIMARY, FALLBACK = "shop", "shop-static"


@dataclass(frozen=True, slots=True)
class NodeScene:
    """The running parts. Every Service leads to the pods of `PRIMARY` until somebody swaps it."""

    folder: Path
    cluster: Cluster
    shop: Shop

    @property
    def source(self) -> MetricsSource:
        """What Prometheus scrapes every second."""
        return self.shop.source

    def open(self, *services: str) -> None:
        """Services that lead to the primary, and answer."""
        self.shop.apply(*(_service(name) for name in services))
        for name in services:
            address = self.address(name)
            wait_for(f"{name} answers", lambda address=address: web.ask(address).said == PRIMARY)

    def address(self, service: str) -> str:
        """Where users ask."""
        return str(self.cluster.plane.api.get("Service", service, NAMESPACE)["spec"]["clusterIP"])


@contextlib.contextmanager
def node_scene(prometheus: Mapping[str, Any]) -> Iterator[NodeScene]:
    """Starts everything, and stops it at the end. Raises node.real_node.CannotRun, plane.binaries.CannotBuild."""
    with tempfile.TemporaryDirectory(prefix="stepdown-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        cluster = Cluster(folder, EVERYBODYS, prometheus)
        cluster.plane.autoscaler_sync = "15s"  # what people have
        stack.enter_context(cluster)
        source = MetricsSource()
        stack.callback(source.stop)
        cluster.prometheus.add_target(source.address)
        metrics = MetricsServer(cluster.plane, folder / "metrics-server")
        stack.callback(metrics.stop)
        metrics.start()
        open_namespace(cluster.plane.api, NAMESPACE)
        OperatorPods(installed(cluster, folder / "release", NAMESPACE)).wait_at_work()
        kubectl = kubectl_for(cluster.plane.kubeconfig(), folder / "home")
        shop = Shop(NAMESPACE, cluster.plane.api, kubectl, source)
        shop.apply(web.deployment(PRIMARY), web.deployment(FALLBACK))
        shop.wait_ready(PRIMARY, FALLBACK)
        say("  node, Prometheus, metrics-server, the chart and the shop are there")
        yield NodeScene(folder, cluster, shop)


def _service(name: str) -> dict[str, Any]:
    service = web.service(name)
    return {**service, "spec": {**service["spec"], "selector": {"app": PRIMARY}}}
