"""/metrics, /healthz and /readyz, from threads of their own: a loop that is stuck can't answer for itself.

Health is that our own work moves. Prometheus or an API server that is down makes no replica unhealthy: a restart
would cure nothing and lose what is under way.
"""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONNECTION_SECONDS = 10
CONNECTIONS = 32
POLL_SECONDS = 0.1
"""How long a stop may take."""


class Server:
    """Serves `host:port` until `stop`. `is_alive` and `is_ready` are called from other threads.

    Raises OSError where the address can't be bound.
    """

    def __init__(
        self,
        address: str,
        registry: CollectorRegistry,
        is_alive: Callable[[], bool],
        is_ready: Callable[[], bool],
    ) -> None:
        host, _, port = address.rpartition(":")
        answers: dict[str, Callable[[], tuple[int, bytes, str]]] = {
            "/metrics": lambda: (200, generate_latest(registry), CONTENT_TYPE_LATEST),
            "/healthz": lambda: _verdict(is_alive(), "evaluations are moving", "evaluations are stuck"),
            "/readyz": lambda: _verdict(is_ready(), "ready", "not ready"),
        }
        slots = threading.BoundedSemaphore(CONNECTIONS)

        class Handler(BaseHTTPRequestHandler):
            timeout = CONNECTION_SECONDS
            server_version, sys_version = "stepdown", ""

            def do_GET(self) -> None:
                answer = answers.get(self.path.partition("?")[0])
                status, body, content = (
                    answer() if answer else (404, b"see /metrics, /healthz, /readyz\n", "text/plain")
                )
                self.send_response(status)
                self.send_header("Content-Type", content)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing: a probe every few seconds is no news."""

        class Bounded(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = CONNECTIONS  # a probe must not wait behind a burst of scrapes

            def process_request(self, request: Any, client_address: Any) -> None:
                if not slots.acquire(blocking=False):
                    self.shutdown_request(request)
                    return
                super().process_request(request, client_address)

            def process_request_thread(self, request: Any, client_address: Any) -> None:
                try:
                    super().process_request_thread(request, client_address)
                finally:
                    slots.release()

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Nothing: a client that hangs up is no news either."""

        self._server = Bounded((host.strip("[]"), int(port)), Handler)
        threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), name="server", daemon=True).start()

    def stop(self) -> None:
        """Serves no more."""
        self._server.shutdown()
        self._server.server_close()


def _verdict(good: bool, yes: str, no: str) -> tuple[int, bytes, str]:
    return (200, f"{yes}\n".encode(), "text/plain") if good else (503, f"{no}\n".encode(), "text/plain")
