"""What pods say when they are asked directly, and what they can't do to who asks."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from stepdown.adapters import pods as module
from stepdown.adapters.pods import PodsObserver
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.questions import PodsQuestion, ProbeQuestion
from stepdown.ports import Refused

Talk = Callable[[socket.socket], None]


@contextmanager
def pod_server(talk: Talk) -> Iterator[int]:
    """A pod that says what `talk` says; gives its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                try:
                    talk(connection)
                except OSError:
                    continue

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def says(text: bytes) -> Talk:
    return lambda connection: connection.sendall(text)


def drips(head: bytes, drop: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(200):
            connection.sendall(drop)
            time.sleep(0.05)

    return talk


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Namespace:
    """A workload with pods at addresses."""

    def __init__(self, *addresses: str, replicas: int = 1, ready: str = "True") -> None:
        self.addresses, self.replicas, self.ready = addresses, replicas, ready
        self.error: Exception | None = None
        self.on_host = False
        self.owner: dict[str, Any] = {"kind": "ReplicaSet", "name": "shop-5d7", "uid": "uid-5d7", "controller": True}

    async def read(self, namespace: str, refs: Any) -> dict[Any, Any]:
        if self.error is not None:
            raise self.error
        workload = {
            "metadata": {"name": "shop", "uid": "uid-shop"},
            "spec": {"replicas": self.replicas, "selector": {"matchLabels": {"app": "shop"}}},
        }
        found = [
            {
                "metadata": {
                    "name": f"shop-{number}",
                    "labels": {"app": "shop", "pod-template-hash": "5d7"},
                    "ownerReferences": [self.owner],
                },
                "spec": {
                    "hostNetwork": self.on_host,
                    "containers": [{"name": "main", "ports": [{"containerPort": 1}]}],
                },
                "status": {"podIP": address, "conditions": [{"type": "Ready", "status": self.ready}]},
            }
            for number, address in enumerate(self.addresses)
        ]
        return {ref: workload if ref.name else found for ref in refs}


def ask(namespace: Namespace, port: int | None = None, path: str = "/healthz") -> Observation:
    question = ProbeQuestion("default", "Deployment", "shop", path, port, 0.5)
    observer = PodsObserver(namespace)  # type: ignore[arg-type]
    return asyncio.run(observer.observe([question]))[question]


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pods on loopback, for which the tests' own have no other address."""
    monkeypatch.setattr(module, "_is_never_asked", lambda _address: False)


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (OK, Observation(value=1.0)),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", Observation(value=0.0, detail="shop-0 answers 503")),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
            Observation(value=0.0, detail="shop-0 answers 302"),
        ),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000, Observation(value=1.0)),
        (b"no HTTP at all\r\n\r\n", Observation(value=0.0, detail="shop-0: ClientResponseError")),
        (b"", Observation(value=0.0, detail="shop-0: ServerDisconnectedError")),
    ],
    ids=["well", "busy", "redirect", "long", "garbage", "nothing"],
)
def test_a_pod_answers_its_probe_well_with_2xx_only(answer: bytes, expected: Observation):
    with pod_server(says(answer)) as port:
        assert ask(Namespace("127.0.0.1"), port) == expected


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize(
    "talk",
    [
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n", b"x"),
        drips(b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
        drips(b"", b""),
    ],
    ids=["body", "headers", "silence"],
)
def test_a_pod_that_answers_byte_by_byte_is_not_waited_for_beyond_the_timeout(talk: Talk):
    started = time.monotonic()
    with pod_server(talk) as port:
        assert ask(Namespace("127.0.0.1"), port) == Observation(value=0.0, detail="shop-0 took longer than 0.5 s")
    assert time.monotonic() - started < 3


@pytest.mark.usefixtures("local")
def test_one_pod_that_fails_is_enough_and_the_silent_ones_are_not_waited_for():
    started = time.monotonic()
    with pod_server(drips(b"", b"")) as port:
        found = ask(Namespace(*["127.0.0.1"] * 60, "nowhere"), port)
    assert found.value == 0.0
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:169.254.169.254", "0.0.0.0", ""])
def test_an_address_that_is_no_pods_own_is_never_asked(address: str):
    with pod_server(says(OK)) as port:
        found = ask(Namespace(address), port)
    assert found.value == 0.0
    assert "address" in found.detail


def test_without_a_ready_pod_a_probe_fails():
    assert ask(Namespace("127.0.0.1", ready="False")) == Observation(
        value=0.0, detail="Deployment shop has no ready pod"
    )


@pytest.mark.parametrize(
    ("namespace", "expected"),
    [
        (Namespace("10.0.0.1", replicas=2), Observation(value=0.5)),
        (Namespace("10.0.0.1", "10.0.0.2", replicas=1), Observation(value=1.0)),
        (Namespace(replicas=0), Observation(missing=Missing.EMPTY, detail="Deployment shop is scaled to 0")),
    ],
    ids=["half", "more", "none wanted"],
)
def test_the_ready_share_is_of_the_pods_that_are_wanted(namespace: Namespace, expected: Observation):
    question = PodsQuestion("default", "Deployment", "shop")
    observer = PodsObserver(namespace)  # type: ignore[arg-type]
    assert asyncio.run(observer.observe([question]))[question] == expected


def test_pods_that_may_not_be_read_are_missing_and_not_unready():
    namespace = Namespace("10.0.0.1")
    namespace.error = Refused(403, "list pods: forbidden")
    question = PodsQuestion("default", "Deployment", "shop")
    observer = PodsObserver(namespace)  # type: ignore[arg-type]
    found = asyncio.run(observer.observe([question]))[question]
    assert found == Observation(missing=Missing.ERROR, detail="403: list pods: forbidden")


@pytest.mark.parametrize(
    "owner",
    [
        {"kind": "ReplicaSet", "name": "other-5d7", "uid": "1", "controller": True},
        {"kind": "ReplicaSet", "name": "shop-5d7", "uid": "1"},
        {"kind": "Job", "name": "shop-5d7", "uid": "1", "controller": True},
    ],
    ids=["of another workload", "not its controller", "of another kind"],
)
def test_a_pod_that_only_carries_the_labels_is_none_of_the_workloads(owner: dict[str, Any]):
    namespace = Namespace("10.0.0.1")
    namespace.owner = owner
    assert ask(namespace, 1) == Observation(value=0.0, detail="Deployment shop has no ready pod")


@pytest.mark.parametrize(("uid", "share"), [("uid-shop", 1.0), ("another", 0.0)])
def test_a_pod_of_a_stateful_set_is_told_by_its_uid(uid: str, share: float):
    namespace = Namespace("10.0.0.1")
    namespace.owner = {"kind": "StatefulSet", "name": "shop", "uid": uid, "controller": True}
    question = PodsQuestion("default", "StatefulSet", "shop")
    observer = PodsObserver(namespace)  # type: ignore[arg-type]
    assert asyncio.run(observer.observe([question]))[question] == Observation(value=share)


@pytest.mark.usefixtures("local")
def test_an_address_of_the_api_server_is_never_asked():
    with pod_server(says(OK)) as port:
        question = ProbeQuestion("default", "Deployment", "shop", "/healthz", port, 0.5)
        observer = PodsObserver(Namespace("127.0.0.1"), ["127.0.0.1", "::1"])  # type: ignore[arg-type]
        found = asyncio.run(observer.observe([question]))[question]
    assert found == Observation(value=0.0, detail="shop-0 has the address 127.0.0.1, which is never asked")


@pytest.mark.usefixtures("local")
def test_a_pod_in_its_nodes_network_is_asked_only_on_a_port_that_it_declares():
    namespace = Namespace("127.0.0.1")
    namespace.on_host = True
    with pod_server(says(OK)) as port:
        found = ask(namespace, port)
    assert found.value == 0.0
    assert (
        found.detail == f"shop-0 is in its node's network, where just ports that it declares are asked; declare {port}"
    )
