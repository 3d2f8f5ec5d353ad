"""Whom an endpoint may be: its address, its certificate, and who gets the credentials."""

import base64
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.hostile import HEAD, NOW, Request, Server, asking, document, drip, error, http, oracle, vector
from adapters.test_prometheus import observe, promql
from stepdown.adapters.prometheus import PrometheusObserver
from stepdown.adapters.prometheus_connection import PlainSocket
from stepdown.adapters.prometheus_peers import Peers, RefusedPeer
from stepdown.api.endpoint import EndpointSpec
from stepdown.engine.observation import Missing, Observation

LOAD = promql("load")


def test_a_loopback_address_is_refused_before_a_connection_is_made() -> None:
    with asking(oracle({}), cidrs=[], token="s3cret") as (observer, server):
        (seen,) = observe(observer, LOAD)
        assert server.connections == 0
    assert seen.detail == "its address 127.0.0.1 is refused: list it in allowedCIDRs if it is meant"


def test_whoever_really_answered_the_connection_is_judged_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(PlainSocket, "getpeername", lambda _: ("169.254.169.254", 80), raising=False)
    with asking(oracle({}), token="s3cret") as (observer, server):
        (seen,) = observe(observer, LOAD)
        assert server.requests == []
    assert seen.detail == "its address 169.254.169.254 is refused: list it in allowedCIDRs if it is meant"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "169.254.169.254", "169.254.1.1", "fe80::1%eth0",
        "224.0.0.1", "ff02::1", "fd00:ec2::254", "100.100.100.200", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "10.96.0.1", "172.20.0.9", "nonsense",
    ],
)  # fmt: skip
def test_internal_addresses_are_refused_however_they_are_written(address: str) -> None:
    with pytest.raises(RefusedPeer):
        Peers(refused=["10.96.0.1", "172.20.0.0/16"]).check(address)


def test_ordinary_addresses_and_listed_ones_are_allowed() -> None:
    for address in ("10.0.0.7", "192.168.1.1", "8.8.8.8", "fd00::1"):
        Peers(refused=["10.96.0.1"]).check(address)
    Peers(["10.96.0.0/16"], refused=["10.96.0.1"]).check("10.96.0.1")
    Peers(["127.0.0.0/8"]).check("::ffff:127.0.0.1")
    with pytest.raises(RefusedPeer):
        Peers(["127.0.0.0/8"]).check("::1")


def test_a_name_that_means_several_addresses_leads_to_an_allowed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with asking(oracle({})) as (observer, server):
        found = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", server.port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert observe(observer, LOAD) == [Observation(1.0, sampled=NOW - 5)]


def test_a_name_that_takes_for_ever_to_resolve_costs_no_more_than_the_time_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(5))
    started = time.monotonic()
    with asking(oracle({}), timeout="100ms") as (observer, _):
        (seen,) = observe(observer, LOAD)
        assert time.monotonic() - started < 1.5
        release.set()
    assert seen.missing is Missing.ERROR


def test_connections_are_kept_and_made_anew_when_the_server_has_closed_them() -> None:
    with asking(oracle({})) as (observer, server):
        observe(observer, LOAD)
        observe(observer, LOAD)
        assert server.connections == 1
        server.requests[-1].socket.shutdown(socket.SHUT_RDWR)
        assert observe(observer, LOAD) == [Observation(1.0, sampled=NOW - 5)]
        assert server.connections == 2


def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login user password leaked\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with asking(oracle({})) as (observer, server):
        assert observe(observer, LOAD) == [Observation(1.0, sampled=NOW - 5)]
        (request,) = server.requests
    assert "authorization" not in request.headers
    assert request.headers["accept-encoding"] == "identity"
    assert "cookie" not in request.headers


