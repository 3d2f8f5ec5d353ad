"""However a URL is written, and whatever its name means by the time of the connection: no denied address is reached."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.hostile import Server, asking, http, oracle
from adapters.test_prometheus import observe, promql
from stepdown.adapters.prometheus import PrometheusObserver
from stepdown.adapters.prometheus_connection import PlainSocket
from stepdown.api.endpoint import EndpointSpec

LOAD = promql("load")
API_SERVER = "10.96.0.1"

NAMES = {
    "localhost": "127.0.0.1",
    "localhost.": "127.0.0.1",
    "ip6-localhost": "::1",
    "127.0.0.1.": "127.0.0.1",
    "127.0.0.1.nip.io": "127.0.0.1",
    "metadata.google.internal": "169.254.169.254",
    "instance-data": "169.254.169.254",
    "kubernetes.default.svc": API_SERVER,
    "prometheus.rebound.example": "169.254.169.254",
    "mapped.example": "::ffff:169.254.169.254",
    "zone.example": "fe80::1%2",
}
"""What names resolve to; numbers are read by the system's own resolver."""

FORMS = {
    # The machine's own
    "http://127.0.0.1": "127.0.0.1",
    "http://127.0.0.1:9090/prometheus": "127.0.0.1",
    "http://127.255.255.254": "127.255.255.254",
    "http://127.1": "127.0.0.1",
    "http://127.0.1": "127.0.0.1",
    "http://2130706433": "127.0.0.1",
    "http://0x7f000001": "127.0.0.1",
    "http://0x7F.0x0.0x0.0x1": "127.0.0.1",
    "http://0x7f.1": "127.0.0.1",
    "http://0177.0.0.1": "127.0.0.1",
    "http://017700000001": "127.0.0.1",
    "http://0": "0.0.0.0",
    "http://0.0.0.0": "0.0.0.0",
    "http://0x0": "0.0.0.0",
    "http://0.0.0.1": "0.0.0.1",
    "http://[::]": "::",
    "http://[::1]:9090": "::1",
    "http://[0000:0000::0001]": "::1",
    "http://[::127.0.0.1]": "::127.0.0.1",
    "http://[::ffff:127.0.0.1]": "::ffff:127.0.0.1",
    "http://[::ffff:7f00:1]": "::ffff:127.0.0.1",
    "http://[0:0:0:0:0:ffff:127.0.0.1]": "::ffff:127.0.0.1",
    "http://[::ffff:0:127.0.0.1]": "::ffff:0:7f00:1",
    "http://[64:ff9b::127.0.0.1]": "64:ff9b::7f00:1",
    "http://[64:ff9b:1::7f00:1]": "64:ff9b:1::7f00:1",
    "http://[2002:7f00:1::]": "2002:7f00:1::",
    "http://localhost": "127.0.0.1",
    "http://LOCALHOST": "127.0.0.1",
    "http://localhost.": "127.0.0.1",
    "http://ip6-localhost": "::1",
    "http://127.0.0.1.": "127.0.0.1",
    "http://127.0.0.1.nip.io": "127.0.0.1",
    "http:///127.0.0.1": "",
    # Link-local, multicast and metadata services
    "http://169.254.169.254/latest": "169.254.169.254",
    "http://2852039166": "169.254.169.254",
    "http://0xa9fea9fe": "169.254.169.254",
    "http://0xA9.0xFE.0xA9.0xFE": "169.254.169.254",
    "http://0251.0376.0251.0376": "169.254.169.254",
    "http://169.16689662": "169.254.169.254",
    "http://169.254.43518": "169.254.169.254",
    "http://169.254.170.2": "169.254.170.2",
    "http://100.100.100.200": "100.100.100.200",
    "http://168.63.129.16": "168.63.129.16",
    "http://192.0.0.192": "192.0.0.192",
    "http://224.0.0.1": "224.0.0.1",
    "http://[::ffff:169.254.169.254]": "::ffff:169.254.169.254",
    "http://[::ffff:a9fe:a9fe]": "::ffff:169.254.169.254",
    "http://[64:ff9b::a9fe:a9fe]": "64:ff9b::a9fe:a9fe",
    "http://[2002:a9fe:a9fe::1]": "2002:a9fe:a9fe::1",
    "http://[fe80::1]": "fe80::1",
    "http://[fe80::a9fe:a9fe]": "fe80::a9fe:a9fe",
    "http://[fd00:ec2::254]": "fd00:ec2::254",
    "http://[fd00:ec2::23]": "fd00:ec2::23",
    "http://[fd20:ce::254]": "fd20:ce::254",
    "http://[fd00:42::42]": "fd00:42::42",
    "http://[ff02::1]": "ff02::1",
    "http://metadata.google.internal": "169.254.169.254",
    "http://instance-data": "169.254.169.254",
    "http://prometheus.rebound.example": "169.254.169.254",
    "http://mapped.example": "::ffff:169.254.169.254",
    "http://zone.example": "fe80::1%2",
    # The API server
    "http://10.96.0.1": API_SERVER,
    "https://10.96.0.1:443": API_SERVER,
    "http://0x0a600001": API_SERVER,
    "http://174063617": API_SERVER,
    "http://[::ffff:10.96.0.1]": "::ffff:10.96.0.1",
    "https://kubernetes.default.svc": API_SERVER,
    # Not a host and a path at all: the resource's own pattern, or the client, knows
    "http://user@127.0.0.1": "",
    "http://prometheus:9090@127.0.0.1": "",
    "http://prometheus#@127.0.0.1": "",
    "http://prometheus?@127.0.0.1": "",
    "http://prometheus\\@127.0.0.1": "",
    "http://127.0.0.1%2f.example": "",
    "http://127.0.0.1\n.example": "",
    "http://[fe80::1%25eth0]": "",
    "http://[::1": "",
    "http://127.0.0.1:99999": "",
    "http://\uff11\uff12\uff17.0.0.1": "",
    "HTTP://127.0.0.1": "",
    "//127.0.0.1": "",
    "file:///etc/passwd": "",
    "gopher://127.0.0.1": "",
    "unix:///run/docker.sock": "",
}
"""Each form with the address that it leads to where that is allowed; nothing for what leads nowhere."""


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The addresses that were connected to; nobody answers there."""
    reached: list[str] = []
    ask = socket.getaddrinfo

    def resolve(host: str, port: int, *_: Any, **options: Any) -> Any:
        meant = NAMES.get(host.lower(), host)
        return ask(meant, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)

    def connect(_: socket.socket, address: tuple[Any, ...]) -> None:
        reached.append(address[0] if len(address) < 4 or not address[3] else f"{address[0]}%{address[3]}")
        raise ConnectionRefusedError(111, "nobody")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(PlainSocket, "connect", connect, raising=False)
    return reached


def led_to(url: str, connected: list[str], allowed: list[str]) -> list[str]:
    """Where an endpoint with this URL was connected to when it was asked something."""
    connected.clear()
    try:
        spec = EndpointSpec.model_validate({"url": url, "timeout": "1s", "allowedCIDRs": allowed})
        observer = PrometheusObserver(spec, refused=[API_SERVER])
    except ValueError:  # of the resource's pattern, or of what can't be an endpoint
        return []
    (seen,) = observe(observer, LOAD)
    observer.close()
    assert seen.missing is not None
    assert "unexpected" not in seen.detail
    return list(dict.fromkeys(connected))


@pytest.mark.row(37)
def test_no_form_of_a_url_leads_to_a_denied_address(connected: list[str], figure: Callable[..., None]) -> None:
    led = {url: led_to(url, connected, allowed=[]) for url in FORMS}
    assert {url: reached for url, reached in led.items() if reached} == {}
    figure("URL forms refused", len(FORMS))


def test_each_of_them_leads_where_it_says_once_an_administrator_lists_the_address(connected: list[str]) -> None:
    led = {url: led_to(url, connected, allowed=["0.0.0.0/0", "::/0"]) for url in FORMS}
    assert led == {url: [address] if address else [] for url, address in FORMS.items()}


def test_an_ordinary_address_needs_no_list(connected: list[str]) -> None:
    assert led_to("http://10.0.0.7:9090", connected, allowed=[]) == ["10.0.0.7"]


def test_a_name_that_changes_its_address_between_check_and_connection_gains_nothing(
    connected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is resolved once, and connected to is what was judged."""
    answers = iter(["10.0.0.7", "169.254.169.254", "127.0.0.1"])

    def resolve(_: str, port: int, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert [led_to("http://rebinding.example", connected, allowed=[]) for _ in range(3)] == [["10.0.0.7"], [], []]


def test_of_a_names_addresses_only_those_that_are_allowed_are_tried(
    connected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = ["127.0.0.1", "10.0.0.7", "169.254.169.254", "10.0.0.8", API_SERVER]

    def resolve(_: str, port: int, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in mixed]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert led_to("http://mixed.example", connected, allowed=[]) == ["10.0.0.7", "10.0.0.8"]


@pytest.mark.row(37)
@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
@pytest.mark.parametrize("header", ["Location", "Refresh", "Content-Location", "Alt-Svc"])
def test_nothing_that_an_answer_names_is_connected_to(status: int, header: str) -> None:
    elsewhere = Server(oracle({}))
    url = f"http://127.0.0.1:{elsewhere.port}/"
    said = {"Refresh": f"0; url={url}", "Alt-Svc": f'http/1.1="127.0.0.1:{elsewhere.port}"; ma=9'}.get(header, url)
    with asking(lambda _: http(b"", status, f"{header}: {said}\r\n"), token="s3cret") as (observer, server):
        (seen,) = observe(observer, LOAD)
        assert len(server.requests) == 1
    assert elsewhere.connections == 0
    elsewhere.close()
    assert seen.detail == f"it redirects ({status}), which is not followed: give the URL that it leads to"
