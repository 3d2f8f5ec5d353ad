"""Long lists are read in pages, and what is kept of thousands of pods is what is looked at."""

import asyncio
from typing import Any

import pytest

from stepdown.adapters.cluster import KubernetesCluster
from stepdown.engine.fields import Ref
from stepdown.ports import Object, Refused, Snapshot, Unknown


class Pages:
    """Answers a list by its pages, each with one object; `refusal` is the answer to what follows the first."""

    def __init__(self, names: list[str], refusal: Refused | None = None) -> None:
        self._names = names
        self._refusal = refusal
        self.asked: list[dict[str, str]] = []

    async def get(self, _path: str, **query: str) -> Object:
        self.asked.append(query)
        place = int(query.get("continue", 0))
        if place and self._refusal is not None:
            raise self._refusal
        after = {"continue": str(place + 1)} if place + 1 < len(self._names) else {}
        obj = {"metadata": {"name": self._names[place], "managedFields": [{"manager": "kubelet"}]}}
        return {"metadata": {"resourceVersion": "7", **after}, "items": [obj]}


def read(api: Pages, kind: str) -> Snapshot:
    found: Any = KubernetesCluster(api)  # type: ignore[arg-type] # it asks for nothing else
    return asyncio.run(found.read("shop", [Ref(kind)]))


def test_a_list_is_read_to_its_last_page():
    api = Pages(["a", "b", "c"])

    assert read(api, "Pod") == {Ref("Pod"): [{"metadata": {"name": name}} for name in "abc"]}
    assert api.asked == [{"limit": "500"}, {"limit": "500", "continue": "1"}, {"limit": "500", "continue": "2"}]


def test_who_has_written_what_is_kept_where_rivals_are_named():
    kind = "HorizontalPodAutoscaler"

    assert read(Pages(["a"]), kind)[Ref(kind)] == [
        {"metadata": {"name": "a", "managedFields": [{"manager": "kubelet"}]}}
    ]


def test_a_list_whose_version_is_gone_on_the_way_is_no_answer():
    with pytest.raises(Unknown, match="its version is gone before its last page was read"):
        read(Pages(["a", "b"], Refused(410, "the provided continue parameter is too old")), "Pod")


def test_a_right_that_is_missing_is_said_by_the_first_page():
    with pytest.raises(Refused, match="list pods"):
        read(Denied([]), "Pod")


class Denied(Pages):
    async def get(self, _path: str, **_query: str) -> Object:
        raise Refused(403, 'pods is forbidden: User "operator" cannot list resource')
