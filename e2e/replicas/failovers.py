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
    """The failovers of one pair, in seconds, after crashes and after ends; something is held all the time."""

    pair: Pair
    after_crash: list[float] = field(default_factory=list)
    after_end: list[float] = field(default_factory=list)

    def start(self) -> "Failovers":
        """Both run, one of them leads, and something is held."""
        self.pair.start()
        self.pair.leader(timeout=180)
        self.pair.reach("low")
        return self

    def crash(self) -> None:
        """One crash of a leader, while one stands by."""
        self.after_crash.append(self._failover(Operator.kill))

    def end(self) -> None:
        """One end of a leader, without a new process: one that starts would take its time from the other one."""
        self.after_end.append(self._failover(Operator.terminate))

    def wait_standby(self) -> None:
        """Waits until one leads and one stands by, a new process where there is none."""
        for operator in self.pair.operators:
            if not operator.running:
                self.pair.replace(operator)
        standby = self.pair.other(self.pair.leader())
        self.pair.wait("the other one stands by", lambda: standby.health("/readyz") == 200)

    def _failover(self, end: Callable[[Operator], None]) -> float:
        leader, epoch = self.pair.leader(), self.pair.epoch()
        claims: list[Seen] = []
        with Record(self.pair.api, self.pair.namespace, POLICY) as record:
            started = time.monotonic()
            end(leader)

            def claimed() -> bool:
                writes = record.seen(POLICY, "shop", started)
                claims[:] = [seen for seen in writes if (seen.object.get("status") or {}).get("epoch", 0) > epoch]
                return bool(claims)

            self.pair.wait("the other one has claimed what is held", claimed)
        leader.stop()
        return claims[0].at - started


def percentile(values: list[float], share: float) -> float:
    """The value that this share of some values doesn't exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
