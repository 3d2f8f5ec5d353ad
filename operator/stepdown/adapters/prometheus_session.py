"""The session that Prometheus is asked through. Prometheus is hostile until proven otherwise.

As it comes, the client has no time-out, retries by itself, follows redirects to internal addresses, obeys
Retry-After, and reads a body of any size. Here: no redirects, no proxies, no retries, no compression, no cookies,
one deadline and one number of bytes for all of an answer, only addresses that are allowed. Errors are one short
line without credentials, even where the server sends them back.
"""

import base64
import contextlib
import http.client
import ssl
import threading
import time
from collections.abc import Sequence
from typing import Any

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from stepdown.adapters.prometheus_connection import (
    HEADER_BYTES,
    LINE_CHARACTERS,
    Connection,
    Gauge,
    TlsSocket,
    TooLong,
    Untrusted,
    explained,
)
from stepdown.adapters.prometheus_peers import Peers
from stepdown.api.endpoint import EndpointSpec
from stepdown.api.lines import one_line

LARGE_BYTES = 524_288
"""Answers longer than this are read one at a time: what an endpoint can make us hold is one of them."""


class _Adapter(BaseAdapter):
    """Sends one request over a guarded connection and reads all of its answer."""

    def __init__(self, endpoint: EndpointSpec, peers: Peers) -> None:
        super().__init__()
        self._url = endpoint.url
        self._seconds = endpoint.timeout
        self._bytes = endpoint.limits.response_bytes
        self._peers = peers
        self._context = _context(endpoint)
        self._kept: list[Connection] = []
        self._lock = threading.Lock()
        self._large = threading.Lock()
        self._closed = False

    def send(self, request: requests.PreparedRequest, *_: Any, **kwargs: Any) -> requests.Response:
        timeout = kwargs.get("timeout")
        seconds = min(self._seconds, timeout) if isinstance(timeout, int | float) else self._seconds
        connection = self._take()
        connection.bind(Gauge(seconds, self._bytes))
        try:
            connection.request(request.method or "GET", request.path_url, request.body, dict(request.headers or {}))
            answer = connection.getresponse()
            body = self._read(answer, connection.gauge)
        except BaseException as error:
            connection.close()
            if isinstance(error, Exception):
                raise explained(error, seconds) from None
            raise
        self._keep(connection, answer)
        return _response(request, answer, body)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            kept, self._kept = self._kept, []
        for connection in kept:
            connection.close()

    def _take(self) -> Connection:
        with self._lock:
            while self._kept:
                connection = self._kept.pop()
                if connection.is_usable():
                    return connection
                connection.close()
        return Connection(self._url, self._peers, self._context)

    def _keep(self, connection: Connection, answer: http.client.HTTPResponse) -> None:
        connection.idle_since = time.monotonic()
        with self._lock:
            if answer.isclosed() and not answer.will_close and not self._closed:
                self._kept.append(connection)
                return
        connection.close()

    def _read(self, answer: http.client.HTTPResponse, gauge: Gauge) -> bytearray:
        if sum(len(name) + len(value) for name, value in answer.getheaders()) > HEADER_BYTES:
            raise TooLong(f"its headers are longer than {HEADER_BYTES} bytes")
        if 300 <= answer.status < 400:
            raise Untrusted(f"it redirects ({answer.status}), which is not followed: give the URL that it leads to")
        if (answer.getheader("Content-Encoding") or "identity").lower() != "identity":
            raise Untrusted("it compresses its answer although asked not to")
        if (answer.length or 0) > self._bytes:
            raise TooLong(f"its answer is longer than {self._bytes} bytes")
        body = bytearray()
        with contextlib.ExitStack() as turn:
            while part := answer.read(65_536):
                if len(body) <= LARGE_BYTES < len(body) + len(part):
                    self._wait_for_large(gauge)
                    turn.callback(self._large.release)
                body += part
                if len(body) > self._bytes:
                    raise TooLong(f"its answer is longer than {self._bytes} bytes")
        if answer.length:
            raise Untrusted("its answer is cut short")
        return body

    def _wait_for_large(self, gauge: Gauge) -> None:
        """Raises TooSlow when the request's time is over before those of others are."""
        while not self._large.acquire(timeout=gauge.seconds_left()):
            continue


class GuardedSession(requests.Session):
    """A session for one endpoint, for several threads.

    `token` or `basic` (user, password) are sent to it; `refused` are further addresses or networks that are never
    connected to (the API server's). Raises ValueError for credentials and certificates that can't be used.
    """

    def __init__(
        self,
        endpoint: EndpointSpec,
        *,
        token: str | None = None,
        basic: tuple[str, str] | None = None,
        refused: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._guard = _Adapter(endpoint, Peers(endpoint.allowed_cidrs, refused))
        self._secrets: list[str] = []
        self.trust_env = False
        self.headers.clear()
        self.headers.update({"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "stepdown"})
        if token is not None:
            self._authorize("Bearer", _printable(token.strip()), [token.strip()])
        elif basic is not None:
            encoded = base64.b64encode(":".join(basic).encode()).decode()
            self._authorize("Basic", encoded, [encoded, basic[1]])

    def get_adapter(self, url: str | bytes) -> BaseAdapter:  # noqa: ARG002 - as requests has it
        """The guarded one whatever is mounted: the client mounts an adapter of its own that retries."""
        return self._guard

    def request(self, method: Any, url: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        """One request, answered in full. Raises Untrusted.

        The client would put the parameters of a POST into the URL; batches are longer than a URL may be.
        """
        kwargs["allow_redirects"] = False
        kwargs["proxies"] = None
        if str(method).upper() == "POST":
            kwargs["data"] = kwargs.pop("params", None)
        return super().request(method, url, **kwargs)

    def line(self, text: str) -> str:
        """Text of the server as one bounded line that shows no credential."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return one_line(text, LINE_CHARACTERS).strip()

    def close(self) -> None:
        """Closes kept connections."""
        self._guard.close()
        super().close()

    def _authorize(self, scheme: str, credentials: str, secrets: list[str]) -> None:
        self.headers["Authorization"] = f"{scheme} {credentials}"
        self._secrets = [secret for secret in secrets if secret]


def _printable(token: str) -> str:
    if not token or not token.isascii() or not token.isprintable():
        raise ValueError("the token is empty or has characters that no header can carry")
    return token


def _context(endpoint: EndpointSpec) -> ssl.SSLContext | None:
    """Trust in the endpoint's own CA only, or without one in the system's and requests' public ones."""
    if not endpoint.url.lower().startswith("https:"):
        return None
    try:
        context = ssl.create_default_context(cadata=endpoint.ca or None)
    except (ssl.SSLError, ValueError):
        raise ValueError("ca holds no PEM certificates that can be read") from None
    if not endpoint.ca:
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    context.sslsocket_class = TlsSocket
    return context


def _response(
    request: requests.PreparedRequest, answer: http.client.HTTPResponse, body: bytearray
) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers = CaseInsensitiveDict(answer.getheaders())
    response.request = request
    response.url = request.url or ""
    response._content = body  # type: ignore[assignment]  # saves a copy
    response._content_consumed = True  # type: ignore[attr-defined]
    return response
