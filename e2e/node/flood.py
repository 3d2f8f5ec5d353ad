"""Many who ask for one page at once: so many a second as are told, or fewer where this machine's cores can't.

vegeta asks, each time on a connection of its own. It has a bound of workers, because who waits for an answer here takes
memory that a browser elsewhere wouldn't.
"""

import json
import subprocess
from dataclasses import dataclass

from plane.binaries import program

ASKING = 2_000
"""Most requests that wait for an answer."""


@dataclass(frozen=True)
class Flood:
    """What came of it: requests asked a second and in all, answers by status (0 is none), seconds, kinds of errors."""

    rate: float
    asked: int
    by_status: dict[int, int]
    median: float
    longest: float
    errors: tuple[str, ...]


def flood(url: str, rate: int, seconds: int) -> Flood:
    """Asks for a page for some seconds."""
    attack = [str(program("vegeta")), "attack", f"-rate={rate}/1s", f"-duration={seconds}s", "-timeout=30s"]
    attack += ["-keepalive=false", "-max-body=0", f"-max-workers={ASKING}"]
    asked = subprocess.run(attack, input=f"GET {url}\n".encode(), capture_output=True, check=True).stdout
    report = [str(program("vegeta")), "report", "-type=json"]
    found = json.loads(subprocess.run(report, input=asked, capture_output=True, check=True).stdout)
    return Flood(
        rate=float(found["rate"]),
        asked=int(found["requests"]),
        by_status={int(status): int(count) for status, count in found["status_codes"].items()},
        median=found["latencies"]["50th"] / 1e9,
        longest=found["latencies"]["max"] / 1e9,
        errors=tuple(found["errors"] or ()),
    )
