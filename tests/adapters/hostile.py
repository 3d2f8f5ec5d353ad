"""A Prometheus on loopback that answers as a test says: well, wrongly, or not as HTTP at all."""

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from stepdown.adapters.prometheus import PrometheusObserver
from stepdown.api.endpoint import EndpointSpec

NOW = 1_800_000_000.0
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_MARKED = re.compile(r'label_replace\((.*?), "stepdown_query", "(\d+)", "", ""\)(?=\)* or |\)*$)', re.DOTALL)


@dataclass
class Request:
    """What was asked: the form's first values, headers in lower case, and the socket for answers that are no HTTP."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]
    socket: socket.socket

    @property
    def query(self) -> str:
        return self.params["query"]


Answer = Callable[[Request], bytes | None]


@dataclass
class Server:
    """`answer` gives the bytes of an HTTP answer, or None when it has dealt with the socket itself.

    A `silent` one accepts connections and neither reads nor writes.
    """

    answer: Answer
    tls: ssl.SSLContext | None = None
    silent: bool = False
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            if self.silent:
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            stream = connection.makefile("rb")
            while line := stream.readline():
                headers = {}
                while (header := stream.readline().decode().strip()) != "":
                    name, _, value = header.partition(": ")
                    headers[name.lower()] = value
                form = stream.read(int(headers.get("content-length", "0"))).decode()
                params = {name: values[0] for name, values in parse_qs(form).items()}
                request = Request(line.split()[1].decode(), params, headers, connection)
                self.requests.append(request)
                body = self.answer(request)
                if body is None:
                    return
                connection.sendall(body)
        except OSError:
            return


def http(body: bytes, status: int = 200, headers: str = "Content-Type: application/json\r\n") -> bytes:
    return f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def document(data: Any, status: int = 200, **more: Any) -> bytes:
    return http(json.dumps({"status": "success", "data": data, **more}).encode(), status)


def error(kind: str, message: str, status: int) -> bytes:
    return http(json.dumps({"status": "error", "errorType": kind, "error": message}).encode(), status)


def vector(rows: list[tuple[dict[str, str], float | str]], **more: Any) -> bytes:
    result = [{"metric": labels, "value": [NOW, str(value)]} for labels, value in rows]
    return document({"resultType": "vector", "result": result}, **more)


def items(query: str) -> dict[str, str]:
    """The expressions of a joined query by their marks."""
    return {mark: text for text, mark in _MARKED.findall(query)}


def oracle(values: dict[str, Any], newest: float | None = NOW - 5) -> Answer:
    """Answers joined queries: rows by a text that an expression contains; unlisted ones have one row with 1.

    A value is a list of rows' values, or ready bytes for the whole query. Freshness is `newest` for every selector.
    """

    def answer(request: Request) -> bytes:
        rows: list[tuple[dict[str, str], float | str]] = []
        if request.query == "vector(1)":
            return vector([({}, 1)])
        for mark, text in items(request.query).items():
            found: Any = [1.0]
            if text.startswith("max("):
                found = [] if newest is None or "present" in text else [newest]
            for fragment, listed in values.items():
                if fragment in text:
                    found = listed
            if isinstance(found, bytes):
                return found
            rows += [({"stepdown_query": mark, "row": str(n)}, value) for n, value in enumerate(found)]
        return vector(rows)

    return answer


@contextmanager
def asking(answer: Answer, timeout: str = "2s", **options: Any) -> Iterator[tuple[PrometheusObserver, Server]]:
    """An observer of a server that answers so; loopback is allowed unless `cidrs` say otherwise."""
    server = Server(answer)
    spec = {"url": f"http://127.0.0.1:{server.port}", "timeout": timeout}
    spec |= {"allowedCIDRs": options.pop("cidrs", ["127.0.0.0/8"]), "limits": options.pop("limits", {})}
    observer = PrometheusObserver(EndpointSpec.model_validate(spec), **options)
    try:
        yield observer, server
    finally:
        observer.close()
        server.close()


def drip(first: bytes, byte: bytes) -> Answer:
    """An answer that goes on for ever, a byte at a time."""

    def answer(request: Request) -> bytes | None:
        request.socket.sendall(first)
        while True:
            request.socket.sendall(byte)
            time.sleep(0.02)

    return answer
