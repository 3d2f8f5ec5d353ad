"""Sets the stage of the launch on a real node: the operator as pods, and both shops as pods whose workers can be busy.

Without its policy a shop has one pod, whose four workers serve 40 pages a second. Its policy knows three ways to serve
more: without recommendations and with a second pod, a read-only shop, and a static page.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.load import FEW, MANY
from demo.node_launch import SCALE, Crowd, NodeLaunch
from demo.performance import WITH, WITHOUT
from demo.watching import Watching
from node import pool, web
from node.cluster import Cluster, open_namespace
from node.operator_pods import OperatorPods, installed
from node.pool import Pool
from plane.api import Object
from plane.control_plane import ADMIN
from plane.ladders import route
from plane.metrics_source import MetricsSource
from plane.processes import wait_for
from plane.shop import POLICY, Shop
from plane.tools import Tool, kubectl_for

INTRODUCTION = f"""\
A launch: {FEW} users become {MANY:,} and {FEW} again. Two equal shops, one with a policy, one without.

  real       control plane, kubelet, containerd, kube-proxy, Prometheus, the operator as two pods that
             Helm installed, both shops' pods, and every request
  scale      {SCALE}
  an error   is an error page, a refused connection, or no answer within 5 s
"""
SHOP, READ_ONLY, STATIC = "shop", "shop-read-only", "shop-static"
POOLS = {SHOP: Pool(4, 0.05, recommendations=0.05), READ_ONLY: Pool(8, 0.02), STATIC: Pool(8, 0.0)}
"""What a pod of each Deployment can do: 40 pages a second, or 80 without recommendations; 400; what the node gives."""
PAGES = {SHOP: "full", READ_ONLY: "read-only", STATIC: "static"}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class NodeStage:
    """Everything that runs. `shop` is the one with the policy; `kubectl` works in its namespace."""

    cluster: Cluster
    watching: Watching
    launch: NodeLaunch
    shop: Shop
    kubectl: Tool

    def status(self) -> dict[str, Any]:
        """The policy's status as it was last seen."""
        found = self.watching.get(POLICY, WITH, SHOP) or {}
        return dict(found.get("status") or {})

    def policy_line(self) -> str:
        """What `kubectl get dgp` prints. Raises plane.tools.Failed."""
        return self.kubectl("get", "dgp").rstrip()

    def invitation(self) -> str:
        """Commands to try while everything runs."""
        address = self.shop.api.get("Service", SHOP, WITH)["spec"]["clusterIP"]
        lines = [
            f"export KUBECONFIG={self.kubectl.kubeconfig} PATH={self.kubectl.program.parent}:$PATH",
            "kubectl get dgp --watch",
            "kubectl get pods --all-namespaces",
            f"curl --include http://{address}/",
        ]
        return "\n".join(lines)

    def check(self) -> None:
        """Raises RuntimeError where a program of the node has ended."""
        for process in self.cluster.node.processes:
            if not process.running:
                raise RuntimeError(f"{process.name} ended with {process.returncode}:\n{process.tail(15)}")


@contextlib.contextmanager
def staged(cluster: Cluster, folder: Path, say: Say) -> Iterator[NodeStage]:
    """Opens both shops on a node; the policy is Ready."""
    api = cluster.plane.api
    kubectl = kubectl_for(cluster.plane.kubeconfig(name="demo", namespace=WITH), folder / "home")
    with contextlib.ExitStack() as stack:
        source = MetricsSource()
        stack.callback(source.stop)
        for namespace in (WITH, WITHOUT):
            open_namespace(api, namespace)
        release = installed(cluster, folder / "release", WITH)
        cluster.prometheus.find_pods(cluster.plane.kubeconfig())
        shops = [Shop(namespace, api, kubectl, source) for namespace in (WITH, WITHOUT)]
        for shop in shops:
            deployments = [pool.deployment(name, each) for name, each in POOLS.items()]
            shop.apply(pool.flags(), *deployments, web.service(SHOP))
        for shop in shops:
            shop.wait_ready(*POOLS)
        crowds = [Crowd(_address(shop), PAGES) for shop in shops]
        say("two shops alike, their pods ready")
        OperatorPods(release).wait_at_work()
        say("helm install stepdown: two pods, one of them leads")
        wait_for("Prometheus has samples", lambda: len(cluster.prometheus.query(_load(WITH))) == 1, 60)
        shops[0].start(policy(WITH))
        say("the policy: Ready")
        watching = Watching(cluster.plane.as_user(ADMIN), (POLICY,)).start()
        stack.callback(watching.stop)
        launch = NodeLaunch(*crowds)
        stack.callback(launch.stop)
        yield NodeStage(cluster, watching, launch, shops[0], kubectl)


def policy(namespace: str) -> Object:
    """Three ways to serve more, each chosen before the one above it is full."""
    disable = {"disable": [pool.FLAG], "in": {"flagd": {"configMap": pool.FLAGS}}}
    floor = {"deployment": SHOP, "to": 2, "as": "Floor"}
    arrivals = f'sum(rate(shop_requests_total{{namespace="{namespace}"}}[4s]))'
    return {
        "apiVersion": "stepdown.dev/v1alpha1",
        "kind": POLICY,
        "metadata": {"name": SHOP, "namespace": namespace},
        "spec": {
            "target": {"service": SHOP, "deployment": SHOP},
            "interval": "1s",
            "signals": [{"name": "load", "query": _load(namespace)}, {"name": "arrivals", "query": arrivals}],
            "levels": [
                {"name": "full"},
                {
                    "name": "core-only",
                    "enter": {"any": [_above("load", "50%", "25%"), _above("arrivals", 25, 15)]},
                    "actions": [{"flags": disable}, {"scale": floor}],
                },
                _fallback("read-only", READ_ONLY, _above("arrivals", 50, 30)),
                _fallback("static", STATIC, _above("arrivals", 150, 100)),
            ],
            "stabilization": {"down": "0s", "up": "5s", "dwell": "1s"},
            "budget": {"transitions": 12, "per": "1h"},
        },
    }


def _above(signal: str, above: str | int, clear: str | int) -> Object:
    return {"signal": signal, "above": above, "clear": clear, "for": "0s"}


def _fallback(name: str, deployment: str, condition: Object) -> Object:
    """Its trial comes as soon as the users have gone."""
    return {
        "name": name,
        "enter": {"any": [condition]},
        "actions": [route(SHOP, deployment)],
        "recover": {"trial": {"after": "1s", "watch": "2s"}},
    }


def _load(namespace: str) -> str:
    """PromQL: the share of the shop's workers that are busy."""
    of_shop = f'{{namespace="{namespace}", app="{SHOP}"}}'
    return f"sum(rate(shop_busy_seconds_total{of_shop}[4s])) / sum(shop_workers{of_shop})"


def _address(shop: Shop) -> str:
    address = str(shop.api.get("Service", SHOP, shop.namespace)["spec"]["clusterIP"])
    wait_for(f"the shop of {shop.namespace} answers", lambda: web.ask(address).said != "")
    return address
