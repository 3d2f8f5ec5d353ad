"""What people have instead: a poller, and Prometheus' rules with Alertmanager's webhook. And a watch that times all.

Each peer does the least that works: one query or one call of a webhook, then one patch of its Deployment. Nothing
is written ahead, compared, told or given back.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from bench.outcome import say
from plane.api import Api
from plane.control_plane import ADMIN, ControlPlane
from plane.processes import Process, free_port

Act = Callable[[], None]
"""The peer's one write."""


def scaler(plane: ControlPlane, namespace: str, deployment: str, replicas: int) -> Act:
    """A patch of a Deployment's replicas, over a connection of its own that is open already."""
    api = plane.as_user(ADMIN)
    api.get("Deployment", deployment, namespace)
    return lambda: _scale(api, namespace, deployment, replicas)


def swapper(plane: ControlPlane, namespace: str, service: str, app: str) -> Act:
    """A patch of a Service's selector, over a connection of its own that is open already."""
    api = plane.as_user(ADMIN)
    api.get("Service", service, namespace)
    change = [{"op": "replace", "path": "/spec/selector", "value": {"app": app}}]
    return lambda: _patch(api, namespace, service, change)


def _patch(api: Api, namespace: str, service: str, change: list[dict[str, Any]]) -> None:
    api.json_patch("Service", service, namespace, change)


def _scale(api: Api, namespace: str, deployment: str, replicas: int) -> None:
    api.merge("Deployment", deployment, namespace, {"spec": {"replicas": replicas}}, "scale")


class Poller:
    """Asks Prometheus every so many seconds from its own phase on, and acts once on a value above the bound."""

    def __init__(self, url: str, query: str, bound: float, every: float, phase: float, act: Act) -> None:
        self._url = url
        self._query = query
        self._bound = bound
        self._every = every
        self._phase = phase
        self._act = act
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Starts its thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it soon."""
        self._stop.set()

    def _run(self) -> None:
        session = requests.Session()
        session.trust_env = False
        due = time.time() + self._phase
        while not self._stop.wait(max(0.0, due - time.time())):
            answer = session.get(f"{self._url}/api/v1/query", params={"query": self._query}, timeout=10).json()
            if any(float(row["value"][1]) > self._bound for row in answer["data"]["result"]):
                self._act()
                return
            due += self._every


class Alertmanager:
    """A real Alertmanager that sends alerts to a webhook of ours, which acts by the alert's label; at once by default.

    `acts` is what to do by the value of the label `service`; alerts of others are none of its business.
    """

    def __init__(self, program: str, folder: Path, group_wait: str = "0s") -> None:
        self._program = program
        self._folder = folder
        self._group_wait = group_wait
        self.address = f"127.0.0.1:{free_port()}"
        self.acts: dict[str, Act] = {}
        self._process: Process | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    def start(self) -> None:
        """Starts the webhook and the program, and waits until it is ready."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._folder.mkdir(parents=True, exist_ok=True)
        config = {
            "route": {
                "receiver": "hook",
                "group_by": ["..."],
                "group_wait": self._group_wait,
                "group_interval": "1s",
                "repeat_interval": "1h",
            },
            "receivers": [
                {"name": "hook", "webhook_configs": [{"url": f"http://127.0.0.1:{self._server.server_port}/"}]}
            ],
        }
        (self._folder / "alertmanager.yml").write_text(json.dumps(config))
        command = [
            self._program,
            f"--config.file={self._folder / 'alertmanager.yml'}",
            f"--storage.path={self._folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]
        self._process = Process("alertmanager", command, self._folder / "alertmanager.log").start()
        self._process.wait_ready(self._ready, 30)

    def stop(self) -> None:
        """Stops both."""
        if self._process is not None:
            self._process.stop()
        self._server.shutdown()
        self._server.server_close()

    def _ready(self) -> bool:
        try:
            return requests.get(f"http://{self.address}/-/ready", timeout=1).status_code == 200
        except requests.RequestException:
            return False

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        manager = self

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in body["alerts"]:
                    act = manager.acts.get(alert["labels"]["service"])
                    if alert["status"] == "firing" and act is not None:
                        act()
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        return Hook


class ReplicasWatch:
    """Notes when each Deployment of a namespace is first seen with so many replicas, by our own clock."""

    def __init__(self, plane: ControlPlane, namespace: str, replicas: int) -> None:
        self._api = plane.as_user(ADMIN)
        self._namespace = namespace
        self._replicas = replicas
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self.seen: dict[str, float] = {}

    def start(self) -> None:
        """Starts the watch at what is there now."""
        path = self._api.path("Deployment", namespace=self._namespace)
        version = self._api.call("GET", path)["metadata"]["resourceVersion"]
        threading.Thread(target=self._run, args=(path, version), daemon=True).start()

    def stop(self) -> None:
        """Ends it with the next event."""
        self._stop.set()

    def check(self) -> None:
        """Raises what ended the watch, if anything did."""
        if self._failure is not None:
            raise self._failure

    def _run(self, path: str, version: str) -> None:
        session = requests.Session()
        session.verify, session.trust_env = self._api.ca, False
        session.headers["Authorization"] = f"Bearer {self._api.token}"
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "3600"}
        try:
            with session.get(self._api.url + path, params=query, stream=True, timeout=(5, None)) as answer:
                for line in answer.iter_lines(chunk_size=None):
                    if self._stop.is_set():
                        return
                    now = time.time()
                    event = json.loads(line)
                    obj = event["object"]
                    if event["type"] == "MODIFIED" and obj["spec"]["replicas"] == self._replicas:
                        self.seen.setdefault(obj["metadata"]["name"], now)
            raise RuntimeError("the watch of the targets ended too early")
        except Exception as error:
            if not self._stop.is_set():
                self._failure = error
                say(f"  the watch of the targets failed: {error}")


@contextlib.contextmanager
def started(part: Any) -> Any:
    """A part that is started now and stopped at the end."""
    try:
        part.start()
        yield part
    finally:
        part.stop()
