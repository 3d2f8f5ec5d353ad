"""Rows 14 and 18: what is counted and waited for outlives crashes and clocks.

The ladder here follows the pods of a Deployment, which tests make ready and unready: no clock but the operator's own
has a part in it.
"""

import time
from typing import Any

from plane.ladders import ladder, level, switch
from replicas.clocks import HOUR, Clock
from replicas.pair import Pair

BUDGET = 3


def pods_ladder(namespace: str, up: str = "1s", transitions: int = BUDGET) -> dict[str, Any]:
    """A policy `shop` that is at `low` while less than half of the pods are ready."""
    low = level("low", switch("flags", reviews="off"))
    low["enter"] = {"any": [{"signal": "ready", "below": "50%", "for": "0s"}]}
    return ladder(
        "shop",
        namespace,
        low,
        signals=[{"name": "ready", "pods": {"deployment": "shop"}}],
        stabilization={"down": "0s", "up": up, "dwell": "0s"},
        budget={"transitions": transitions, "per": "1h"},
    )


def crash_until_spent(pair: Pair, crashes_after: int) -> list[str]:
    """The leader is killed after each step, and some more times when the budget is spent; gives all steps made."""
    for ready, reached in ((False, "low"), (True, "full"), (False, "low")):
        pair.leader(timeout=180)
        set_ready(pair, ready)
        pair.shop.wait_level("shop", reached, timeout=120)
        crash(pair)
    set_ready(pair, True)
    for _ in range(crashes_after):
        wait_spent(pair)
        crash(pair)
    wait_spent(pair)
    return steps(pair)


def crash(pair: Pair) -> None:
    """Kills the leader; when the other one leads, a new process stands by."""
    leader = pair.leader()
    leader.kill()
    pair.wait("the other one leads", pair.other(leader).is_leader)
    pair.replace(leader)


def wait_spent(pair: Pair) -> None:
    """Waits until who leads has looked some times, and stays because the budget is spent."""
    leader = pair.leader()

    def evaluations() -> float:
        return leader.metrics().sum("stepdown_evaluations_total")

    before = evaluations()
    pair.wait("some evaluations", lambda: evaluations() >= before + 4)
    pair.wait("the budget is spent", lambda: pair.shop.status("shop")["summary"]["why"] == "BudgetSpent")


def steps(pair: Pair) -> list[str]:
    """The levels that it has gone to, from the first on."""
    return [step["to"] for step in pair.shop.status("shop")["history"]]


def wait_up_over_a_set_clock(pair: Pair, clock: Clock) -> float:
    """The wall clock goes an hour ahead while a step up is waited for; gives the seconds from then to the step."""
    pair.leader(timeout=180)
    set_ready(pair, False)
    pair.shop.wait_level("shop", "low", timeout=120)
    set_ready(pair, True)
    pair.wait("a step up is waited for", lambda: "healthySince" in pair.shop.status("shop")["state"])
    clock.set(HOUR)
    started = time.monotonic()
    pair.shop.wait_level("shop", "full", timeout=120)
    return time.monotonic() - started


def set_ready(pair: Pair, ready: bool) -> None:
    """Whether the pods of the Deployment are ready."""
    body = {"metadata": {"annotations": {"plane.test/ready": "true" if ready else "false"}}}
    for pod in pair.api.list("Pod", pair.namespace, labelSelector="app=shop"):
        pair.api.merge("Pod", pod["metadata"]["name"], pair.namespace, body)
