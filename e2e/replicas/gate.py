"""A way to the API server on which calls can be kept: they have left the operator, and land when they are let go."""

import contextlib
import socket
import threading
import time

from plane.forwarder import Forwarder

ANSWERS_LATE = 0.4
"""Seconds by which every answer is late: who watches sees what a call has done before its caller does."""


class Gate(Forwarder):
    """A Forwarder that keeps calls between `keep` and `let_go`. It looks at none, so TLS goes through."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._free = threading.Event()
        self._free.set()
        self._kept = threading.Event()

    def keep(self) -> None:
        """No call lands from now on."""
        self._kept.clear()
        self._free.clear()

    def let_go(self) -> None:
        """What was kept lands now."""
        self._free.set()

    @property
    def has_kept(self) -> bool:
        """Whether something was sent since `keep`."""
        return self._kept.is_set()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            is_call = source.getsockname()[1] == self.port
            while data := source.recv(65536):
                if is_call and not self._free.is_set():
                    self._kept.set()
                    self._free.wait()
                elif not is_call:
                    time.sleep(ANSWERS_LATE)
                sink.sendall(data)
        self._hang_up(source, sink)
