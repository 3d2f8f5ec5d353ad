"""What a node could leave behind, and how it is taken away."""

import os
import subprocess
import time
from pathlib import Path

from node.addresses import LINK

CGROUP = "stepdown-node"
"""The node's cgroup in each hierarchy, so that nobody else's are touched."""
_HIERARCHIES = Path("/sys/fs/cgroup")


def cgroups() -> list[Path]:
    """The node's cgroups, the deepest first.

    Walked by `os.walk`, which passes over a folder that goes away meanwhile: `Path.rglob` fails there.
    """
    found = [Path(folder) for root in _HIERARCHIES.glob(f"*/{CGROUP}") for folder, _, _ in os.walk(root)]
    return sorted(found, key=lambda folder: len(folder.parts), reverse=True)


def make_cgroups() -> None:
    """One in each hierarchy: the kubelet wants its root to be there."""
    for hierarchy in _HIERARCHIES.iterdir():
        if (hierarchy / "cgroup.procs").exists():
            (hierarchy / CGROUP).mkdir(exist_ok=True)


def sweep(seconds: float = 10.0) -> None:
    """Takes the link and the cgroups of a node that has ended. Raises TimeoutError where one is still in use."""
    subprocess.run(["ip", "link", "delete", LINK], capture_output=True, check=False)
    deadline = time.monotonic() + seconds
    while left := cgroups():
        for folder in left:
            try:
                folder.rmdir()
            except OSError as error:  # its last process is still on the way out
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{folder} is still in use after {seconds:.0f} s: {error}") from error
        time.sleep(0.02)
