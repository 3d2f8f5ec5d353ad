"""When each policy is due: a heap, a grid, and the phase of the scrapes.

Policies with the same interval and endpoint are due together, because a batch asks equal and similar questions
once. Where the newest sample's time is known, they are due right after the next scrape instead of somewhere
between two. Policies with something pending come round every second.
"""

import heapq
from collections import deque
from collections.abc import Hashable
from statistics import median_low
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

SCRAPE_LAG = 0.03
"""Least seconds from a scrape's timestamp until its samples can be asked for."""

PENDING_INTERVAL = 1.0
"""Seconds between two looks at a policy that has something pending."""

RETRY = 0.05
"""Seconds after which a scrape that was expected, and isn't there yet, is looked for again."""

RETRIES = 6
"""How often; then it is left to the next interval."""

CALM_LOOKS = 20
"""Looks in a row that found their scrape at once, after which the next ones come one RETRY earlier."""

STEPS_KEPT = 5
"""Times between samples from which the period is learned: one that is missed or too many changes nothing."""


class Phase:
    """Learns when scrapes can be seen, from the newest sample of each look; seconds since the epoch.

    A period that is steady is learned, and how long after a scrape's timestamp its samples are there: a target
    that takes half a second to answer must not be looked for in vain at every scrape. Where samples come from many
    targets, looks lock to one of them.
    """

    def __init__(self) -> None:
        self.newest: float | None = None
        self._steps: deque[float] = deque(maxlen=STEPS_KEPT)
        self._late = 0
        self._tried = 0
        self._calm = 0

    @property
    def period(self) -> float | None:
        """Seconds between scrapes, or between those that were seen; None before two were."""
        return median_low(self._steps) if self._steps else None

    @property
    def lag(self) -> float:
        """Seconds from a scrape's timestamp to its look."""
        return SCRAPE_LAG + self._late * RETRY

    def see(self, sampled: float | None) -> None:
        """Notes the time of the newest sample of a look."""
        if sampled is None or (self.newest is not None and sampled <= self.newest):
            return
        step = 0.0 if self.newest is None else sampled - self.newest
        was_missed = self.period is not None and step > 1.5 * self.period
        if self.newest is not None:
            self._steps.append(step)
        self.newest = sampled
        if self._tried > 0:
            if not was_missed:
                self._learn(min(self._tried, RETRIES))
        else:
            self._calm += 1
            if self._calm >= CALM_LOOKS:
                self._learn(-1)
        self._tried = 0

    def _learn(self, steps: int) -> None:
        self._calm = 0
        most = int((self.period or 0.0) / 2 / RETRY)
        self._late = max(0, min(self._late + steps, most))

    def next_after(self, now: float, interval: float) -> float | None:
        """The next time to look: a scrape's, at most about an interval away. None where none is expected by then."""
        period = self.period
        if self.newest is None or period is None or now - self.newest > 3 * period + interval:
            return None
        skipped = max(1, int(1.05 * interval / period))
        expected = self.newest + skipped * period + self.lag
        if expected > now:
            return expected if expected <= now + 1.05 * interval else None
        self._tried += 1
        return now + RETRY if self._tried <= RETRIES else None


def on_grid(now: float, interval: float) -> float:
    """The next common time of everything with this interval."""
    return (now // interval + 1) * interval


class DueTimes(Generic[Key]):
    """A heap of keys by due time; setting a key again replaces its time."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Key]] = []
        self._current: dict[Key, tuple[float, int]] = {}
        self._count = 0

    def set(self, key: Key, due: float) -> None:
        """Makes a key due at a time."""
        self._count += 1
        self._current[key] = (due, self._count)
        heapq.heappush(self._heap, (due, self._count, key))

    def remove(self, key: Key) -> None:
        """Forgets a key."""
        self._current.pop(key, None)

    def next(self) -> float | None:
        """The earliest due time."""
        while self._heap and self._current.get(self._heap[0][2]) != self._heap[0][:2]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float) -> list[Key]:
        """All keys due by now; they aren't scheduled any more."""
        due = []
        while (first := self.next()) is not None and first <= now:
            _, _, key = heapq.heappop(self._heap)
            del self._current[key]
            due.append(key)
        return due
