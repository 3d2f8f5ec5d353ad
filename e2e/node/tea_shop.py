"""The example shop on a node: its images, its manifests in their order, and who looks at it."""

import http.client
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from node import images
from node.cluster import Cluster
from node.operator_pods import is_ready
from plane.processes import wait_for
from plane.tools import Tool

NAMESPACE = "shop"
MANIFESTS = ("namespace", "services", "database", "outside", "shop", "fallbacks", "crowd")
"""Files of examples/shop, in the order that they are applied in."""
METRICS_PORT = 9100


@dataclass(frozen=True)
class Reply:
    """What a user got. `code` is 0 where there was no answer, and `text` is why."""

    code: int
    served_by: str
    text: str

    def json(self) -> Any:
        """The text, read."""
        return json.loads(self.text)


class TeaShop:
    """The shop of examples/shop on a cluster, as an administrator sees it."""

    def __init__(self, cluster: Cluster, kubectl: Tool) -> None:
        self.cluster, self.kubectl, self.api = cluster, kubectl, cluster.plane.api
        self.opened_in = 0.0
        """Seconds from the first manifest to the first full page."""

    def load(self) -> "TeaShop":
        """Makes the images known to the node."""
        for archive in images.shop():
            self.cluster.node.load(archive)
        return self

    def open(self) -> "TeaShop":
        """Applies the manifests, and waits until users get the full page."""
        began = time.monotonic()
        for name in MANIFESTS:
            self.kubectl("apply", "--filename", str(images.SHOP / f"{name}.yaml"))
        self.wait_ready()
        wait_for("the shop answers", lambda: self.get("/").served_by == "full", 30)
        self.opened_in = time.monotonic() - began
        return self

    def wait_ready(self, timeout: float = 90.0) -> None:
        """Waits until every Deployment has all its pods."""
        self.kubectl(
            *("wait", "deployment", "--all", "--for=condition=Available", f"--timeout={timeout:.0f}s"),
            *("--namespace", NAMESPACE),
        )

    def pods(self, app: str = "") -> list[dict[str, Any]]:
        """The pods that aren't being deleted: of one Deployment, or all."""
        found = self.api.list("Pod", NAMESPACE, **({"labelSelector": f"app={app}"} if app else {}))
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def address(self, service: str = "shop") -> str:
        """A Service's address."""
        return str(self.api.get("Service", service, NAMESPACE)["spec"]["clusterIP"])

    def get(self, path: str, service: str = "shop") -> Reply:
        """A request on a connection of its own."""
        return ask(self.address(service), "GET", path)

    def buy(self, product: int = 1, quantity: int = 1) -> Reply:
        """An order. Its customer waits for longer than the shop does."""
        order = json.dumps({"product": product, "quantity": quantity})
        return ask(self.address(), "POST", "/checkout", order, timeout=20.0)

    def lead(self, app: str, service: str = "shop") -> None:
        """Has a Service lead to a Deployment's pods, as a person would."""
        patch = [{"op": "replace", "path": "/spec/selector", "value": {"app": app}}]
        self.api.json_patch("Service", service, NAMESPACE, patch)

    def scale(self, deployment: str, replicas: int) -> None:
        """Scales a Deployment, and waits until it has so many pods, ready."""
        self.kubectl("scale", "deployment", deployment, f"--replicas={replicas}", "--namespace", NAMESPACE)
        wait_for(f"{deployment} has {replicas}", lambda: self.has_ready(deployment, replicas), 60)

    def has_ready(self, deployment: str, replicas: int) -> bool:
        """Whether a Deployment has so many pods, all ready.

        Pods that are being deleted count, too: where a Service has no others they still serve.
        """
        pods = self.api.list("Pod", NAMESPACE, labelSelector=f"app={deployment}")
        return len(pods) == replicas and all(is_ready(pod) for pod in pods)

    def choose(self, **variants: str) -> None:
        """Sets flags, and touches the pods that mount them, so that they see it at once."""
        text = self.api.get("ConfigMap", "shop-flags", NAMESPACE)["data"]["flags.json"]
        document = json.loads(text)
        for flag, variant in variants.items():
            document["flags"][flag]["defaultVariant"] = variant
        data = {"flags.json": json.dumps(document)}
        self.api.merge("ConfigMap", "shop-flags", NAMESPACE, {"data": data})
        for app in ("shop", "checkout", "notifications"):
            for pod in self.pods(app):
                touch = {"metadata": {"annotations": {"touched": json.dumps(variants)}}}
                self.api.merge("Pod", pod["metadata"]["name"], NAMESPACE, touch)

    def rows(self, query: str, database: str = "postgres-primary") -> list[dict[str, Any]]:
        """What a query gives, of the primary database or the replica."""
        text = self.sql(f"SELECT coalesce(json_agg(found), '[]') FROM ({query}) found", database)
        return list(json.loads(text))

    def sql(self, statement: str, database: str = "postgres-primary") -> str:
        """What psql prints of a statement."""
        where = ("exec", "--namespace", NAMESPACE, f"deployment/{database}", "--")
        return self.kubectl(*where, "psql", "--no-align", "--tuples-only", "--command", statement)

    @contextmanager
    def locked(self, table: str, mode: str, seconds: float = 3.7) -> Iterator[None]:
        """A table that somebody has locked for a while. Ends when it is free again."""
        with ThreadPoolExecutor(1) as other:
            lock = f"BEGIN; LOCK TABLE {table} IN {mode} MODE; SELECT pg_sleep({seconds:g}); COMMIT"
            held = other.submit(self.sql, lock)
            mine = f"relation = '{table}'::regclass AND mode = '{mode.title().replace(' ', '')}Lock' AND granted"
            wait_for(f"{table} is locked", lambda: bool(self.rows(f"SELECT 1 FROM pg_locks WHERE {mine}")))
            yield
            held.result()

    def done_outside(self, company: str) -> dict[str, str]:
        """What a company outside did, by key."""
        return dict(self.get("/done", company).json())

    def counted(self, app: str) -> Counter[str]:
        """Answers of a Deployment's pods so far, by code, as they tell Prometheus."""
        found: Counter[str] = Counter()
        for pod in self.pods(app):
            text = ask(f"{pod['status']['podIP']}:{METRICS_PORT}", "GET", "/metrics").text
            samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
            found.update({s.labels["code"]: int(s.value) for s in samples if s.name == "shop_requests_total"})
        return found


def ask(host: str, method: str, path: str, body: str = "", timeout: float = 10.0) -> Reply:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(host, timeout=timeout)
    try:
        connection.request(method, path, body)
        given = connection.getresponse()
        return Reply(given.status, given.headers.get("X-Served-By", ""), given.read().decode())
    except (OSError, http.client.HTTPException) as error:
        return Reply(0, "", repr(error))
    finally:
        connection.close()
