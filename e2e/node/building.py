"""Runs a Dockerfile's steps without a container engine: each stage is an overlay on a root, each RUN a chroot.

The layer of the last stage is what its steps wrote over the root, as it would be elsewhere.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from node.dockerfile import Copy, Run, Stage, is_ignored

_NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_CERT", "PIP_DEFAULT_TIMEOUT", "PIP_INDEX_URL")
"""How this machine reaches package indexes; no part of the image."""
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_CHROOT = f"""
set -e
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$STAGE/upper,workdir=$STAGE/work" "$STAGE/merged"
cd "$STAGE/merged"
mount --rbind /dev dev
mount -t proc proc proc
mount --bind /etc/resolv.conf etc/resolv.conf
test ! -e {_CERTIFICATES} || mount --bind {_CERTIFICATES} .{_CERTIFICATES}
exec env --ignore-environment "$@"
"""


class Builder:
    """Builds stages over one root, in one folder, from one context."""

    def __init__(self, root: Path, folder: Path, context: Path) -> None:
        self._root, self._folder, self._context = root, folder, context
        ignore = context / ".dockerignore"
        self._ignore = ignore.read_text() if ignore.exists() else ""

    def build(self, stages: Sequence[Stage]) -> Path:
        """Builds all, and gives the folder with what the last wrote. Raises RuntimeError with a failed RUN's output."""
        upper = self._folder
        for number, stage in enumerate(stages):
            folder = self._folder / (stage.name or str(number))
            upper = folder / "upper"
            for name in ("upper", "work", "merged"):
                (folder / name).mkdir(parents=True)
            for step in stage.steps:
                match step:
                    case Run():
                        self._run(step, folder)
                    case Copy():
                        self._copy(step, upper)
        return upper

    def _run(self, step: Run, folder: Path) -> None:
        network = {name: os.environ[name] for name in _NETWORK if name in os.environ}
        settings = [f"{name}={value}" for name, value in {**network, **step.settings.env}.items()]
        place = step.settings.workdir
        line = f"mkdir -p {place} && cd {place} && {step.line}"
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _CHROOT, "sh"]
        command += [*settings, "chroot", ".", "/bin/sh", "-c", line]
        places = {**os.environ, "LOWER": str(self._root), "STAGE": str(folder)}
        done = subprocess.run(command, env=places, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"RUN {step.line} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")

    def _copy(self, step: Copy, upper: Path) -> None:
        origin = self._folder / step.stage / "upper" if step.stage else self._context
        for source in step.sources:
            path = origin / source.lstrip("/")
            into = step.target.endswith("/") and path.is_file()
            target = upper / step.target.strip("/") / (path.name if into else "")
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                shutil.copy2(path, target)
            else:
                ignored = self._ignored if not step.stage else None
                shutil.copytree(path, target, symlinks=True, ignore=ignored, dirs_exist_ok=True)

    def _ignored(self, folder: str, names: list[str]) -> set[str]:
        place = Path(folder).relative_to(self._context)
        return {name for name in names if is_ignored(str(place / name), self._ignore)}


def context_files(context: Path, stages: Sequence[Stage]) -> Mapping[str, bytes]:
    """Everything that the stages copy from the context, by its path: what an image's key is made of."""
    ignore = (context / ".dockerignore").read_text()
    found: dict[str, bytes] = {}
    for source in (
        s for stage in stages for step in stage.steps if isinstance(step, Copy) and not step.stage for s in step.sources
    ):
        top = context / source
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            name = str(path.relative_to(context))
            if path.is_file() and not is_ignored(name, ignore):
                found[name] = path.read_bytes()
    return found
