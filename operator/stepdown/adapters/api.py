"""The API server: raw JSON in and out, no PUT, one deadline for every call.

Typed models drop fields that they don't know, so none are used; the client brings credentials, TLS and the pool.
What can go wrong is translated here and nowhere else, to the three errors of the ports.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.config.config_exception import ConfigException

from stepdown.adapters.paths import resource_of
from stepdown.api.lines import one_line
from stepdown.ports import Conflict, JsonPatch, Object, Refused, Unknown

CALL_SECONDS = 5.0
"""Longest time for a call, in all: waiting for a connection, credentials, the answer's last byte."""

PAUSES = (0.1, 0.2, 0.4, 0.8)
"""Seconds before each further try of a call that failed. Under 30 % errors a tick of a dozen calls would never end."""

RELOAD_SECONDS = 10.0
"""Least time between two readings of the credentials because the server didn't accept them."""

_CONNECTIONS = 32
_LINE_CHARACTERS = 500
_TEST_FAILED = "the server rejected our request due to an error in our request"
_PATCH = "application/json-patch+json"


class NoCluster(Exception):
    """There is no API server to talk to; the message says what was tried."""


class Failed(Unknown):
    """The server answered that it failed, or the connection broke. The same call may be tried again at once.

    A read has no effect, and every patch of ours tests what it replaces: what took effect unseen is a Conflict then.
    """


class Api:
    """One connection pool.

    `guard` is called right before each write and may raise Unknown; `on_write` is told each write's resource.
    `pauses` are the seconds before each further try of a read or a patch that failed.
    A lease needs an Api of its own: its writes come before leadership, and must not queue behind other calls; and one
    without pauses, for to a lease a Conflict says that somebody else was faster.
    """

    def __init__(
        self,
        connection: client.ApiClient,
        reload: Callable[[], Awaitable[None]] | None = None,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._client = connection
        self._pauses = pauses
        self._reload = reload
        self._reloaded = float("-inf")
        self.guard: Callable[[], None] = lambda: None
        self.on_write: Callable[[str], None] = lambda _resource: None

    @classmethod
    async def connect(
        cls, kubeconfig: str | None = None, context: str | None = None, pauses: Sequence[float] = PAUSES
    ) -> "Api":
        """By what is named, else $KUBECONFIG, else a pod's ServiceAccount, else ~/.kube/config. Raises NoCluster.

        The client reads a ServiceAccount's token again every minute; a 401 makes any credentials be read again.
        """
        settings = client.Configuration()
        settings.retries = None  # 0 would mean: for ever
        settings.connection_pool_maxsize = _CONNECTIONS
        named = kubeconfig or os.environ.get("KUBECONFIG")
        if named and not _is_there(named):
            raise NoCluster(f"no cluster by {named}: there is no such file; set KUBECONFIG to one, or run in a pod")
        in_pod = not named and context is None and "KUBERNETES_SERVICE_HOST" in os.environ

        async def load() -> None:
            if in_pod:
                config.load_incluster_config(client_configuration=settings)
            else:
                await config.load_kube_config(named, context, settings, persist_config=False)

        try:
            await load()
            return cls(client.ApiClient(settings), load, pauses)
        except Exception as error:
            reason = _line(str(error)) if isinstance(error, ConfigException) else type(error).__name__
            tried = "the pod's ServiceAccount" if in_pod else named or "~/.kube/config"
            raise NoCluster(f"no cluster by {tried}: {reason}; set KUBECONFIG or run in a pod") from None

    @property
    def host(self) -> str:
        """The API server's URL."""
        return str(self._client.configuration.host)

    async def close(self) -> None:
        """Closes the pool."""
        await self._client.close()

    async def get(self, path: str, **query: str) -> Object:
        """A GET of an object or a list. Raises Refused and Unknown."""
        return await self._again("GET", path + (f"?{urlencode(query)}" if query else ""))

    async def patch(self, path: str, patch: JsonPatch) -> Object:
        """A JSON patch. Raises Conflict (a test failed), Refused and Unknown."""
        return await self._again("PATCH", path, patch, _PATCH)

    async def post(self, path: str, body: Object) -> Object:
        """A creation. Raises Conflict (it is there), Refused and Unknown."""
        return await self._call("POST", path, body)

    async def delete(self, path: str, uid: str) -> Object:
        """A deletion of this very object. Raises Conflict (another one has its name), Refused and Unknown."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        return await self._call("DELETE", path, {**options, "preconditions": {"uid": uid}})

    async def _again(self, method: str, path: str, body: Any = None, content: str = "application/json") -> Object:
        """A call that may be sent again when it failed; one without an answer isn't, for the next would have none."""
        for pause in self._pauses:
            try:
                return await self._call(method, path, body, content)
            except Failed:
                await asyncio.sleep(pause)
        return await self._call(method, path, body, content)

    async def _call(self, method: str, path: str, body: Any = None, content: str = "application/json") -> Object:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                answer, data = await self._send(method, path, body, content)
                if answer.status == 401:
                    await self._read_credentials()
        except TimeoutError:
            raise Unknown(f"{method} {path}: no answer within {CALL_SECONDS:.0f} s") from None
        except ConfigException:
            raise Unknown(f"{method} {path}: the credentials can't be read") from None
        except (aiohttp.ClientError, OSError, RuntimeError, ValueError) as error:
            raise Failed(f"{method} {path}: {_line(str(error)) or type(error).__name__}") from None
        if not 200 <= answer.status < 300:
            raise _refusal(answer.status, data)
        try:
            found = json.loads(data)
        except ValueError:
            raise Unknown(f"{method} {path}: the answer isn't JSON") from None
        if not isinstance(found, dict):
            raise Unknown(f"{method} {path}: the answer isn't an object")
        return found

    async def _send(self, method: str, path: str, body: Any, content: str) -> tuple[Any, bytes]:
        headers = {"Accept": "application/json", "Content-Type": content, "User-Agent": "stepdown"}
        settings = (await self._client.configuration.auth_settings()).get("BearerToken")
        if settings is not None:
            headers["authorization"] = str(settings["value"])
        if method != "GET":
            self.guard()
            self.on_write(resource_of(path))
        url = self._client.configuration.host + path
        answer = await self._client.rest_client.request(method, url, headers, body, _request_timeout=CALL_SECONDS)
        return answer, await answer.read()

    async def _read_credentials(self) -> None:
        """A token may have been replaced before its time; who was refused gets the new one with the next call."""
        now = time.monotonic()
        if self._reload is not None and now - self._reloaded >= RELOAD_SECONDS:
            self._reloaded = now
            await self._reload()


def _is_there(paths: str) -> bool:
    """Whether one of the files of a KUBECONFIG is there."""
    return any(Path(path).expanduser().exists() for path in paths.split(os.pathsep) if path)


def _refusal(status: int, data: bytes) -> Exception:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        found = {"message": data.decode("utf-8", "replace")}
    message = _line(str(found.get("message") or "")) or "no reason given"
    details = found.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    if status == 409 or (status == 422 and message == _TEST_FAILED and not causes):
        return Conflict(status, message)
    if status >= 500:
        return Failed(f"{status}: {message}")
    return Refused(status, message)


def _line(text: str) -> str:
    """One printable line of bounded length."""
    return " ".join(one_line(text, 4 * _LINE_CHARACTERS).split())[:_LINE_CHARACTERS]
