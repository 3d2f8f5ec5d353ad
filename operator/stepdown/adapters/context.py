"""The namespace that is meant when none is named: the pod's own, or that of the kubeconfig's current context."""

import os
from pathlib import Path

from kubernetes.aio import config

DEFAULT = "default"

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def in_pod() -> bool:
    """Whether adapters.api.Api connects as a pod's ServiceAccount."""
    return not os.environ.get("KUBECONFIG") and "KUBERNETES_SERVICE_HOST" in os.environ


def current_namespace() -> str:
    """As kubectl would take it; what can't be read names none."""
    if in_pod():
        return _POD_NAMESPACE.read_text(encoding="utf-8").strip() if _POD_NAMESPACE.exists() else DEFAULT
    try:
        _, current = config.list_kube_config_contexts(os.environ.get("KUBECONFIG") or None)
        return str(current["context"].get("namespace") or DEFAULT)
    except (config.ConfigException, OSError, KeyError, TypeError, AttributeError):
        return DEFAULT
