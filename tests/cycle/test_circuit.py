"""examples/circuit.yaml, played through: it opens, tries, opens for longer, tries again and closes."""

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cycle.world import World
from stepdown.engine.observation import Missing

EXAMPLES = Path(__file__).parents[2] / "examples"
UP, DOWN, NOT_CALLED = 0.01, 0.7, Missing.NOT_FINITE
"""Shares of failed calls: of a dependency that is well, of one that is not, and of one that nobody calls."""


def objects(name: str) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all((EXAMPLES / name).read_text(encoding="utf-8")))


class Circuit(World):
    """The policy of the example at rest, and the flags of the workloads."""

    def __init__(self) -> None:
        (policy,) = objects("circuit.yaml")
        super().__init__(policy["spec"])
        self.values = {"failed-calls": UP}
        for obj in objects("workloads.yaml"):
            if obj["metadata"]["name"] == "checkout-flags":
                self.sandbox.create(obj)
        self.tick(5)

    @property
    def source(self) -> str:
        """Where recommendations come from."""
        found = self.sandbox.get("ConfigMap", "checkout-flags")
        assert found is not None
        return str(json.loads(found["data"]["flags.json"])["flags"]["recommendations-source"]["defaultVariant"])

    def until(self, level: str) -> float:
        """Seconds until a level is reached; the dependency is called, or not, as the flag says."""
        begun = self.now
        while self.level != level:
            self.tick(5)
            assert self.now - begun < 3600, f"still {self.level}"
        return self.now - begun

    def opened(self) -> float:
        """Calls fail until it is open, and then nobody calls any more; how long that took."""
        self.values = {"failed-calls": DOWN}
        seconds = self.until("open")
        self.values = {"failed-calls": NOT_CALLED}
        return seconds


@pytest.fixture
def circuit() -> Circuit:
    return Circuit()


def steps(circuit: Circuit) -> list[tuple[str, str, str]]:
    return [(step["from"], step["to"], step["reason"]) for step in circuit.status["history"]]


def test_it_opens_after_ten_seconds_of_failing_calls(circuit: Circuit) -> None:
    assert (circuit.level, circuit.source) == ("closed", "live")
    assert circuit.opened() == 15
    assert circuit.source == "cached"


def test_it_is_half_open_after_a_minute(circuit: Circuit) -> None:
    circuit.opened()

    assert circuit.until("closed") == 60
    assert circuit.source == "live"
    assert steps(circuit)[-1] == ("open", "closed", "TrialStarted")


def test_a_trial_that_fails_opens_it_again_for_twice_as_long(circuit: Circuit) -> None:
    circuit.opened()
    circuit.until("closed")
    circuit.opened()
    assert steps(circuit)[-1] == ("closed", "open", "TrialFailed")
    assert circuit.until("closed") == 120


def test_a_trial_that_succeeds_closes_it_so_that_the_next_wait_is_a_minute_again(circuit: Circuit) -> None:
    circuit.opened()
    circuit.until("closed")
    circuit.opened()
    circuit.until("closed")
    circuit.values = {"failed-calls": UP}
    for _ in range(13):
        circuit.tick(5)
    circuit.opened()
    assert steps(circuit)[-1] == ("closed", "open", "Breached")
    assert circuit.until("closed") == 60


def test_a_trial_in_which_nobody_calls_neither_succeeds_nor_fails(circuit: Circuit) -> None:
    circuit.opened()
    circuit.until("closed")
    for _ in range(60):
        circuit.tick(5)
    assert circuit.level == "closed"
    circuit.opened()
    assert steps(circuit)[-1] == ("closed", "open", "TrialFailed")
