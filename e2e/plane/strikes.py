"""An operator that is hit at the very write that a test names: a signal, a few milliseconds after it.

The watch sees what the API server made of a call before the operator has made its next ones.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from plane.api import Object
from plane.ladders import HEALTHY, is_let_go, settings, three_targets
from plane.operator import Operator
from plane.record import Seen, wait_quiet
from plane.shop import POLICY, Shop

KINDS = (POLICY, "Service", "ConfigMap", "Deployment")
"""What the policy of a Stage writes."""

SHORT_LEASE = {"lease": {"name": "stepdown", "durationSeconds": 2, "renewSeconds": 0.4}}
"""Configuration of its operators: a dead leader is replaced after two seconds."""

REPLICAS = 3

Lands = Callable[[Object], bool]


@dataclass(frozen=True)
class Moment:
    """A kind of write: the object, what it is like after the write, and the load that leads to it."""

    name: str
    kind: str
    lands: Lands
    load: float


class Stage:
    """A shop with one policy, three operators of which one leads, and a watch that may signal the one that leads.

    Three, so that one stands by at once when two are killed, and while the next one starts.
    """

    def __init__(self, shop: Shop, start: Callable[[], Operator]) -> None:
        self.shop = shop
        self._start = start
        self._running = [start() for _ in range(REPLICAS)]
        self._armed: tuple[Moment, Operator, signal.Signals] | None = None
        self._struck = Event()
        self.struck_at = 0.0
        self.policy = three_targets(shop.namespace)
        shop.apply_workloads("shop", "shop-static")
        shop.apply(settings("flags", reviews="on"))
        self.before = shop.snapshot()

    def begin(self) -> "Stage":
        """At full service, with numbers, whatever the test before has left."""
        self._armed = None
        self.load(HEALTHY)
        self.leader()
        self.shop.start(self.policy, timeout=60)
        self.shop.wait_condition("shop", "MetricsAvailable", "True", timeout=60)
        self.reach("full")
        return self

    def leader(self) -> Operator:
        """The operator that leads now; the dead are replaced by new ones that stand by."""
        self._running = [operator for operator in self._running if operator.running]
        while len(self._running) < REPLICAS:
            self._running.append(self._start())
        self.shop.wait("one leads", lambda: any(o.is_leader() for o in self._running), timeout=60)
        return next(operator for operator in self._running if operator.is_leader())

    def standby(self) -> list[Operator]:
        """The two others."""
        leader = self.leader()
        return [operator for operator in self._running if operator is not leader]

    def load(self, value: float) -> None:
        """Sets the load that the policy follows."""
        self.shop.load(value, "shop")

    def reach(self, name: str) -> None:
        """Waits for a level."""
        self.shop.wait_level("shop", name, timeout=60)

    def on_write(self, seen: Seen) -> None:
        """For Record: hits whoever is armed when the moment's write is seen."""
        if self._armed is not None and seen.kind == self._armed[0].kind and self._armed[0].lands(seen.object):
            self._hit()

    def _hit(self) -> None:
        assert self._armed is not None
        _, operator, number = self._armed
        self._armed = None
        assert operator.process is not None
        os.kill(operator.process.pid, number)
        self.struck_at = time.monotonic()
        self._struck.set()

    def strike(self, moment: Moment, number: signal.Signals = signal.SIGKILL) -> Operator:
        """Leads the load to a moment and waits until the leader was hit at it; gives that operator."""
        leader = self.arm(moment, number)
        self.load(moment.load)
        self.wait_struck()
        return leader

    def arm(
        self, moment: Moment, number: signal.Signals = signal.SIGKILL, operator: Operator | None = None
    ) -> Operator:
        """An operator, the leader where none is named, gets a signal at the moment."""
        victim = operator or self.leader()
        self._struck.clear()
        self._armed = (moment, victim, number)
        return victim

    def wait_struck(self) -> None:
        """Waits until the leader was hit."""
        self.shop.wait("the write under test", self._struck.is_set, timeout=60)

    def recover(self) -> None:
        """Up to full service, and until nothing is written any more."""
        self.leader()
        self.load(HEALTHY)
        self.reach("full")
        self.shop.wait("nothing is held", lambda: is_let_go(self.shop, "shop"), timeout=60)
        wait_quiet(self.shop, self.leader())

    def assert_untouched(self) -> None:
        """Everything of the user is as before the episode, and no mark of ours is left."""
        assert self.shop.snapshot() == self.before
        assert self.shop.ledger("shop") == []

    def stop(self) -> None:
        """Ends all operators."""
        for operator in self._running:
            operator.resume()
            operator.stop()
