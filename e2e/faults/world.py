"""Where episodes are played: one namespace with three things to change, cheap enough to have dozens of them.

The Deployment that is scaled is paused from its birth: its replicas are a number, and no pod comes or goes for it.
"""

import copy
from typing import Any

from plane import examples
from plane.api import Api, ApiError, Object
from plane.ladders import BREACHED, HEALTHY, WORSE, ladder, level, route, scale, settings, switch
from plane.metrics_source import MetricsSource
from plane.processes import wait_for
from plane.shop import POLICY

NAME = "shop"
WORKERS = 2
LOW, LOWER = 4, 6
"""Workers before the episode, at its first and at its second level."""

KINDS = ("Service", "ConfigMap", "Deployment")
LOADS = {"low": BREACHED, "lower": WORSE, "full": HEALTHY}
"""The load that leads to each level."""


class World:
    """One namespace with a Service, its fallback, a flag and workers; each has a client of its own."""

    def __init__(self, namespace: str, api: Api, source: MetricsSource) -> None:
        self.namespace, self.api, self._source = namespace, api, source
        self._series = f'app_worker_utilization{{namespace="{namespace}", service="{NAME}"}}'
        source.stamp(self._series, None)  # so that a busy machine, where a scrape fails, isn't taken for missing data
        self.load(HEALTHY)

    def build(self) -> "World":
        """Creates what the policy acts on; doesn't wait for pods."""
        shop = [o for o in examples.load("workloads.yaml") if o["metadata"]["name"] in ("shop", "shop-static")]
        for obj in shop:
            if obj["kind"] == "Deployment":
                obj["spec"]["replicas"] = 1
        (deployment,) = (o for o in shop if (o["kind"], o["metadata"]["name"]) == ("Deployment", "shop"))
        workers = copy.deepcopy(deployment)
        workers["metadata"]["name"] = "workers"
        workers["spec"] |= {"replicas": WORKERS, "paused": True, "selector": {"matchLabels": {"app": "workers"}}}
        workers["spec"]["template"]["metadata"]["labels"] = {"app": "workers"}
        for obj in (*shop, workers, settings("flags", reviews="on", theme="dark")):
            self.api.create(obj, self.namespace)
        return self

    def wait_ready(self) -> None:
        """Waits until the fallback could answer, and the Deployments' status says what it will go on saying."""

        def holds() -> bool:
            found = {d["metadata"]["name"]: d["status"] for d in self.api.list("Deployment", self.namespace)}
            ready = all(found[name].get("readyReplicas") == 1 for name in ("shop", "shop-static"))
            return ready and found["workers"].get("observedGeneration") == 1

        wait_for(f"the pods of {self.namespace}", holds, 60)

    def load(self, value: float) -> None:
        """Sets the load that the policy follows."""
        self._source.set(self._series, value)

    def policy(self, **spec: Any) -> Object:
        """Two levels over three kinds: traffic, a flag and workers; then more workers."""
        actions = (route("shop", "shop-static"), switch("flags", reviews="off"), scale("workers", LOW))
        lower = level("lower", scale("workers", LOWER), above="120%")
        return ladder(NAME, self.namespace, level("low", *actions, trial=True), lower, **spec)

    def find(self) -> Object:
        """The policy as it is stored."""
        return self.api.get(POLICY, NAME, self.namespace)

    def remove(self) -> None:
        """Deletes the policy, and takes its finalizer off where one is left."""
        self.api.delete(POLICY, NAME, self.namespace)
        try:
            if self.api.find(POLICY, NAME, self.namespace) is not None:
                self.api.merge(POLICY, NAME, self.namespace, {"metadata": {"finalizers": None}})
        except ApiError as error:
            if error.status != 404:
                raise

    def objects(self) -> dict[str, Object]:
        """Everything of the user by "Kind/name", whole but for what the server counts and the status."""
        found = {}
        for kind in KINDS:
            for obj in self.api.list(kind, self.namespace):
                obj.pop("status", None)
                for key in ("resourceVersion", "managedFields", "generation"):
                    obj["metadata"].pop(key, None)
                found[f"{kind}/{obj['metadata']['name']}"] = obj
        return found
