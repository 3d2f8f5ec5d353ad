"""What a hostile endpoint can't do: take time, memory, credentials, or lead elsewhere."""

import gzip
import socket
import time
import tracemalloc

import pytest

from adapters.hostile import HEAD, Request, Server, asking, drip, error, http, oracle, vector
from adapters.test_prometheus import observe, promql
from stepdown.adapters.prometheus import PrometheusObserver
from stepdown.api.endpoint import EndpointSpec
from stepdown.engine.observation import Missing, Observation

LOAD = promql("load")


def flood(first: bytes, chunk: bytes) -> None:
    """An answer that goes on for ever, as fast as it can."""

    def answer(request: Request) -> None:
        request.socket.sendall(first)
        while True:
            request.socket.sendall(chunk)

    return answer  # type: ignore[return-value]


@pytest.mark.row(24)
@pytest.mark.parametrize(
    "answer",
    [
        lambda _: time.sleep(5),
        drip(b"", b"H"),
        drip(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        drip(HEAD + b"Content-Length: 1000\r\n\r\n", b" "),
        drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["hang", "status", "header", "body", "chunks", "continue"],
)
def test_an_answer_that_does_not_come_to_an_end_costs_twice_the_time_out_at_most(answer) -> None:
    started = time.monotonic()
    with asking(answer, timeout="100ms") as (observer, _):
        (seen,) = observe(observer, LOAD)
        assert time.monotonic() - started < 1
    assert seen == Observation(missing=Missing.ERROR, detail="no answer within 0.1s")


@pytest.mark.row(24)
def test_many_questions_to_a_source_that_hangs_take_no_longer_than_one() -> None:
    started = time.monotonic()
    with asking(lambda _: time.sleep(5), timeout="100ms") as (observer, _):
        seen = observe(observer, *(promql(f"x{n}") for n in range(500)))
        assert time.monotonic() - started < 1
    assert {s.missing for s in seen} == {Missing.ERROR}


@pytest.mark.row(37)
@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (flood(HEAD + b"\r\n", b" " * 65536), "its answer is longer than 262144 bytes"),
        (
            flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n"),
            "its answer is longer than 262144 bytes",
        ),
        (
            flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: " + b"x" * 60000 + b"\r\n"),
            "its answer is longer than 262144 bytes",
        ),
        (
            flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 65536),
            "its answer is not HTTP as it should be (LineTooLong)",
        ),
        (flood(HEAD, b"X: x\r\n"), "its answer is not HTTP as it should be (HTTPException)"),
        (flood(HEAD + b"X: ", b"x" * 65536), "its answer is not HTTP as it should be (LineTooLong)"),
        (flood(HEAD, b"X: " + b"x" * 9000 + b"\r\n"), "its answer is longer than 262144 bytes"),
        (flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), "its answer is longer than 262144 bytes"),
        (lambda _: HEAD + b"Content-Length: 1000000000\r\n\r\n{", "its answer is longer than 262144 bytes"),
        (
            lambda _: HEAD + b"X: %s\r\n" % (b"x" * 9000) * 4 + b"Content-Length: 0\r\n\r\n",
            "its headers are longer than 32768 bytes",
        ),
        (
            lambda _: http(
                gzip.compress(b" " * 10_000_000),
                headers="Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
            ),
            "it compresses its answer although asked not to",
        ),
        (lambda _: http(b"[" * 65_000), "its answer has too many parts"),
        (lambda _: http(b"[" * 55_000), "its answer (200) is not JSON"),
    ],
    ids=[
        "endless", "chunks", "trailers", "chunk size", "headers", "header", "long headers", "continue",
        "announced", "headers within limits", "gzip", "parts", "nesting",
    ],
)  # fmt: skip
def test_an_answer_that_is_too_much_is_refused_in_little_memory(answer, detail: str) -> None:
    with asking(answer, timeout="30s", limits={"responseBytes": 262_144}) as (observer, _):
        tracemalloc.start()
        (seen,) = observe(observer, LOAD)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert seen == Observation(missing=Missing.ERROR, detail=detail)
    assert peak < 20_000_000


@pytest.mark.row(37)
def test_long_answers_are_read_one_at_a_time_and_short_ones_beside_them() -> None:
    long, short = http(b'"' + b"x" * 600_000 + b'"'), vector([])
    with asking(lambda request: long if "long" in request.query else short, timeout="200ms") as (observer, _):
        with observer.client._session._guard._large:  # as while another one is read
            waiting, beside = observe(observer, promql("long_1")), observe(observer, LOAD)
        after = observe(observer, promql("long_2"))
    assert [seen.detail for seen in (*waiting, *beside, *after)] == [
        "no answer within 0.2s",
        "no series",
        "its answer (200) is JSON of another kind",
    ]


