"""Row 54: an operator whose loop gets no turn for some time, while its probes are answered by other threads."""

import signal
import time
from dataclasses import dataclass
from pathlib import Path

from plane.operator import Operator
from replicas.pair import Pair

PROBE_EVERY = 0.25


def starved_for(seconds: float) -> dict[str, str]:
    """The environment of an operator that starves so long at SIGUSR1."""
    return {"PYTHONPATH": str(Path(__file__).parent / "inside"), "STARVE_SECONDS": str(seconds)}


@dataclass(frozen=True)
class Probes:
    """Answers of /healthz since the loop was starved: seconds, status code."""

    answers: tuple[tuple[float, int], ...]

    @property
    def first_failure(self) -> float | None:
        """When liveness failed first."""
        return next((at for at, code in self.answers if code != 200), None)

    @property
    def last(self) -> int:
        """The last answer."""
        return self.answers[-1][1]


def starve(pair: Pair, until: float) -> Probes:
    """Starves the leader in the middle of a step, and probes it until so many seconds later."""
    pair.leader(timeout=180)
    pair.reach("low")
    leader = pair.leader()
    pair.pin("lower")
    assert leader.process is not None
    leader.process.signal(signal.SIGUSR1)
    probes = Probes(tuple(_probe(leader, until)))
    pair.finish()
    return probes


def _probe(operator: Operator, until: float) -> list[tuple[float, int]]:
    started = time.monotonic()
    found = []
    while (at := time.monotonic() - started) < until:
        found.append((at, operator.health("/healthz")))
        time.sleep(PROBE_EVERY)
    return found
