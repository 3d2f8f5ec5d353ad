"""Whether this machine can have a node."""

import os
import shutil
import sys
from pathlib import Path

PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "unshare": "util-linux",
}
"""What must be on the path, and the Debian package that brings it."""
PLUGINS = Path("/usr/lib/cni")
_PLUGINS_PACKAGE = "containernetworking-plugins"


def missing() -> str:
    """What a node needs and isn't here, as one sentence; empty where all is."""
    if sys.platform != "linux":
        return f"a node needs Linux, and this is {sys.platform}"
    if os.geteuid() != 0:
        return f"a node needs root, and this is user {os.geteuid()}"
    packages = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    packages += [] if (PLUGINS / "bridge").exists() else [_PLUGINS_PACKAGE]
    if packages:
        return f"a node needs the packages {', '.join(sorted(packages))}: run make node-packages"
    if not Path("/sys/fs/cgroup/memory").is_dir():
        return "a node needs cgroups of version 1, and no /sys/fs/cgroup/memory is here; version 2 was not tried"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "a node needs overlayfs, and the kernel has none"
    return ""


def in_ci() -> bool:
    """Whether a machine without a node is an error: in CI, which sets CI=true, everything must run."""
    return os.environ.get("CI") == "true"
