"""What a machine looks like to those who fear that a node left something behind."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from node.keeper import lock

_SETTINGS = ("vm", "kernel", "net")
_RESTLESS = (
    "kernel/random",
    "kernel/pty/nr",
    "kernel/ns_last_pid",
    "kernel/tainted",
    "kernel/hung_task_detect_count",
    "kernel/hung_task_warnings",
    "kernel/perf_event_max_sample_rate",
    "net/netfilter/nf_conntrack_count",
)
"""Settings that are counters, or that the kernel itself changes on a busy machine."""
_CGROUPS = ("stepdown", "kubepods", "k8s.io", "containerd")
"""Words in the cgroups' names of a node: others come and go with whoever else runs something here."""
_PROGRAMS = ("containerd", "kubelet", "kube-proxy", "runc", "unshare", "ctr")


@dataclass(frozen=True)
class Traces:
    """One moment. Each is a set of lines."""

    mounts: frozenset[str]
    namespaces: frozenset[str]
    links: frozenset[str]
    routes: frozenset[str]
    rules: frozenset[str]
    cgroups: frozenset[str]
    settings: frozenset[str]
    processes: frozenset[str]

    def changes(self, later: "Traces") -> list[str]:
        """What is there later and wasn't now (+), and what is gone (-)."""
        found = []
        for name in (field.name for field in fields(self)):
            now, then = getattr(self, name), getattr(later, name)
            found += [f"{name} + {line}" for line in sorted(then - now)]
            found += [f"{name} - {line}" for line in sorted(now - then)]
        return found


def traces() -> Traces:
    """This machine now, also while parts of it go away: `os.walk` passes over those, and `Path.rglob` fails."""
    return Traces(
        mounts=frozenset(Path("/proc/mounts").read_text().splitlines()),
        namespaces=_printed("ip", "netns", "list"),
        links=frozenset(os.listdir("/sys/class/net")),
        routes=_printed("ip", "route", "show", "table", "all"),
        rules=_printed("nft", "list", "tables"),
        cgroups=frozenset(_cgroups()),
        settings=frozenset(_settings()),
        processes=frozenset(_processes()),
    )


def traces_without_node() -> Traces:
    """This machine while no node is on it, also none of somebody else."""
    with lock(os.getpid()):
        return traces()


def _printed(*command: str) -> frozenset[str]:
    return frozenset(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


def _cgroups() -> Iterator[str]:
    for folder, _, _ in os.walk("/sys/fs/cgroup"):
        if any(word in folder for word in _CGROUPS):
            yield folder


def _settings() -> Iterator[str]:
    root = Path("/proc/sys")
    walked = (found for top in _SETTINGS for found in os.walk(root / top))
    for path in (Path(folder) / file for folder, _, files in walked for file in files):
        name = str(path.relative_to(root))
        if not name.startswith(_RESTLESS):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                yield f"{name} = {path.read_text().strip()}"


def _processes() -> Iterator[str]:
    """Those in a network other than ours, the keeper, and the node's programs wherever they run."""
    ours = os.readlink("/proc/self/ns/net")
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            named = Path(command[0]).name.startswith(_PROGRAMS) or "node.keeper" in command
            if named or os.readlink(folder / "ns/net") != ours:
                yield f"{folder.name} {' '.join(command)}"
