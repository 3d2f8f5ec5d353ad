"""The process that plays both shops under the load of a launch.

One thread serves both. Ten times a second it reads what the real objects say, asks the model what that answers,
counts the pages, and sets the metrics that the real Prometheus scrapes. A server of its own answers `/healthz`
for the shop's pods, because the node only pretends to run them.
"""

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import inf
from typing import Any

from demo.load import users_at
from demo.shops import Page, Rates, Setup, is_healthy, serve, setup_of, share_within
from demo.tally import Tally
from demo.watching import Watching
from plane.fake_node import host_address
from plane.metrics_source import MetricsSource

SERVICE = "checkout"
FLAGS = "checkout-flags"
KINDS = ("Service", "Deployment", "ConfigMap", "DegradationPolicy")

TICK = 0.1
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, inf)
"""Seconds between two looks, and upper bounds of the database's histogram in seconds."""


@dataclass(slots=True)
class _Counts:
    """Counters of one shop; `before` are pages of before the launch, `answers` the database's by bucket."""

    pages: dict[Page, float] = field(default_factory=lambda: dict.fromkeys(Page, 0.0))
    before: dict[Page, float] = field(default_factory=lambda: dict.fromkeys(Page, 0.0))
    answers: dict[float, float] = field(default_factory=lambda: dict.fromkeys(BUCKETS, 0.0))

    def add(self, rates: Rates, seconds: float) -> None:
        self.pages[rates.page] += rates.pages * seconds
        self.pages[Page.ERROR] += rates.errors * seconds
        if rates.database is not None:
            for bound in BUCKETS:
                self.answers[bound] += rates.queries * share_within(rates.database, bound) * seconds

    def tally(self, rates: Rates) -> Tally:
        pages: dict[str, float] = {page: count - self.before[page] for page, count in self.pages.items()}
        return Tally(rates.page, rates.pages, rates.errors, pages)


class Launch:
    """Both shops under one load, which is a hundred users until `begin`. `namespaces` are the shops' homes."""

    def __init__(self, watching: Watching, source: MetricsSource, namespaces: tuple[str, ...]) -> None:
        self._watching = watching
        self._source = source
        self._counts = {namespace: _Counts() for namespace in namespaces}
        self._tallies: dict[str, Tally] = {}
        self._began: float | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        launch = self

        class Health(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if launch.is_healthy(namespaces[0]) else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self._health = ThreadingHTTPServer((host_address(), 0), Health)
        self._health.daemon_threads = True
        self.port = self._health.server_port

    def start(self) -> None:
        """Opens both shops."""
        self._step(0.0)
        self._thread.start()
        threading.Thread(target=self._health.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Closes both shops."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
            self._health.shutdown()
        self._health.server_close()

    def begin(self) -> None:
        """The load's time starts, and pages are counted from here on."""
        with self._lock:
            self._began = time.monotonic()
            for counts in self._counts.values():
                counts.before = dict(counts.pages)

    @property
    def is_running(self) -> bool:
        """Whether the shops are open."""
        return self._thread.is_alive()

    @property
    def seconds(self) -> float:
        """Seconds since `begin`; 0 before."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    @property
    def users(self) -> int:
        """Users now."""
        return users_at(self.seconds)

    def tallies(self) -> dict[str, Tally]:
        """Both shops at the same moment, by namespace."""
        with self._lock:
            return self._tallies

    def is_healthy(self, namespace: str) -> bool:
        """What `/healthz` of a shop's pods says."""
        return is_healthy(self._watching.all("Deployment", namespace), SERVICE, self.users)

    def _run(self) -> None:
        before = time.monotonic()
        while not self._stop.wait(TICK):
            now = time.monotonic()
            self._step(now - before)
            before = now

    def _step(self, seconds: float) -> None:
        users = self.users
        now = {namespace: serve(self._setup(namespace), users) for namespace in self._counts}
        with self._lock:
            for namespace, counts in self._counts.items():
                counts.add(now[namespace], seconds)
            self._tallies = {n: counts.tally(now[n]) for n, counts in self._counts.items()}
        for namespace, counts in self._counts.items():
            self._expose(namespace, counts, now[namespace])

    def _setup(self, namespace: str) -> Setup:
        return setup_of(
            self._watching.get("Service", namespace, SERVICE),
            self._watching.all("Deployment", namespace),
            self._watching.get("ConfigMap", namespace, FLAGS),
        )

    def _expose(self, namespace: str, counts: _Counts, rates: Rates) -> None:
        labels = f'namespace="{namespace}", service="{SERVICE}"'
        failed = counts.pages[Page.ERROR]
        served = sum(counts.pages.values()) - failed
        self._source.set(f'http_requests_total{{{labels}, code="200"}}', served)
        self._source.set(f'http_requests_total{{{labels}, code="503"}}', failed)
        self._source.set(f"app_worker_utilization{{{labels}}}", rates.utilization)
        for bound, count in counts.answers.items():
            le = "+Inf" if bound == inf else f"{bound:g}"
            self._source.set(f'db_query_seconds_bucket{{{labels}, le="{le}"}}', count)
