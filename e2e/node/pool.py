"""Shops in pods whose workers can all be busy: a line before them, and users who wait in it until they give up.

The line is as long as gunicorn's, and nobody sees from inside who has left it: so a shop that is behind goes on serving
people who are gone.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from node import web
from node.web import Object

FLAGS = "shop-flags"
FLAG = "recommendations"
METRICS_PORT = 9100
_SERVER = Path(__file__).with_name("pool_server.py").read_text()


@dataclass(frozen=True)
class Pool:
    """What one pod can do: `workers` at once, each for so many seconds a page; recommendations cost more."""

    workers: int
    page: float
    recommendations: float = 0.0


def deployment(name: str, pool: Pool, replicas: int = 1) -> Object:
    """Pods that are found by Prometheus, and say in `X-Served-By` what their Deployment is called."""
    settings = {
        "WORKERS": str(pool.workers),
        "PAGE_SECONDS": str(pool.page),
        "RECOMMENDATIONS_SECONDS": str(pool.recommendations),
    }
    made = web.deployment(name, replicas, flags=FLAGS, **settings)
    template = made["spec"]["template"]
    template["metadata"]["annotations"] = {"prometheus.io/scrape": "true", "prometheus.io/port": str(METRICS_PORT)}
    (container,) = template["spec"]["containers"]
    container["command"] = ["python", "-c", _SERVER]
    container["readinessProbe"] = {
        "httpGet": {"path": "/ready", "port": "http"},
        "periodSeconds": 1,
        "timeoutSeconds": 1,
        "failureThreshold": 3,
    }
    container["lifecycle"] = {"preStop": {"sleep": {"seconds": 2}}}  # until no Service leads here any more
    return made


def flags() -> Object:
    """The flag document of all pools of a namespace: recommendations are on."""
    flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}
    data = {"flags.json": json.dumps({"flags": {FLAG: flag}})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": FLAGS}, "data": data}
