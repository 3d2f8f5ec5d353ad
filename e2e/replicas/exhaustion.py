"""Row 53: a running leader to which the system gives nothing more: no memory, no descriptor, no byte in any file."""

import os
import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from replicas.pair import Pair


@dataclass(frozen=True)
class Exhausted:
    """What became of the leader: its exit code, None where it went on."""

    code: int | None


def exhaust(pair: Pair, limit: Callable[[int], tuple[int, int]]) -> Exhausted:
    """Takes something away from the leader, and has the policy step; then what is left of it is started again."""
    leader = pair.leader(timeout=180)
    pair.reach("low")
    assert leader.process is not None
    kind, most = limit(leader.process.pid)
    resource.prlimit(leader.process.pid, kind, (most, most))
    for level in ("lower", "full", "low"):
        pair.wait_obeyed(pair.pin(level))
    code = leader.returncode
    leader.kill()
    pair.replace(leader)
    pair.leader()
    pair.finish()
    return Exhausted(code)


def no_descriptor(pid: int) -> tuple[int, int]:
    """No file and no connection beyond those that are open."""
    return resource.RLIMIT_NOFILE, len(os.listdir(f"/proc/{pid}/fd"))


def no_memory(pid: int) -> tuple[int, int]:
    """No address space beyond what is mapped."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    return resource.RLIMIT_AS, pages * resource.getpagesize()


def no_file(_pid: int) -> tuple[int, int]:
    """No byte more in any file, not in its log either."""
    return resource.RLIMIT_FSIZE, 0


LIMITS: Mapping[str, Callable[[int], tuple[int, int]]] = {
    "descriptors": no_descriptor,
    "memory": no_memory,
    "files": no_file,
}

READ_ONLY = {"HOME": "/proc", "TMPDIR": "/proc"}
"""Folders in which nobody can make a file, not even root."""
