"""The same users at two shops whose pods are real: each request is one on the wire, and is counted by who answered."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from demo.load import MANY, users_at
from demo.performance import LATEST, WITH, WITHOUT
from demo.tally import ERROR, Tally
from demo.verdict import Check
from node.arrivals import Arrivals, Request, is_error, strange

SECONDS_PER_PAGE = 25.0
"""How long a user looks at a page before asking for the next one: what scales the launch to a node of two cores."""
SCALE = (
    f"a user asks for a page every {SECONDS_PER_PAGE:g} s, each on a connection of its own: {MANY:,} users are"
    f" {MANY / SECONDS_PER_PAGE:g} requests a second at each shop"
)
_NOW = 1.0
"""Seconds whose answers count as those of now."""


@dataclass(frozen=True, slots=True)
class Site:
    """A shop as users know it: where it is, and what kind of page each server's answer is, the best first."""

    host: str
    pages: Mapping[str, str]


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
    """Both shops under one load. `sites` are the shops by namespace."""

    def __init__(self, sites: Mapping[str, Site]) -> None:
        self._sites = sites
        self._counts = {name: dict.fromkeys([*site.pages.values(), ERROR], 0.0) for name, site in sites.items()}
        self._counted = 0
        targets = [f"GET http://{site.host}/" for site in sites.values()]
        self.arrivals = Arrivals(targets, lambda s: len(sites) * users_at(s) / SECONDS_PER_PAGE, round(LATEST))

    def begin(self) -> None:
        """The load's time starts."""
        self.arrivals.start()

    @property
    def seconds(self) -> float:
        """Seconds since `begin`; 0 before."""
        return time.time() - self.arrivals.began if self.arrivals.began else 0.0

    @property
    def users(self) -> int:
        """Users now."""
        return users_at(self.seconds)

    def tallies(self) -> dict[str, Tally]:
        """Both shops at the same moment, by namespace."""
        requests = self.arrivals.answered()
        for request in requests[self._counted :]:
            namespace = self.namespace(request)
            self._counts[namespace][self._page(namespace, request)] += 1
        self._counted = len(requests)
        recent: dict[str, Counter[str]] = {namespace: Counter() for namespace in self._sites}
        since = time.time() - _NOW
        for request in reversed(requests):
            if request.at + request.latency < since:
                break
            namespace = self.namespace(request)
            recent[namespace][self._page(namespace, request)] += 1
        return {name: self._tally(name, recent[name]) for name in self._sites}

    def namespace(self, request: Request) -> str:
        """Whose shop was asked."""
        return next(name for name, site in self._sites.items() if request.url.startswith(f"http://{site.host}/"))

    def end(self, stepped: float | None) -> "Outcome":
        """Nobody arrives any more; what became of all. `stepped` is when the first step down was complete."""
        self.arrivals.stop()
        requests = self.arrivals.wait()
        shops = {name: [r for r in requests if self.namespace(r) == name] for name in self._sites}
        after = [r for r in shops[WITH] if stepped is not None and r.at > stepped]
        return Outcome(
            users={name: len(asked) for name, asked in shops.items()},
            errors={name: sum(map(is_error, asked)) for name, asked in shops.items()},
            first_step=None if stepped is None else stepped - self.arrivals.began,
            users_after=len(after),
            late=[f"{r.error} at {r.at - self.arrivals.began:.1f} s" for r in after if is_error(r)],
            strange=strange(requests),
        )

    def _page(self, namespace: str, request: Request) -> str:
        return ERROR if is_error(request) else self._sites[namespace].pages[request.served_by]

    def _tally(self, namespace: str, now: Counter[str]) -> Tally:
        errors = now.pop(ERROR, 0)
        page = max(now, key=now.__getitem__) if now else ERROR
        return Tally(page, now.total() / _NOW, errors / _NOW, dict(self._counts[namespace]))
