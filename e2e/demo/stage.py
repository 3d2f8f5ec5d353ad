"""Sets the stage: the plane, Prometheus, the chart, the operator, and both shops with what they need.

Everything is the harness of the tests (e2e/plane). What is started is stopped at the end, whatever happens.
"""

import contextlib
import copy
import datetime
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.launch import KINDS, SERVICE, Launch
from demo.load import FEW, MANY
from demo.performance import WITH, WITHOUT
from demo.watching import Watching
from plane import examples
from plane.binaries import build_all, kubectl
from plane.control_plane import ADMIN, ControlPlane
from plane.fake_node import host_address
from plane.metrics_source import MetricsSource
from plane.operator import Operator
from plane.processes import wait_for
from plane.prometheus import Prometheus
from plane.release import Release
from plane.shop import Shop
from plane.tools import Tool, kubectl_for

INTRODUCTION = f"""\
A launch: {FEW} users become {MANY:,} and {FEW} again. Two equal shops, one with a policy, one without.

  real       control plane, Prometheus, Helm, kubectl, the chart, its ServiceAccount, the operator
  simulated  the node, and both shops: one process (e2e/demo/shops.py) whose capacity follows the
             real objects (ready pods, flags, selector) and whose metrics Prometheus scrapes
  policy     examples/four-levels.yaml, timers shortened: minutes are seconds, up 25 s, trial 15 s
"""

POLICY_FILE = "four-levels.yaml"
WORKLOADS_FILE = "workloads.yaml"

NEEDED = ("checkout", "checkout-readonly", "checkout-static", "checkout-flags", "recommendations")
"""The objects of examples/workloads.yaml that are the shop of examples/four-levels.yaml."""

Say = Callable[[str], None]