@pytest.mark.row(37)
@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'"' + b"x" * 4_190_000 + b'"', "its answer (200) is JSON of another kind"),
        (b'"' + "😀".encode() + b"x" * 4_190_000 + b'"', "its answer has too many characters that are not ASCII"),
        (b'"' + "😀".encode() + b"x" * 1_040_000 + b'"', "its answer (200) is JSON of another kind"),
        (
            b"{" + b",".join(b'"%032d": 1' % n for n in range(59_000)) + b"}",
            "200: an error without words",
        ),
        (b"[" + b"[]," * 29_000 + b"[]]", "its answer (200) is JSON of another kind"),
    ],
    ids=["text", "wide text", "less wide text", "names", "lists"],
)
def test_an_answer_within_its_bytes_does_not_grow_in_memory_nor_stay_there(body: bytes, detail: str) -> None:
    raw = http(body)
    with asking(lambda _: raw) as (observer, _):
        observe(observer, promql("other"))
        tracemalloc.start()
        (seen,) = observe(observer, LOAD)
        left, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert seen == Observation(missing=Missing.ERROR, detail=detail)
    assert peak < 20_000_000
    assert left < 1_000_000


@pytest.mark.row(28)
@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (
            http(b"<html>", headers="Content-Type: text/html; charset=utf-8\r\n"),
            "its answer (200) is text/html, not JSON: is the URL a Prometheus?",
        ),
        (http(b"<html>"), "its answer (200) is not JSON"),
        (http(b"{}", headers=""), "its answer (200) is no content type, not JSON: is the URL a Prometheus?"),
        (http(b'{"status": "success\xff"}'), "its answer (200) is not JSON"),
        (http('{"status": "success"}'.encode("utf-16")), "its answer (200) is not JSON"),
        (
            http(b"Unauthorized", 401, "Content-Type: text/plain\r\n"),
            "its answer (401) is text/plain, not JSON: it wants other credentials",
        ),
        (http(b"", 503, "Content-Type: text/plain\r\n"), "its answer (503) is text/plain, not JSON"),
        (http(b'{"status": NaN}'), "its answer (200) is not JSON"),
        (http(b'{"status": "error", "status": "success"}'), "its answer (200) is not JSON"),
        (http(b"[1]"), "its answer (200) is JSON of another kind"),
        (http(b'{"status": "success"}'), "its answer has no result"),
        (error("execution", "wrong", 200), "200: wrong"),
        (http(b'{"status": "error", "error": 5}', 500), "500: an error without words"),
        (http(b'{"status": "success", "data": {}}', 401), "401: an error without words"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "its answer is not HTTP as it should be (BadStatusLine)"),
        (b"", "it closed the connection without an answer"),
        (HEAD + b"Content-Length: 100\r\n\r\n{}", "its answer is cut short"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{}", "its answer is cut short"),
    ],
)
def test_what_is_no_answer_of_a_prometheus_is_an_error(answer: bytes, detail: str) -> None:
    def reply(request: Request) -> None:
        request.socket.sendall(answer)
        request.socket.shutdown(socket.SHUT_RDWR)

    with asking(reply) as (observer, _):  # type: ignore[arg-type]
        assert observe(observer, LOAD) == [Observation(missing=Missing.ERROR, detail=detail)]


@pytest.mark.row(37)
def test_a_redirect_is_not_followed() -> None:
    elsewhere = Server(oracle({}))
    location = f"Location: http://127.0.0.1:{elsewhere.port}/api/v1/query\r\n"
    with asking(lambda _: http(b"", 307, location)) as (observer, _):
        (seen,) = observe(observer, LOAD)
    assert elsewhere.connections == 0
    elsewhere.close()
    assert seen.detail == "it redirects (307), which is not followed: give the URL that it leads to"


@pytest.mark.row(23)
def test_a_closed_port_and_an_unknown_name_are_errors() -> None:
    with asking(oracle({})) as (observer, server):
        server.close()
        assert observe(observer, LOAD)[0].detail == "no connection: Connection refused"
    unknown = PrometheusObserver(EndpointSpec(url="http://a..b:9090"))
    assert observe(unknown, LOAD)[0].detail == "no connection (UnicodeError)"
    unknown.close()
