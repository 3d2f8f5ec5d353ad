"""A node that only pretends: pods on it become Running and Ready, and end when they are deleted.

Annotations of a pod change that: `plane.test/ready: "false"` keeps it from being ready (and may be changed
later), `plane.test/pod-ip: host` gives it this machine's own address, so that a test can serve its port.
Jobs of the chart's image are real processes (plane.pod_runner).
"""

import itertools
import json
import socket
import threading
import time
from datetime import UTC, datetime
from typing import Any

import requests

from plane.api import Api, ApiError
from plane.pod_runner import PodRunner

NODE = "fake-node"


def host_address() -> str:
    """An address of this machine that isn't loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


class FakeNode:
    """The node's threads: one heartbeat, one watch of pods."""

    def __init__(self, api: Api, runner: PodRunner) -> None:
        self._api = api
        self._runner = runner
        self._stop = threading.Event()
        self._addresses = itertools.count(2)
        self._given: dict[str, str] = {}
        self._threads = [
            threading.Thread(target=self._heartbeat, daemon=True),
            threading.Thread(target=self._watch, daemon=True),
        ]

    def start(self) -> None:
        """Creates the node and starts."""
        self._api.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}, "spec": {}})
        self._beat()
        self._api.json_patch("Node", NODE, "", [{"op": "add", "path": "/spec/taints", "value": []}])
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends the threads."""
        self._stop.set()

    def _heartbeat(self) -> None:
        while not self._stop.wait(5):
            try:
                self._beat()
            except (ApiError, requests.RequestException):
                continue

    def _beat(self) -> None:
        now = _now()
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "Pretending",
            "message": "",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        size = {"cpu": "1000", "memory": "1000Gi", "pods": "5000"}
        status = {"conditions": [ready], "capacity": size, "allocatable": size}
        self._api.merge("Node", NODE, "", {"status": status}, "status")

    def _watch(self) -> None:
        session = requests.Session()
        session.verify, session.trust_env = self._api.ca, False
        session.headers["Authorization"] = f"Bearer {self._api.token}"
        while not self._stop.is_set():
            try:
                found = self._api.call("GET", "/api/v1/pods", fieldSelector=f"spec.nodeName={NODE}")
                for pod in found["items"]:
                    self._see(pod)
                version = found["metadata"]["resourceVersion"]
                query = {"watch": "1", "resourceVersion": version, "fieldSelector": f"spec.nodeName={NODE}"}
                with session.get(f"{self._api.url}/api/v1/pods", params=query, stream=True, timeout=(5, 60)) as answer:
                    for line in answer.iter_lines(chunk_size=None):
                        if self._stop.is_set():
                            return
                        event = json.loads(line)
                        if event["type"] in ("ADDED", "MODIFIED"):
                            self._see(event["object"])
            except (ApiError, requests.RequestException, ValueError, KeyError):
                time.sleep(0.05)

    def _see(self, pod: dict[str, Any]) -> None:
        meta = pod["metadata"]
        try:
            if "deletionTimestamp" in meta:
                self._runner.end(pod)
                path = self._api.path("Pod", meta["name"], meta["namespace"])
                self._api.call("DELETE", path, {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}})
                return
            if self._runner.takes(pod):
                self._runner.see(pod)
                return
            annotations = meta.get("annotations") or {}
            ready = annotations.get("plane.test/ready", "true") == "true"
            conditions = pod.get("status", {}).get("conditions") or []
            is_ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
            if pod["status"].get("phase") == "Running" and is_ready == ready:
                return
            self._api.merge(
                "Pod", meta["name"], meta["namespace"], {"status": self._status(pod, ready=ready)}, "status"
            )
        except ApiError:
            return

    def _status(self, pod: dict[str, Any], *, ready: bool) -> dict[str, Any]:
        now = _now()
        address = self._address(pod)
        containers = [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": container["image"],
                "ready": ready,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": now}},
            }
            for container in pod["spec"]["containers"]
        ]
        kinds = [("Initialized", True), ("PodScheduled", True), ("ContainersReady", ready), ("Ready", ready)]
        return {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "hostIP": host_address(),
            "startTime": now,
            "containerStatuses": containers,
            "conditions": [
                {"type": t, "status": "True" if on else "False", "lastTransitionTime": now} for t, on in kinds
            ],
        }

    def _address(self, pod: dict[str, Any]) -> str:
        if (pod["metadata"].get("annotations") or {}).get("plane.test/pod-ip") == "host":
            return host_address()
        uid = pod["metadata"]["uid"]
        if uid not in self._given:
            number = next(self._addresses)
            self._given[uid] = f"10.244.{number // 250 % 250}.{number % 250 + 2}"
        return self._given[uid]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