class CannotRun(Exception):
    """What this machine lacks, and the cure."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs. `shop` is the one with the policy; `kubectl` works in its namespace."""

    plane: ControlPlane
    prometheus: Prometheus
    operator: Operator
    watching: Watching
    launch: Launch
    shop: Shop
    other: Shop
    kubectl: Tool

    def policy_line(self) -> str:
        """What `kubectl get dgp` prints. Raises plane.tools.Failed."""
        return self.kubectl("get", "dgp").rstrip()

    def status(self) -> dict[str, Any]:
        """The policy's status as it was last seen."""
        found = self.watching.get("DegradationPolicy", WITH, SERVICE) or {}
        return dict(found.get("status") or {})

    def check(self) -> None:
        """Raises RuntimeError where the operator or the shops have ended."""
        if not self.operator.running:
            raise RuntimeError(f"the operator ended with {self.operator.returncode}:\n{self.operator.tail(15)}")
        if not self.launch.is_running:
            raise RuntimeError("the shops' process has ended")

    def invitation(self) -> str:
        """Commands to try while everything runs."""
        later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
        override = {"level": "read-only", "reason": "trying it", "until": later.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return "\n".join(
            [
                f"export KUBECONFIG={self.kubectl.kubeconfig} PATH={kubectl().parent}:$PATH",
                "kubectl get dgp --watch",
                "kubectl describe dgp checkout",
                "kubectl get service checkout --output wide",
                f"kubectl patch dgp checkout --type merge --patch '{json.dumps({'spec': {'override': override}})}'",
                'kubectl patch dgp checkout --type merge --patch \'{"spec": {"override": null}}\'',
                "kubectl delete dgp checkout",
                f"curl --get {self.prometheus.url}/api/v1/query --data-urlencode 'query=app_worker_utilization'",
            ]
        )


@contextlib.contextmanager
def staged(folder: Path, say: Say) -> Iterator[Stage]:
    """Starts everything; the policy is Ready and both shops are open. Raises CannotRun, plane.binaries.CannotBuild."""
    if host_address().startswith("127."):
        raise CannotRun(
            "this machine has no address but loopback, which pods can't have and the operator never probes:"
            " connect it to a network (a dummy interface with a route will do)"
        )
    build_all()
    with contextlib.ExitStack() as stack:
        clock = _Clock(say)
        plane = ControlPlane(folder / "plane")
        stack.callback(plane.stop)
        plane.start()
        clock.done("control plane: etcd, kube-apiserver, controller manager, scheduler; a node that pretends")
        prometheus = Prometheus(folder / "prometheus")
        stack.callback(prometheus.stop)
        prometheus.start()
        source = MetricsSource()
        stack.callback(source.stop)
        prometheus.add_target(source.address)
        clock.done("Prometheus, scraping every second")
        release = Release(plane, folder / "release", prometheus.url).install()
        clock.done("helm install stepdown: CRDs, ServiceAccount, roles, configuration")
        operator = Operator(release, folder / "operator")
        stack.callback(operator.stop)
        operator.start()
        kubectl = kubectl_for(plane.kubeconfig(name="demo", namespace=WITH), folder / "home")
        shops = [Shop(namespace, plane.api, kubectl, source) for namespace in (WITH, WITHOUT)]
        for shop in shops:
            plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": shop.namespace}})
        watching = Watching(plane.as_user(ADMIN), KINDS)
        stack.callback(watching.stop)
        watching.start()
        launch = Launch(watching, source, (WITH, WITHOUT))
        stack.callback(launch.stop)
        _open(shops, launch.port)
        launch.start()
        clock.done(f"examples/{WORKLOADS_FILE}: two shops alike, their pods ready")
        operator.wait_leader()
        clock.done("operator, leading, under the chart's own ServiceAccount")
        _wait_for_samples(prometheus)
        shops[0].start(policy())
        clock.done(f"examples/{POLICY_FILE} with shorter timers: Ready")
        yield Stage(plane, prometheus, operator, watching, launch, shops[0], shops[1], kubectl)


def policy() -> dict[str, Any]:
    """examples/four-levels.yaml with shorter timers: minutes are seconds.

    Going up takes longer than that. The load of a launch changes within seconds, and full service must not be
    tried again on the way to the peak, nor selling at the peak itself.
    """
    found = examples.quick_policy(POLICY_FILE, WITH)
    spec = found["spec"]
    spec["stabilization"]["up"] = "25s"
    spec["budget"]["per"] = "1m"
    for level in spec["levels"]:
        if "trial" in level.get("recover", {}):
            level["recover"]["trial"]["after"] = "15s"
    return found


def _open(shops: list[Shop], port: int) -> None:
    """Applies the shop's objects in both namespaces and waits for the pods.

    The shop's own pods get this machine's address and the port of their `/healthz`, for the policy's probe.
    """
    objects = [o for o in examples.load(WORKLOADS_FILE) if o["metadata"]["name"] in NEEDED]
    for obj in objects:
        if obj["kind"] == "Deployment" and obj["metadata"]["name"] == SERVICE:
            obj["spec"]["template"]["metadata"]["annotations"] = {"plane.test/pod-ip": "host"}
            obj["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] = port
    for shop in shops:
        shop.apply(*copy.deepcopy(objects))
    for shop in shops:
        shop.wait_ready(*(o["metadata"]["name"] for o in objects if o["kind"] == "Deployment"))


def _wait_for_samples(prometheus: Prometheus) -> None:
    """The policy's rates need some samples; without them it would begin with missing data."""
    promql = f'rate(db_query_seconds_bucket{{namespace="{WITH}", le="+Inf"}}[{examples.QUICK_WINDOW}]) > 0'
    wait_for("Prometheus has samples of the shops", lambda: bool(prometheus.query(promql)), timeout=30)


class _Clock:
    """Says what is done, with the seconds that it took."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._since = time.monotonic()

    def done(self, what: str) -> None:
        now = time.monotonic()
        self._say(f"{now - self._since:5.1f} s  {what}")
        self._since = now
