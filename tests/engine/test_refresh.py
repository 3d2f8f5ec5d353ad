"""What pods are told of the flags that they mount: an annotation that follows from the mark on the ConfigMap."""

import json
from typing import Any

import jsonpatch
import pytest

from stepdown.engine.annotation import ANNOTATION
from stepdown.engine.refresh import REFRESH, digest_of, keeps_old, mounts, touches

MARK = json.dumps({"0123": {"policy": "shop", "path": "/data/reviews", "applied": '"off"'}})
DIGEST = "70d80e33dd5d"


def config_map(mark: str | None = MARK) -> dict[str, Any]:
    annotations = {ANNOTATION: mark} if mark is not None else {}
    return {"kind": "ConfigMap", "metadata": {"name": "flags", "uid": "u-flags", "annotations": annotations}}


def pod(*, annotations: dict[str, str] | None = None, phase: str = "Running", **spec: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "shop-1", "uid": "u-1", "resourceVersion": "7"}
    if annotations is not None:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": spec or MOUNTED, "status": {"phase": phase}}


def container(*mounts: dict[str, str], **fields: Any) -> dict[str, Any]:
    return {"name": "main", "volumeMounts": [{"name": "flags", "mountPath": "/flags", **m} for m in mounts], **fields}


VOLUMES = [{"name": "other", "emptyDir": {}}, {"name": "flags", "configMap": {"name": "flags"}}]
PROJECTED = [{"name": "flags", "projected": {"sources": [{"secret": {"name": "x"}}, {"configMap": {"name": "flags"}}]}}]
MOUNTED: dict[str, Any] = {"volumes": VOLUMES, "containers": [container({})]}


def after(found: dict[str, Any], mark: str | None = MARK, *wanted: str) -> Any:
    """A pod's annotations once it was touched; "untouched" for one that needn't be."""
    made = list(touches([found], {"flags": config_map(mark)}, frozenset(wanted)))
    if not made:
        return "untouched"
    ((target, patch),) = made
    assert (target.kind, target.name, target.uid) == ("Pod", "shop-1", "u-1")
    changes = [operation for operation in patch if operation["op"] != "test"]
    return jsonpatch.apply_patch(found, changes)["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("spec", "sees", "keeps"),
    [
        (MOUNTED, True, False),
        ({"volumes": PROJECTED, "containers": [container({})]}, True, False),
        ({"volumes": VOLUMES, "initContainers": [container({})], "containers": []}, True, False),
        ({"volumes": VOLUMES, "containers": [container({"subPath": "flags.json"})]}, False, True),
        ({"volumes": VOLUMES, "containers": [container({"subPathExpr": "$(NAME)"})]}, False, True),
        ({"volumes": VOLUMES, "containers": [container({}, {"subPath": "flags.json"})]}, True, True),
        ({"volumes": VOLUMES, "containers": [{"name": "main"}]}, False, False),
        (
            {"volumes": [{"name": "flags", "configMap": {"name": "more-flags"}}], "containers": [container({})]},
            False,
            False,
        ),
        ({"containers": [container(envFrom=[{"configMapRef": {"name": "flags"}}])]}, False, True),
        (
            {"containers": [container(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "flags"}}}])]},
            False,
            True,
        ),
        ({"containers": [container(env=[{"name": "A", "value": "flags"}])]}, False, False),
    ],
)
def test_a_pod_sees_what_it_mounts_whole_and_keeps_parts_and_variables(
    spec: dict[str, Any], sees: bool, keeps: bool
) -> None:
    found = pod(**spec)

    assert (mounts(found, "flags"), keeps_old(found, "flags")) == (sees, keeps)


def test_a_running_pod_that_mounts_a_marked_config_map_carries_its_digest() -> None:
    assert digest_of(config_map()) == DIGEST
    assert after(pod(), MARK, "flags") == {REFRESH: f'{{"flags":"{DIGEST}"}}'}


def test_other_annotations_stay() -> None:
    touched = after(pod(annotations={"owner": "ann"}), MARK, "flags")

    assert touched == {"owner": "ann", REFRESH: f'{{"flags":"{DIGEST}"}}'}


def test_a_pod_that_carries_the_digest_is_left_alone() -> None:
    assert after(pod(annotations={REFRESH: f'{{"flags":"{DIGEST}"}}'}), MARK, "flags") == "untouched"


def test_another_value_in_the_config_map_is_another_digest() -> None:
    touched = after(pod(annotations={REFRESH: f'{{"flags":"{DIGEST}"}}'}), MARK.replace("off", "few"), "flags")

    assert touched[REFRESH] not in (f'{{"flags":"{DIGEST}"}}', "{}")


def test_another_epoch_in_the_mark_is_the_same_digest() -> None:
    assert digest_of(config_map(MARK.replace('"policy"', '"epoch": 7, "policy"'))) == DIGEST


def test_once_the_mark_is_gone_the_annotation_is_taken_off() -> None:
    told = pod(annotations={"owner": "ann", REFRESH: f'{{"flags":"{DIGEST}"}}'}, phase="Succeeded")

    assert after(told, None) == {"owner": "ann"}


def test_what_is_said_of_another_config_map_stays() -> None:
    told = pod(annotations={REFRESH: f'{{"flags":"{DIGEST}","others":"1"}}'})

    assert after(told, None) == {REFRESH: '{"others":"1"}'}


def test_what_another_policy_holds_stays_although_nobody_wants_it_here() -> None:
    assert after(pod(annotations={REFRESH: '{"flags":"old"}'}), MARK) == "untouched"


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
def test_a_pod_that_does_not_run_is_not_touched(phase: str) -> None:
    assert after(pod(phase=phase), MARK, "flags") == "untouched"


def test_a_pod_on_its_way_out_is_not_touched() -> None:
    found = pod()
    found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert after(found, MARK, "flags") == "untouched"


@pytest.mark.parametrize("text", ["", "rubbish", "[]", "7", '{"../x":"1"}', "[" * 100_000])
def test_an_annotation_that_is_not_ours_counts_as_none(text: str) -> None:
    assert after(pod(annotations={REFRESH: text}), None) == "untouched"
    assert after(pod(annotations={REFRESH: text}), MARK, "flags") == {REFRESH: f'{{"flags":"{DIGEST}"}}'}


def test_a_mark_that_is_forged_takes_nothing_off_the_pod() -> None:
    found = pod(annotations={ANNOTATION: "{}"})

    assert after(found, MARK, "flags") == {ANNOTATION: "{}", REFRESH: f'{{"flags":"{DIGEST}"}}'}


def test_a_touch_holds_for_the_very_pod_that_was_read() -> None:
    ((_, patch),) = touches([pod()], {"flags": config_map()}, frozenset({"flags"}))

    assert patch[:2] == [
        {"op": "test", "path": "/metadata/uid", "value": "u-1"},
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
    ]
