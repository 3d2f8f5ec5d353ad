"""Looks come right after scrapes, and not more often than they must."""

import itertools
from dataclasses import dataclass

import pytest

from stepdown.controller.schedule import DueTimes, Phase, on_grid

BEGIN = 1_772_388_000.37
LEARNING = 200.0
"""Seconds of looks that are not judged."""


@dataclass(frozen=True)
class Scrapes:
    """A target's scrapes at offset, offset + period, …; their samples can be asked for `visible` seconds later."""

    offset: float
    period: float
    visible: float = 0.02

    def newest(self, now: float) -> float:
        return self.offset + (now - self.visible - self.offset) // self.period * self.period


def looks(interval: float, *targets: Scrapes, seconds: float = 900.0, without: range = range(0)) -> list[float]:
    """The times at which a policy looks that takes 10 ms to evaluate; `without` are seconds in which no scrape came."""
    phase, now, found = Phase(), BEGIN, []
    while now < BEGIN + seconds:
        found.append(now)
        asked = BEGIN + without.start if now - BEGIN in _Span(without) else now
        phase.see(max(target.newest(asked) for target in targets))
        now += 0.01
        expected = phase.next_after(now, interval)
        now = expected if expected is not None else on_grid(now, interval)
    return found


class _Span:
    def __init__(self, span: range) -> None:
        self._span = span

    def __contains__(self, seconds: float) -> bool:
        return self._span.start <= seconds < self._span.stop


def judged(times: list[float], interval: float, target: Scrapes, since: float = LEARNING) -> tuple[float, float]:
    """Looks per interval, and the longest time from a scrape to the look that shows it."""
    late = [time for time in times if time > BEGIN + since]
    first_seen: dict[float, float] = {}
    for time in late:
        first_seen.setdefault(target.newest(time), time)
    delays = [time - scrape for scrape, time in first_seen.items()]
    return len(late) * interval / (times[-1] - BEGIN - since), max(delays[1:])


@pytest.mark.parametrize(
    ("interval", "period", "looks_each_interval", "longest"),
    [
        (5, 5, 1.0, 0.05),
        (15, 15, 1.0, 0.05),
        (15, 5, 1.0, 0.05),
        (15, 10, 1.5, 0.05),
        (15, 30, 1.5, 0.05),
        (15, 60, 1.25, 0.05),
        (1, 5, 1.2, 0.05),
    ],
)
def test_looks_come_right_after_a_scrape_and_about_once_an_interval(
    interval: float, period: float, looks_each_interval: float, longest: float
) -> None:
    target = Scrapes(1.3, period)
    rate, delay = judged(looks(interval, target), interval, target)
    assert rate == pytest.approx(looks_each_interval, abs=0.06)
    assert delay < longest


@pytest.mark.parametrize("visible", [0.1, 0.4, 0.9, 1.9])
def test_a_target_that_answers_slowly_is_not_looked_for_in_vain_at_every_scrape(visible: float) -> None:
    target = Scrapes(1.3, 5, visible)
    rate, delay = judged(looks(5, target), 5, target)
    assert rate < 1.1
    assert delay < visible + 0.12


def test_a_target_that_answers_faster_again_is_seen_earlier_again() -> None:
    phase, now = Phase(), BEGIN
    lags = []
    for visible in [0.4] * 40 + [0.02] * 400:
        target = Scrapes(1.3, 5, visible)
        phase.see(target.newest(now))
        now += 0.01
        lags.append(phase.lag)
        now = phase.next_after(now, 5) or on_grid(now, 5)
    assert max(lags) == pytest.approx(0.43)
    assert lags[-1] == pytest.approx(0.03)


def test_signals_of_two_targets_are_looked_at_once_an_interval_and_not_twice() -> None:
    first, second = Scrapes(1.3, 5), Scrapes(3.4, 5)
    times = looks(5, first, second)
    assert judged(times, 5, first)[0] == pytest.approx(1.0, abs=0.06)
    assert min(judged(times, 5, target)[1] for target in (first, second)) < 0.05


def test_many_targets_cost_less_than_twice_the_looks() -> None:
    targets = [Scrapes(1.37 * number, 15) for number in range(10)]
    assert judged(looks(15, *targets), 15, targets[0])[0] < 2


def test_a_scrape_that_is_missed_changes_nothing_for_the_ones_after() -> None:
    target = Scrapes(1.3, 5)
    times = looks(5, target, without=range(300, 306))
    assert judged(times, 5, target, since=310)[1] < 0.05


def test_a_target_that_is_gone_is_looked_for_once_an_interval() -> None:
    target = Scrapes(1.3, 5)
    times = looks(5, target, without=range(100, 900))
    gaps = [after - before for before, after in itertools.pairwise(times) if before > BEGIN + 130]
    assert min(gaps) == pytest.approx(5, abs=0.01)


def test_a_longer_scrape_interval_is_learned() -> None:
    phase, now = Phase(), BEGIN
    for period in [5] * 10 + [10] * 10:
        now += period
        phase.see(now)
    assert phase.period == 10


def test_before_two_scrapes_were_seen_nothing_is_expected() -> None:
    phase = Phase()
    assert phase.next_after(BEGIN, 5) is None
    phase.see(BEGIN)
    assert phase.next_after(BEGIN + 1, 5) is None
    phase.see(BEGIN + 5)
    assert phase.next_after(BEGIN + 5.1, 5) == pytest.approx(BEGIN + 10.03)


def test_a_key_is_due_at_the_time_that_was_set_last() -> None:
    due: DueTimes[str] = DueTimes()
    due.set("a", 10)
    due.set("b", 20)
    due.set("a", 30)
    due.remove("b")
    assert due.next() == 30
    assert due.pop(29) == []
    assert due.pop(30) == ["a"]
    assert due.next() is None
