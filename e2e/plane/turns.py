"""Tests side by side in two processes, and the few that measure: such a one has the machine to itself.

A test with the marker `alone` waits until no other runs, and no other begins before it ends. Whoever waits stands at
the door, where only one can stand: otherwise two processes that pass the room on to each other would keep it for ever.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(folder: Path, alone: bool) -> Iterator[None]:
    """Among others, or alone, in the room that a folder stands for. No process may take two turns at once."""
    folder.mkdir(exist_ok=True)
    with (folder / "door.lock").open("a") as door, (folder / "room.lock").open("a") as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield
