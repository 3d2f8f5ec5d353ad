"""Many trials on a few pairs at once: each is one disruption, at a random moment, while a policy steps all the time.

A trial has ended when somebody leads and obeys again. What is judged are all writes of a pair, at its end.
"""

import os
import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from plane.api import ApiError
from replicas.disruptions import WEIGHTS, Disruption, choose, wait_a_moment
from replicas.pair import Pair

LEVELS = ("full", "low", "lower")
STEP_SECONDS = (0.3, 1.0)
"""Time between two steps that a person orders: a leader is nearly always about to write, or has just written."""

MOMENT_SECONDS = 0.5


def wanted_trials() -> int:
    """$TRIALS, or 200."""
    return int(os.environ.get("TRIALS", "200"))


def seed() -> int:
    """$SEED, or a new one."""
    return int(os.environ.get("SEED") or random.SystemRandom().randrange(2**31))


class Stepping:
    """Steps a pair's policy to another level all the time, while it is open."""

    def __init__(self, pair: Pair, chance: random.Random) -> None:
        self._pair, self._chance = pair, chance
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.generation = 0

    def __enter__(self) -> "Stepping":
        self.generation = self._pair.pin("low")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        level = "low"
        while not self._stop.wait(self._chance.uniform(*STEP_SECONDS)):
            level = self._chance.choice([other for other in LEVELS if other != level])
            try:
                self.generation = self._pair.pin(level)
            except (ApiError, OSError):
                continue


@dataclass
class Trials:
    """The trials of one pair. `done` counts them by what was done."""

    pair: Pair
    chance: random.Random
    weights: Mapping[Disruption, int] = field(default_factory=lambda: WEIGHTS)
    done: Counter[str] = field(default_factory=Counter)

    def run(self, number: int) -> "Trials":
        """So many trials, and the end of the episode. Raises AssertionError where the pair doesn't recover."""
        self.pair.leader(timeout=180)
        with Stepping(self.pair, random.Random(self.chance.random())) as stepping:
            for _ in range(number):
                disruption = choose(self.chance, self.weights)
                wait_a_moment(self.chance, MOMENT_SECONDS)
                disruption(self.pair, self.chance)
                self.pair.wait_obeyed(stepping.generation)
                self.done[disruption.__name__] += 1
        self.pair.finish()
        return self
