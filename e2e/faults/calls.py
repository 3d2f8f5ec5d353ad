"""What the operator asked of the API server, and what became of it: the log that the oracles read."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from plane.api import Object

POLICIES = "degradationpolicies"
WRITES = ("patch", "create", "update", "delete")
_VERBS = {"PATCH": "patch", "POST": "create", "PUT": "update", "DELETE": "delete"}


@dataclass(frozen=True)
class Request:
    """One call. `resource` has its subresource, like `deployments/scale`; `name` is empty for a collection.

    `verb` is as in RBAC: get, list, watch, patch, create, update, delete; or `event` for an event of a watch.
    """

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""
    path: str = ""
    body: Any = None

    @property
    def kind(self) -> tuple[str, str]:
        """What calls are counted by."""
        return self.verb, self.resource

    @property
    def is_write(self) -> bool:
        """Whether it may change something."""
        return self.verb in WRITES


@dataclass(frozen=True)
class Exchange:
    """A request with its end. `status` is what the API server answered, 0 where it was not asked or did not answer.

    `answer` is kept of writes only; `fault` names the fault that it met; `asked` and `ended` are monotonic seconds.
    """

    request: Request
    status: int
    answer: Object
    fault: str
    asked: float
    ended: float

    @property
    def is_done(self) -> bool:
        """Whether it is a write that took effect, whatever the operator was told."""
        return self.request.is_write and 200 <= self.status < 300

    @property
    def version(self) -> int:
        """The server's revision of the object after it."""
        return int((self.answer.get("metadata") or {}).get("resourceVersion") or 0)


def read_request(method: str, url: str, body: bytes) -> Request:
    """A request of the wire."""
    parts = urlsplit(url)
    names = parts.path.strip("/").split("/")
    names = names[3:] if names[0] == "apis" else names[2:]
    namespace = ""
    if len(names) > 2 and names[0] == "namespaces":
        namespace, names = names[1], names[2:]
    resource, name, subresource = [*names, "", "", ""][:3]
    verb = _VERBS.get(method) or ("watch" if "watch" in parse_qs(parts.query) else "get" if name else "list")
    if resource == "namespaces" and not namespace:
        namespace = name
    full = f"{resource}/{subresource}" if subresource else resource
    return Request(verb, full, namespace, name, parts.path, json.loads(body) if body else None)


class CallLog:
    """Every exchange, by namespace, in the order in which they ended. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._namespaces: dict[str, _OfNamespace] = {}

    def note(self, exchange: Exchange) -> None:
        """Adds one."""
        mine = self._of(exchange.request.namespace)
        with mine.changed:
            mine.exchanges.append(exchange)
            if exchange.is_done and exchange.request.resource.partition("/")[0] == POLICIES:
                mine.policies.append(exchange)
            if exchange.request.is_write:
                mine.changed.notify_all()

    def seen(self, namespace: str, since: int = 0) -> list[Exchange]:
        """The exchanges of a namespace from a place on, as `mark` gave it."""
        mine = self._of(namespace)
        with mine.changed:
            return mine.exchanges[since:]

    def mark(self, namespace: str) -> int:
        """The place of the next exchange of a namespace."""
        return len(self._of(namespace).exchanges)

    def policy(self, namespace: str) -> Object:
        """A namespace's policy after the operator's newest write; empty before the first."""
        mine = self._of(namespace)
        with mine.changed:
            return max(mine.policies, key=lambda e: e.version).answer if mine.policies else {}

    def wait(self, namespace: str, condition: Callable[[], bool], timeout: float) -> bool:
        """Waits until a condition holds, looking after each write in a namespace; whether it did in time."""
        mine = self._of(namespace)
        with mine.changed:
            return mine.changed.wait_for(condition, timeout)

    def _of(self, namespace: str) -> "_OfNamespace":
        with self._lock:
            return self._namespaces.setdefault(namespace, _OfNamespace())


class _OfNamespace:
    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.exchanges: list[Exchange] = []
        self.policies: list[Exchange] = []
