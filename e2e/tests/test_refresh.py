"""Pods that mount a flag's ConfigMap are touched right after it is written, and keep no mark of ours."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from plane.api import Object
from plane.ladders import BREACHED, HEALTHY, is_let_go, ladder, level, settings, switch
from plane.operator import Operator
from plane.record import Record, Seen
from plane.release import Release
from plane.shop import Shop

REFRESH = "stepdown.dev/refresh"
MOUNT = {"name": "flags", "mountPath": "/flags"}
VOLUME = {"name": "flags", "configMap": {"name": "flags"}}
PROJECTED = {"name": "flags", "projected": {"sources": [{"configMap": {"name": "flags"}}]}}
SETTINGS = {"name": "flags", "configMap": {"name": "settings"}}
WORKLOADS: dict[str, tuple[list[Object], Object]] = {
    "mounts": ([VOLUME], {"volumeMounts": [MOUNT]}),
    "projects": ([PROJECTED], {"volumeMounts": [MOUNT]}),
    "parts": ([VOLUME], {"volumeMounts": [{**MOUNT, "subPath": "reviews"}]}),
    "variables": ([], {"envFrom": [{"configMapRef": {"name": "flags"}}]}),
    "others": ([SETTINGS], {"volumeMounts": [MOUNT]}),
}
"""How each Deployment's pods use the ConfigMap `flags`: their volumes, and the rest of their container."""


def deployment(name: str) -> Object:
    volumes, rest = WORKLOADS[name]
    pod = {"volumes": volumes, "containers": [{"name": "main", "image": "shop", **rest}]}
    template = {"metadata": {"labels": {"app": name}, "annotations": {"owner": "ann"}}, "spec": pod}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def apply(shop: Shop, *names: str) -> None:
    """Some workloads, their pods ready, and a policy whose one level sets the flag `reviews`, at rest."""
    shop.apply(settings("flags", reviews="on"), settings("settings", colour="red"), *map(deployment, names))
    shop.wait_ready(*names)
    shop.load(HEALTHY, "shop")
    shop.start(ladder("shop", shop.namespace, level("low", switch("flags", reviews="off", refresh="Pods"))))
    shop.wait_condition("shop", "MetricsAvailable", "True")


def recover(shop: Shop) -> None:
    shop.load(HEALTHY, "shop")
    shop.wait_level("shop", "full")
    shop.wait("the policy holds nothing", lambda: is_let_go(shop, "shop"))


def annotations(shop: Shop) -> dict[str, Object]:
    """The annotations of each pod, by name."""
    return {p["metadata"]["name"]: p["metadata"]["annotations"] for p in shop.api.list("Pod", shop.namespace)}


def touched(shop: Shop) -> list[str]:
    """The workloads of the pods that carry our annotation."""
    return sorted(name.partition("-")[0] for name, found in annotations(shop).items() if REFRESH in found)


@dataclass
class Episode:
    """What was there before, at the level, and after; `seconds` from the ConfigMap's write to each pod's, both ways."""

    before: dict[str, Object]
    touched: list[str]
    after: dict[str, Object]
    ready: list[str]
    seconds: list[float]
    writes: dict[str, int]


@pytest.fixture(scope="module")
def episode(lead: Callable[[], Operator], open_shop: Any) -> Iterator[Episode]:
    """Down and up once, with every way to use a ConfigMap."""
    lead()
    with open_shop("refresh") as shop:
        apply(shop, *WORKLOADS)
        before = annotations(shop)
        ready = [shop.condition("shop", "Ready")["message"]]
        with Record(shop.api, shop.namespace, "ConfigMap", "Pod") as record:
            shop.load(BREACHED, "shop")
            shop.wait_level("shop", "low")
            shop.wait("four pods are touched", lambda: len(touched(shop)) >= 4)
            at_level = touched(shop)
            ready.append(shop.condition("shop", "Ready")["message"])
            recover(shop)
            shop.wait("no pod is touched", lambda: touched(shop) == [])
            shop.wait("the record has it", lambda: len(gaps(record, before)) == 8)
            writes = {name: len(record.seen("Pod", name)) for name in before}
            yield Episode(before, at_level, annotations(shop), ready, gaps(record, before), writes)


