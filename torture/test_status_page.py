"""The whole life of a status page, with a fault before or after every call: in the end no page and no mark is left.

Made, routed to, left by a trial, and taken away because no level names it any more. At no time is traffic sent to a
page that isn't there.
"""

from collections.abc import Callable
from typing import Any

import pytest

from cycle.test_status_page import NAME, Shop, spec
from cycle.world import SPEC
from stepdown.ports import Conflict, Refused, Unknown


class Crash(BaseException):
    """The process dies here."""


class Counter:
    """Counts calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, _when: str, _what: str) -> None:
        self.calls += 1


class FaultAt:
    """Raises at the nth call, once."""

    def __init__(self, place: int, fault: Callable[[], BaseException]) -> None:
        self.left = place
        self.fault = fault

    def __call__(self, _when: str, _what: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.fault()


FAULTS: dict[str, Callable[[], BaseException]] = {
    "crash": Crash,
    "no answer": lambda: Unknown("timed out"),
    "conflict": lambda: Conflict(422, "test failed"),
    "refused": lambda: Refused(403, "forbidden"),
}

LIFE: list[dict[str, Any]] = [
    *[{}] * 3,
    *[{"errors": 0.4}] * 3,
    *[{"errors": 0.0, "probe:static": 1.0}] * 12,
    {"levels": SPEC["levels"]},
    *[{}] * 3,
]
"""What is seen from each tick on, or edited before it."""

PATIENCE = 60
"""Ticks within which everything must be over after the fault."""


class Paged(Shop):
    """The shop, with a kubelet for the page and an operator that is started again after each crash."""

    epoch = 1

    def live(self, given: dict[str, Any]) -> None:
        if "levels" in given:
            self.edit(**given)
        else:
            self.values |= given
        try:
            self.tick()
        except Crash:
            self.epoch += 1
            self.start(self.epoch)
        there = ("Pod", "page-1") in self.sandbox
        if self.has_page and not there:
            self.run_page()
        elif there and not self.has_page:
            self.sandbox.delete("Pod", "page-1")
        if "stepdown.dev/page" in self.selector():
            assert ("Pod", "page-1") in self.sandbox

    @property
    def is_over(self) -> bool:
        return self.at_rest() and not self.has_page and not self.status.get("pages")


def calls_of_a_life() -> int:
    shop, counter = Paged(spec()), Counter()
    shop.sandbox.on_call = counter
    for given in LIFE:
        shop.live(given)
    assert shop.is_over
    return counter.calls


@pytest.mark.row(13)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_row_13_any_fault_at_any_call_of_a_pages_life_leaves_no_page_and_no_mark(fault: str) -> None:
    calls = calls_of_a_life()
    assert calls > 50
    for place in range(1, calls + 1):
        shop = Paged(spec())
        shop.sandbox.on_call = FaultAt(place, FAULTS[fault])
        for given in LIFE:
            shop.live(given)
        patience = PATIENCE
        while not shop.is_over:
            shop.live({"errors": 0.0})
            patience -= 1
            assert patience, f"after {fault} at call {place}: {shop.status}, page {NAME}: {shop.has_page}"
