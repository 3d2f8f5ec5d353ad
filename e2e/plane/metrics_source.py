"""Metrics that a test sets, served for Prometheus to scrape."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Nothing: a scrape that was given up is no news, and many threads that print one are trouble."""


class MetricsSource:
    """Series with values, and counters that grow with time. Scrape times are kept in `scrapes`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, float] = {}
        self._rates: dict[str, tuple[float, float, float]] = {}
        self._stamps: dict[str, float | None] = {}
        self.scrapes: list[float] = []
        source = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = source.render().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                return

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def set(self, series: str, value: float) -> None:
        """A gauge, by its full text like `load{service="shop"}`."""
        with self._lock:
            self._values[series] = value

    def rate(self, series: str, per_second: float) -> None:
        """A counter that grows this fast from now on, going on from where it is."""
        now = time.time()
        with self._lock:
            base, since, speed = self._rates.get(series, (0.0, now, 0.0))
            self._rates[series] = (base + (now - since) * speed, now, per_second)

    def stamp(self, series: str, at: float | None) -> None:
        """A gauge carries a time of its own from now on: this one, or the time of each scrape for None.

        Prometheus never marks such a series stale, so that its last sample looks alive for five minutes.
        """
        with self._lock:
            self._stamps[series] = at

    def remove(self, series: str) -> None:
        """A series that isn't exposed any more."""
        with self._lock:
            self._values.pop(series, None)
            self._rates.pop(series, None)
            self._stamps.pop(series, None)

    def clear(self) -> None:
        """Nothing is exposed any more."""
        with self._lock:
            self._values.clear()
            self._rates.clear()
            self._stamps.clear()

    def render(self) -> str:
        """The exposition now."""
        now = time.time()
        with self._lock:
            self.scrapes.append(now)
            lines = [f"{series} {value}{self._stamp(series, now)}" for series, value in self._values.items()]
            lines += [f"{s} {base + (now - since) * speed}" for s, (base, since, speed) in self._rates.items()]
        return "\n".join(lines) + "\n"

    def _stamp(self, series: str, now: float) -> str:
        if series not in self._stamps:
            return ""
        return f" {int(1000 * (self._stamps[series] or now))}"

    def stop(self) -> None:
        """Serves no more."""
        self._server.shutdown()
        self._server.server_close()
