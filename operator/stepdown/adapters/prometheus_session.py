"""The session that Prometheus is asked through. Prometheus is hostile until proven otherwise.

As it comes, the client has no time-out, retries by itself, follows redirects to internal addresses, obeys
Retry-After, and reads a body of any size. Here: no redirects, no proxies, no retries, no compression, one deadline
for connecting, headers and body together, a cap on bytes, and the address that was really connected to is checked,
because checking the name before would leave time to change its meaning.
"""

import ipaddress
import ssl
import time
from collections.abc import Sequence
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from stepdown.api.endpoint import EndpointSpec

_METADATA = ("169.254.169.254/32", "fd00:ec2::254/128")


class Untrusted(requests.RequestException):
    """The answer, or the address that it comes from, is not to be trusted; the message is one bounded line."""


class _Adapter(HTTPAdapter):
    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(max_retries=0, pool_connections=4, pool_maxsize=16)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self._context is not None:
            kwargs["ssl_context"] = self._context
        super().init_poolmanager(*args, **kwargs)


class GuardedSession(requests.Session):
    """A session for one endpoint. `refused` are further networks that are never connected to (the API server)."""

    def __init__(
        self,
        endpoint: EndpointSpec,
        *,
        token: str | None = None,
        basic: tuple[str, str] | None = None,
        refused: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.trust_env = False
        self.max_redirects = 0
        self.headers.clear()
        self.headers.update({"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "stepdown"})
        if token is not None:
            self.headers["Authorization"] = f"Bearer {token}"
        self.auth = basic
        self._allowed = [ipaddress.ip_network(text, strict=False) for text in endpoint.allowed_cidrs]
        self._refused = [ipaddress.ip_network(text, strict=False) for text in (*_METADATA, *refused)]
        self._bytes = endpoint.limits.response_bytes
        self._seconds = endpoint.timeout
        context = None
        if endpoint.url.startswith("https:"):
            context = ssl.create_default_context(cadata=endpoint.ca) if endpoint.ca else ssl.create_default_context()
        self.mount("https://", _Adapter(context))
        self.mount("http://", _Adapter(None))

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        """One request with all the guards. Raises requests.RequestException."""
        deadline = time.monotonic() + self._seconds
        kwargs.update(allow_redirects=False, stream=True, timeout=self._seconds)
        response = super().request(method, url, *args, **kwargs)
        try:
            self._check_peer(response)
            if response.is_redirect or 300 <= response.status_code < 400:
                raise Untrusted(f"it redirects ({response.status_code}); give the address that it leads to")
            if sum(len(k) + len(v) for k, v in response.headers.items()) > 65_536:
                raise Untrusted("its headers are longer than 64 KiB")
            response._content = self._read(response, deadline)
            response._content_consumed = True  # type: ignore[attr-defined]
        except BaseException:
            response.close()
            raise
        return response

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise Untrusted("it compresses although asked not to")
        parts, size = [], 0
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Untrusted(f"it took longer than {self._seconds:g} s")
            _set_timeout(response, left)
            part = response.raw.read1(65_536) if hasattr(response.raw, "read1") else response.raw.read(65_536)
            if not part:
                return b"".join(parts)
            size += len(part)
            if size > self._bytes:
                raise Untrusted(f"its answer is longer than {self._bytes} bytes")
            parts.append(part)

    def _check_peer(self, response: requests.Response) -> None:
        sock = _socket_of(response)
        if sock is None:
            raise Untrusted("the address that answered can't be told")
        address = ipaddress.ip_address(str(sock.getpeername()[0]).split("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        if any(address in network for network in self._allowed):
            return
        special = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
        if special or any(address in network for network in self._refused):
            raise Untrusted(f"its address {address} is refused; list it in allowedCIDRs if it is meant")


def _socket_of(response: requests.Response) -> Any:
    connection = getattr(response.raw, "_connection", None) or getattr(response.raw, "connection", None)
    return getattr(connection, "sock", None)


def _set_timeout(response: requests.Response, seconds: float) -> None:
    sock = _socket_of(response)
    if sock is not None:
        sock.settimeout(max(0.01, seconds))
