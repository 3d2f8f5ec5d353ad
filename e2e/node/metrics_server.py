"""metrics-server, which asks the real kubelet what pods use: what an autoscaler on CPU stands on.

It runs on this machine, outside the node, beside the API server: a Service without pods leads there.
"""

from pathlib import Path

from node.addresses import API_SERVER, NODE
from node.routed_plane import RoutedPlane
from plane.api import ApiError, Object
from plane.binaries import program
from plane.processes import Process, free_port

_NAMESPACE = "kube-system"
_NAME = "metrics-server"
_GROUP = "metrics.k8s.io"


class MetricsServer:
    """One server in one folder; `resolution` is metrics-server's own, as its manifests have it."""

    def __init__(self, plane: RoutedPlane, folder: Path, resolution: str = "15s") -> None:
        self._plane, self._folder, self._resolution = plane, folder, resolution
        self.process: Process | None = None

    def start(self) -> "MetricsServer":
        """Starts it, and waits until the API server gives the node's usage. Raises RuntimeError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        certificate, key = self._plane.authority.issue("metrics-server")
        kubeconfig = self._plane.kubeconfig()
        command = [
            str(program("metrics-server")),
            *(f"--{use}kubeconfig={kubeconfig}" for use in ("", "authentication-", "authorization-")),
            f"--bind-address={API_SERVER}",
            f"--secure-port={port}",
            f"--cert-dir={self._folder}",
            f"--metric-resolution={self._resolution}",
            "--kubelet-request-timeout=5s",  # it must be less than the resolution
            f"--kubelet-client-certificate={certificate}",
            f"--kubelet-client-key={key}",
            "--kubelet-insecure-tls",  # the kubelet has signed its own certificate
            "--kubelet-preferred-address-types=InternalIP",
        ]
        self.process = Process("metrics-server", command, self._folder / "metrics-server.log").start()
        self._register(port)
        self.process.wait_ready(self._knows_the_node, 90)
        return self

    def stop(self) -> None:
        """Stops it."""
        if self.process is not None:
            self.process.stop()

    def _register(self, port: int) -> None:
        place: Object = {"name": _NAME, "namespace": _NAMESPACE}
        self._plane.api.create(
            {"apiVersion": "v1", "kind": "Service", "metadata": place, "spec": {"ports": [{"port": port}]}}
        )
        self._plane.api.create(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {**place, "labels": {"kubernetes.io/service-name": _NAME}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": [API_SERVER]}],
                "ports": [{"port": port}],
            }
        )
        self._plane.api.create(
            {
                "apiVersion": "apiregistration.k8s.io/v1",
                "kind": "APIService",
                "metadata": {"name": f"v1beta1.{_GROUP}"},
                "spec": {
                    "group": _GROUP,
                    "version": "v1beta1",
                    "service": {**place, "port": port},
                    "insecureSkipTLSVerify": True,
                    "groupPriorityMinimum": 100,
                    "versionPriority": 100,
                },
            }
        )

    def _knows_the_node(self) -> bool:
        try:
            found = self._plane.api.call("GET", f"/apis/{_GROUP}/v1beta1/nodes/{NODE}")
        except ApiError:
            return False
        return "cpu" in found["usage"]
