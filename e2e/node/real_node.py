"""A real kubelet, containerd and kube-proxy, in namespaces of their own on this machine.

First `open`, which makes the link that the API server listens on; then `join` a control plane; at last `close`. When
we die in between, the keeper closes for us.
"""

import os
import subprocess
import sys
from pathlib import Path

from node import settings
from node.addresses import INSIDE, NODE
from node.images import plain
from node.requirements import missing
from node.routed_plane import RoutedPlane
from plane.binaries import program
from plane.processes import Process, wait_for

_E2E = Path(__file__).resolve().parents[1]


class CannotRun(Exception):
    """What this machine lacks for a node."""


class RealNode:
    """One node, whose files lie in one folder, which goes with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[Process] = []
        self._keeper: subprocess.Popen[str] | None = None
        self._first = 0

    def open(self) -> "RealNode":
        """Makes the namespaces and the link. Waits while another node is on this machine. Raises CannotRun."""
        if lacking := missing():
            raise CannotRun(lacking)
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", "node.keeper", str(self.folder), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(_E2E)},
            start_new_session=True,  # Ctrl-C is for us, and the keeper sees us end
        )
        assert self._keeper.stdout is not None
        first = self._keeper.stdout.readline()
        if not first:
            raise CannotRun(f"the node's namespaces could not be made (exit code {self._keeper.wait()}); see above")
        self._first = int(first)
        return self

    def join(self, plane: RoutedPlane) -> "RealNode":
        """Starts the programs with the images that every pod needs, and waits until the node is Ready."""
        folder, kubeconfig = self.folder, plane.kubeconfig()
        settings.write(folder / "cni" / "10-pods.conflist", settings.pod_network())
        config = settings.write(folder / "containerd.toml", settings.containerd(folder))
        containerd = self._run("containerd", "containerd", "--config", str(config))
        containerd.wait_ready(lambda: self._ctr("version").returncode == 0, 30)
        self.load(plain())
        config = settings.write(folder / "kubelet.json", settings.kubelet(folder, plane.ca))
        # Without an address it waits for look-ups of its name.
        identity = (f"--hostname-override={NODE}", f"--node-ip={INSIDE}")
        kubelet = self._run(
            "kubelet", str(program("kubelet")), f"--config={config}", f"--kubeconfig={kubeconfig}", *identity
        )
        config = settings.write(folder / "kube-proxy.json", settings.kube_proxy(kubeconfig))
        self._run("kube-proxy", str(program("kube-proxy")), f"--config={config}")
        kubelet.wait_ready(lambda: _is_ready(plane), 60)
        return self

    def close(self) -> None:
        """Ends everything that runs on the node, and waits until nothing of it is left."""
        if self._keeper is not None:
            self._keeper.communicate("")
        wait_for("the end of the node's programs", lambda: not any(process.running for process in self.processes))

    def load(self, archive: Path) -> None:
        """Makes images known to the node. Raises RuntimeError."""
        done = self._ctr("--namespace", "k8s.io", "images", "import", str(archive))
        if done.returncode != 0:
            raise RuntimeError(f"{archive} could not be imported: {done.stderr}")

    def inside(self, *command: str) -> list[str]:
        """A command as it is run on the node: in its network, with its disk and among its processes."""
        return ["nsenter", f"--target={self._first}", "--net", "--mount", "--pid", "--", *command]

    def logs(self) -> dict[str, str]:
        """The ends of all logs."""
        return {process.name: process.tail() for process in self.processes}

    def _run(self, name: str, *command: str) -> Process:
        process = Process(name, self.inside(*command), self.folder / f"{name}.log").start()
        self.processes.append(process)
        return process

    def _ctr(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = self.inside("ctr", "--address", str(settings.socket(self.folder)), *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=False)


def _is_ready(plane: RoutedPlane) -> bool:
    node = plane.api.find("Node", NODE) or {}
    conditions = node.get("status", {}).get("conditions") or []
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and not node["spec"].get("taints")
