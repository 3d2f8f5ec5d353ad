"""Patches test all that they replace."""

from stepdown.engine.patch import scale_patch


def test_a_scale_tests_uid_and_replicas() -> None:
    assert scale_patch("u1", 2, 4) == [
        {"op": "test", "path": "/metadata/uid", "value": "u1"},
        {"op": "test", "path": "/spec/replicas", "value": 2},
        {"op": "add", "path": "/spec/replicas", "value": 4},
    ]


def test_a_scale_from_0_tests_that_there_are_no_replicas_because_the_api_server_leaves_0_out() -> None:
    assert scale_patch("u1", 0, 2)[1] == {"op": "test", "path": "/spec/replicas", "value": None}
