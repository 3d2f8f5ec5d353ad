"""A shop whose workers all hang: with a health check that restarts it is back by itself, without one it stays away.

As in examples/health-check.yaml the kubelet asks a path, and Stepdown restarts after three failures; minutes are
seconds, and the probe's 30 seconds are one.
"""

import time
from functools import partial
from typing import Any

from node import pool, web
from node.arrivals import PATIENCE, Arrivals, is_error, strange
from node.operator_pods import OperatorPods
from node_tests.conftest import SHOP
from plane import examples
from plane.api import Api, Object
from plane.processes import wait_for
from plane.shop import Shop

POOL = pool.Pool(workers=4, page=0.01)
WITH, WITHOUT = "checkout", "unwatched"
POLICY = "checkout-health"
RATE, SECONDS = 20.0, 120
"""Requests a second, both shops together, and the longest that they go on."""
WELL = 3.0
"""Seconds that the shop must have been well before users go away."""


def test_a_shop_that_hangs_is_restarted_and_back_by_itself(
    shop: Shop, api: Api, pods: OperatorPods, scenario: Any
) -> None:
    shop.apply(
        pool.flags(), *(each for name in (WITH, WITHOUT) for each in (pool.deployment(name, POOL), web.service(name)))
    )
    shop.wait_ready(WITH, WITHOUT)
    hosts = {name: str(api.get("Service", name, SHOP)["spec"]["clusterIP"]) for name in (WITH, WITHOUT)}
    for host in hosts.values():
        wait_for("the shop answers", lambda host=host: web.ask(host).said != "")
    shop.start(policy())
    arrivals = Arrivals([f"GET http://{host}/" for host in hosts.values()], lambda _: RATE, SECONDS).start()
    try:
        for host in hosts.values():
            for _ in range(POOL.workers):
                web.ask(host, path="/hang", timeout=0.2)
        shop.wait_level(POLICY, "restarted")
        shop.wait_level(POLICY, "healthy", timeout=60)
        wait_for("users are served again", partial(_is_well, arrivals, hosts[WITH]), 30)
    finally:
        arrivals.stop()

    requests = arrivals.wait()
    users = {name: [r for r in requests if r.url == f"http://{host}/"] for name, host in hosts.items()}
    failed = {name: [r for r in asked if is_error(r)] for name, asked in users.items()}
    assert strange(requests) == set()
    assert [restart["name"] for restart in _restarts(shop)] == [WITH]
    assert [r.error for r in users[WITH] if r.at > requests[-1].at - WELL and is_error(r)] == []
    assert [r.error for r in users[WITHOUT] if r.at > requests[-1].at - WELL and not is_error(r)] == []
    away = failed[WITH][-1].at - failed[WITH][0].at
    scenario(
        "Health check",
        users=len(users[WITH]),
        without=len(failed[WITHOUT]),
        with_policy=len(failed[WITH]),
        note=f"restarted; away for {away:.0f} s, and without for good",
    )


def policy() -> Object:
    """The example's health check, without its static page."""
    found = examples.quick_policy("health-check.yaml", SHOP)
    del found["spec"]["levels"][2:]
    return found


def _is_well(arrivals: Arrivals, host: str) -> bool:
    """Whether users were served for a while, so long ago that none of them can still be waiting for an answer."""
    until = time.time() - PATIENCE - 1
    asked = [r for r in arrivals.answered() if r.url == f"http://{host}/" and until - WELL < r.at <= until]
    return bool(asked) and not any(is_error(r) for r in asked)


def _restarts(shop: Shop) -> list[Object]:
    return list(shop.status(POLICY).get("restarts") or [])
