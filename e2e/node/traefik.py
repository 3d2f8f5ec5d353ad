"""A gateway that moves real packets by the weights of HTTPRoutes: Traefik, as a process beside the node.

It reaches pods through the node's link, and is reached itself at the API server's address.
"""

import json
from pathlib import Path

from node.addresses import API_SERVER
from plane.binaries import gateway_crd, program
from plane.control_plane import ControlPlane
from plane.processes import Process, free_port, wait_for
from plane.tools import Tool

GATEWAY = "shared"
"""The Gateway that HTTPRoutes of tests name (plane.gateway)."""
_KINDS = ("gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants", "backendtlspolicies")
"""What Traefik watches."""


class Traefik:
    """The kinds of the Gateway API, a Gateway in one namespace, and Traefik behind it; `with Traefik(…) as traefik`."""

    host = API_SERVER

    def __init__(self, plane: ControlPlane, kubectl: Tool, namespace: str, folder: Path) -> None:
        self._plane, self._kubectl, self._namespace, self._folder = plane, kubectl, namespace, folder
        self.port = free_port()
        self.process: Process | None = None

    def __enter__(self) -> "Traefik":
        for kind in _KINDS:
            self._kubectl("create", "--filename", str(gateway_crd(kind)))
        self._kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        of_class = {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": "traefik"},
            "spec": {"controllerName": "traefik.io/gateway-controller"},
        }
        gateway = {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": GATEWAY, "namespace": self._namespace},
            "spec": {
                "gatewayClassName": "traefik",
                "listeners": [{"name": "web", "protocol": "HTTP", "port": self.port}],
            },
        }
        self._kubectl("apply", "--filename", "-", stdin="\n---\n".join(map(json.dumps, (of_class, gateway))))
        token = self._folder / "token"
        token.write_text(self._plane.api.token)
        provider = "--providers.kubernetesgateway"
        self.process = Process(
            "traefik",
            [
                str(program("traefik")),
                f"--entrypoints.web.address={API_SERVER}:{self.port}",
                f"{provider}.endpoint={self._plane.url}",
                f"{provider}.token={token}",
                f"{provider}.certauthfilepath={self._plane.ca}",
                "--global.checknewversion=false",
                "--global.sendanonymoususage=false",
            ],
            self._folder / "traefik.log",
        ).start()
        wait_for("the Gateway is programmed", self._is_programmed, 30)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.stop()

    def _is_programmed(self) -> bool:
        found = self._plane.api.get("Gateway", GATEWAY, self._namespace)
        conditions = found.get("status", {}).get("conditions") or []
        return any(c["type"] == "Programmed" and c["status"] == "True" for c in conditions)
