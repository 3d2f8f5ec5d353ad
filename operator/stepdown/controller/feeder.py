"""The only kopf: it watches, and hands over what it sees.

kopf brings relisting, back-off, bookmarks and expired watches. One handler a kind, which writes nothing, adds no
finalizer and returns nothing; deletion is a state that the evaluator sees. It runs in a thread with a loop of its
own: it takes signals, cancels every task around it and needs seconds to stop, none of which may touch the tasks
that act.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import kopf

from stepdown.api.policy import GROUP, VERSION

log = logging.getLogger("stepdown.feeder")

See = Callable[[str, Mapping[str, Any], bool], None]
"""Told the plural of a kind, an object, and whether it is gone. Called in the feeder's thread."""

PLURALS = ("degradationpolicies", "metricsendpoints", "namespaces")
"""What is watched; the last two are cluster-scoped."""

AGAIN_SECONDS = 5.0
"""Pause before kopf is started again after it ended by itself."""


class Feeder:
    """Watches the named namespaces, or all where there are none, from `start` to `stop`."""

    def __init__(self, namespaces: Sequence[str], see: See) -> None:
        self._namespaces = list(namespaces)
        self._see = see
        self._stop = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread soon; nothing more is handed over. It is not waited for: it holds nothing."""
        self._stop.set()
        self._ending.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                asyncio.run(self._watch())
            except (Exception, asyncio.CancelledError) as error:
                log.warning("watching ended (%s) and is begun again", type(error).__name__)
            self._stop.wait(AGAIN_SECONDS)

    async def _watch(self) -> None:
        """Runs kopf to its end. A thread waits for its flag, and only the flag ends that one: each run has its own."""
        ending = self._ending = threading.Event()
        if self._stop.is_set():
            return
        try:
            await kopf.operator(
                registry=self._registry(),
                settings=_settings(),
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                stop_flag=ending,
            )
        finally:
            ending.set()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(kopf.login_via_client)
        for plural in PLURALS:
            kind = ("v1", plural) if plural == "namespaces" else (GROUP, VERSION, plural)
            kopf.on.event(*kind, registry=registry, id=plural)(self._handler(plural))
        return registry

    def _handler(self, plural: str) -> Callable[..., Any]:
        async def seen(event: Mapping[str, Any], **_: Any) -> None:
            if not self._stop.is_set():
                self._see(plural, event["object"], event["type"] == "DELETED")

        return seen


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.persistence.finalizer = f"{GROUP}/never-used"
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.chunk_size = 500
    settings.watching.server_timeout = 300
    settings.watching.connect_timeout = 5
    settings.networking.request_timeout = 10
    settings.networking.error_backoffs = ()  # with any, kopf stays away for as long as a busy server says, be it a day
    settings.watching.reconnect_backoff = 1.0
    return settings
