"""What users felt of one breach, whichever way it was met: four moments of one clock."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.node_scene import FALLBACK, NAMESPACE, NodeScene
from node import web
from node.swaps import swap_of
from plane.processes import wait_for

LONGEST_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Felt:
    """Seconds of the wall clock: when it broke, the scrape that carried it, the receipt of the write, the good answer.

    Where no scrape was needed, `scraped` is when it broke. `errors` are requests that got no answer meanwhile.
    """

    broke: float
    scraped: float
    wrote: float
    served: float
    errors: int = 0

    @property
    def to_write(self) -> float:
        """From the scrape."""
        return self.wrote - self.scraped

    @property
    def to_answer(self) -> float:
        """From the write."""
        return self.served - self.wrote

    @property
    def whole(self) -> float:
        """From the breach to the good answer."""
        return self.served - self.broke


def feel(on: NodeScene, service: str, breach: Callable[[], None], pause: float = 0.002) -> Felt:
    """Breaches, and asks a Service until the fallback answers. Raises TimeoutError."""
    address = on.address(service)
    with web.Users(address, pause) as users:
        broke = time.time()
        breach()
        wait_for(f"{service}: the fallback answers", lambda: users.last() == FALLBACK, LONGEST_SECONDS, every=0.02)
    wrote = swap_of(on.cluster.plane.audit_log, NAMESPACE, service, broke).wrote
    served = users.first(FALLBACK, broke)
    assert served is not None
    scraped = next((at for at in on.source.scrapes if broke < at < wrote), broke)
    return Felt(broke, scraped, wrote, served, len(web.errors(users.answers)))
