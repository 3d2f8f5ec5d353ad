"""When a Service was pointed elsewhere, by the API server's own clock: the same point for whoever wrote it."""

from dataclasses import dataclass
from pathlib import Path

from plane.audit import Noted, read_log
from plane.processes import wait_for


@dataclass(frozen=True)
class Swap:
    """Receipts of two accepted writes, in seconds of the wall clock.

    `wrote` is the Service's; `noted` is the newest one of the policy's status before it, where the intent is stored: 0
    where no policy did it.
    """

    noted: float
    wrote: float


def swap_of(log: Path, namespace: str, service: str, since: float) -> Swap:
    """The first write of a Service after a moment. Raises TimeoutError where there is none."""
    wait_for(f"a write of Service {service}", lambda: bool(_writes(log, namespace, service, since)), 5)
    found = _writes(log, namespace, service, since)[0]
    policies = (n.at for n in read_log(log, namespace) if n.kind == "degradationpolicies" and since <= n.at <= found.at)
    return Swap(max(policies, default=0.0), found.at)


def _writes(log: Path, namespace: str, service: str, since: float) -> list[Noted]:
    calls = [n for n in read_log(log, namespace) if (n.kind, n.name) == ("services", service)]
    return [n for n in calls if n.at >= since and 200 <= n.code < 300]
