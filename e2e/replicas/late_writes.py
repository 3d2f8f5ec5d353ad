"""A leader that is stopped between its ledger and its targets, and one whose target write lands too late."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from plane.audit import Noted, read_log
from plane.ladders import ladder, level, route, scale, switch
from plane.processes import wait_for
from replicas.gate import Gate
from replicas.overlaps import LEASES
from replicas.pair import Pair, pinned

LANDS_SECONDS = 20.0
"""By when what was kept has landed, if it can."""

WRITTEN_AS = {"services": "services", "configmaps": "configmaps", "deployments": "deployments/scale"}
"""How the operator counts its writes to what the audit log calls so."""


def one_target(resource: str, namespace: str) -> dict[str, Any]:
    """A policy whose level writes one object only."""
    action = {
        "services": route("shop", "shop-static"),
        "configmaps": switch("flags", reviews="off"),
        "deployments": scale("shop", 4),
    }[resource]
    low = level("low", action, trial=resource == "services")
    return ladder("shop", namespace, low, override=pinned("full"))


@dataclass(frozen=True)
class Late:
    """What came of an old leader's calls to targets: the codes that they were answered with."""

    codes: list[int]


def lose_lease_before_writing(pair: Pair, gate: Gate) -> Late:
    """Row 15: paused when its intent has landed and before it knows, until the other one leads; then it goes on."""
    old = pair.start_first()
    paused = _once_intended(pair, gate, lambda: pair.pause(old))
    generation = pair.pin("low")
    pair.wait("it is paused", paused.is_set)
    pair.wait("the other one leads", pair.start_second().is_leader)
    pair.wait_obeyed(generation)
    pair.resume(old)
    pair.wait("the old one has noticed", lambda: not old.is_leader())
    pair.finish()
    return Late([call.code for call in calls_of_the_first(pair) if call.kind != LEASES])


def write_late(pair: Pair, gate: Gate, resource: str, level_then: str) -> Late:
    """Row 16: paused with a target write on its way, which lands when the other one has led for a while.

    A write that needs a new connection can't land while its sender stands still; then it is begun again.
    """
    pair.start_first()
    while not (codes := _land_late(pair, gate, resource, level_then)):
        pair.operators.pop().stop()
        pair.leader()
        pair.reach("full")
    pair.finish()
    return Late(codes)


def _land_late(pair: Pair, gate: Gate, resource: str, level_then: str) -> list[int]:
    """The codes of what has landed late: none, where nothing could."""
    old = pair.operators[0]

    def sent() -> float:
        return old.metrics().sum("stepdown_api_writes_total", resource=WRITTEN_AS[resource])

    before, codes_before = sent(), _codes(pair, resource)
    kept = _once_intended(pair, gate, gate.keep)
    pair.pin("low")
    pair.wait("its write is on its way", lambda: kept.is_set() and sent() > before and gate.has_kept)
    pair.pause(old)
    pair.wait("the other one leads", pair.start_second().is_leader)
    pair.wait_obeyed(pair.pin(level_then))
    gate.let_go()
    with contextlib.suppress(TimeoutError):
        wait_for("the late write has landed", lambda: _codes(pair, resource) != codes_before, LANDS_SECONDS)
    codes = _codes(pair, resource) - codes_before
    pair.resume(old)
    return list(codes.elements())


def _once_intended(pair: Pair, gate: Gate, act: Callable[[], None]) -> threading.Event:
    """Acts once, when an intent has landed and before its writer knows; the event is set after that."""
    acted, lock = threading.Event(), threading.Lock()

    def look() -> None:
        with lock:
            if not acted.is_set() and any(entry["state"] == "Intent" for entry in pair.shop.ledger("shop")):
                act()
                acted.set()

    gate.before_answer = look
    return acted


def calls_of_the_first(pair: Pair) -> list[Noted]:
    """All calls of who led first, as the API server has them."""
    calls = read_log(pair.audit_log, pair.namespace)
    first = next(call.who for call in calls if call.kind == LEASES and call.revision)
    return [call for call in calls if call.who == first]


def _codes(pair: Pair, resource: str) -> Counter[int]:
    return Counter(call.code for call in calls_of_the_first(pair) if call.kind == resource)
