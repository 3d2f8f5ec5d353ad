"""Connections whose every read has what is left of one deadline and of one number of bytes.

Time-outs of sockets are no remedy against a hostile server: they begin anew with every byte that drips in, and a
line of headers, a chunk's length or a trailer may be endless before anything is counted. So the limits are kept
where bytes arrive, in the handshake, the headers and the body alike.

An address is judged twice: before a connection is made, for a name may mean another address each time, and after
it. Nothing is sent, least of all credentials, before both.
"""

import http.client
import select
import socket
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

import requests

from stepdown.adapters.prometheus_peers import Peers, RefusedPeer

HEADER_BYTES = 32_768
IDLE_SECONDS = 30.0
LINE_CHARACTERS = 200


class Untrusted(requests.RequestException):
    """No answer that could be used; the message is one bounded line."""


class TooSlow(Untrusted):
    """The deadline has passed."""


class TooLong(Untrusted):
    """The answer has more bytes than allowed."""


class Gauge:
    """What is left of a request's time and bytes."""

    def __init__(self, seconds: float, size: int) -> None:
        self._seconds = seconds
        self._size = size
        self._deadline = time.monotonic() + seconds
        self._left = size + HEADER_BYTES

    def seconds_left(self) -> float:
        """Raises TooSlow when nothing is left."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TooSlow(f"no answer within {self._seconds:g}s")
        return left

    def count(self, size: int) -> None:
        """Counts bytes that arrived. Raises TooLong when they are too many."""
        self._left -= size
        if self._left < 0:
            raise TooLong(f"its answer is longer than {self._size} bytes")


class PlainSocket(socket.socket):
    """A socket with limits, which are those of `gauge`."""

    gauge: Gauge

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """The one way in which http.client reads."""
        self.settimeout(self.gauge.seconds_left())
        size = super().recv_into(*args, **kwargs)
        self.gauge.count(size)
        return size

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        """Its time-out is for all of it."""
        self.settimeout(self.gauge.seconds_left())
        super().sendall(*args, **kwargs)


class TlsSocket(ssl.SSLSocket):
    """The same over TLS; a handshake's time-out is for all of it."""

    gauge: Gauge

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """The one way in which http.client reads."""
        self.settimeout(self.gauge.seconds_left())
        size = super().recv_into(*args, **kwargs)
        self.gauge.count(size)
        return size

    def send(self, *args: Any, **kwargs: Any) -> int:
        """What `sendall` is made of, each with its own time-out."""
        self.settimeout(self.gauge.seconds_left())
        return super().send(*args, **kwargs)


class Connection(http.client.HTTPConnection):
    """A connection to one endpoint, made with all guards when it is first used."""

    def __init__(self, url: str, peers: Peers, context: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        default = 443 if context is not None else 80
        super().__init__(parts.hostname or "", parts.port or default)
        self.default_port = default  # decides whether the Host header needs the port
        self._peers = peers
        self._context = context
        self.gauge = Gauge(0.0, 0)
        self.idle_since = 0.0

    def bind(self, gauge: Gauge) -> None:
        """Sets the limits of the next request."""
        self.gauge = gauge
        if isinstance(self.sock, PlainSocket | TlsSocket):
            self.sock.gauge = gauge

    def connect(self) -> None:
        """Connects to the first address that is allowed and answers."""
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[:8]
        problem: Exception = Untrusted("its name has no address")
        for place, (family, kind, protocol, _, address) in enumerate(found):
            sock = PlainSocket(family, kind, protocol)
            sock.gauge = self.gauge
            try:
                self._peers.check(str(address[0]))
                sock.settimeout(self.gauge.seconds_left() / (len(found) - place))
                sock.connect(address)
                self._peers.check(str(sock.getpeername()[0]))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(self.gauge.seconds_left())
                self.sock = sock if self._context is None else self._secured(sock, self._context)
                return
            except (OSError, RefusedPeer) as error:
                sock.close()
                problem = error
        raise problem

    def _secured(self, sock: PlainSocket, context: ssl.SSLContext) -> ssl.SSLSocket:
        secured = context.wrap_socket(sock, server_hostname=self.host)
        assert isinstance(secured, TlsSocket)
        secured.gauge = self.gauge
        return secured

    def is_usable(self) -> bool:
        """Whether a kept connection may be used again: young, and with nothing unexpected to read."""
        if self.sock is None or time.monotonic() - self.idle_since > IDLE_SECONDS:
            return False
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)


def explained(error: Exception, seconds: float) -> Untrusted:
    """An error in our own words: those of libraries quote headers and bytes."""
    match error:
        case Untrusted():
            return error
        case RefusedPeer():
            return Untrusted(str(error))
        case TimeoutError():
            return TooSlow(f"no answer within {seconds:g}s")
        case ssl.SSLCertVerificationError():
            return Untrusted(f"its certificate is refused: {error.verify_message}"[:LINE_CHARACTERS])
        case ssl.SSLError():
            return Untrusted(f"no TLS: {error.reason}"[:LINE_CHARACTERS])
        case socket.gaierror():
            return Untrusted(f"its name can't be resolved: {error.strerror}"[:LINE_CHARACTERS])
        case http.client.RemoteDisconnected() | ConnectionResetError() | BrokenPipeError():
            return Untrusted("it closed the connection without an answer")
        case http.client.IncompleteRead():
            return Untrusted("its answer is cut short")
        case http.client.HTTPException():
            return Untrusted(f"its answer is not HTTP as it should be ({type(error).__name__})")
        case OSError() if error.strerror:
            return Untrusted(f"no connection: {error.strerror}"[:LINE_CHARACTERS])
    return Untrusted(f"no connection ({type(error).__name__})")
