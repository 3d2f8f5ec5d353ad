"""Keeps the node's namespaces for as long as somebody holds the other end of its standard input.

Its owner may end in any way, kill -9 included: then the input ends, and the keeper takes everything away. When the
keeper itself is killed, the kernel ends the node, and the next `up` or `down` sweeps up. One node per machine: the
keeper holds a lock, and others wait.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

from node.addresses import API_SERVER, INSIDE, LINK, METRICS, PODS, PREFIX, SERVICES
from node.leftovers import make_cgroups, sweep
from plane.caching import cache, say
from plane.processes import Process, wait_for

_INSIDE = Path(__file__).with_name("inside.py")


def lock(owner: int, seconds: float = 3600.0, wanted: Callable[[], bool] = lambda: True) -> IO[str]:
    """What only one node on a machine can hold, until the returned file is closed. Raises TimeoutError.

    The file has the process id of the node's owner. Who isn't `wanted` any more while waiting exits.
    """
    cache().mkdir(parents=True, exist_ok=True)
    held = (cache() / "node.lock").open("a+")
    if not _taken(held):
        say(f"waiting for the node of process {holder(held)} to end: there can be only one")
        wait_for("the end of the other node", lambda: not wanted() or _taken(held), seconds)
        if not wanted():
            sys.exit(1)
    held.truncate(0)
    held.write(str(owner))
    held.flush()
    return held


def holder(file: IO[str]) -> int:
    """The process whose node holds the lock."""
    file.seek(0)
    return int(file.read() or 0)


def end_other() -> None:
    """Ends the node that is there, whoever's it is, and takes away what it left. Raises TimeoutError."""
    with (cache() / "node.lock").open("a+") as held:
        if not _taken(held) and (owner := holder(held)):
            say(f"ending the node of process {owner}")
            with contextlib.suppress(ProcessLookupError):  # then its keeper is at it
                os.kill(owner, signal.SIGTERM)
    with lock(os.getpid(), 60):
        sweep()


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main() -> None:
    """Arguments: the node's folder, the owner's process id. Prints the process id of the node's process 1."""
    folder, owner = Path(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with lock(owner, wanted=lambda: os.getppid() == owner):
        sweep()
        namespaces = _start(folder)
        try:
            print(_connect(namespaces, folder), flush=True)
            sys.stdin.read()
        finally:
            _stop(namespaces)
            sweep()
            shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path) -> Process:
    folder.mkdir(parents=True, exist_ok=True)
    make_cgroups()
    # --kill-child: process 1 dies with its parent, and that one with us; only processes keep namespaces there.
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command += [sys.executable, "-I", str(_INSIDE), str(folder), f"{INSIDE}/{PREFIX}"]
    return Process("the node's process 1", command, folder / "inside.log").start()


def _connect(namespaces: Process, folder: Path) -> int:
    """Makes the link and the routes to the node, and gives its process 1."""
    pid = namespaces.pid
    namespaces.wait_ready(lambda: _network(pid) != _network(os.getpid()) and bool(_children(pid)), 15)
    _ip("link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    for address in (API_SERVER, METRICS):
        _ip("address", "add", f"{address}/{PREFIX}", "dev", LINK)
    _ip("link", "set", LINK, "up")
    for network in (PODS, SERVICES):
        _ip("route", "add", network, "via", INSIDE, "dev", LINK)
    namespaces.wait_ready((folder / "ready").exists, 15)
    return _children(pid)[0]


def _stop(namespaces: Process) -> None:
    """Kills process 1, and waits until the kernel has ended all others."""
    for first in _children(namespaces.pid):
        os.kill(first, signal.SIGKILL)
    wait_for("the end of the node's processes", lambda: not namespaces.running, every=0.01)


def _network(process: int) -> str:
    return os.readlink(f"/proc/{process}/ns/net")


def _children(process: int) -> list[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(number) for number in path.read_text().split()] if path.exists() else []


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


if __name__ == "__main__":
    main()
