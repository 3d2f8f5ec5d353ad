"""What the API server's answers are taken for, and what names may not reach."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from stepdown.adapters import api as module
from stepdown.adapters.api import Api
from stepdown.adapters.cluster import KubernetesCluster
from stepdown.adapters.paths import object_path
from stepdown.engine.fields import Ref
from stepdown.ports import Conflict, Refused, Unknown

TEST_FAILED = "the server rejected our request due to an error in our request"


class Server:
    """Gives one answer to every request; `seconds` is how long it takes."""

    def __init__(self, status: int, body: dict[str, Any], seconds: float = 0.0, **headers: str) -> None:
        self.host = "https://cluster"
        self.configuration = self
        self.rest_client = self
        self._answer = SimpleNamespace(status=status, headers=headers, read=self._read)
        self._body = json.dumps(body).encode()
        self._seconds = seconds
        self.asked: list[tuple[str, str]] = []

    async def auth_settings(self) -> dict[str, Any]:
        return {}

    async def request(self, method: str, url: str, *_: Any, **__: Any) -> Any:
        self.asked.append((method, url))
        await asyncio.sleep(self._seconds)
        return self._answer

    async def _read(self) -> bytes:
        return self._body


def patching(server: Server) -> Exception:
    """What a patch that this server answers raises."""

    async def patch() -> None:
        await Api(server, pauses=()).patch("/api/v1/namespaces/shop/configmaps/flags", [])  # type: ignore[arg-type]

    with pytest.raises((Refused, Unknown)) as raised:
        asyncio.run(patch())
    return raised.value


def test_a_test_that_fails_is_a_conflict_although_the_server_says_422():
    assert isinstance(patching(Server(422, {"message": TEST_FAILED})), Conflict)


def test_a_stale_version_is_a_conflict():
    assert isinstance(patching(Server(409, {"message": "the object has been modified"})), Conflict)


def test_an_object_that_is_not_valid_is_a_refusal_and_no_conflict():
    body = {"message": TEST_FAILED, "details": {"causes": [{"field": "spec.replicas"}]}}
    error = patching(Server(422, body))
    assert type(error) is Refused
    assert error.status == 422


@pytest.mark.parametrize("status", [500, 503, 504])
def test_a_failure_of_the_server_leaves_open_whether_the_write_happened(status):
    assert isinstance(patching(Server(status, {"message": "etcdserver: request timed out"})), Unknown)


def test_a_server_that_is_too_busy_has_done_nothing():
    error = patching(Server(429, {"message": "too many requests"}, **{"Retry-After": "86400"}))
    assert isinstance(error, Refused)
    assert error.is_busy
    assert error.status == 429


def test_a_server_that_does_not_answer_is_given_up_after_the_longest_time_for_a_call(monkeypatch):
    monkeypatch.setattr(module, "CALL_SECONDS", 0.02)
    assert "no answer within" in str(patching(Server(200, {}, seconds=0.5)))


def test_autoscalers_that_may_not_be_listed_are_not_taken_for_none():
    server = Server(403, {"message": "forbidden"})
    with pytest.raises(Refused, match="list horizontalpodautoscalers: forbidden"):
        asyncio.run(KubernetesCluster(Api(server)).read("shop", [Ref("HorizontalPodAutoscaler")]))  # type: ignore[arg-type]


def test_a_kind_that_the_cluster_does_not_have_reads_as_none_of_it():
    cluster = KubernetesCluster(Api(Server(404, {"message": "not found"})))  # type: ignore[arg-type]
    refs = [Ref("ScaledObject"), Ref("Service", "shop")]
    assert asyncio.run(cluster.read("shop", refs)) == {refs[0]: [], refs[1]: None}


def test_a_guard_that_raises_keeps_a_write_from_being_sent():
    server = Server(200, {})

    def not_the_leader() -> None:
        raise Unknown("not the leader any more")

    async def patch() -> None:
        api = Api(server)  # type: ignore[arg-type]
        api.guard = not_the_leader
        await api.patch("/api/v1/namespaces/shop/configmaps/flags", [])

    with pytest.raises(Unknown, match="not the leader"):
        asyncio.run(patch())
    assert server.asked == []


@pytest.mark.parametrize("name", ["..", "../secrets", "a/b", "a?b", "a#b", "%2e%2e", "A", "", "a\nb", "a" * 254])
def test_a_name_that_no_object_can_have_is_never_asked_for(name):
    with pytest.raises(Refused):
        object_path("shop", "ConfigMap", name)


FLAGS = "/api/v1/namespaces/shop/configmaps/flags"


class Failing(Server):
    """Fails so many times, and then gives its answer."""

    def __init__(self, failures: int) -> None:
        super().__init__(200, {"kind": "ConfigMap"})
        self._failures = failures

    async def request(self, method: str, url: str, *_: Any, **__: Any) -> Any:
        answer = await super().request(method, url)
        status = 503 if len(self.asked) <= self._failures else 200
        return SimpleNamespace(**{**vars(answer), "status": status})


@pytest.mark.row(5)
def test_row_05_a_read_and_a_patch_that_failed_are_tried_again_at_once():
    server = Failing(2)

    async def read_and_patch() -> None:
        api = Api(server, pauses=(0, 0))  # type: ignore[arg-type]
        await api.get(FLAGS)
        server.asked.clear()
        await api.patch(FLAGS, [])

    asyncio.run(read_and_patch())

    assert [method for method, _ in server.asked] == ["PATCH", "PATCH", "PATCH"]


@pytest.mark.row(5)
def test_row_05_a_creation_that_failed_is_not_tried_again_for_nothing_in_it_says_that_it_was_done():
    server = Failing(1)

    async def create() -> None:
        await Api(server, pauses=(0, 0)).post(FLAGS, {})  # type: ignore[arg-type]

    with pytest.raises(Unknown, match="503"):
        asyncio.run(create())


@pytest.mark.row(8)
def test_row_08_a_call_without_an_answer_is_not_tried_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "CALL_SECONDS", 0.05)
    server = Server(200, {}, seconds=1)

    async def read() -> None:
        await Api(server, pauses=(0, 0)).get(FLAGS)  # type: ignore[arg-type]

    with pytest.raises(Unknown, match="no answer within"):
        asyncio.run(read())
    assert len(server.asked) == 1