def gaps(record: Record, pods: dict[str, Object]) -> list[float]:
    """Seconds from each write of the ConfigMap to the touches that follow it; none before it was written twice.

    Which write a touch follows is told by the API server's versions, for each kind is watched by a thread of its own.
    """
    writes = [seen for seen in record.seen("ConfigMap", "flags") if seen.type == "MODIFIED"][:2]
    if len(writes) < 2:
        return []
    touches = [seen for name in pods for seen in record.seen("Pod", name)]
    return [max(0.0, seen.at - writes[_version(seen) > _version(writes[1])].at) for seen in touches]


def _version(seen: Seen) -> int:
    return int(seen.object["metadata"]["resourceVersion"])


def test_just_the_pods_that_mount_the_config_map_are_touched(episode: Episode) -> None:
    assert episode.touched == ["mounts", "mounts", "projects", "projects"]


def test_a_pod_is_touched_within_a_second_of_the_write(episode: Episode, figure: Callable[..., None]) -> None:
    figure("touch of a pod after its flag's write", round(max(episode.seconds), 2), "s")

    assert max(episode.seconds) < 1


def test_a_pod_is_written_once_down_and_once_up(episode: Episode) -> None:
    assert {name.partition("-")[0]: count for name, count in episode.writes.items()} == {
        "mounts": 2,
        "projects": 2,
        "parts": 0,
        "variables": 0,
        "others": 0,
    }


def test_after_the_step_up_no_pod_carries_a_mark_of_ours(episode: Episode) -> None:
    assert episode.after == episode.before


def test_ready_tells_at_rest_and_at_the_level_whose_pods_see_a_flag_late(episode: Episode) -> None:
    assert (
        episode.ready
        == ["doing its job; pods that have ConfigMap flags by subPath or as variables see its flags when they restart"]
        * 2
    )


def test_the_touches_of_an_operator_that_was_killed_are_taken_back_by_the_next(shop: Shop, operator: Operator) -> None:
    apply(shop, "mounts")
    before = annotations(shop)
    shop.load(BREACHED, "shop")
    shop.wait("the pods are touched", lambda: touched(shop) == ["mounts", "mounts"])
    operator.kill()
    shop.load(HEALTHY, "shop")
    operator.start()
    operator.wait_leader()
    recover(shop)

    assert annotations(shop) == before


def test_where_the_chart_gives_no_right_the_delay_is_told_and_the_flag_set(
    shop: Shop, operator: Operator, release: Release
) -> None:
    apply(shop, "mounts")
    release.upgrade({"features": {"keda": True, "refreshPods": False}})
    try:
        shop.load(BREACHED, "shop")
        shop.wait_level("shop", "low")
        shop.wait("the delay is told", lambda: "minute" in shop.condition("shop", "Ready")["message"])
        ready, flag = shop.condition("shop", "Ready"), shop.api.get("ConfigMap", "flags", shop.namespace)["data"]
        recover(shop)
    finally:
        release.upgrade({"features": {"keda": True}})

    assert ready["status"] == "True"
    assert ready["message"].startswith(
        "doing its job; pods that mount its flags see them in about a minute: patch pods"
    )
    assert flag == {"reviews": "off"}
    assert operator.running


def test_the_flags_of_an_immutable_config_map_are_refused_with_the_cure(shop: Shop, operator: Operator) -> None:
    shop.apply({**settings("flags", reviews="on"), "immutable": True})
    shop.load(HEALTHY, "shop")
    shop.apply(ladder("shop", shop.namespace, level("low", switch("flags", reviews="off", refresh="Pods"))))

    ready = shop.wait_condition("shop", "Ready", "False", "ActionUnsupported")

    assert ready["message"] == (
        "level low: flags: ConfigMap flags is immutable, so its flags can't change; make it anew without that"
    )
    assert operator.running
