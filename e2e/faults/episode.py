"""One episode: down two levels and back up to full service, under whatever the plan holds, and what is wrong after."""

import threading
import time
from collections.abc import Callable

from faults.calls import Exchange
from faults.oracles import done, is_target, violations
from faults.proxy import FaultProxy
from faults.world import LOADS, LOW, LOWER, WORKERS, World
from plane.api import Object
from plane.ladders import HEALTHY

HISTORY = [("full", "low"), ("low", "lower"), ("lower", "low"), ("low", "full")]
"""Every step of an episode, each once."""

VALUES: dict[str, list[object]] = {
    "services/shop": ["shop-static", "shop"],
    "configmaps/flags": ["off", "on"],
    "deployments/scale/workers": [LOW, LOWER, LOW, WORKERS],
}
"""What each target is set to, each once. A value on the way may be left out: a write that failed may be overtaken."""

REST_SECONDS = 1.3
"""More than an interval, in which nothing may be written."""

STEP_SECONDS = 120.0
"""Longest time for a step: a write of replicas without an answer is waited for a minute before it is judged."""


class Stuck(Exception):
    """An episode that didn't come to an end; the message says where it stood."""


class Episode:
    """One policy's life in a world."""

    def __init__(self, world: World, proxy: FaultProxy) -> None:
        self.world, self.proxy = world, proxy
        self._mark = proxy.log.mark(world.namespace)
        self._before = world.objects()
        self._uid = ""

    @property
    def log(self) -> list[Exchange]:
        """Everything asked since the beginning."""
        return self.proxy.log.seen(self.world.namespace, self._mark)

    @property
    def policy(self) -> Object:
        """The policy as the operator has last stored it; empty before that."""
        found = self.proxy.log.policy(self.world.namespace)
        return found if found and found["metadata"]["uid"] == self._uid else {}

    def begin(self, **spec: object) -> "Episode":
        """Creates the policy, and waits until it was evaluated. Raises Stuck."""
        self.world.load(HEALTHY)
        self._uid = self.world.api.create(self.world.policy(**spec))["metadata"]["uid"]
        self.wait("full", _is_settled)
        return self

    def to(self, name: str, timeout: float = STEP_SECONDS) -> None:
        """To a level, with all its actions applied and nothing else held. Raises Stuck."""
        self.world.load(LOADS[name])
        settled = _is_settled if name == "full" else _is_applied
        self.wait(name, lambda policy: policy["status"]["level"] == name and settled(policy), timeout)

    def wait(self, what: str, condition: Callable[[Object], bool], timeout: float = STEP_SECONDS) -> None:
        """Waits for a condition on the policy as last stored by the operator. Raises Stuck."""

        def holds() -> bool:
            policy = self.policy
            return bool(policy.get("status")) and condition(policy)

        if not self.proxy.log.wait(self.world.namespace, holds, timeout):
            raise Stuck(f"{self.world.namespace} on the way to {what}: {self.policy.get('status')}")

    def play(self) -> list[str]:
        """All of it; gives what is wrong. The policy is gone afterwards."""
        try:
            self.begin()
            for name in ("low", "lower", "full"):
                self.to(name)
            return self.end()
        except Stuck as error:
            return [f"L1: {error}"]
        finally:
            self.world.remove()

    def end(self) -> list[str]:
        """What is wrong with a whole episode that has come back to full service."""
        ended = time.monotonic()
        threading.Event().wait(REST_SECONDS)
        late = [e.request.path for e in done(self.log) if e.asked > ended]
        wrong = violations(self.log, self._before, self.world.objects())
        steps = [(step["from"], step["to"]) for step in self.policy["status"].get("history") or []]
        if steps != HISTORY:
            wrong.append(f"S7: the steps were {steps}")
        values = values_of(self.log)
        if any(not _is_part(values.get(target, []), wanted) for target, wanted in VALUES.items()):
            wrong.append(f"S2: the targets were set to {values}")
        return [*wrong, *(f"S14: {path} was written at rest" for path in late)]


def values_of(log: list[Exchange]) -> dict[str, list[object]]:
    """What each target was set to by each write that took effect, without writes that set nothing but our mark."""
    found: dict[str, list[object]] = {}
    for write in done(log):
        operations = [op for op in write.request.body if op["op"] != "test"] if is_target(write) else []
        for op in operations:
            if op["path"].startswith("/metadata"):
                continue
            value = op["value"]["app"] if isinstance(op["value"], dict) else op["value"]
            found.setdefault(f"{write.request.resource}/{write.request.name}", []).append(value)
    return found


def _is_part(values: list[object], wanted: list[object]) -> bool:
    """Whether values are some of the wanted ones, in their order, up to the last."""
    left = iter(wanted)
    return all(value in left for value in values) and values[-1:] == wanted[-1:]


def _is_settled(policy: Object) -> bool:
    """At full service with every signal seen, nothing held, and no trial under way."""
    free = not policy["status"].get("ledger") and not policy["metadata"].get("finalizers")
    state = {c["type"]: c["status"] for c in policy["status"].get("conditions") or []}
    steady = policy["status"]["summary"]["state"] == "Full" and not policy["status"]["state"].get("trial")
    return free and steady and state.get("MetricsAvailable") == "True"


def _is_applied(policy: Object) -> bool:
    return {entry["state"] for entry in policy["status"].get("ledger") or []} == {"Applied"}
