"""A root with Python from Debian's packages, in place of the official image `python`, which needs a registry.

What is alike: Debian, glibc, the packages that the official image adds, Python of the same minor version, pip. What
differs is in docs/node.md: an older Debian, its patch release of Python, and /usr in place of /usr/local.
"""

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pip

from node import archive
from plane.caching import cached, key_of

SUITE = "bookworm"
PYTHON = "3.11"
"""The suite's Python."""
PACKAGES = ("python3", "ca-certificates", "netbase", "tzdata")
"""What the official image adds to Debian, and Python itself."""
ENV = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}

_UNWANTED = (
    "dev",
    "etc/hostname",
    "etc/machine-id",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "var/cache",
    "var/lib/apt/lists",
    "var/log",
)
"""What containers get from elsewhere, and what nobody reads in them."""
_LOCAL = f"usr/local/lib/python{PYTHON}/dist-packages"


@dataclass(frozen=True)
class Base:
    """A root as a folder, to build upon, and as a layer. `packages` lists "name version"."""

    root: Path
    layer: Path
    packages: tuple[str, ...]


def base() -> Base:
    """The root, made once a machine: the first time takes two minutes and a mirror of Debian."""
    code = (Path(module).read_bytes() for module in (__file__, archive.__file__))
    folder = cached("image-base", key_of((pip.__version__, *code)), _make)
    packages = (folder / "packages").read_text().splitlines()
    return Base(folder / "root", folder / "layer.tar", tuple(packages))


def _make(folder: Path) -> None:
    started = time.time()
    root = folder / "root"
    # In namespaces of its own, so that one which is interrupted leaves neither mounts nor processes.
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command += ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root), _mirror()]
    log = folder / "debootstrap.log"
    with log.open("w") as out:
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "0"}
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"debootstrap ended with {done.returncode}: {log.read_text()[-2000:]}")
    query = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", "--showformat=${Package} ${Version}\n"]
    (folder / "packages").write_text(subprocess.run(query, capture_output=True, text=True, check=True).stdout)
    _clean(root)
    _resemble(root)
    archive.write_layer(root, folder / "layer.tar", started)


def _mirror() -> str:
    """The mirror that this machine's apt has for the suite."""
    command = ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)"]
    for line in subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines():
        site, _, release = line.partition(" ")
        if release == SUITE:
            return site
    raise RuntimeError(f"apt has no source of Debian {SUITE}: add one to /etc/apt/sources.list, and run apt-get update")


def _clean(root: Path) -> None:
    for name in _UNWANTED:
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
            path.mkdir()
        else:
            path.unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("")


def _resemble(root: Path) -> None:
    """`python` and pip, which the official image has and Debian's package hasn't."""
    (root / "usr/bin/python").symlink_to("python3")
    (root / f"usr/lib/python{PYTHON}/EXTERNALLY-MANAGED").unlink()
    shutil.copytree(Path(pip.__file__).parent, root / _LOCAL / "pip", ignore=shutil.ignore_patterns("__pycache__"))
