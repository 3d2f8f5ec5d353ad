"""The oracles of the fault tests see what they are there for: each wrong episode here is wrong in one way."""

import json
from typing import Any

from faults.calls import Exchange, Request
from faults.oracles import violations

UID_TEST = {"op": "test", "path": "/metadata/uid", "value": "u-1"}
OFF = [
    UID_TEST,
    {"op": "test", "path": "/data/reviews", "value": "on"},
    {"op": "replace", "path": "/data/reviews", "value": "off"},
]


def written(resource: str, version: int, answer: dict[str, Any], body: Any = None) -> Exchange:
    request = Request("patch", resource, "shop", "flags", f"/{resource}/flags", body or [])
    metadata = {"uid": "u-1", "resourceVersion": str(version)}
    return Exchange(request, 200, {"metadata": metadata, **answer}, "", 0.0, 0.0)


def ledger(version: int, *originals: str, epoch: int = 1) -> Exchange:
    entries = [
        {"id": "e", "target": {"uid": "u-1"}, "path": "/data/reviews", "original": original, "epoch": epoch}
        for original in originals
    ]
    return written("degradationpolicies/status", version, {"status": {"ledger": entries}})


def target(version: int, body: Any = None) -> Exchange:
    return written("configmaps", version, {}, body or OFF)


def marked(version: int, epoch: int) -> Exchange:
    pointer = "/metadata/annotations/stepdown.dev~1ledger"
    mark = json.dumps({"e": {"epoch": epoch}})
    return target(version, [UID_TEST, {"op": "test", "path": pointer}, {"op": "add", "path": pointer, "value": mark}])


def kinds(*log: Exchange, after: dict[str, Any] | None = None) -> list[str]:
    """The numbers of what is violated."""
    return [text.partition(":")[0] for text in violations(log, {}, after or {})]


def test_a_write_after_its_entry_that_tests_what_it_changes_is_right():
    assert kinds(ledger(1, '"on"'), target(2), ledger(3)) == []


def test_an_object_that_is_not_as_it_was_is_seen():
    assert kinds(after={"ConfigMap/flags": {"data": {"reviews": "off"}}}) == ["S2"]


def test_a_mark_that_is_left_is_seen():
    found = {"metadata": {"annotations": {"stepdown.dev/ledger": "{}"}}}

    assert violations([], {"ConfigMap/flags": found}, {"ConfigMap/flags": found}) == ["S2: our annotation is left"]


def test_a_write_that_does_not_test_the_uid_is_seen():
    assert kinds(ledger(1, '"on"'), target(2, OFF[1:])) == ["S3"]


def test_a_write_that_does_not_test_the_value_is_seen():
    assert kinds(ledger(1, '"on"'), target(2, [OFF[0], OFF[2]])) == ["S3"]


def test_a_write_before_its_entry_is_seen():
    assert kinds(target(1), ledger(2, '"on"')) == ["S3"]


def test_an_original_that_changes_after_the_write_is_seen():
    assert kinds(ledger(1, '"on"'), target(2), ledger(3, '"off"')) == ["S3"]


def test_an_original_that_changes_before_the_write_is_right():
    assert kinds(ledger(1, '"on"'), ledger(2, '"theirs"'), target(3)) == []


def test_a_write_of_an_older_leader_after_a_newer_one_is_seen_in_the_order_of_the_server():
    assert kinds(marked(3, epoch=1), ledger(2, '"on"', epoch=2)) == ["S6"]
