"""The same users at two shops whose pods are real: each request is one on the wire, and is counted by who answered."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from demo.load import MANY, users_at
from demo.performance import LATEST, WITH, WITHOUT
from demo.tally import ERROR, Tally
from demo.verdict import Check
from node.arrivals import Arrivals, is_error, strange

SECONDS_PER_PAGE = 25.0
"""How long a user looks at a page before asking for the next one: what scales the launch to a node of two cores."""
SCALE = (
    f"a user asks for a page every {SECONDS_PER_PAGE:g} s, each on a connection of its own: {MANY:,} users are"
    f" {MANY / SECONDS_PER_PAGE:g} requests a second at each shop"
)
_NOW = 1.0
"""Seconds whose answers count as those of now."""


class Crowd:
    """The users of one shop through a launch. `pages` gives each `X-Served-By` its kind of page, the best first."""

    def __init__(self, host: str, pages: Mapping[str, str]) -> None:
        self._pages = pages
        self.arrivals = Arrivals([f"GET http://{host}/"], lambda s: users_at(s) / SECONDS_PER_PAGE, round(LATEST))

    @property
    def seconds(self) -> float:
        """Seconds since the first users came; 0 before."""
        return time.time() - self.arrivals.began if self.arrivals.began else 0.0

    def tally(self, seconds: float) -> Tally:
        """What they had got so many seconds after the first came."""
        pages: dict[str, float] = dict.fromkeys([*self._pages.values(), ERROR], 0.0)
        now: Counter[str] = Counter()
        for request in self.arrivals.answered():
            age = self.arrivals.began + seconds - request.at - request.latency
            if age >= 0:
                page = ERROR if is_error(request) else self._pages[request.served_by]
                pages[page] += 1
                now[page] += age < _NOW
        errors = now.pop(ERROR, 0)
        page = max(now, key=now.__getitem__) if now.total() else ERROR
        return Tally(page, now.total() / _NOW, errors / _NOW, pages)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What users got: their number and error pages by namespace, and of those of the shop with the policy who arrived
    after the first step down was complete, `first_step` seconds after the begin. `late` are the errors of the latter,
    `strange` those that the load itself has made.
    """

    users: Mapping[str, int]
    errors: Mapping[str, int]
    first_step: float | None
    users_after: int
    late: list[str]
    strange: set[str]

    def checks(self) -> list[Check]:
        """What the launch promises."""
        users, errors = self.users[WITHOUT], self.errors[WITHOUT]
        step = "never" if self.first_step is None else f"{self.first_step:.1f} s after the begin"
        got = f"{len(self.late) or 'none'} of the {self.users_after:,} users who arrived later got an error page"
        late = f": {', '.join(self.late[:10])}" if self.late else ""
        return [
            Check(f"first step down {step}: {got}{late}", self.users_after > 0 and not self.late),
            Check(f"before it {self.errors[WITH] - len(self.late)} users got one", True),
            Check(f"without the policy {errors:,} of {users:,} users got one", errors > users / 2),
            Check(f"errors of the load itself: {', '.join(sorted(self.strange)) or 'none'}", not self.strange),
        ]


class NodeLaunch:
    """Both shops under one load."""

    def __init__(self, with_policy: Crowd, without: Crowd) -> None:
        self._crowds = {WITH: with_policy, WITHOUT: without}

    def begin(self) -> None:
        """The load's time starts."""
        for crowd in self._crowds.values():
            crowd.arrivals.start()

    @property
    def seconds(self) -> float:
        """Seconds since `begin`; 0 before."""
        return self._crowds[WITH].seconds

    @property
    def users(self) -> int:
        """Users now."""
        return users_at(self.seconds)

    def tallies(self) -> dict[str, Tally]:
        """Both shops at the same moment, by namespace."""
        seconds = self.seconds
        return {name: crowd.tally(seconds) for name, crowd in self._crowds.items()}

    def stop(self) -> None:
        """Nobody arrives any more, and all who did have an answer or no patience left."""
        for crowd in self._crowds.values():
            crowd.arrivals.stop()

    def outcome(self, stepped: float | None) -> Outcome:
        """What became of all, when it is stopped. `stepped` is when the first step down was complete."""
        shops = {name: crowd.arrivals.wait() for name, crowd in self._crowds.items()}
        began = self._crowds[WITH].arrivals.began
        after = [r for r in shops[WITH] if stepped is not None and r.at > stepped]
        return Outcome(
            users={name: len(requests) for name, requests in shops.items()},
            errors={name: sum(map(is_error, requests)) for name, requests in shops.items()},
            first_step=None if stepped is None else stepped - began,
            users_after=len(after),
            late=[f"{r.error} at {r.at - began:.1f} s" for r in after if is_error(r)],
            strange=strange(request for requests in shops.values() for request in requests),
        )
