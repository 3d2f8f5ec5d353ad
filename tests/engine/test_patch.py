"""Patches test all that they replace, and their commands can be pasted."""

from typing import Any

import pytest

from stepdown.engine.fields import Target
from stepdown.engine.patch import at_version, build_patch, kubectl_line, scale_patch, target_patch, with_texts

FLAGS: dict[str, Any] = {
    "metadata": {"name": "flags", "uid": "u1", "annotations": {"stepdown.dev/ledger": "{}"}},
    "data": {"a": "1", "doc": '{"x": 1}'},
}
UID = {"op": "test", "path": "/metadata/uid", "value": "u1"}
MARK = "/metadata/annotations/stepdown.dev~1ledger"


def test_a_scale_tests_uid_and_replicas() -> None:
    assert scale_patch("u1", 2, 4) == [
        {"op": "test", "path": "/metadata/uid", "value": "u1"},
        {"op": "test", "path": "/spec/replicas", "value": 2},
        {"op": "add", "path": "/spec/replicas", "value": 4},
    ]


def test_a_scale_from_0_tests_that_there_are_no_replicas_because_the_api_server_leaves_0_out() -> None:
    assert scale_patch("u1", 0, 2)[1] == {"op": "test", "path": "/spec/replicas", "value": None}


def test_a_workload_that_never_said_its_replicas_has_one() -> None:
    patch, subresource = target_patch(Target("Deployment", "shop", "u1"), {"spec": {}}, {"/spec/replicas": "4"}, None)
    assert (patch, subresource) == (scale_patch("u1", 1, 4), "scale")


def test_what_stays_as_it_is_is_tested_too() -> None:
    assert build_patch(FLAGS, {"/data/a": '"2"'}, "{}") == [
        UID,
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "replace", "path": "/data/a", "value": "2"},
        {"op": "test", "path": MARK, "value": "{}"},
    ]


def test_a_value_of_another_type_is_replaced_although_it_is_equal_to_python() -> None:
    obj = {**FLAGS, "data": {"a": 1}}
    assert build_patch(obj, {"/data/a": "true"}, "{}")[1:3] == [
        {"op": "test", "path": "/data/a", "value": 1},
        {"op": "replace", "path": "/data/a", "value": True},
    ]


def test_fields_beside_and_within_a_document_are_set_together() -> None:
    found = with_texts(FLAGS, {"/data/a": '"2"', "/data/doc#/x": "5", "/data/b": '"3"'})
    assert found["data"] == {"a": "2", "doc": '{"x": 5}', "b": "3"}
    assert FLAGS["data"] == {"a": "1", "doc": '{"x": 1}'}


def test_a_document_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match="/data/none#/x"):
        with_texts(FLAGS, {"/data/none#/x": "5"})


def test_an_object_without_a_version_is_patched_by_its_values_alone() -> None:
    patch = build_patch(FLAGS, {}, None)
    assert at_version(patch, FLAGS) == patch
    versioned = {**FLAGS, "metadata": {**FLAGS["metadata"], "resourceVersion": "7"}}
    assert at_version(patch, versioned)[1] == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}


def test_a_command_is_plain_ascii_in_one_pair_of_quotes() -> None:
    patch = [{"op": "add", "path": "/data/a", "value": "it's é"}]
    assert kubectl_line("ns", "configmaps", "flags", patch) == (
        "kubectl -n ns patch configmaps flags --type=json"
        ' -p \'[{"op":"add","path":"/data/a","value":"it\'\\\'\'s \\u00e9"}]\''
    )


def test_a_command_for_a_subresource_names_it() -> None:
    line = kubectl_line("ns", "deployments", "shop", [], "scale")
    assert line == "kubectl -n ns patch deployments shop --subresource=scale --type=json -p '[]'"


def test_what_is_removed_is_tested_first_and_what_is_not_there_needs_nothing() -> None:
    assert build_patch(FLAGS, {"/data/a": None, "/data/b": None, "/more/b": None}, None) == [
        UID,
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "remove", "path": "/data/a"},
        {"op": "test", "path": MARK, "value": "{}"},
        {"op": "remove", "path": MARK},
    ]


def test_a_workload_is_scaled_from_the_replicas_that_it_has_and_other_kinds_are_patched_themselves() -> None:
    scaled = target_patch(Target("Deployment", "shop", "u1"), {"spec": {"replicas": 3}}, {"/spec/replicas": "4"}, None)
    assert scaled == (scale_patch("u1", 3, 4), "scale")
    patched = target_patch(Target("ConfigMap", "flags", "u1"), FLAGS, {"/data/a": '"2"'}, "{}")
    assert patched == (build_patch(FLAGS, {"/data/a": '"2"'}, "{}"), "")


def test_what_is_removed_leaves_everything_beside_it() -> None:
    assert with_texts({"spec": {"a": 1, "b": 2}}, {"/spec/a": None}) == {"spec": {"b": 2}}
