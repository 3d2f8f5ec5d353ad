"""A TLS proxy before a real API server, which does to each call what a plan says, and logs it.

It works on whole requests, answers and watch events, because that is what the faults are about; latency, hanging and
cuts are three lines each here, so that toxiproxy, which knows bytes only and would be a second program, saves none.
"""

import asyncio
import contextlib
import json
import ssl
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from aiohttp import web
from yarl import URL

from faults.calls import CallLog, Exchange, Request, read_request
from faults.plan import Cut, Fault, Hang, Lose, Meanwhile, Plan, Refuse, Stale, Wait
from faults.watches import Stream
from plane.control_plane import ControlPlane
from plane.forwarder import kubeconfig_by
from plane.processes import free_port

Result = TypeVar("Result")

_HOP = ("host", "connection", "content-length", "transfer-encoding", "accept-encoding", "keep-alive")
"""Headers that are each connection's own."""

LINE_MAX = 4_194_304
"""Bytes of the longest event of a watch."""


class FaultProxy:
    """127.0.0.1:`port` before a plane's API server, from `start` to `stop`."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plan = Plan()
        self.log = CallLog()
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self._target = plane.url
        self._certificate, self._key = plane.authority.issue("fault-proxy")
        self._ca = plane.ca
        self._first: dict[str, bytes] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)

    def start(self) -> "FaultProxy":
        """Accepts connections from now on."""
        self._thread.start()
        self._run(self._open())
        return self

    def stop(self) -> None:
        """Cuts everything."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def kubeconfig(self, original: Path) -> Path:
        """A copy of a kubeconfig file that goes through here."""
        return kubeconfig_by(self.url, original)

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(15)

    async def _open(self) -> None:
        near, far = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(self._ca))
        near.load_cert_chain(self._certificate, self._key)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=far, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            auto_decompress=False,
            read_bufsize=LINE_MAX,
        )
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=near).start()

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._session.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _handle(self, http: web.BaseRequest) -> web.StreamResponse:
        asked = time.monotonic()
        body = await http.read()
        request = read_request(http.method, http.path_qs, body)
        fault = self.plan.choose(request)
        name = type(fault).__name__ if fault is not None else ""

        def note(status: int, answer: bytes = b"") -> None:
            kept = _object(answer) if request.is_write else {}
            self.log.note(Exchange(request, status, kept, name, asked, time.monotonic()))

        if isinstance(fault, Wait):
            await asyncio.sleep(fault.seconds)
            fault = fault.then
        if isinstance(fault, Meanwhile):
            await asyncio.to_thread(fault.act)
        if isinstance(fault, Refuse):
            note(0)
            return _refusal(fault)
        if isinstance(fault, Hang):
            await _given_up(http)
            note(0)
            return web.Response(status=502)
        if isinstance(fault, Stale) and http.path_qs in self._first:
            note(0)
            return web.Response(body=self._first[http.path_qs], content_type="application/json")
        try:
            async with self._ask(http, body) as answer:
                if request.verb == "watch" and answer.status == 200:
                    note(200)
                    return await self._watch(http, request, answer)
                data = await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            note(0)
            return _broken(http)
        if not request.is_write:
            self._first.setdefault(http.path_qs, data)
        note(answer.status, data)
        if isinstance(fault, Lose) and fault.hangs:
            await _given_up(http)
        return await self._give(http, answer, data, fault)

    def _ask(self, http: web.BaseRequest, body: bytes) -> Any:
        headers = {key: value for key, value in http.headers.items() if key.lower() not in _HOP}
        url = URL(self._target + http.raw_path, encoded=True)
        headers["Accept-Encoding"] = "identity"
        return self._session.request(http.method, url, data=body or None, headers=headers)

    async def _give(
        self, http: web.BaseRequest, answer: aiohttp.ClientResponse, data: bytes, fault: Fault | None
    ) -> web.StreamResponse:
        headers = {key: value for key, value in answer.headers.items() if key.lower() not in _HOP}
        match fault:
            case Lose():
                return _broken(http)
            case Cut():
                cut = web.StreamResponse(status=answer.status, headers=headers)
                cut.content_length = len(data)
                await cut.prepare(http)
                await cut.write(data[: len(data) // 2])
                if http.transport is not None:
                    http.transport.close()
                return cut
            case _:
                return web.Response(status=answer.status, headers=headers, body=data)

    async def _watch(
        self, http: web.BaseRequest, request: Request, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        out = web.StreamResponse(headers={"Content-Type": "application/json"})
        out.enable_chunked_encoding()
        await out.prepare(http)
        stream = Stream(request, self.plan)
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            async for line in answer.content:
                for event in stream.after(line):
                    await out.write(event)
                if stream.is_over:
                    break
        return out


async def _given_up(http: web.BaseRequest) -> None:
    """Waits until who asked has hung up."""
    while http.transport is not None and not http.transport.is_closing():  # noqa: ASYNC110 - aiohttp tells nobody
        await asyncio.sleep(0.02)


def _broken(http: web.BaseRequest) -> web.StreamResponse:
    """The connection breaks without a byte."""
    if http.transport is not None:
        http.transport.abort()
    return web.Response(status=502)


def _refusal(fault: Refuse) -> web.Response:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": fault.message,
        "code": fault.status,
    }
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return web.json_response(status, status=fault.status, headers=headers)


def _object(data: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        found = json.loads(data)
        if isinstance(found, dict):
            return found
    return {}
