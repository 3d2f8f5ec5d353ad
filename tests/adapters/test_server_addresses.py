"""Where the API server is, by all that is known of it."""

import asyncio
import socket
from typing import Any

import pytest

from stepdown.adapters.server_addresses import server_addresses
from stepdown.ports import Refused, Unknown


class Server:
    """An API server that says of itself what a test says."""

    host = "https://api.example:6443"

    def __init__(self, said: Any) -> None:
        self.said = said

    async def get(self, path: str) -> dict[str, Any]:
        assert path == "/api"
        if isinstance(self.said, Exception):
            raise self.said
        return {"kind": "APIVersions", "serverAddressByClientCIDRs": self.said}


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = socket.getaddrinfo
    meant = {"api.example": "10.0.0.5"}
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda name, port: ask(meant.get(name, name), port, flags=socket.AI_NUMERICHOST)
    )
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")


def addresses(said: Any) -> list[str]:
    return asyncio.run(server_addresses(Server(said)))  # type: ignore[arg-type]


def test_they_are_those_of_its_url_of_its_service_and_of_its_instances() -> None:
    said = [
        {"clientCIDR": "0.0.0.0/0", "serverAddress": "192.0.2.10:6443"},
        {"clientCIDR": "::/0", "serverAddress": "[2001:db8::10]:6443"},
    ]
    assert addresses(said) == ["10.0.0.5", "10.96.0.1", "192.0.2.10", "2001:db8::10"]


@pytest.mark.parametrize(
    "said",
    [
        Refused(403, "forbidden"),
        Unknown("no answer"),
        None,
        "nonsense",
        [None],
        [{}],
        [{"serverAddress": "[::1"}],
        [{"serverAddress": "no-such-name"}],
        [{"serverAddress": ""}],
    ],
)
def test_what_it_does_not_tell_takes_nothing_from_what_is_known(said: Any) -> None:
    assert addresses(said) == ["10.0.0.5", "10.96.0.1"]
