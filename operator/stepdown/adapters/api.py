"""The API server: raw JSON in and out, PATCH only, one deadline for every call.

Typed models drop fields that they don't know, so none are used; the client brings credentials, TLS and the pool.
What can go wrong is translated here and nowhere else, to the three errors of the ports.
"""

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.config.config_exception import ConfigException

from stepdown.ports import Conflict, JsonPatch, Object, Refused, Unknown

CALL_SECONDS = 5.0
"""Longest time for a call, in all."""

_TEST_FAILED = "the server rejected our request due to an error in our request"
_PATCH = "application/json-patch+json"


class NoCluster(Exception):
    """There is no API server to talk to; the message says what was tried."""


def _always() -> None:
    return None


def _uncounted(_resource: str) -> None:
    return None


class Api:
    """One connection pool. `guard` is called before each write and may raise; `on_write` counts by resource."""

    def __init__(self, connection: client.ApiClient) -> None:
        self._client = connection
        self.guard: Callable[[], None] = _always
        self.on_write: Callable[[str], None] = _uncounted

    @classmethod
    async def connect(cls, kubeconfig: str | None = None) -> "Api":
        """In a pod its ServiceAccount, else the kubeconfig (the given one, $KUBECONFIG, the default). Raises NoCluster."""
        settings = client.Configuration()
        settings.retries = 0
        settings.connection_pool_maxsize = 32
        try:
            if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
                config.load_incluster_config(client_configuration=settings)
            else:
                await config.load_kube_config(config_file=kubeconfig, client_configuration=settings, persist_config=False)
        except (ConfigException, OSError, ValueError) as error:
            raise NoCluster(f"no cluster to work on: {_line(str(error))}; set KUBECONFIG or run in a pod") from None
        return cls(client.ApiClient(settings))

    @property
    def host(self) -> str:
        """The API server's URL."""
        return str(self._client.configuration.host)

    async def close(self) -> None:
        """Closes the pool."""
        await self._client.close()

    async def get(self, path: str, **query: str) -> Object:
        """A GET. Raises Refused and Unknown."""
        return await self._call("GET", path + (f"?{urlencode(query)}" if query else ""))

    async def patch(self, path: str, patch: JsonPatch) -> Object:
        """A JSON patch. Raises Conflict, Refused and Unknown."""
        self.guard()
        self.on_write(path.rsplit("/", 2)[-2 if path.count("/") > 2 else -1])
        return await self._call("PATCH", path, patch, _PATCH)

    async def post(self, path: str, body: Object) -> Object:
        """A creation. Raises Conflict (409: it is there), Refused and Unknown."""
        self.guard()
        self.on_write(path.rsplit("/", 1)[-1])
        return await self._call("POST", path, body)

    async def _call(self, method: str, path: str, body: Any = None, content: str = "application/json") -> Object:
        headers = {"Accept": "application/json", "Content-Type": content, "User-Agent": "stepdown"}
        try:
            async with asyncio.timeout(CALL_SECONDS):
                settings = (await self._client.configuration.auth_settings()).get("BearerToken")
                if settings is not None:
                    headers["authorization"] = str(settings["value"])
                answer = await self._client.rest_client.request(
                    method, self._client.configuration.host + path, headers, body, _request_timeout=CALL_SECONDS
                )
                data = await answer.read()
        except client.ApiException as error:
            raise _refusal(int(error.status or 0), str(error.body or error.reason or "")) from None
        except TimeoutError:
            raise Unknown(f"{method} {path}: no answer within {CALL_SECONDS:.0f} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unknown(f"{method} {path}: {_line(str(error)) or type(error).__name__}") from None
        if not 200 <= answer.status < 300:
            raise _refusal(answer.status, data.decode("utf-8", "replace") if isinstance(data, bytes) else str(data))
        try:
            found = json.loads(data)
        except ValueError:
            raise Unknown(f"{method} {path}: the answer isn't JSON") from None
        if not isinstance(found, dict):
            raise Unknown(f"{method} {path}: the answer isn't an object")
        return found


def _refusal(status: int, text: str) -> Exception:
    try:
        message = str(json.loads(text).get("message", text))
    except (ValueError, AttributeError):
        message = text
    message = _line(message)
    if status == 409 or (status == 422 and _TEST_FAILED in message):
        return Conflict(status, message)
    if status >= 500:
        return Unknown(f"{status}: {message}")
    return Refused(status, message)


def _line(text: str) -> str:
    """One printable line of bounded length."""
    return "".join(c if c.isprintable() else " " for c in text)[:500]
