"""When each policy is due: a heap, a grid, and the phase of the scrapes.

Policies with the same interval and endpoint are due together, because a batch asks equal and similar questions
once. Where the newest sample's time is known, they are due right after the next scrape instead of somewhere
between two. Policies with something pending come round every second.
"""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

SCRAPE_LAG = 0.03
"""Seconds from a scrape's timestamp until its samples can be asked for."""

PENDING_INTERVAL = 1.0
"""Seconds between two looks at a policy that has something pending."""

RETRY = 0.05
"""Seconds after which a scrape that was expected, and isn't there yet, is looked for again."""


class Phase:
    """Learns a scrape period from the times of the newest samples; seconds since the epoch."""

    def __init__(self) -> None:
        self.newest: float | None = None
        self.period: float | None = None
        self._early = 0

    def see(self, sampled: float | None) -> None:
        """Notes the time of the newest sample of an observation."""
        if sampled is None or (self.newest is not None and sampled <= self.newest):
            return
        if self.newest is not None:
            step = sampled - self.newest
            if step < 0.2:
                return
            if self.period is None or step < self.period * 0.9:
                self.period = step
        self.newest = sampled
        self._early = 0

    def next_after(self, now: float, interval: float) -> float | None:
        """The next time at which a scrape is expected to be there, at most about an interval away; None if unknown."""
        if (
            self.newest is None
            or self.period is None
            or self.period > 2 * interval
            or now - self.newest > 3 * self.period
        ):
            return None
        expected = self.newest + self.period + SCRAPE_LAG
        if expected <= now:
            self._early += 1
            return now + RETRY if self._early <= 6 else None
        skipped = max(0, int((interval - self.period * 0.5) // self.period))
        return expected + skipped * self.period


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
