"""A HorizontalPodAutoscaler on CPU, and what it wrote."""

from pathlib import Path
from typing import Any

from plane.audit import Noted, read_log

CONTROLLER = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"


def on_cpu(deployment: str, most: int, percent: int = 100, **spec: Any) -> dict[str, Any]:
    """One for a Deployment, of the same name, from 1 to `most` pods; `spec` goes over the rest."""
    target = {"type": "Utilization", "averageUtilization": percent}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": deployment},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
            "minReplicas": 1,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            **spec,
        },
    }


def scalings(log: Path, namespace: str, deployment: str) -> list[Noted]:
    """All accepted writes of a Deployment's replicas, whoever's, oldest first."""
    calls = read_log(log, namespace)
    return [n for n in calls if (n.kind, n.name) == ("deployments", deployment) and 200 <= n.code < 300]
