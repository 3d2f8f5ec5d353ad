"""What is read must not be older than what was seen, or an original is forgotten as long as it is needed."""

import asyncio
from typing import Any

import pytest

from stepdown.adapters.cluster import KubernetesCluster
from stepdown.adapters.versions import Versions
from stepdown.engine.fields import Ref, Target
from stepdown.ports import JsonPatch, Object, Snapshot, Unknown

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
