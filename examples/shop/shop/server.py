"""A service on its two ports: one for users, served by the pool; one for Prometheus and the kubelet, always free."""

import signal
import socket
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from shop.answers import Answer, Request, Routes, answer, json_answer
from shop.pool import PooledServer

PORT = 8000
METRICS_PORT = 9100
_SLOW_CLIENT_SECONDS = 5.0
_LONGEST_BODY = 65_536

REQUESTS = Counter("shop_requests", "Answers, by code.", ["service", "code"])
SECONDS = Histogram(
    "shop_request_seconds",
    "From when a request came to its answer, the wait for a worker included.",
    ["service"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
USED = Gauge("shop_pool_used_ratio", "How much of the room for requests is taken: workers and line.", ["service"])


@dataclass(frozen=True)
class Service:
    """What is served: its name in metrics, what its answers say in X-Served-By, and how many at once."""

    name: str
    served_by: str
    routes: Routes
    workers: int
    line: int


def serve(service: Service) -> None:
    """Never returns. SIGTERM ends the process when what is under way is answered."""
    server = make_server(service, PORT)
    USED.labels(service.name).set_function(lambda: server.used)
    start_http_server(METRICS_PORT)
    signal.signal(signal.SIGTERM, _stop)
    try:
        server.serve_forever()
    except SystemExit:
        server.server_close()
        server.finish()
        raise


def make_server(service: Service, port: int) -> PooledServer:
    """The server of users' requests; `serve_forever` runs it."""

    def handle(connection: socket.socket, client: Any, arrived: float) -> None:
        _Handler(service, arrived, connection, client, None)

    def refuse() -> bytes:
        REQUESTS.labels(service.name, "503").inc()
        return _refusal(service)

    return PooledServer(port, workers=service.workers, line=service.line, handle=handle, refusal=refuse)


class _Handler(BaseHTTPRequestHandler):
    """One connection with one request: HTTP/1.0, because a connection that stays open would hold a worker."""

    timeout = _SLOW_CLIENT_SECONDS

    def __init__(self, service: Service, arrived: float, *connection: Any) -> None:
        self._service, self._arrived = service, arrived
        super().__init__(*connection)

    def do_GET(self) -> None:
        """A request without a body."""
        self._answer(b"")

    def do_POST(self) -> None:
        """A request with a body."""
        length = int(self.headers.get("Content-Length") or 0)
        self._answer(self.rfile.read(min(length, _LONGEST_BODY)))

    def log_message(self, *_: Any) -> None:
        """Nothing: metrics count the answers."""

    def _answer(self, body: bytes) -> None:
        try:
            given = answer(self._service.routes, Request(self.command, urlsplit(self.path).path, body))
        except Exception:
            self._count(500)
            raise
        self._count(given.code)
        self.send_response(given.code)
        for name, value in headers(self._service, given).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(given.body)

    def _count(self, code: int) -> None:
        REQUESTS.labels(self._service.name, str(code)).inc()
        SECONDS.labels(self._service.name).observe(time.monotonic() - self._arrived)


def headers(service: Service, given: Answer) -> dict[str, str]:
    """The headers of an answer."""
    always = {"Content-Type": given.kind, "Content-Length": str(len(given.body)), "X-Served-By": service.served_by}
    return {**always, **given.headers}


def _refusal(service: Service) -> bytes:
    given = json_answer({"error": f"{service.name} has too much to do, try again in a moment"}, 503)
    lines = [f"{name}: {value}" for name, value in {**headers(service, given), "Retry-After": "1"}.items()]
    return "\r\n".join(["HTTP/1.0 503 Service Unavailable", *lines, "", ""]).encode() + given.body


def _stop(*_: Any) -> None:
    raise SystemExit(0)
