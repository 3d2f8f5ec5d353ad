"""What a shop answers, given its visitors and what its objects say. A model: pure, and the same every time.

Visitors. Each user asks for a page every five seconds (`REQUESTS_PER_USER`). A tenth of the pages of a shop that
sells writes to the database (carts, orders).

Pages and their cost. The Service's selector decides whose pods answer; their Deployment's name says what they
are: `…-readonly` and `…-static` are fallbacks, anything else is the shop itself. A page of the shop costs 30 ms
of a worker, with recommendations 35 ms more, with reviews 25 ms more. A read-only page comes from a cache for
8 ms, a static page costs 0.4 ms. A feature is served when its flag is on in the flagd document and, where there
is a Deployment of its name, one of its pods is ready. A flag with targeting is on: the visitors of the demo are
those that the example's targeting wants.

Workers. Each ready pod has four. Nobody queues: a request that finds no worker free gets an error page, so with
arrivals `a` and capacity `c = 4 * pods / cost` the utilization is `min(1, a / c)`, and `a - c` requests a second
fail. That is the fluid limit of a loss system. Without a ready pod every request fails.

Database. It takes 70 writes a second; what is beyond that fails with an error page. With `u` the share of that
which is used, its answers take `8 ms / (1 - u)` in the mean, exponentially distributed, as those of an M/M/1
queue, for reads too. `u` is taken as 0.98 at most, because clients give up. Pods don't make the database faster.

Left out: that kube-proxy needs some 40 ms to follow a selector, that pods start slowly, that users come back.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

REQUESTS_PER_USER = 0.2
"""Pages that a user asks for, per second."""

WORKERS_PER_POD = 4
COST_SHOP = 0.030
COST_FEATURES = {"recommendations": 0.035, "reviews": 0.025}
COST_READ_ONLY = 0.008
COST_STATIC = 0.0004
"""Costs in worker-seconds per page."""

WRITING_PAGES = 0.1
"""Share of a selling shop's pages that write."""

DATABASE_WRITES = 70.0
DATABASE_SECONDS = 0.008
DATABASE_FULLEST = 0.98
"""Writes per second, mean seconds of an answer at rest, and the highest utilization."""

HEADROOM = 0.8
"""Share of its capacity at which a shop still calls itself healthy."""

READ_ONLY_FLAG = "read-only"

Object = Mapping[str, Any]


class Page(StrEnum):
    """Kinds of pages, best first."""

    FULL = "full"
    REDUCED = "reduced"
    READ_ONLY = "read-only"
    STATIC = "static"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Setup:
    """What the objects say: the kind of page, its cost in worker-seconds, and the ready pods that answer."""

    page: Page
    cost: float
    pods: int

    @property
    def capacity(self) -> float:
        """Pages per second."""
        return WORKERS_PER_POD * self.pods / self.cost


@dataclass(frozen=True, slots=True)
class Rates:
    """What happens per second. `database` is the mean time of an answer in seconds, None without queries."""

    page: Page
    pages: float
    errors: float
    utilization: float
    queries: float
    database: float | None


def setup_of(service: Object | None, deployments: Mapping[str, Object], flags: Object | None) -> Setup:
    """The setup of a shop: its Service, the Deployments of its namespace by name, the ConfigMap with its flags."""
    selector = (service or {}).get("spec", {}).get("selector") or {}
    behind = [d for d in deployments.values() if selector and selector.items() <= _labels(d).items()]
    pods = sum(_ready(deployment) for deployment in behind)
    names = [str(d["metadata"]["name"]) for d in behind]
    if names and all(name.endswith("-static") for name in names):
        return Setup(Page.STATIC, COST_STATIC, pods)
    if names and all(name.endswith("-readonly") for name in names):
        return Setup(Page.READ_ONLY, COST_READ_ONLY, pods)
    on = flags_on(flags)
    features = [n for n in COST_FEATURES if n in on and (n not in deployments or _ready(deployments[n]) > 0)]
    page = Page.FULL if len(features) == len(COST_FEATURES) else Page.REDUCED
    if READ_ONLY_FLAG in on:
        page = Page.READ_ONLY
    return Setup(page, COST_SHOP + sum(COST_FEATURES[name] for name in features), pods)


def flags_on(config_map: Object | None) -> frozenset[str]:
    """The flags that are on in a ConfigMap's `flags.json`; none of a document that can't be read."""
    try:
        flags = json.loads((config_map or {}).get("data", {})["flags.json"])["flags"]
    except (KeyError, ValueError):
        return frozenset()
    return frozenset(name for name, flag in flags.items() if _is_on(flag))


def serve(setup: Setup, users: float) -> Rates:
    """What a shop answers."""
    asked = users * REQUESTS_PER_USER
    if setup.pods == 0:
        return Rates(setup.page, 0.0, asked, 1.0, 0.0, None)
    served = min(asked, setup.capacity)
    sells = setup.page in (Page.FULL, Page.REDUCED)
    writes = served * WRITING_PAGES if sells else 0.0
    failed = max(0.0, writes - DATABASE_WRITES)
    queries = 0.0 if setup.page is Page.STATIC else served
    used = min(writes / DATABASE_WRITES, DATABASE_FULLEST)
    return Rates(
        page=setup.page,
        pages=served - failed,
        errors=asked - served + failed,
        utilization=min(1.0, asked / setup.capacity),
        queries=queries,
        database=DATABASE_SECONDS / (1 - used) if queries else None,
    )


def share_within(mean: float, bound: float) -> float:
    """Share of the database's answers that take `bound` seconds at most."""
    return 1.0 if math.isinf(bound) else 1.0 - math.exp(-bound / mean)


def is_healthy(deployments: Mapping[str, Object], name: str, users: float) -> bool:
    """What `/healthz` of a shop says: whether its read-only pods could serve everybody who is there now.

    So the shop that shows a static page lets its visitors in again when there are few enough of them.
    """
    fallback = deployments.get(f"{name}-readonly")
    pods = _ready(fallback) if fallback is not None else 0
    return users * REQUESTS_PER_USER <= HEADROOM * WORKERS_PER_POD * pods / COST_READ_ONLY


def _is_on(flag: Mapping[str, Any]) -> bool:
    if flag.get("state") != "ENABLED":
        return False
    if flag.get("targeting"):  # an empty one is none
        return True
    return flag.get("variants", {}).get(flag.get("defaultVariant")) is True


def _labels(deployment: Object) -> dict[str, str]:
    return dict(deployment["spec"]["template"]["metadata"].get("labels") or {})


def _ready(deployment: Object) -> int:
    return int(deployment.get("status", {}).get("readyReplicas") or 0)
