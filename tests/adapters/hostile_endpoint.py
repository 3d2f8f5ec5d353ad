"""Endpoints that answer well until a test says otherwise: paths of one scripted server, each with its own fault.

Good answers are those of the ladders in plane.ladders: the value that a test gave a policy, sampled just now.
"""

import itertools
import math
import re
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from adapters.hostile import HEAD, Request, Server, drip, http, items, vector

Object = dict[str, Any]

GIGABYTE = 1 << 30
_SERVICE = re.compile(r'service="([^"]+)"')

Reply = Callable[["Endpoints", Request], bytes | None]


class Endpoints:
    """A server whose first path segment names the fault, `/gzip`. `spoilt` are the names that are faulty now.

    `values` are what policies are told by name; `asked` are the monotonic times of requests, and `credentials` what
    came with them, by path.
    """

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.spoilt: set[str] = set()
        self.asked: dict[str, list[float]] = {}
        self.credentials: dict[str, set[str]] = {}
        self.elsewhere = Server(lambda _: http(b"{}"))
        self._turns = itertools.count()
        self._told: Counter[str] = Counter()
        self._server = Server(self._answer)

    def manifest(self, name: str, **spec: object) -> Object:
        """The MetricsEndpoint called as its fault is."""
        return {
            "apiVersion": "stepdown.dev/v1alpha1",
            "kind": "MetricsEndpoint",
            "metadata": {"name": name},
            "spec": {
                "url": f"http://127.0.0.1:{self._server.port}/{name}",
                "namespaceSelector": {},
                "allowedCIDRs": ["127.0.0.0/8"],
                "timeout": "2s",
                **spec,
            },
        }

    def times(self, name: str, since: float = 0.0) -> list[float]:
        """When an endpoint was asked, since a monotonic time."""
        return [at for at in self.asked.get(name, []) if at >= since]

    def stop(self) -> None:
        """Listens no more."""
        self._server.close()
        self.elsewhere.close()

    def good(self, request: Request, newest: float = 0.0, value: Callable[[str], float] | None = None) -> bytes:
        """What Prometheus would answer; `newest` seconds from now, `value` of a policy by its name."""
        tell = value or (lambda name: self.values.get(name, 0.0))
        rows: list[tuple[dict[str, str], float | str]] = []
        for mark, text in items(request.query).items():
            found = _SERVICE.search(text)
            is_time = text.startswith("max(timestamp(")
            rows.append(
                ({"stepdown_query": mark}, time.time() + newest if is_time else tell(found[1] if found else ""))
            )
        return vector(rows or [({}, 1)])

    def _answer(self, request: Request) -> bytes | None:
        name = request.path.split("/")[1]
        self.asked.setdefault(name, []).append(time.monotonic())
        self.credentials.setdefault(name, set()).add(request.headers.get("authorization", ""))
        if name not in self.spoilt:
            return self.good(request)
        return FAULTS[name](self, request)

    def nothing(self, request: Request) -> bytes:
        """No data, in another way after every few times."""
        ways = (vector([]), http(b"", 503), b"", self.good(request, value=lambda _: math.nan))
        return ways[next(self._turns) // 3 % len(ways)]

    def alternating(self, request: Request) -> bytes:
        """One of two servers that do not agree about 80 %, in turn for each policy."""

        def tell(name: str) -> float:
            self._told[name] += 1
            return (0.79, 0.81)[self._told[name] % 2]

        return self.good(request, value=tell)


def _gzip(_: Endpoints, request: Request) -> bytes:
    import gzip

    member = gzip.compress(b" " * (GIGABYTE // 64))
    return http(member * 64, headers="Content-Type: application/json\r\nContent-Encoding: gzip\r\n")


def _flood(head: bytes, piece: bytes, times: int) -> Reply:
    def reply(_: Endpoints, request: Request) -> None:
        request.socket.sendall(head)
        for _ in range(times):
            request.socket.sendall(piece)
        request.socket.shutdown(socket.SHUT_RDWR)

    return reply


def _redirect(endpoints: Endpoints, _: Request) -> bytes:
    return http(b"", 307, f"Location: http://127.0.0.1:{endpoints.elsewhere.port}/api/v1/query\r\n")


def _echo(_: Endpoints, request: Request) -> bytes:
    """The credentials, wherever an answer has room for them."""
    said = request.headers.get("authorization", "")
    word = said.split()[-1] if said else ""
    turn = int(time.monotonic() * 2) % 4
    if turn == 0:
        return vector([], warnings=[f"you sent {said}"])
    if turn == 1:
        return http(b"{}", 200, f"Content-Type: {word}\r\nX-Seen: {said}\r\n")
    if turn == 2:
        return http(b'{"status": "error", "error": "no: %s"}' % said.encode(), 500)
    return f"HTTP/1.1 200 {word}\r\n{word}: {word}\r\n{word}\r\n\r\n".encode()


FAULTS: dict[str, Reply] = {
    "gzip": _gzip,
    "gigabyte": _flood(HEAD + b"\r\n", b" " * 65_536, GIGABYTE // 65_536),
    "announced": _flood(HEAD + b"Content-Length: %d\r\n\r\n" % GIGABYTE, b" " * 65_536, GIGABYTE // 65_536),
    "drip": lambda _, request: drip(HEAD + b"Content-Length: 100000\r\n\r\n", b" ")(request),
    "headers": _flood(HEAD, b"X: " + b"x" * 1_000 + b"\r\n", GIGABYTE // 1_000),
    "redirect": _redirect,
    "future": lambda endpoints, request: endpoints.good(request, newest=3_600.0),
    "behind": lambda endpoints, request: endpoints.good(request, newest=-3_600.0),
    "pair": lambda endpoints, request: endpoints.alternating(request),
    "crowd": lambda endpoints, request: endpoints.nothing(request),
    "echo": _echo,
}
"""What a spoilt endpoint does, by its name."""
