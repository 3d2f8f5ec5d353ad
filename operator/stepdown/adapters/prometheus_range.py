"""The past as an observer would have seen it: the same texts, asked at each step of a time, for `simulate`.

A server gives 11,000 points of a series at most, and an answer has a cap in bytes, so a long time is asked in
pieces. What can't be seen in hindsight is how a sample arrived late: freshness is that of the stored samples.
"""

import asyncio
from collections.abc import Collection, Mapping

from stepdown.adapters.prometheus import Asked, Get, PrometheusObserver, PrometheusQuestion
from stepdown.adapters.prometheus_batches import Batches, Outcome
from stepdown.adapters.prometheus_client import Answer
from stepdown.engine.forms import TARGETS_MAX, Form, Item, Joined
from stepdown.engine.observation import Observation
from stepdown.engine.readings import Reading

POINTS_MAX = 10_000
POINT_BYTES = 40
"""What a point takes in an answer, at most."""

TURN_SECONDS = 3600.0
JOINED = Joined(size=10)

Past = list[tuple[float, Observation]]


async def range_observations(
    observer: PrometheusObserver,
    questions: Collection[PrometheusQuestion],
    start: float,
    end: float,
    step: float,
) -> Mapping[PrometheusQuestion, Past]:
    """Each question's observations at start, start + step, … up to end (seconds since the epoch).

    Times are kept to the millisecond, as the server keeps them. What the source does wrong becomes an observation.
    Raises ValueError for a step below a millisecond.
    """
    if step < 0.001:
        raise ValueError(f"a step of {step:g}s is too short: give a millisecond at least")
    limits = observer.endpoint.limits
    rows = max(2 * JOINED.size, min(TARGETS_MAX, len(questions)))
    points = max(10, min(POINTS_MAX, limits.response_bytes // (POINT_BYTES * rows)))
    first, last, apart = round(1000 * start), round(1000 * end), round(1000 * step)
    times = [milliseconds / 1000 for milliseconds in range(first, last + 1, apart)]
    past: dict[PrometheusQuestion, Past] = {question: [] for question in questions}
    for begin in range(0, len(times), points):
        await _piece(observer, times[begin : begin + points], apart / 1000, past)
    return past


async def _piece(
    observer: PrometheusObserver, times: list[float], step: float, past: dict[PrometheusQuestion, Past]
) -> None:
    """Adds the observations of some times."""

    def ask(query: str, seconds: float) -> Answer:
        return observer.client.range(query, times[0], times[-1], step, seconds)

    endpoint = observer.endpoint
    batches = Batches(ask, endpoint.limits.concurrent_queries, endpoint.timeout)
    try:
        asked = Asked.of(past, JOINED)
        turn = batches.turn(TURN_SECONDS)
        reads = (batches.read(form, items, turn) for form, items in asked.items.items())
        seen = _Seen(dict(zip(asked.items, await asyncio.gather(*reads), strict=True)))
        suspects = dict.fromkeys(item for at in times for item in asked.suspects(seen.at(at), JOINED))
        if suspects:
            seen.add(JOINED, await batches.read(JOINED, list(suspects), turn))
        for at in times:
            get = seen.at(at)
            for question, observations in past.items():
                observations.append((at, asked.observe(question, at, get, JOINED)))
    finally:
        batches.close()


class _Seen:
    """What was read, by form, item and time."""

    def __init__(self, outcomes: Mapping[Form, Mapping[Item, Outcome]]) -> None:
        self._outcomes: dict[tuple[Form, Item], Outcome] = {}
        self._values: dict[tuple[Form, Item], dict[float, tuple[float, ...]]] = {}
        for form, found in outcomes.items():
            self.add(form, found)

    def add(self, form: Form, outcomes: Mapping[Item, Outcome]) -> None:
        for item, outcome in outcomes.items():
            values: dict[float, tuple[float, ...]] = {}
            for at, value in (point for row in outcome.rows for point in row):
                values[round(at, 3)] = (*values.get(round(at, 3), ()), value)
            self._outcomes[form, item] = outcome
            self._values[form, item] = values

    def at(self, at: float) -> Get:
        """The readings of one time. An item that was only asked for other times has none."""

        def get(form: Form, item: Item) -> Reading:
            outcome = self._outcomes[form, item]
            values = self._values[form, item].get(at, ())
            return Reading(values, outcome.failure, outcome.detail, outcome.warning)

        return get
