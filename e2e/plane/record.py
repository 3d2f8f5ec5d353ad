"""What the API server itself says was written, in its own order: for tests that count writes or act upon one.

A watch, not a poll: every revision of an object is seen, and a callback runs a few milliseconds after the write.
"""

import itertools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from plane.api import Api, Object
from plane.operator import Operator
from plane.processes import wait_for
from plane.shop import POLICY, Shop

REST_SECONDS = 2.0
"""Two intervals of the ladders in plane.ladders."""


@dataclass(frozen=True)
class Seen:
    """One write: `type` is ADDED, MODIFIED or DELETED; `at` is when we saw it, in monotonic seconds."""

    kind: str
    type: str
    object: Object
    at: float

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.object["metadata"]["name"])


class Record:
    """Everything written to some kinds in one namespace while it is open; `with Record(...) as record`.

    `on_write` is called in the watching thread, with each write after it was noted.
    """

    def __init__(
        self, api: Api, namespace: str, *kinds: str, on_write: Callable[[Seen], None] = lambda _seen: None
    ) -> None:
        self._api, self._namespace, self._kinds = api, namespace, kinds
        self._on_write = on_write
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._all: list[Seen] = []

    def __enter__(self) -> "Record":
        for kind in self._kinds:
            path = self._api.path(kind, namespace=self._namespace)
            version = self._api.call("GET", path)["metadata"]["resourceVersion"]
            threading.Thread(target=self._watch, args=(kind, path, version), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()

    def seen(self, kind: str, name: str, since: float = 0.0) -> list[Seen]:
        """All writes to one object since a monotonic time, oldest first."""
        with self._lock:
            return [seen for seen in self._all if (seen.kind, seen.name) == (kind, name) and seen.at >= since]

    def values(self, kind: str, name: str, value: Callable[[Object], Any], since: float = 0.0) -> list[Any]:
        """What a field of one object became, write by write, without the writes that left it as it was."""
        found: list[Any] = []
        for seen in self.seen(kind, name, since):
            now = value(seen.object)
            if not found or found[-1] != now:
                found.append(now)
        return found

    def _watch(self, kind: str, path: str, version: str) -> None:
        session = requests.Session()
        session.verify, session.trust_env = self._api.ca, False
        session.headers["Authorization"] = f"Bearer {self._api.token}"
        while not self._closed.is_set():
            query = {"watch": "1", "resourceVersion": version}
            try:
                with session.get(self._api.url + path, params=query, stream=True, timeout=(5, 5)) as answer:
                    for line in answer.iter_lines(chunk_size=None):
                        if self._closed.is_set():
                            return
                        event = json.loads(line)
                        version = event["object"]["metadata"]["resourceVersion"]
                        self._note(Seen(kind, event["type"], event["object"], time.monotonic()))
            except requests.RequestException:
                continue

    def _note(self, seen: Seen) -> None:
        with self._lock:
            self._all.append(seen)
        self._on_write(seen)


def managers(obj: Object) -> set[str]:
    """Who has written an object or one of its subresources, by field manager."""
    return {str(entry["manager"]) for entry in obj["metadata"].get("managedFields") or []}


def wait_quiet(shop: Shop, operator: Operator, timeout: float = 60.0) -> None:
    """Waits until nothing of a shop is written any more while policies are evaluated.

    Each is evaluated twice meanwhile, so at least once from beginning to end; where no policy is left at all, the
    time that two evaluations would take must pass. Raises AssertionError when writing doesn't end.
    """
    everyone = len(shop.api.list(POLICY))

    def evaluations() -> float:
        return operator.metrics().sum("stepdown_evaluations_total")

    noted = [_Quiet(shop.versions(), evaluations(), time.monotonic())]

    def is_quiet() -> bool:
        now = _Quiet(shop.versions(), evaluations(), time.monotonic())
        if now.versions != noted[-1].versions:
            noted.append(now)
            return False
        if not everyone:
            return now.at - noted[-1].at >= REST_SECONDS
        return now.evaluations - noted[-1].evaluations >= 2 * everyone

    try:
        wait_for("nothing is written any more", is_quiet, timeout, every=0.2)
    except TimeoutError as error:
        last = [
            {key for key in new.versions if new.versions[key] != old.versions.get(key)}
            for old, new in itertools.pairwise(noted)
        ]
        raise AssertionError(f"{error}; written last: {last[-5:]}\n{shop.describe()}") from None


@dataclass(frozen=True)
class _Quiet:
    """Since when the versions are what they are, and how many evaluations there had been."""

    versions: dict[str, str]
    evaluations: float
    at: float
