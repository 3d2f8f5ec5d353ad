"""A way to the API server on which calls can be kept: they have left the operator, and land when they are let go.

Before an answer is handed on, a test may look at what its call has done, and so be sure to come before the next one.
"""

import contextlib
import socket
import threading
from collections.abc import Callable

from plane.forwarder import Forwarder


class Gate(Forwarder):
    """A Forwarder that keeps calls between `keep` and `let_go`. It looks at none, so TLS goes through.

    `before_answer` is called in threads of ours, before anything that the server has sent is handed on.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._free = threading.Event()
        self._free.set()
        self._kept = threading.Event()
        self.before_answer: Callable[[], None] = lambda: None

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
                if not is_call:
                    self.before_answer()
                elif not self._free.is_set():
                    self._kept.set()
                    self._free.wait()
                sink.sendall(data)
        self._hang_up(source, sink)
