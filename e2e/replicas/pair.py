"""Two operators over one namespace, which contend for a Lease that is kept in it.

Many pairs share one API server. Every process has a token of its own, so that the audit log names the writer.
"""

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from plane.api import Api, Object
from plane.control_plane import ADMIN
from plane.ladders import HEALTHY, is_let_go, settings, three_targets
from plane.operator import Operator
from plane.processes import wait_for
from plane.release import Release
from plane.shop import POLICY, Shop
from replicas.gate import Gate
from replicas.rights import ACCOUNT, give_rights

SHORT = {"durationSeconds": 3, "renewSeconds": 0.5}
"""A Lease under which a dead leader is replaced after three seconds."""

UNHURRIED = {"durationSeconds": 5, "renewSeconds": 0.5}
"""One that isn't lost because a machine is busy."""

PATIENT = {"durationSeconds": 10, "renewSeconds": 0.5}
"""One that isn't lost either while every answer is looked into."""

CHARTS = {"durationSeconds": 15, "renewSeconds": 2}
"""The chart's own."""

LEASE = "pair"
_EVER = "2099-01-01T00:00:00Z"
_numbers = itertools.count(1)


class Pair:
    """Both operators, and the policy `shop` that they act on; a person pins its level, so that it steps when told to.

    `policy` takes the place of that one. `environments` go over ours, one for each operator. The calls of the first
    operator go through the gate, where there is one.
    """

    def __init__(
        self,
        shop: Shop,
        release: Release,
        folder: Path,
        lease: Mapping[str, float] = SHORT,
        environments: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
        policy: Object | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.api: Api = release.plane.as_user(ADMIN)
        self.shop = Shop(shop.namespace, self.api, shop.kubectl, shop.source)
        self.namespace = shop.namespace
        self.audit_log = release.plane.audit_log
        self._release, self._folder, self._environments, self._gate = release, folder, environments, gate
        self._config = {"lease": {"name": LEASE, **lease}, "leaseNamespace": self.namespace}
        self.paused: set[Operator] = set()
        give_rights(self.api, release, self.namespace, LEASE)
        self.shop.apply_workloads("shop", "shop-static")
        self.shop.apply(settings("flags", reviews="on"))
        self.before = self.shop.snapshot()
        self.shop.load(HEALTHY, "shop")
        self.shop.apply(policy or three_targets(self.namespace, override=pinned("full")))
        self.operators: list[Operator] = []

    def start(self) -> "Pair":
        """Starts both; doesn't wait."""
        self.operators = [self.launch(place) for place in range(2)]
        return self

    def start_first(self) -> Operator:
        """Starts only the first, and waits until it leads."""
        self.operators = [self.launch(0)]
        return self.leader(timeout=180)

    def start_second(self) -> Operator:
        """Starts the second beside the first; doesn't wait."""
        self.operators.append(self.launch(1))
        return self.operators[1]

    def launch(self, place: int) -> Operator:
        """A new process for the first or the second of them; doesn't wait."""
        name = f"replica-{next(_numbers)}"
        release = self._release
        kubeconfig = release.plane.service_account_kubeconfig(release.namespace, ACCOUNT, name)
        if self._gate is not None and place == 0:
            kubeconfig = self._gate.kubeconfig(kubeconfig)
        return Operator(
            release,
            self._folder,
            namespaces=[self.namespace],
            kubeconfig=kubeconfig,
            config=self._config,
            environment=self._environments[place],
        ).start()

    def replace(self, operator: Operator) -> Operator:
        """A new process in the place of one that has ended."""
        place = self.operators.index(operator)
        self.operators[place] = self.launch(place)
        return self.operators[place]

    # Who leads

    def lease(self) -> Object:
        """The Lease's spec; empty where there is none."""
        found = self.api.find("Lease", LEASE, self.namespace) or {}
        return dict(found.get("spec") or {})

    def epoch(self) -> int:
        """The number of the leadership that is, or was."""
        return int(self.lease().get("leaseTransitions") or 0)

    def leader(self, timeout: float = 120.0) -> Operator:
        """The operator that leads; waits for one. Raises AssertionError with the logs' ends."""
        found: list[Operator] = []

        def one_leads() -> bool:
            found[:] = [o for o in self.operators if o not in self.paused and o.running and o.is_leader()]
            return bool(found)

        self.wait("one leads", one_leads, timeout)
        return found[0]

    def other(self, operator: Operator) -> Operator:
        """The other one of the two."""
        return next(other for other in self.operators if other is not operator)

    def pause(self, operator: Operator) -> None:
        """SIGSTOP."""
        self.paused.add(operator)
        operator.pause()

    def resume(self, operator: Operator) -> None:
        """SIGCONT."""
        operator.resume()
        self.paused.discard(operator)

    # What they act on

    def pin(self, level: str) -> int:
        """Has the policy go to a level; gives the generation that says so."""
        after = self.api.merge(POLICY, "shop", self.namespace, {"spec": {"override": pinned(level)}})
        return int(after["metadata"]["generation"])

    def wait_obeyed(self, generation: int, timeout: float = 120.0) -> None:
        """Waits until somebody who leads has gone by what the policy said in a generation, or later."""
        self.wait(
            f"generation {generation} is obeyed",
            lambda: int(self.shop.status("shop").get("observedGeneration", 0)) >= generation,
            timeout,
        )

    def reach(self, level: str) -> None:
        """Pins a level and waits until it is reached."""
        self.pin(level)
        self.shop.wait_level("shop", level, timeout=60)

    def finish(self) -> None:
        """Full service, and everything as it was before. Raises AssertionError where it isn't."""
        self.reach("full")
        self.shop.wait("nothing is held", lambda: is_let_go(self.shop, "shop"), timeout=90)
        assert self.shop.snapshot() == self.before

    def wait(self, what: str, condition: Any, timeout: float = 120.0) -> None:
        """Waits for a condition. Raises AssertionError with everything that there is to know."""
        try:
            wait_for(what, condition, timeout, every=0.1)
        except TimeoutError as error:
            logs = "\n".join(f"{o.name}, running {o.running}:\n{o.tail(12)}" for o in self.operators)
            raise AssertionError(f"{error}\n{self.lease()}\n{self.shop.describe()}\n{logs}") from None

    def stop(self) -> None:
        """Ends both."""
        for operator in self.operators:
            operator.resume()
            operator.terminate()
        for operator in self.operators:
            operator.stop()


@contextlib.contextmanager
def stopped(pair: Pair) -> Iterator[Pair]:
    """A pair that is stopped at the end."""
    try:
        yield pair
    finally:
        pair.stop()


def pinned(level: str) -> Object:
    """The override that pins a level for good."""
    return {"level": level, "reason": "a test", "until": _EVER}
