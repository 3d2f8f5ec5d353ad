"""A server with so many workers and no more, and a line of bounded length before them.

Who finds a worker is answered; who doesn't waits in the line, so that answers get slower; who finds the line full gets
503 at once. So a service that has too much to do says so early, and never works on more than it can finish.
"""

import contextlib
import queue
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from typing import Any

Handle = Callable[[socket.socket, Any, float], None]
"""Answers one connection of a client that came at a time of the monotonic clock."""
_AT_ONCE = 65_536
"""Bytes that are read of a request which is refused: closing with bytes unread would lose the answer."""


class PooledServer(socketserver.TCPServer):
    """Listens on a port. `handle` runs in `workers` threads, `line` connections wait, others get the `refusal`."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, *, workers: int, line: int, handle: Handle, refusal: Callable[[], bytes]) -> None:
        super().__init__(("", port), socketserver.BaseRequestHandler)
        # A connection is taken when its request is there, so that a refusal needs no waiting.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
        self._handle, self._refusal = handle, refusal
        self._line: queue.Queue[tuple[socket.socket, Any, float]] = queue.Queue(line)
        self._room = workers + line
        self._inside = 0
        self._lock = threading.Condition()
        for number in range(workers):
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True).start()

    @property
    def used(self) -> float:
        """How much of the room for requests is taken, 0 to 1."""
        return self._inside / self._room

    def process_request(self, request: Any, client_address: Any) -> None:
        """Lets a connection in, or refuses it."""
        with self._lock:
            full = self._inside == self._room
            self._inside += not full
        if full:
            self._refuse(request)
        else:
            self._line.put((request, client_address, time.monotonic()))

    def finish(self) -> None:
        """Waits until everybody who came in has an answer."""
        with self._lock:
            self._lock.wait_for(lambda: self._inside == 0)

    def _work(self) -> None:
        while True:
            request, client, arrived = self._line.get()
            try:
                self._handle(request, client, arrived)
            except ConnectionError:
                pass  # whoever asked didn't wait
            except Exception:
                self.handle_error(request, client)
            finally:
                self.shutdown_request(request)
                with self._lock:
                    self._inside -= 1
                    self._lock.notify_all()

    def _refuse(self, request: socket.socket) -> None:
        with contextlib.suppress(OSError):
            request.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                request.recv(_AT_ONCE)
            request.send(self._refusal())
        self.shutdown_request(request)
