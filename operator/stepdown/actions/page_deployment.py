"""The Deployment of a status page, as the operator makes it: warm, small, and with no right to anything.

What it may hold is also written down in the chart's self-fence, which lets the operator's account make no other.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from stepdown.actions.status_page import PagePort, page_labels
from stepdown.api.actions import StatusPageAction
from stepdown.api.policy import GROUP, VERSION

DIGEST = "stepdown.dev/page-template"
"""Annotation of a page's Deployment: tells the template that it was made with from the one that it should have."""

REPLICAS = 2
FIRST_HEALTH_PORT = 9180
FIRST_FREE_PORT = 1024
"""A port below needs a right of a container that runs without root; a sysctl of the pod gives it."""


@dataclass(frozen=True, slots=True)
class PageImage:
    """The operator's own image, and how it is pulled. The Secrets are those of the page's own namespace."""

    image: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Owner:
    """The policy that a page belongs to: when it is gone, Kubernetes takes the page away."""

    name: str
    uid: str


def page_deployment(
    name: str, action: StatusPageAction, ports: Sequence[PagePort], owner: Owner, image: PageImage
) -> dict[str, Any]:
    """The Deployment of a page that serves some ports."""
    template = _template(name, action, ports, image)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "labels": page_labels(name),
            "annotations": {DIGEST: digest_of(template)},
            "ownerReferences": [
                {
                    "apiVersion": f"{GROUP}/{VERSION}",
                    "kind": "DegradationPolicy",
                    "name": owner.name,
                    "uid": owner.uid,
                    "controller": True,
                }
            ],
        },
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": page_labels(name)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": template,
        },
    }


def digest_of(template: Mapping[str, Any]) -> str:
    """What tells one template from another. What the API server adds to a stored one doesn't count, so it is noted."""
    return sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:16]


def is_owned(deployment: Mapping[str, Any], owner: Owner) -> bool:
    """Whether a Deployment belongs to a policy, this very one."""
    return any(ref.get("uid") == owner.uid for ref in deployment["metadata"].get("ownerReferences") or [])


def _template(name: str, action: StatusPageAction, ports: Sequence[PagePort], image: PageImage) -> dict[str, Any]:
    numbers = {port.number for port in ports}
    health = next(number for number in range(FIRST_HEALTH_PORT, 65536) if number not in numbers)
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 15,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": page_labels(name)},
            }
        ],
        "containers": [_container(action, ports, health, image)],
    }
    if min(numbers) < FIRST_FREE_PORT:
        spec["securityContext"]["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    if image.pull_secrets:
        spec["imagePullSecrets"] = [{"name": secret} for secret in image.pull_secrets]
    return {"metadata": {"labels": page_labels(name)}, "spec": spec}


def _container(action: StatusPageAction, ports: Sequence[PagePort], health: int, image: PageImage) -> dict[str, Any]:
    return {
        "name": "page",
        "image": image.image,
        "imagePullPolicy": image.pull_policy,
        "args": [
            "page",
            f"--message={_literal(action.message)}",
            f"--retry-after={math.ceil(action.retry_after)}",
            *(f"--port={number}" for number in sorted({port.number for port in ports})),
            f"--health-port={health}",
        ],
        "ports": [{"containerPort": p.number, **({"name": p.name} if p.name is not None else {})} for p in ports],
        # Patient, for a page that all ask at once is slow; one whose process has ended isn't waited for.
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": health}, "periodSeconds": 2, "timeoutSeconds": 10},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": health}, "periodSeconds": 10, "timeoutSeconds": 10},
        "resources": {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _literal(text: str) -> str:
    """Text as an argument of a container, where `$(NAME)` would be replaced by a variable's value."""
    return text.replace("$", "$$")
