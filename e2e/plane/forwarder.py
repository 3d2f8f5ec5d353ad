"""A port that forwards to another one while it is open: a server that comes, goes and comes back.

It forwards bytes and looks at none, so TLS goes through. The port stays the same over `open` and `close`.
"""

import contextlib
import json
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from plane.processes import free_port


class Forwarder:
    """127.0.0.1:`port` before the server of a URL. Closed at first: connections are refused."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = (parts.hostname, parts.port)
        self.port = free_port()
        self.url = urlunsplit(parts._replace(netloc=f"127.0.0.1:{self.port}"))
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def open(self) -> None:
        """Accepts connections from now on."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Cuts every connection, and refuses new ones."""
        if self._listener is not None:
            _end(self._listener)
            self._listener = None
        with self._lock:
            for connection in self._open:
                _end(connection)
            self._open.clear()

    def kubeconfig(self, original: Path) -> Path:
        """A copy of a kubeconfig file that goes through here."""
        return kubeconfig_by(self.url, original)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(self._target, timeout=5)
            except OSError:
                return
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        self._hang_up(source, sink)

    def _hang_up(self, source: socket.socket, sink: socket.socket) -> None:
        _end(source)
        _end(sink)
        with self._lock:
            self._open -= {source, sink}


def kubeconfig_by(url: str, original: Path) -> Path:
    """A copy of a kubeconfig file whose server is at another URL, beside it."""
    config = json.loads(original.read_text())
    config["clusters"][0]["cluster"]["server"] = url
    path = original.with_name(f"{original.stem}-by-{urlsplit(url).port}.kubeconfig")
    path.write_text(json.dumps(config))
    return path


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
