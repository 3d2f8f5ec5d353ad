"""A replica from leadership to leadership, over an API server in memory."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from controller.test_evaluator import until
from cycle.world import policy
from stepdown.controller import app, feeder
from stepdown.controller.config import Config
from stepdown.controller.evaluator import Evaluator
from stepdown.controller.feeder import Feeder
from stepdown.ports import JsonPatch, Object, Refused

LEASE = "/apis/coordination.k8s.io/v1/namespaces/ops/leases/stepdown"


class Server:
    """Lists, a Lease and statuses; `hangs` are the methods that get no answer."""

    host = "http://192.0.2.1"
    guard: Callable[[], None]
    on_write: Callable[[str], None]

    def __init__(self) -> None:
        self.lease: Object | None = None
        self.epochs: list[int] = []
        self.policies: list[Object] = []
        self.list_metadata: dict[str, str] = {}
        self.lists = 0
        self.hangs: set[str] = set()

    async def get(self, path: str, **_: str) -> Object:
        await self._answer("GET")
        if path == LEASE:
            if self.lease is None:
                raise Refused(404, "not found")
            return self.lease
        if path.endswith("/degradationpolicies"):
            self.lists += 1
            return {"metadata": dict(self.list_metadata), "items": list(self.policies)}
        if path.endswith(("/namespaces", "/metricsendpoints")):
            return {"metadata": {}, "items": []}
        raise Refused(404, "not found")

    async def post(self, path: str, body: Object) -> Object:
        await self._answer("POST")
        if path.endswith("/leases"):
            self._hold(body["spec"])
        return body

    async def patch(self, path: str, patch: JsonPatch) -> Object:
        await self._answer("PATCH")
        if path == LEASE:
            self._hold(patch[-1]["value"])
            assert self.lease is not None
            return self.lease
        name = path.split("/")[-2]
        (found,) = [obj for obj in self.policies if obj["metadata"].get("name") == name]
        version = str(int(found["metadata"]["resourceVersion"]) + 1)
        stored = {**found, "metadata": {**found["metadata"], "resourceVersion": version}, "status": patch[-1]["value"]}
        self.policies[self.policies.index(found)] = stored
        return stored

    def add(self, name: str) -> None:
        raw = policy(name)
        uid = f"uid-{name}"
        metadata = {"name": name, "namespace": "default", "uid": uid, "resourceVersion": "1", "generation": 1}
        self.policies.append({**raw, "metadata": metadata})

    def _hold(self, spec: dict[str, Any]) -> None:
        if spec["leaseTransitions"] not in self.epochs:
            self.epochs.append(spec["leaseTransitions"])
        self.lease = {"metadata": {"uid": "u", "resourceVersion": str(time.monotonic())}, "spec": spec}

    async def _answer(self, method: str) -> None:
        if method in self.hangs:
            await asyncio.sleep(60)
        await asyncio.sleep(0)


class Silent(Feeder):
    """A watch that sees nothing."""

    def _run(self) -> None:
        self._stop.wait()


async def nowhere(_: object) -> list[str]:
    return []


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "Feeder", Silent)
    monkeypatch.setattr(app, "server_addresses", nowhere)


def play(scene: Callable[[app.Operator, Server], Coroutine[Any, Any, None]], server: Server) -> float:
    """Runs a replica through a scene, and stops it; gives the seconds that the stop took."""

    async def run() -> float:
        stop = asyncio.Event()
        config = Config.model_validate({"metricsAddress": "127.0.0.1:0"})
        operator = app.Operator(config, "ops", server, server, stop)  # type: ignore[arg-type]
        running = asyncio.create_task(operator.run())
        try:
            await scene(operator, server)
        finally:
            stop.set()
            started = time.monotonic()
            await running
        return time.monotonic() - started

    return asyncio.run(run())


def level_of(operator: app.Operator, name: str) -> float | None:
    labels = {"namespace": "default", "name": name}
    return operator._metrics.registry.get_sample_value("stepdown_level", labels)


@pytest.mark.row(55)
def test_row_55_an_evaluator_that_ends_at_once_does_not_make_the_lead_change_in_a_hot_loop(monkeypatch, caplog):
    async def fail(_self: Evaluator) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Evaluator, "run", fail)

    async def scene(operator: app.Operator, server: Server) -> None:
        await until(lambda: server.epochs)
        await asyncio.sleep(0.5)
        assert server.lease is not None
        assert server.lease["spec"]["holderIdentity"] == ""

    server = Server()
    assert play(scene, server) < 3
    assert len(server.epochs) == 1
    assert "the leadership ended by an error" in caplog.text


@pytest.mark.row(19)
def test_row_19_a_stop_does_not_wait_for_an_api_server_that_does_not_answer():
    async def scene(operator: app.Operator, server: Server) -> None:
        server.add("shop")
        await until(lambda: operator._evaluator is not None)
        server.hangs = {"GET", "PATCH", "POST"}
        operator._evaluator.feed(server.policies[0], gone=False)  # type: ignore[union-attr]
        await asyncio.sleep(0.1)

    assert play(scene, Server()) < 3


@pytest.mark.row(19)
def test_row_19_a_stop_lets_the_lease_go():
    async def scene(operator: app.Operator, server: Server) -> None:
        await until(lambda: operator._evaluator is not None)

    server = Server()
    assert play(scene, server) < 3
    assert server.lease is not None
    assert server.lease["spec"]["holderIdentity"] == ""


def test_a_replica_that_does_not_lead_any_more_says_nothing_of_policies(monkeypatch):
    async def scene(operator: app.Operator, server: Server) -> None:
        await until(lambda: level_of(operator, "shop") == 0.0)
        assert server.lease is not None
        spec = {**server.lease["spec"], "holderIdentity": "somebody else", "leaseTransitions": 2_000_000_000}
        server.lease = {**server.lease, "spec": spec}
        await until(lambda: operator._evaluator is None)
        await until(lambda: level_of(operator, "shop") is None)

    server = Server()
    server.add("shop")
    play(scene, server)


@pytest.mark.row(21)
def test_row_21_what_no_watch_has_told_is_found_by_the_next_list(monkeypatch):
    monkeypatch.setattr(app, "RELIST_SECONDS", 0.1)

    async def scene(operator: app.Operator, server: Server) -> None:
        await until(lambda: level_of(operator, "shop") == 0.0)
        server.add("other")
        await until(lambda: level_of(operator, "other") == 0.0)
        server.policies = [obj for obj in server.policies if obj["metadata"]["name"] != "shop"]
        await until(lambda: level_of(operator, "shop") is None)
        assert level_of(operator, "other") == 0.0

    server = Server()
    server.add("shop")
    play(scene, server)


@pytest.mark.row(20)
def test_row_20_a_list_from_before_a_policy_was_seen_does_not_end_it(monkeypatch):
    monkeypatch.setattr(app, "RELIST_SECONDS", 0.1)

    async def scene(operator: app.Operator, server: Server) -> None:
        await until(lambda: level_of(operator, "shop") == 0.0)
        server.list_metadata = {"resourceVersion": "1"}
        stored, server.policies = server.policies, []
        listed = server.lists
        await until(lambda: server.lists >= listed + 3)
        assert level_of(operator, "shop") == 0.0
        server.list_metadata = {"resourceVersion": stored[0]["metadata"]["resourceVersion"]}
        await until(lambda: level_of(operator, "shop") is None)

    server = Server()
    server.add("shop")
    play(scene, server)


def test_an_object_that_makes_the_code_fail_keeps_no_other_from_being_seen(caplog):
    async def scene(operator: app.Operator, server: Server) -> None:
        await until(lambda: level_of(operator, "shop") == 0.0)

    server = Server()
    server.policies.append({"metadata": {"uid": "u-0"}})
    server.add("shop")
    play(scene, server)
    assert "one of degradationpolicies could not be taken in" in caplog.text


def test_a_watch_that_is_cancelled_by_its_own_framework_is_begun_again(monkeypatch):
    monkeypatch.setattr(feeder, "AGAIN_SECONDS", 0.01)
    begun: list[float] = []

    async def ends(_self: Feeder) -> None:
        begun.append(time.monotonic())
        raise asyncio.CancelledError

    monkeypatch.setattr(Feeder, "_watch", ends)
    watching = Feeder([], lambda *_: None)
    watching.start()
    deadline = time.monotonic() + 10
    while len(begun) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    watching.stop()
    assert len(begun) >= 2
