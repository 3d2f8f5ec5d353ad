"""A small web server in pods, and who asks it: for tests that count what users got."""

import http.client
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from node.images import PYTHON_IMAGE

Object = dict[str, Any]
PORT = 8000
_SERVER = """
import os, signal, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Says(BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["SAYS"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # process 1 has no handler by default
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("", 8000), Says).serve_forever()
"""


_CONTAINER: Object = {
    "name": "web",
    "image": PYTHON_IMAGE,
    "imagePullPolicy": "Never",
    "command": ["python", "-c", _SERVER],
    "ports": [{"name": "http", "containerPort": PORT}],
    "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
}
POD: Object = {
    "automountServiceAccountToken": False,
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [_CONTAINER],
}
"""A web server's pod under the restricted pod security standard."""


def deployment(name: str, replicas: int = 1) -> Object:
    """Pods that answer every GET with the Deployment's name."""
    container = {**_CONTAINER, "env": [{"name": "SAYS", "value": name}]}
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {**POD, "containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def service(name: str) -> Object:
    """The Service of a Deployment's pods."""
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


@dataclass(frozen=True)
class Answer:
    """What one request got. `said` is empty for an error; `at` is the wall clock's time of the answer, in seconds."""

    at: float
    said: str
    error: str = ""


def ask(host: str, port: int = 80, path: str = "/", timeout: float = 2.0) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
        return Answer(time.time(), text) if answer.status == 200 else Answer(time.time(), "", f"{answer.status} {text}")
    except (OSError, http.client.HTTPException) as error:
        return Answer(time.time(), "", repr(error))
    finally:
        connection.close()


class Users:
    """Users who keep asking a host, each request on a connection of its own; `with Users(host) as users`."""

    def __init__(self, host: str, pause: float = 0.01) -> None:
        self._host, self._pause = host, pause
        self._closed = threading.Event()
        self._answers: list[Answer] = []
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> "Users":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    @property
    def answers(self) -> list[Answer]:
        """All so far, oldest first."""
        return list(self._answers)

    def last(self) -> str:
        """What the last request got."""
        return self._answers[-1].said if self._answers else ""

    def first(self, said: str, since: float) -> float | None:
        """When something was first said after a time of the wall clock."""
        return next((answer.at for answer in self.answers if answer.said == said and answer.at >= since), None)

    def _ask(self) -> None:
        while not self._closed.wait(self._pause):
            self._answers.append(ask(self._host))


def errors(answers: Iterable[Answer]) -> list[str]:
    """What went wrong."""
    return [answer.error for answer in answers if not answer.said]
