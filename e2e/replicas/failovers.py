"""How long nobody acts when the leader dies or is told to end: until the other one has claimed what is held.

Measured to the claim, not to the Lease: whoever has only taken a Lease doesn't act yet.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from plane.operator import Operator
from plane.record import Record, Seen
from plane.shop import POLICY
from replicas.pair import Pair


@dataclass
class Failovers:
    """The failovers of one pair, in seconds, after crashes and after ends."""

    pair: Pair
    after_crash: list[float] = field(default_factory=list)
    after_end: list[float] = field(default_factory=list)

    def run(self, rounds: int) -> "Failovers":
        """So many of each, with something held, which everybody finds as it was in the end."""
        self.pair.leader(timeout=180)
        self.pair.reach("low")
        with Record(self.pair.api, self.pair.namespace, POLICY) as record:
            for _ in range(rounds):
                self.after_end.append(self._failover(record, Operator.terminate))
                self.after_crash.append(self._failover(record, Operator.kill))
        self.pair.finish()
        return self

    def _failover(self, record: Record, end: Callable[[Operator], None]) -> float:
        leader = self.pair.leader()
        standby = self.pair.other(leader)
        self.pair.wait("the other one stands by", lambda: standby.health("/readyz") == 200)
        epoch = self.pair.epoch()
        started = time.monotonic()
        end(leader)
        claims: list[Seen] = []

        def claimed() -> bool:
            writes = record.seen(POLICY, "shop", started)
            claims[:] = [seen for seen in writes if (seen.object.get("status") or {}).get("epoch", 0) > epoch]
            return bool(claims)

        self.pair.wait("the other one has claimed what is held", claimed)
        self.pair.replace(leader)
        return claims[0].at - started


def percentile(values: list[float], share: float) -> float:
    """The value that this share of some values doesn't exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
