"""The API server's objects as they are now: one list and one watch per kind."""

import json
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import requests

from plane.api import Api, ApiError, Object
from plane.processes import wait_for


class Watching:
    """Follows some kinds in all namespaces until it is stopped. Objects that it gives must not be changed."""

    def __init__(self, api: Api, kinds: Sequence[str]) -> None:
        self._api = api
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._objects: dict[str, dict[tuple[str, str], Object]] = {kind: {} for kind in kinds}
        self._threads = [threading.Thread(target=self._follow, args=(kind,), daemon=True) for kind in kinds]

    def start(self) -> "Watching":
        """Lists every kind once, then follows. A CRD that was just made needs a moment before it can be listed."""
        for kind in self._objects:
            wait_for(f"{kind} can be listed", partial(self._can_list, kind))
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Follows no more."""
        self._stop.set()

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """An object, None where there is none."""
        with self._lock:
            return self._objects[kind].get((namespace, name))

    def all(self, kind: str, namespace: str) -> dict[str, Object]:
        """The objects of a namespace by name."""
        with self._lock:
            return {name: obj for (home, name), obj in self._objects[kind].items() if home == namespace}

    def _can_list(self, kind: str) -> bool:
        try:
            self._list(kind)
        except ApiError as error:
            if error.status not in (404, 429):
                raise
            return False
        return True

    def _list(self, kind: str) -> str:
        found = self._api.call("GET", self._api.path(kind))
        with self._lock:
            self._objects[kind] = {_key(obj): obj for obj in found["items"]}
        return str(found["metadata"]["resourceVersion"])

    def _follow(self, kind: str) -> None:
        session = requests.Session()
        session.verify, session.trust_env = self._api.ca, False
        session.headers["Authorization"] = f"Bearer {self._api.token}"
        while not self._stop.is_set():
            try:
                query = {"watch": "1", "resourceVersion": self._list(kind)}
                url = self._api.url + self._api.path(kind)
                with session.get(url, params=query, stream=True, timeout=(5, 300)) as answer:
                    for line in answer.iter_lines(chunk_size=None):
                        if self._stop.is_set():
                            return
                        self._see(kind, json.loads(line))
            except (ApiError, requests.RequestException, ValueError, KeyError):
                self._stop.wait(0.2)

    def _see(self, kind: str, event: dict[str, Any]) -> None:
        obj = event["object"]
        with self._lock:
            match event["type"]:
                case "ADDED" | "MODIFIED":
                    self._objects[kind][_key(obj)] = obj
                case "DELETED":
                    self._objects[kind].pop(_key(obj), None)
                case _:
                    raise ValueError(event["type"])  # too old a version: list again


def _key(obj: Object) -> tuple[str, str]:
    return str(obj["metadata"]["namespace"]), str(obj["metadata"]["name"])
