"""The page as a real server on real sockets: whoever comes is answered, and nobody can stay."""

import asyncio
import contextlib
import http.client
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plane.processes import free_port
from stepdown.page import server as module
from stepdown.page.server import Desk, serve
from stepdown.page.text import Notice

MINUTE = Notice("We will be right back.", 60)


class Page:
    """A page that serves in a thread."""

    def __init__(self) -> None:
        self.ports = [free_port(), free_port()]
        self.health = free_port()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.ask("GET", "/readyz", port=self.health)
                return
        raise AssertionError("the page doesn't serve")

    def _run(self) -> None:
        self._loop.run_until_complete(serve(MINUTE, self.ports, self.health, self._stop))

    def leave(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)

    def end(self) -> None:
        self.leave()
        self._thread.join(10)

    def ask(self, method: str, path: str, body: bytes | None = None, port: int = 0, **headers: str):
        """Status, headers and body of a request."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.ports[0], timeout=5)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def send(self, data: bytes) -> bytes:
        """Everything that comes back for some bytes, until the other side ends; nothing where it hangs up."""
        with socket.create_connection(("127.0.0.1", self.ports[0]), timeout=10) as connection:
            found = b""
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
                while chunk := connection.recv(65536):
                    found += chunk
            return found


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "HEAD_SECONDS", 0.3)
        patch.setattr(module, "LEAVING_SECONDS", 0.0)
        page = Page()
        yield page
        page.end()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"])
def test_every_method_and_path_is_answered(page: Page, method: str) -> None:
    status, headers, body = page.ask(method, "/cart/../healthz?x=%00")

    assert (status, headers["Retry-After"]) == (503, "60")
    assert b"We will be right back." in body


def test_head_is_answered_without_a_body(page: Page) -> None:
    status, headers, body = page.ask("HEAD", "/")

    assert (status, body) == (503, b"")
    assert int(headers["Content-Length"]) > 500


def test_every_port_of_the_service_is_served(page: Page) -> None:
    assert [page.ask("GET", "/", port=port)[0] for port in page.ports] == [503, 503]


def test_health_is_asked_on_a_port_of_its_own(page: Page) -> None:
    assert page.ask("GET", "/readyz", port=page.health)[0] == 200
    assert page.ask("GET", "/readyz")[0] == 503


def test_a_body_that_is_under_way_does_not_cost_its_sender_the_answer(page: Page) -> None:
    status, _, body = page.ask("POST", "/orders", b"x" * 900_000)

    assert status == 503
    assert b"We will be right back." in body


def test_a_head_without_end_is_answered_and_ended(page: Page) -> None:
    found = page.send(b"GET /" + b"a" * 20_000)

    assert found.startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize("said", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"\x00\x00", b"\xff" * 100])
def test_what_is_no_http_is_hung_up_on(page: Page, said: bytes) -> None:
    assert page.send(said) == b""


def test_who_asks_nothing_loses_the_connection(page: Page) -> None:
    started = time.monotonic()

    assert page.send(b"GET / HTT") == b""
    assert time.monotonic() - started < 3


def test_many_at_once_are_answered_each_with_the_whole_page(page: Page) -> None:
    port = page.ports[0]
    failed: list[bytes] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
        answer = await reader.read()
        writer.close()
        if not (answer.startswith(b"HTTP/1.1 503 ") and answer.endswith(b"</html>\n")):
            failed.append(answer)

    async def many() -> None:
        async def some() -> None:
            for _ in range(4):
                await one()

        await asyncio.gather(*(some() for _ in range(50)))

    asyncio.run(many())
    assert failed == []


def test_since_when_is_the_first_request_after_a_quiet_time() -> None:
    now = [1_772_388_000.0]
    desk = Desk(MINUTE, lambda: now[0])
    asked = b"GET / HTTP/1.1\r\nAccept: application/json\r\n\r\n"

    def at(seconds: float) -> bytes:
        now[0] = 1_772_388_000.0 + seconds
        desk.turn()
        return desk.answer(asked)

    assert b'"since": "2026-03-01T18:00:30Z"' in at(30)
    assert b'"since": "2026-03-01T18:00:30Z"' in at(130)
    assert b'"since": "2026-03-01T18:00:30Z"' in at(250)
    assert b'"since": "2026-03-01T18:06:11Z"' in at(371)


def test_one_that_leaves_is_not_ready_and_still_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAVING_SECONDS", 0.5)
    page = Page()
    page.leave()

    assert page.ask("GET", "/readyz", port=page.health)[0] == 503
    assert page.ask("GET", "/healthz", port=page.health)[0] == 200
    assert page.ask("GET", "/")[0] == 503
    page.end()


def test_the_command_imports_neither_kopf_nor_a_client_of_clusters() -> None:
    code = (
        "import sys, stepdown.cli, stepdown.page.server;"
        "print([m for m in ('kopf', 'kubernetes', 'aiohttp', 'pydantic', 'requests') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path("/"))

    assert done.stdout == "[]\n"


async def listening(port: int) -> None:
    """Waits until somebody listens at a port."""
    async with asyncio.timeout(5):
        while True:
            with contextlib.suppress(OSError):
                (await asyncio.open_connection("127.0.0.1", port))[1].close()
                return
            await asyncio.sleep(0.01)


def test_a_health_check_does_not_wait_until_all_who_come_were_answered() -> None:
    async def answered_before(stack: contextlib.ExitStack) -> int:
        """How many of a crowd that came at once were answered when the health check was."""
        port, health, stop = free_port(), free_port(), asyncio.Event()
        page = asyncio.create_task(serve(MINUTE, [port], health, stop))
        await listening(health)
        ports = [port] * 500 + [health]
        opened = [stack.enter_context(socket.create_connection(("127.0.0.1", number), 5)) for number in ports]
        for connection in opened:
            connection.sendall(b"GET /readyz HTTP/1.1\r\n\r\n")
        opened[-1].setblocking(False)
        await asyncio.get_running_loop().sock_recv(opened[-1], 64)
        answered = len(select.select(opened[:-1], [], [], 0)[0])
        stop.set()
        await page
        return answered

    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setattr(module, "LEAVING_SECONDS", 0.0)
        assert asyncio.run(answered_before(stack)) < 250
