"""The exploration itself, and the line of a schedule."""

from collections.abc import Callable

import pytest

from torture.explore import explore, replay, workers
from torture.faults import line_of, parse


def test_every_schedule_of_one_and_two_faults_ends_as_it_should(figure: Callable[..., None]):
    found = explore(processes=workers())
    print(found)
    assert [str(violation) for violation in found.violations[:10]] == []
    assert found.schedules >= 30_000
    figure("schedules explored", found.schedules)
    figure("violations", len(found.violations))


FOUND_ONCE = [
    "11:stale=Deployment/shop",
    "14:pause",
    "22:stale=Service/shop",
    "6:stop 9:freeze",
    "6:crash-after 17:500",
    "8:crash-after 15:stale=Deployment/shop",
    "8:pause 16:wake",
    "9:500 12:stale=Deployment/shop",
    "13:pause 20:500",
    "27:500 28:stale=Deployment/shop",
    "16:delete-policy 21:stop 25:pause 26:lease-gone 44:pause",
    "10:lease-garbled 39:stop 41:stale=ConfigMap/flags 44:stale=ConfigMap/flags",
    "33:lease-gone 35:stale=Service/shop 38:edit=Deployment/shop 38:stale=Service/shop",
]
"""Schedules that lost an original, left a mark, or reported what was not so."""


@pytest.mark.parametrize("line", FOUND_ONCE)
def test_what_went_wrong_once_does_not_again(line: str):
    assert [str(violation) for violation in replay(parse(line)).violations] == []


FALSELY_ACCUSED = [
    "0:signals=good 3:kill=a 3:signals=both 6:edit-policy 12:pause 13:signals=Empty 14:settle",
    "34:backup=1 36:backup=1 36:unheard",
    "6:500 13:delete-policy 22:500 24:lease-garbled 27:backup=3",
    "0:signals=good 3:twice 3:twice 3:signals=both 7:pause 10:observe 11:crash 12:twice 12:lease-gone 12:signals=Empty"
    " 33:kill=b 34:settle",
    "0:signals=good 3:signals=both 4:observe 7:twice 10:settle",
    "0:signals=good 3:signals=Empty 5:signals=both 13:kill=a 13:signals=Empty 14:observe 18:edit-policy 26:settle",
]
"""A store in flight decided on what was measured before; who hasn't heard of a backup yet isn't at rest; and a policy
that begins to act has never left full service.
"""


@pytest.mark.parametrize("line", FALSELY_ACCUSED)
def test_a_schedule_is_judged_by_what_its_processes_could_know(line: str):
    assert [str(violation) for violation in replay(parse(line)).violations] == []


@pytest.mark.parametrize("line", ["none", "12:crash", "10:backup=3 27:pause 40:edit=Service/shop"])
def test_a_line_names_a_schedule(line: str):
    assert line_of(parse(line)) == line


def test_a_line_replays_the_same_again():
    schedule = parse("8:lost 14:pause 30:edit=Deployment/shop")
    first, second = replay(schedule), replay(schedule)
    assert first.calls == second.calls
    assert first.told == second.told
    assert [write.after for write in first.server.writes] == [write.after for write in second.server.writes]
