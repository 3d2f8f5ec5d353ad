"""The pool answers who finds a worker, keeps a line of bounded length, and refuses the rest at once."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client import REGISTRY

from shop.answers import Answer, Request, json_answer
from shop.pool import PooledServer
from shop.server import Service, make_server


class Gate:
    """A page that is answered when the gate opens."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.inside = threading.Semaphore(0)

    def page(self, _: Request) -> Answer:
        self.inside.release()
        self.opened.wait(5)
        return json_answer("here you are")

    def wait_inside(self, count: int) -> None:
        for _ in range(count):
            assert self.inside.acquire(timeout=5)


@contextmanager
def serving(gate: Gate, *, workers: int, line: int) -> Iterator[PooledServer]:
    service = Service("pool-test", "full", {("GET", "/"): gate.page}, workers, line)
    server = make_server(service, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        gate.opened.set()
        server.shutdown()
        thread.join()
        server.finish()
        server.server_close()


class User(threading.Thread):
    """One request; `code` and `served_by` are there after `join`."""

    def __init__(self, server: PooledServer) -> None:
        super().__init__()
        self._port = server.server_address[1]
        self.start()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        connection.request("GET", "/?from=here")
        answer = connection.getresponse()
        self.code, self.served_by, self.text = answer.status, answer.headers["X-Served-By"], answer.read()
        connection.close()


def counted(code: str) -> float:
    return REGISTRY.get_sample_value("shop_requests_total", {"service": "pool-test", "code": code}) or 0.0


@pytest.fixture
def full() -> Iterator[tuple[Gate, PooledServer, list[User]]]:
    """A pool of two workers with two users inside, and a line of one with one who waits."""
    gate = Gate()
    with serving(gate, workers=2, line=1) as server:
        users = [User(server), User(server)]
        gate.wait_inside(2)
        users.append(User(server))
        while server.used < 1:
            pass
        yield gate, server, users


def test_who_finds_the_line_full_gets_503_at_once(full: tuple[Gate, PooledServer, list[User]]) -> None:
    _, server, _ = full
    before = counted("503")

    late = User(server)
    late.join()

    assert (late.code, late.served_by) == (503, "full")
    assert late.text == b'{"error": "pool-test has too much to do, try again in a moment"}\n'
    assert counted("503") == before + 1


def test_who_waits_in_the_line_is_answered_when_a_worker_is_free(full: tuple[Gate, PooledServer, list[User]]) -> None:
    gate, server, users = full
    before = counted("200")

    gate.opened.set()
    for user in users:
        user.join()

    assert [(user.code, user.text) for user in users] == [(200, b'"here you are"\n')] * 3
    assert counted("200") == before + 3
    server.finish()
    assert server.used == 0


def test_an_error_in_a_page_costs_no_worker() -> None:
    def broken(_: Request) -> Answer:
        raise KeyError("missing")

    service = Service("pool-test", "full", {("GET", "/"): broken}, workers=1, line=1)
    server = make_server(service, 0)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    before = counted("500")
    for _ in range(3):
        user = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
        user.request("GET", "/")
        server.handle_request()
        with pytest.raises(http.client.RemoteDisconnected):
            user.getresponse()
        user.close()
    server.finish()
    server.server_close()

    assert counted("500") == before + 3
