"""A small web server in pods, and who asks it: for tests that count what users got."""

import contextlib
import http.client
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.images import PYTHON_IMAGE

Object = dict[str, Any]
PORT = 8000
_SERVER = Path(__file__).with_name("says.py").read_text()

_RESOURCES = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
_CONTAINER: Object = {
    "name": "web",
    "image": PYTHON_IMAGE,
    "imagePullPolicy": "Never",
    "command": ["python", "-c", _SERVER],
    "ports": [{"name": "http", "containerPort": PORT}],
    "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
    "resources": _RESOURCES,
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


def deployment(name: str, replicas: int = 1, flags: str = "", cpu: str = "", **environment: str) -> Object:
    """Pods that answer every GET with the Deployment's name; `environment` is node.says's.

    `flags` names a ConfigMap that is mounted where node.says looks for what it is told; `cpu` is the most that a pod
    may use.
    """
    env = [{"name": key, "value": value} for key, value in {"SAYS": name, **environment}.items()]
    container = {**_CONTAINER, "env": env}
    pod = {**POD, "containers": [container]}
    if cpu:
        container["resources"] = {**_RESOURCES, "limits": {**_RESOURCES["limits"], "cpu": cpu}}
    if flags:
        container["volumeMounts"] = [{"name": "flags", "mountPath": "/flags"}]
        pod["volumes"] = [{"name": "flags", "configMap": {"name": flags}}]
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod}
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
    """What one request got. `said` is empty for an error; `at` is the wall clock's time of the answer, in seconds.

    `took` is how long it was waited for, in seconds.
    """

    at: float
    said: str
    error: str = ""
    took: float = 0.0


def ask(host: str, port: int = 80, path: str = "/", timeout: float = 2.0) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        return _exchange(connection, path)
    finally:
        connection.close()


def _exchange(connection: http.client.HTTPConnection, path: str = "/") -> Answer:
    """One request on a connection, which is closed by an error and then opened by the next request."""
    asked = time.time()
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
        said, error = (text, "") if answer.status == 200 else ("", f"{answer.status} {text}")
    except (OSError, http.client.HTTPException) as problem:
        connection.close()
        said, error = "", repr(problem)
    now = time.time()
    return Answer(now, said, error, now - asked)


_ENDED = ("RemoteDisconnected", "ConnectionResetError", "BrokenPipeError")


class Users:
    """Users who keep asking a host, each request on a connection of its own; `with Users(host) as users`.

    They wait for `timeout` seconds for an answer; it is long, because a machine that stalls is no error of a shop.
    """

    def __init__(self, host: str, pause: float = 0.01, timeout: float = 5.0) -> None:
        self._host, self._pause, self._timeout = host, pause, timeout
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
            self._answers.append(ask(self._host, timeout=self._timeout))


class KeptUsers(Users):
    """Users who keep their connection for as long as they are let, one after another on the same one.

    Where the other end closes it before an answer has begun, the request is repeated once, as browsers do.
    """

    def _ask(self) -> None:
        with contextlib.closing(http.client.HTTPConnection(self._host, timeout=self._timeout)) as connection:
            while not self._closed.wait(self._pause):
                was_open = connection.sock is not None
                answer = _exchange(connection)
                if was_open and any(name in answer.error for name in _ENDED):
                    answer = _exchange(connection)
                self._answers.append(answer)


def errors(answers: Iterable[Answer]) -> list[str]:
    """What went wrong."""
    return [answer.error for answer in answers if not answer.said]
