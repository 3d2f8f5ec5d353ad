"""Pods of the chart's own image that run to an end: real processes of this checkout, as a kubelet would run them.

A pod's ServiceAccount token (bound to the pod), its ConfigMaps and its arguments are what the API server says; the
exit code and the end of the log go into its status, so that its Job and Helm see what they would see in a cluster.
"""

import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plane.api import Api, ApiError, Object
from plane.processes import Process, wait_for

REPOSITORY = "ghcr.io/stepdown-dev/stepdown"
LONGEST_SECONDS = 600.0
MESSAGE_BYTES = 2048
"""What a kubelet keeps of a log as the message of a failed container."""

Kubeconfig = Callable[[str, str, str], Path]
"""A kubeconfig for a namespace and a token, in a file of the given name."""


class PodRunner:
    """Runs each pod once."""

    def __init__(self, api: Api, folder: Path, kubeconfig: Kubeconfig) -> None:
        self._api = api
        self._folder = folder
        self._kubeconfig = kubeconfig
        self._running: dict[str, Process | None] = {}
        self._lock = threading.Lock()

    def takes(self, pod: Object) -> bool:
        """Whether it is a pod to run here."""
        images = [container["image"] for container in pod["spec"]["containers"]]
        return pod["spec"].get("restartPolicy") == "Never" and all(i.startswith(REPOSITORY) for i in images)

    def see(self, pod: Object) -> None:
        """Starts the pod when it is new."""
        with self._lock:
            if pod["metadata"]["uid"] in self._running or pod["status"].get("phase") in ("Succeeded", "Failed"):
                return
            self._running[pod["metadata"]["uid"]] = None
        threading.Thread(target=self._run, args=(pod,), daemon=True).start()

    def end(self, pod: Object) -> None:
        """Ends the process of a pod that is being deleted."""
        process = self._running.get(pod["metadata"]["uid"])
        if process is not None:
            process.stop()

    def _run(self, pod: Object) -> None:
        meta, (container,) = pod["metadata"], pod["spec"]["containers"]
        folder = self._folder / meta["name"]
        folder.mkdir(parents=True)
        arguments = [str(argument) for argument in container["args"]]
        maps = {v["name"]: v["configMap"]["name"] for v in pod["spec"]["volumes"] if "configMap" in v}
        for mount in (m for m in container["volumeMounts"] if m["name"] in maps):
            self._fill(folder / mount["name"], maps[mount["name"]], meta["namespace"])
            arguments = [a.replace(f"{mount['mountPath']}/", f"{folder / mount['name']}/", 1) for a in arguments]
        process = Process(
            meta["name"],
            [sys.executable, "-m", "stepdown.cli", *arguments],
            folder / "log",
            {"KUBECONFIG": str(self._credentials(pod)), "HOME": str(folder)},
        )
        self._running[meta["uid"]] = process.start()
        started = _now()
        self._tell(pod, "Running", {"running": {"startedAt": started}})
        try:
            wait_for(meta["name"], lambda: not process.running, LONGEST_SECONDS)
        finally:
            process.kill()
        code = process.returncode
        message = process.log.read_text(errors="replace")[-MESSAGE_BYTES:] if code else ""
        ended = {"exitCode": code, "reason": "Error" if code else "Completed", "message": message}
        ended |= {"startedAt": started, "finishedAt": _now()}
        self._tell(pod, "Failed" if code else "Succeeded", {"terminated": ended})

    def _fill(self, folder: Path, config_map: str, namespace: str) -> None:
        folder.mkdir()
        for name, text in self._api.get("ConfigMap", config_map, namespace)["data"].items():
            (folder / name).write_text(text)

    def _credentials(self, pod: Object) -> Path:
        meta = pod["metadata"]
        bound = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        path = self._api.path("ServiceAccount", pod["spec"]["serviceAccountName"], meta["namespace"], "token")
        body: Any = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        body["spec"] = {"expirationSeconds": 3600, "boundObjectRef": bound}
        return self._kubeconfig(self._api.call("POST", path, body)["status"]["token"], meta["name"], meta["namespace"])

    def _tell(self, pod: Object, phase: str, state: Object) -> None:
        (container,) = pod["spec"]["containers"]
        status = {
            "name": container["name"],
            "image": container["image"],
            "imageID": container["image"],
            "ready": phase == "Running",
            "started": phase == "Running",
            "restartCount": 0,
            "state": state,
        }
        body = {"status": {"phase": phase, "startTime": _now(), "containerStatuses": [status]}}
        try:
            self._api.merge("Pod", pod["metadata"]["name"], pod["metadata"]["namespace"], body, "status")
        except ApiError as error:
            if error.status != 404:
                raise


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