def test_cookies_are_not_kept() -> None:
    def answer(request: Request) -> bytes:
        return vector([]).replace(b"\r\n", b"\r\nSet-Cookie: a=b\r\n", 1)

    with asking(answer) as (observer, server):
        observe(observer, LOAD)
        observe(observer, LOAD)
        assert "cookie" not in server.requests[-1].headers


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        ({"token": "s3cret-token\n"}, "Bearer s3cret-token"),
        ({"basic": ("user", "s3cret")}, "Basic " + base64.b64encode(b"user:s3cret").decode()),
    ],
)
def test_credentials_are_sent_and_never_shown(credentials, header: str) -> None:
    def answer(request: Request) -> bytes:
        said = request.headers["authorization"]
        return error("internal", f"you sent {said}, that is s3cret or s3cret-token\x1b[0m\u202e" + "x" * 500, 500)

    with asking(answer, **credentials) as (observer, server):
        (seen,) = observe(observer, LOAD)
        assert server.requests[0].headers["authorization"] == header
    shown = seen.detail + repr(observer.__dict__)
    assert header.split()[1] not in shown
    assert "s3cret," not in seen.detail
    assert seen.detail.isprintable()
    assert len(seen.detail) <= 200


@pytest.mark.parametrize(
    "answer",
    [
        lambda said: http(b"{}", 200, f"Content-Type: {said}\r\n"),
        lambda said: document({"resultType": said, "result": []}),
        lambda said: vector([], warnings=[said]),
        lambda said: http(b"{}", 200, f"Content-Type: application/json\r\nContent-Encoding: {said}\r\n"),
        lambda said: http(b"", 302, f"Location: http://{said}.example\r\n"),
        lambda said: f"HTTP/1.1 200 {said}\r\n{said}: {said}\r\n\r\n".encode(),
        lambda said: f"{said}\r\n\r\n".encode(),
    ],
    ids=["content type", "result type", "warning", "encoding", "redirect", "headers", "status line"],
)
def test_a_credential_that_is_sent_back_is_not_shown_wherever_it_stands_not_even_in_part(answer) -> None:
    token = "Canary" + "0123456789abcdef" * 10
    with asking(lambda request: answer(request.headers["authorization"].split()[1]), token=token) as (observer, _):
        (seen,) = observe(observer, LOAD)
    assert seen.missing is not None
    assert "canary" not in seen.detail.lower()


@pytest.mark.parametrize("token", ["", "a\nHost: evil", "tökén"])
def test_a_token_that_no_header_can_carry_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ValueError, match="the token is empty or has characters that no header can carry"):
        PrometheusObserver(EndpointSpec(url="http://prometheus:9090"), token=token)


def test_certificates_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="ca holds no PEM certificates that can be read"):
        PrometheusObserver(EndpointSpec(url="https://prometheus:9090", ca="nonsense"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ssl.SSLContext]:
    """A certificate for localhost that is its own CA, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(pem + key.private_bytes(encoding, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return pem.decode(), context


def secured(url: str, ca: str | None, timeout: str = "2s") -> PrometheusObserver:
    return PrometheusObserver(EndpointSpec(url=url, allowedCIDRs=["127.0.0.0/8", "::1/128"], ca=ca, timeout=timeout))


def test_tls_needs_the_endpoints_own_ca_and_its_name(certificate: tuple[str, ssl.SSLContext]) -> None:
    ca, context = certificate
    server = Server(oracle({}), context)
    seen = []
    for url, trusted in (("https://localhost", ca), ("https://localhost", None), ("https://127.0.0.1", ca)):
        observer = secured(f"{url}:{server.port}", trusted)
        seen += observe(observer, LOAD)
        observer.close()
    server.close()
    assert seen[0] == Observation(1.0, sampled=NOW - 5)
    assert seen[1].detail == "its certificate is refused: self-signed certificate"
    assert seen[2].detail.startswith("its certificate is refused: IP address mismatch")


@pytest.mark.row(24)
@pytest.mark.parametrize("where", ["handshake", "body"])
def test_an_answer_over_tls_that_does_not_come_to_an_end_is_given_up_too(
    where: str, certificate: tuple[str, ssl.SSLContext]
) -> None:
    ca, context = certificate
    if where == "handshake":
        server = Server(lambda _: None, None)
        server.silent = True
    else:
        server = Server(drip(HEAD + b"Content-Length: 1000\r\n\r\n", b" "), context)
    started = time.monotonic()
    observer = secured(f"https://localhost:{server.port}", ca, timeout="100ms")
    (seen,) = observe(observer, LOAD)
    observer.close()
    server.close()
    assert time.monotonic() - started < 1
    assert seen.detail == "no answer within 0.1s"
