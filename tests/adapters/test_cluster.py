"""What is read must not be older than what was seen, or an original is forgotten as long as it is needed."""

import asyncio
from typing import Any

import pytest

from stepdown.adapters import cluster
from stepdown.adapters.cluster import KubernetesCluster
from stepdown.adapters.versions import Versions
from stepdown.engine.fields import Ref, Target
from stepdown.ports import Conflict, JsonPatch, Object, Refused, Snapshot, Unknown

REF = Ref("ConfigMap", "flags")
TARGET = Target("ConfigMap", "flags", "u-1")


class Answers:
    """Answers reads with versions from a list, and writes with one more than the newest."""

    def __init__(self, *versions: int) -> None:
        self._versions = list(versions)

    async def get(self, _path: str, **_query: str) -> Object:
        return _at(self._versions.pop(0))

    async def patch(self, _path: str, _patch: JsonPatch) -> Object:
        return _at(20)


def _at(version: int) -> Object:
    return {"metadata": {"name": "flags", "resourceVersion": str(version)}}


def read(found: KubernetesCluster) -> Snapshot:
    return asyncio.run(found.read("shop", [REF]))


@pytest.mark.row(20)
def test_row_20_an_answer_older_than_one_before_is_no_answer() -> None:
    found: Any = KubernetesCluster(Answers(10, 9))
    read(found)

    with pytest.raises(Unknown, match="the answer has version 9, but 10 was seen before; it is stale"):
        read(found)


@pytest.mark.row(20)
def test_row_20_an_answer_older_than_our_own_write_is_no_answer() -> None:
    found: Any = KubernetesCluster(Answers(10))
    asyncio.run(found.patch("shop", TARGET, []))

    with pytest.raises(Unknown, match="version 10, but 20 was seen"):
        read(found)


def test_the_same_version_again_is_an_answer() -> None:
    found: Any = KubernetesCluster(Answers(10, 10))
    read(found)

    assert read(found) == {REF: _at(10)}


@pytest.mark.row(11)
def test_row_11_a_server_restored_from_a_backup_is_believed_after_a_while() -> None:
    now = [0.0]
    versions = Versions(clock=lambda: now[0])
    versions.note("/flags", _at(10))
    now[0] = 301.0

    versions.check("/flags", _at(9), versions.newest("/flags"))


class Pods:
    """Answers patches of pods: with a refusal for some, after a while for others, and counts them."""

    def __init__(self, **refusals: Exception) -> None:
        self._refusals = refusals
        self.sent: list[str] = []
        self.at_once = self.most_at_once = 0

    async def patch(self, path: str, _patch: JsonPatch) -> Object:
        name = path.rpartition("/")[2]
        self.sent.append(name)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(3600 if name == "slow" else 0)
        self.at_once -= 1
        if name in self._refusals:
            raise self._refusals[name]
        return _at(20)


def patched_all(pods: Pods, *names: str) -> dict[str, str]:
    """What went wrong, by name."""
    found: Any = KubernetesCluster(pods)  # type: ignore[arg-type]
    failed = asyncio.run(found.patch_all("shop", {Target("Pod", name, f"u-{name}"): [] for name in names}))
    return {target.name: str(error) for target, error in failed.items()}


def test_many_patches_are_sent_side_by_side_but_not_all_at_once() -> None:
    pods = Pods()

    assert patched_all(pods, *(f"pod-{number}" for number in range(100))) == {}
    assert (len(pods.sent), pods.most_at_once) == (100, 16)


def test_one_patch_that_fails_keeps_no_other_from_being_sent() -> None:
    pods = Pods(b=Conflict(409, "modified"), c=Unknown("no answer"))

    assert patched_all(pods, "a", "b", "c", "d") == {"b": "409: modified", "c": "no answer"}
    assert pods.sent == ["a", "b", "c", "d"]


def test_where_a_right_is_missing_the_others_are_not_asked_for() -> None:
    no_right = Refused(403, 'pods "a" is forbidden: User "u" cannot patch resource "pods"')
    names = [f"pod-{number:02}" for number in range(40)]
    pods = Pods(**dict.fromkeys(names, no_right))

    failed = patched_all(pods, *names)

    assert list(failed) == names
    assert len(pods.sent) == 16


def test_what_takes_too_long_is_given_up_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATCH_ALL_SECONDS", 0.05)
    pods = Pods()

    assert patched_all(pods, "quick", "slow") == {"slow": "no time was left"}


def test_an_eviction_names_the_very_pod() -> None:
    class Evicts:
        sent: list[tuple[str, Object]] = []

        async def post(self, path: str, body: Object) -> Object:
            self.sent.append((path, body))
            return {"kind": "Status"}

    found: Any = KubernetesCluster(Evicts())  # type: ignore[arg-type]
    asyncio.run(found.evict("shop", Target("Pod", "shop-1", "u-1")))

    assert Evicts.sent == [
        (
            "/api/v1/namespaces/shop/pods/shop-1/eviction",
            {
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": "shop-1", "namespace": "shop"},
                "deleteOptions": {"preconditions": {"uid": "u-1"}},
            },
        )
    ]
