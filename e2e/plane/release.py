"""The chart, installed into a plane by the real Helm, with no pods: operators run as processes beside it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plane.control_plane import ControlPlane
from plane.tools import Tool, helm_for

CHART = Path(__file__).resolve().parents[2] / "helm" / "stepdown"
NAMESPACE = "stepdown-system"

Values = dict[str, Any]


class Release:
    """One release of the chart. `values` go over the ones that a plane needs, key by key at the top.

    `name` is the release's name and so the name of its ServiceAccount, ConfigMap and Lease (where it contains
    "stepdown").
    """

    def __init__(
        self,
        plane: ControlPlane,
        folder: Path,
        prometheus_url: str,
        values: Mapping[str, Any] | None = None,
        name: str = "stepdown",
        namespace: str = NAMESPACE,
    ) -> None:
        self.plane = plane
        self.folder = folder
        self.name = name
        self.namespace = namespace
        folder.mkdir(parents=True, exist_ok=True)
        self.helm: Tool = helm_for(plane.kubeconfig(), folder / "helm")
        self.values: Values = {
            "replicas": 0,
            "allNamespaces": True,
            "features": {"keda": True, "gateway": True},
            "metricsEndpoint": {"url": prometheus_url, "allowedCIDRs": ["127.0.0.0/8"], "timeout": "2s"},
            "lease": {"durationSeconds": 5, "renewSeconds": 1},
            "massGuard": {"maxNewlyDegraded": "100%"},
            **(values or {}),
        }

    def install(self) -> "Release":
        """`helm install`, with the namespace. Raises plane.tools.Failed."""
        self.helm("install", self.name, str(CHART), *self._where(), "--create-namespace", stdin=json.dumps(self.values))
        return self

    def upgrade(self, values: Mapping[str, Any] | None = None) -> str:
        """`helm upgrade` with further values; gives what Helm printed. Raises plane.tools.Failed."""
        self.values |= values or {}
        return self.helm("upgrade", self.name, str(CHART), *self._where(), stdin=json.dumps(self.values))

    def uninstall(self) -> str:
        """`helm uninstall`; gives what Helm printed. Raises plane.tools.Failed.

        The Lease goes too, so that an operator of the next installation leads at once.
        """
        said = self.helm("uninstall", self.name, "--namespace", self.namespace, "--wait", "--timeout", "80s")
        self.plane.api.delete("Lease", self.name, self.namespace)
        return said

    def config(self) -> dict[str, Any]:
        """What the chart would mount for `stepdown run --config`."""
        found = self.plane.api.get("ConfigMap", self.name, self.namespace)
        return dict(json.loads(found["data"]["config.json"]))

    def kubeconfig(self) -> Path:
        """A kubeconfig of the chart's own ServiceAccount, with a token as a pod would get it."""
        return self.plane.service_account_kubeconfig(self.namespace, self.name)

    def lease(self) -> dict[str, Any] | None:
        """The Lease's spec, None before there is one."""
        found = self.plane.api.find("Lease", self.name, self.namespace)
        return None if found is None else dict(found["spec"])

    def _where(self) -> Sequence[str]:
        return ("--namespace", self.namespace, "--values", "-")
