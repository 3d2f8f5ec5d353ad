"""Which pods of a workload are still to be restarted, which may go now, and how often that may begin."""

from typing import Any

import pytest

from stepdown.api.status import Restart
from stepdown.engine.restarts import Limit, begun, due, may_begin, next_pods, wait_in_words

TWICE_AN_HOUR = Limit(2, 3600)


def pod(name: str, created: str | None = "2026-03-01T10:00:00Z", **metadata: Any) -> dict[str, Any]:
    facts = {"name": name, "uid": f"u-{name}", "creationTimestamp": created, **metadata}
    return {"metadata": {key: value for key, value in facts.items() if value is not None}, "status": {}}


def restart(*times: float, through: str = "") -> Restart:
    return Restart(kind="Deployment", name="shop", times=list(times), through=through)


def names(pods: Any) -> list[str]:
    return [found["metadata"]["name"] for found in pods]


def test_a_restart_is_of_the_pods_that_are_there_when_it_begins() -> None:
    pods = [pod("a", "2026-03-01T10:00:00Z"), pod("b", "2026-03-01T10:00:07Z")]

    begin = begun(restart(), TWICE_AN_HOUR, pods, 5000.0)

    assert begin == restart(5000.0, through="2026-03-01T10:00:07Z")
    assert names(due(begin, [*pods, pod("c", "2026-03-01T10:00:08Z")])) == ["a", "b"]


def test_no_clock_of_ours_says_which_pods_are_old() -> None:
    begin = begun(restart(), TWICE_AN_HOUR, [pod("a", "2026-03-01T10:00:00Z")], 0.0)

    assert due(begin, [pod("new", "2026-03-01T10:00:01Z")]) == []


@pytest.mark.parametrize(
    "gone",
    [
        pod("a", deletionTimestamp="2026-03-01T10:01:00Z"),
        pod("a", created=None),
        {**pod("a"), "status": {"phase": "Succeeded"}},
        {**pod("a"), "status": {"phase": "Failed"}},
    ],
    ids=["on its way out", "of no age", "done", "failed"],
)
def test_a_pod_for_which_no_new_one_would_come_is_left_alone(gone: dict[str, Any]) -> None:
    assert due(restart(1.0, through="2026-03-01T10:00:00Z"), [gone]) == []


def test_nothing_is_to_go_when_no_restart_is_under_way() -> None:
    assert due(restart(1.0), [pod("a")]) == []


def test_pods_that_serve_nobody_go_at_once() -> None:
    pods = [pod("a"), pod("b"), pod("c")]

    going = next_pods(pods, pods, 3, {"u-a": False, "u-b": True, "u-c": False})

    assert [target.name for target in going] == ["a", "c"]


def test_pods_that_serve_go_one_at_a_time_and_only_while_none_is_missing() -> None:
    pods = [pod("a"), pod("b"), pod("c")]
    ready = {"u-a": True, "u-b": True, "u-c": True}

    assert [target.name for target in next_pods(pods, pods, 3, ready)] == ["a"]
    assert next_pods(pods, pods, 4, ready) == []


def test_the_pods_that_have_come_count_as_serving() -> None:
    old, new = pod("old"), pod("new", "2026-03-01T10:09:00Z")

    assert next_pods([old], [old, new], 2, {"u-old": True, "u-new": False}) == []
    assert [target.uid for target in next_pods([old], [old, new], 2, {"u-old": True, "u-new": True})] == ["u-old"]


@pytest.mark.parametrize(
    ("times", "may"),
    [((), True), ((4000.0,), True), ((4000.0, 4500.0), False), ((1399.0, 4500.0), True), ((9000.0, 9000.0), False)],
)
def test_only_so_many_restarts_begin_within_the_time(times: tuple[float, ...], may: bool) -> None:
    assert may_begin(restart(*times), TWICE_AN_HOUR, 5000.0) is may


def test_who_must_wait_is_told_for_how_long() -> None:
    assert wait_in_words(restart(3200.0, 4500.0), TWICE_AN_HOUR, 5000.0) == (
        "Deployment shop was restarted 2 times within 1h, so it is not restarted again for 30m"
    )
    assert wait_in_words(restart(4400.0), Limit(1, 3600), 5000.0) == (
        "Deployment shop was restarted once within 1h, so it is not restarted again for 50m"
    )


def test_what_is_counted_no_more_is_forgotten() -> None:
    assert begun(restart(1.0, 4500.0), TWICE_AN_HOUR, [pod("a")], 5000.0).times == [4500.0, 5000.0]
