"""Serves a status page to everybody who comes, on as little as may be: asyncio, no framework, no state but a time.

A page is there when a service is not, so it must outlive what that one died of. Requests are hardly looked at, answers
are ready before they are asked for, and whoever holds a connection without asking loses it.

Since when it is shown no page can be told in time, and none needs to: traffic comes only while a level sends it here,
so it is the time of the first request after a quiet time. Who waits asks again after `retry_after` seconds; when
nobody has for twice as long, nobody was there.
"""

import asyncio
import contextlib
import resource
import signal
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial

from stepdown.page.text import Notice, answers

HEAD_MAX = 16_384
BODY_MAX = 1_048_576
"""Bytes of a request's body that are taken and thrown away; an answer that overtakes them would be lost."""

HEAD_SECONDS = 5.0
"""Longest time for a request to come and its answer to go."""

CONNECTIONS_MAX = 4096
BACKLOG = 1024

ACCEPTED_AT_ONCE = 32
"""Most who are let in before others have their turn. A page whose health check waited behind all who come would be
taken for dead, and traffic would go back to what it has just been taken from."""

LEAVING_SECONDS = 5.0
"""How long a page that is told to end still serves: so long it may be sent traffic."""

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
_LEAVING = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 8\r\nConnection: close\r\n\r\nleaving\n"

Answer = Callable[[bytes], bytes]
"""The whole answer to a request, of which it is given the head."""


class Desk:
    """What is said now, and since when. `now` is a clock, seconds since the epoch."""

    def __init__(self, notice: Notice, now: Callable[[], float] = time.time) -> None:
        self._notice = notice
        self._clock = now
        self._now = now()
        self._since = self._last = float("-inf")
        self._answers = answers(notice, self._now, self._now)

    def turn(self) -> None:
        """Looks at the clock; once a second is often enough for all that depends on it."""
        self._now = self._clock()
        self._write()

    def answer(self, request: bytes) -> bytes:
        """The answer to a request, which counts as one of those who wait."""
        if self._now - self._last > 2 * self._notice.retry_after:
            self._since = self._now
            self._write()
        self._last = self._now
        return self._answers.to(request)

    def _write(self) -> None:
        self._answers = answers(self._notice, max(self._since, 0.0), self._now)


class Visit(asyncio.Protocol):
    """One connection: a request's head comes, the answer goes, and it ends. `visits` are all that are open."""

    def __init__(self, answer: Answer, visits: "dict[Visit, float]") -> None:
        self._answer = answer
        self._visits = visits
        self._head = b""
        self._rest = -1
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """One more, unless there are too many."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._visits) >= CONNECTIONS_MAX:
            transport.abort()
        else:
            self._visits[self] = time.monotonic() + HEAD_SECONDS

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - however it ended
        """One less."""
        self._visits.pop(self, None)

    def data_received(self, data: bytes) -> None:
        """Takes the head in, then what follows it and nobody needs."""
        assert self._transport is not None
        if self._rest >= 0:
            self._rest -= len(data)
            if self._rest < 0:
                self._transport.abort()
            return
        self._head += data
        if not self._head[:1].isalpha():  # TLS, or anything but HTTP
            self._transport.abort()
        elif b"\r\n\r\n" in self._head or b"\n\n" in self._head or len(self._head) > HEAD_MAX:
            self._reply(self._transport)

    def _reply(self, transport: asyncio.Transport) -> None:
        transport.write(self._answer(self._head))
        lower = self._head.lower()
        if len(lower) > HEAD_MAX or b"\ncontent-length:" in lower or b"\ntransfer-encoding:" in lower:
            self._rest = BODY_MAX
            transport.write_eof()
        else:
            transport.close()

    def end(self) -> None:
        """Ends it, whatever it is at."""
        if self._transport is not None:
            self._transport.abort()


async def serve(notice: Notice, ports: Sequence[int], health_port: int, stop: asyncio.Event | None = None) -> None:
    """Serves until it is told to stop, by SIGTERM or SIGINT where `stop` is None. Raises OSError for a taken port."""
    _allow_connections()
    loop, told = asyncio.get_running_loop(), stop or asyncio.Event()
    if stop is None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told.set)
    desk, visits = Desk(notice), dict[Visit, float]()
    checks = dict[Visit, float]()

    def health(request: bytes) -> bytes:
        return _LEAVING if told.is_set() and b"/readyz" in request[:64] else _OK

    places: list[tuple[int, Answer, dict[Visit, float]]] = [(port, desk.answer, visits) for port in ports]
    async with contextlib.AsyncExitStack() as stack:
        for port, answer, open_ones in [*places, (health_port, health, checks)]:
            visit = partial(Visit, answer, open_ones)
            listening = _listening(port)
            server = await loop.create_server(visit, sock=listening, backlog=ACCEPTED_AT_ONCE)
            listening.listen(BACKLOG)  # asyncio has one number for who may wait and for who is let in at once
            await stack.enter_async_context(server)
        leaves_at = float("inf")
        while time.monotonic() < leaves_at:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await (asyncio.sleep(1.0) if told.is_set() else told.wait())
            if told.is_set():
                leaves_at = min(leaves_at, time.monotonic() + LEAVING_SECONDS)
            desk.turn()
            for slow in [v for v, until in [*visits.items(), *checks.items()] if until < time.monotonic()]:
                slow.end()


def _listening(port: int) -> socket.socket:
    """A socket for every address of the pod, of both families where there are two."""
    try:
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
    except (OSError, ValueError):
        return socket.create_server(("", port), backlog=BACKLOG)


def _allow_connections() -> None:
    """As many open files as the pod may have: the limit that processes begin with is low."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
