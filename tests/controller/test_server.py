"""What /metrics, /healthz and /readyz answer."""

import socket
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry, Gauge

from stepdown.controller.server import CONNECTIONS, Server


class Subject:
    """A server whose health a test sets."""

    def __init__(self) -> None:
        self.alive, self.ready = True, True
        registry = CollectorRegistry()
        Gauge("answer", "The answer", registry=registry).set(42)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.server = Server(f"127.0.0.1:{self.port}", registry, lambda: self.alive, lambda: self.ready)

    def get(self, path: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text


@pytest.fixture
def subject() -> Iterator[Subject]:
    made = Subject()
    yield made
    made.server.stop()


def test_health_is_whether_evaluations_move(subject):
    assert subject.get("/healthz") == (200, "evaluations are moving\n")
    subject.alive = False
    assert subject.get("/healthz") == (503, "evaluations are stuck\n")
    assert subject.get("/readyz") == (200, "ready\n")


def test_a_replica_that_is_not_ready_says_so(subject):
    subject.ready = False
    assert subject.get("/readyz") == (503, "not ready\n")


def test_metrics_are_in_prometheus_text_form(subject):
    status, text = subject.get("/metrics")
    assert status == 200
    assert "answer 42.0" in text


def test_another_path_names_the_ones_there_are(subject):
    assert subject.get("/config") == (404, "see /metrics, /healthz, /readyz\n")


def test_clients_that_only_hold_connections_open_are_bounded(subject):
    held = [socket.create_connection(("127.0.0.1", subject.port)) for _ in range(CONNECTIONS + 8)]
    try:
        refused = 0
        for connection in held[CONNECTIONS:]:
            connection.settimeout(5)
            refused += connection.recv(1) == b""
        assert refused == 8
    finally:
        for connection in held:
            connection.close()
