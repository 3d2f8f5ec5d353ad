"""The load of the launch: users arrive on time, whatever the server does with those before them."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest

from node.arrivals import Arrivals, Request, is_error, per_second, per_server

RATE, SECONDS = 40.0, 2


class _Says(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = 503 if self.path == "/full" else 200
        self.send_response(status)
        self.send_header("X-Served-By", self.path.strip("/"))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815 - http.server's name

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server that says its path, and 503 at /full."""
    ThreadingHTTPServer.request_queue_size = 128
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Says)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def stalled() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_users_arrive_on_time_at_a_server_that_stalls(stalled: str) -> None:
    requests = Arrivals([f"GET {stalled}/"], lambda _: RATE, SECONDS).start().wait()

    gaps = [later.at - earlier.at for earlier, later in pairwise(requests)]
    assert Counter(request.error for request in requests) == {"timeout": RATE * SECONDS}
    assert max(gaps) < 1.0
    assert requests[-1].at - requests[0].at == pytest.approx(SECONDS, abs=1.0)


def test_each_request_says_who_answered_it_and_how(server: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    targets = [f"GET {server}/one", f"POST {server}/two", f"GET {server}/full", f"GET http://127.0.0.1:{port}/"]
    arrivals = Arrivals(targets, lambda _: RATE, SECONDS).start()

    requests = arrivals.wait()

    each = int(RATE * SECONDS) // len(targets)
    assert Counter((r.status, r.served_by, r.error) for r in requests) == {
        (200, "one", ""): each,
        (200, "two", ""): each,
        (503, "full", "503"): each,
        (0, "", "refused"): each,
    }
    assert all(0 < request.latency < 2 for request in requests)
    assert requests[0].at - arrivals.began == pytest.approx(0, abs=1)


def test_what_users_got_is_counted_by_second_and_by_server() -> None:
    def request(at: float, served_by: str, error: str = "") -> Request:
        return Request(at=at, url="", status=200, served_by=served_by, latency=0.1, error=error)

    requests = [request(100.5, "shop"), request(101.2, "shop-static"), request(101.4, "shop", error="503")]

    assert per_second(requests, began=100.0) == {0: {"shop": 1}, 1: {"shop-static": 1, "nobody": 1}}
    assert per_server(requests) == {"shop": 1, "shop-static": 1, "nobody": 1}
    assert [is_error(each) for each in requests] == [False, False, True]
