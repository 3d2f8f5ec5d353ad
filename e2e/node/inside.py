"""Process 1 of the node: gives it a disk, settings and a network of its own, then only waits for orphans.

Runs by itself, in fresh namespaces for processes, mounts and network. When it ends, the kernel ends all that runs in
them and takes their mounts, addresses and rules away.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What the kubelet wants to find. These belong to the whole machine, so it finds files that look like them."""


def run(*command: str) -> None:
    """A command that must succeed."""
    subprocess.run(command, check=True)


def own_disk(folder: Path) -> None:
    """Nothing that is written to /run and /var reaches the machine's."""
    run("mount", "--make-rshared", "/")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "node-run", "/run")
    upper, work = Path("/run/node/var"), Path("/run/node/work")
    upper.mkdir(parents=True)
    work.mkdir()
    run("mount", "-t", "overlay", "-o", f"lowerdir=/var,upperdir={upper},workdir={work}", "node-var", "/var")
    # Look-ups of names that nobody answers keep the node from getting ready for minutes.
    names = folder / "resolv.conf"
    names.touch()
    run("mount", "--bind", str(names), "/etc/resolv.conf")


def own_settings(folder: Path) -> None:
    """The machine's settings stay what they are."""
    for name, value in SETTINGS.items():
        file = folder / name.replace("/", ".")
        file.write_text(f"{value}\n")
        run("mount", "--bind", str(file), f"/proc/sys/{name}")


def own_network(inside: str) -> None:
    """Waits for our end of the link, which is put here from outside."""
    deadline = time.monotonic() + 10
    while "eth0:" not in Path("/proc/net/dev").read_text():
        if time.monotonic() > deadline:
            raise TimeoutError("eth0: nobody put it into the node's network within 10 s")
        time.sleep(0.01)
    for link in ("lo", "eth0"):
        run("ip", "link", "set", link, "up")
    run("ip", "address", "add", inside, "dev", "eth0")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")


def main(folder: Path, inside: str) -> None:
    """Never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    own_disk(folder)
    own_settings(folder)
    own_network(inside)
    (folder / "ready").touch()
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.wait():
                pass
        time.sleep(0.2)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
