"""The past of a Prometheus, asked piece by piece as the simulation gets there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from pydantic import ValidationError

from stepdown.adapters.prometheus import PrometheusObserver, PrometheusQuestion
from stepdown.adapters.prometheus_client import Unusable
from stepdown.adapters.prometheus_range import range_observations
from stepdown.api.endpoint import EndpointSpec
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.questions import PresetQuestion, PromqlQuestion, Question

EVERYWHERE = ["0.0.0.0/0", "::/0"]
"""The address was given by hand by who runs the simulation, who could reach it anyway."""

TIMEOUT = "30s"
PRESENT = "vector(time())"


class NoPrometheus(Exception):
    """Prometheus can't be used; the message names the URL and what it did."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Times from `first` to `last`, both included, `step` apart; all in milliseconds since the epoch."""

    first: int
    last: int
    step: int

    @classmethod
    def ending(cls, now: float, last: float, step: float) -> "Grid":
        """The newest times up to `now` that are multiples of the step, covering `last` seconds; at least one."""
        apart = round(1000 * step)
        end = round(1000 * now) // apart * apart
        count = max(1, round(1000 * last) // apart)
        return cls(end - (count - 1) * apart, end, apart)

    def within(self, begin: int, end: int) -> range:
        """The times from `begin` to `end`, both included."""
        skipped = max(0, -(-(begin - self.first) // self.step))
        return range(self.first + skipped * self.step, min(end, self.last) + 1, self.step)

    @property
    def times(self) -> range:
        """Every time."""
        return self.within(self.first, self.last)


class Past:
    """What one Prometheus knows of a time. Raises NoPrometheus for a URL that isn't one."""

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            endpoint = EndpointSpec.model_validate({"url": url, "allowedCIDRs": EVERYWHERE, "timeout": TIMEOUT})
            self._observer = PrometheusObserver(endpoint)
        except (ValidationError, ValueError):
            text = "is not a base URL; write one like http://127.0.0.1:9090, without credentials, query or fragment"
            raise NoPrometheus(f"{url!r} {text}") from None

    def close(self) -> None:
        """Lets go of connections."""
        self._observer.close()

    def present(self) -> float:
        """The server's present, seconds since the epoch. Raises NoPrometheus."""
        try:
            answer = self._observer.client.instant(PRESENT, self._observer.endpoint.timeout)
        except Unusable as error:
            raise self._unusable(str(error)) from None
        if len(answer.rows) != 1:
            raise self._unusable("it doesn't say what time it is")
        return answer.rows[0].points[0][1]

    async def read(self, questions: Iterable[Question], grid: Grid) -> dict[Question, dict[int, Observation]]:
        """The observations of those questions that Prometheus answers, by time. Raises NoPrometheus."""
        asked = [q for q in questions if isinstance(q, PromqlQuestion | PresetQuestion)]
        if not asked:
            return {}
        step = grid.step / 1000
        found = await range_observations(self._observer, asked, grid.first / 1000, grid.last / 1000, step)
        past = {question: {round(1000 * at): seen for at, seen in found[question]} for question in asked}
        self._check(past)
        return cast(dict[Question, dict[int, Observation]], past)

    def _check(self, past: Mapping[PrometheusQuestion, Mapping[int, Observation]]) -> None:
        """A source that fails now says nothing about the past: that mustn't pass for data that were missing then."""
        seen = [observation for answers in past.values() for observation in answers.values()]
        if all(observation.missing is Missing.ERROR for observation in seen):
            raise self._unusable(seen[0].detail)

    def _unusable(self, detail: str) -> NoPrometheus:
        end = "" if detail.endswith("?") else "."
        return NoPrometheus(f"{self.url} can't be used: {detail}{end} Check --prometheus, or try again")
