"""The operator as pods that Helm installed: which there are, which leads, what they use; and how they die."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from node.addresses import NODE
from node.cluster import Cluster, open_namespace
from plane.api import Api, Object
from plane.processes import wait_for
from plane.release import NAMESPACE, Release

PORT = 8080
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What a pod uses: its working set in MB, and thousandths of a core."""

    memory: float
    cpu: float


def installed(cluster: Cluster, folder: Path, namespace: str) -> Release:
    """`helm install` with two replicas that may act in a namespace, and otherwise the chart's own values."""
    open_namespace(cluster.plane.api, NAMESPACE)
    release = Release(cluster.plane, folder, cluster.prometheus.url)
    release.values = {"replicas": 2, "namespaces": [namespace], "metricsEndpoint": {"url": cluster.prometheus.url}}
    return release.install()


class OperatorPods:
    """The pods of a release."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._api: Api = release.plane.api

    def all(self) -> list[Object]:
        """Those that aren't being deleted."""
        found = self._api.list("Pod", self._release.namespace, labelSelector="app.kubernetes.io/name=stepdown")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def names(self) -> list[str]:
        """Their names."""
        return [str(pod["metadata"]["name"]) for pod in self.all()]

    def wait_ready(self, count: int, timeout: float = 60.0) -> list[Object]:
        """Waits until there are so many, each ready, and gives them. Raises TimeoutError."""

        def are_ready() -> bool:
            pods = self.all()
            return len(pods) == count and all(is_ready(pod) for pod in pods)

        wait_for(f"{count} ready pods of the operator", are_ready, timeout)
        return self.all()

    def wait_at_work(self) -> Self:
        """Waits until two are ready, and one of them leads. Raises TimeoutError."""
        self.wait_ready(2)
        self.wait_leader()
        return self

    def leader(self) -> str:
        """The pod that holds the Lease; empty where nobody does, or a pod that is gone."""
        holder = str((self._release.lease() or {}).get("holderIdentity") or "")
        return next((name for name in self.names() if holder.startswith(f"{name}_")), "")

    def wait_leader(self, *, other_than: str = "", timeout: float = 30.0) -> str:
        """Waits until a pod leads, another one than named. Raises TimeoutError."""
        wait_for("a pod leads", lambda: self.leader() not in ("", other_than), timeout)
        return self.leader()

    def usage(self, name: str, seconds: float) -> Usage:
        """What a pod uses in a time that begins now, as the kubelet counts it."""
        first = self._counted(name)
        time.sleep(seconds)  # what is measured is this time
        wait_for("the kubelet counts again", lambda: self._counted(name)[0] - first[0] >= 0.8 * seconds * 1e9)
        at, used, memory = self._counted(name)
        return Usage(memory / 1e6, 1000 * (used - first[1]) / (at - first[0]))

    def _counted(self, name: str) -> tuple[float, float, float]:
        """Nanoseconds of the wall clock, nanoseconds of CPU, bytes."""
        summary = self._api.call("GET", f"/api/v1/nodes/{NODE}/proxy/stats/summary")
        (pod,) = [found for found in summary["pods"] if found["podRef"]["name"] == name]
        (container,) = pod["containers"]
        at = time.mktime(time.strptime(container["cpu"]["time"], "%Y-%m-%dT%H:%M:%SZ")) * 1e9
        return at, float(container["cpu"]["usageCoreNanoSeconds"]), float(container["memory"]["workingSetBytes"])


def is_ready(pod: Object) -> bool:
    """Whether its probes are green."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions") or [])


def kill(pod: str) -> None:
    """SIGKILL for a pod's first process, from outside: inside nobody may."""
    os.kill(next(_processes(pod)), signal.SIGKILL)


def peak_memory(pod: str) -> float:
    """The most memory in MB that a pod of the operator's image has had; its page's pods are some, too."""
    text = Path(f"/proc/{next(_processes(pod))}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmHWM"))) / 1e3


def started(pod: str) -> float | None:
    """When a pod's first process began, by the wall clock; None before."""
    for process in _processes(pod):
        ticks = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / _TICKS
    return None


def _processes(pod: str) -> Iterator[int]:
    """The processes of a pod's container, oldest first: the pod's name is the host's name that they see.

    What holds the pod open sees it, too, and is a `sleep` (node.images).
    """
    for number in sorted(int(folder.name) for folder in Path("/proc").glob("[0-9]*")):
        try:
            host = Path(f"/proc/{number}/root/etc/hostname").read_text().strip()
            program = Path(f"/proc/{number}/comm").read_text().strip()
        except OSError:
            continue
        if host == pod and program != "sleep":
            yield number
