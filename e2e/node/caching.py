"""Folders in the cache that are made once for all clones, under a key of what they are made from."""

import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from plane.binaries import cache, say

KEPT = 3
"""Folders of one title: a few clones side by side use each their own."""


def cached(title: str, key: Iterable[str | bytes], make: Callable[[Path], None]) -> Path:
    """The folder for a key; `make` fills a new one. Of each title those used last are kept."""
    digest = hashlib.sha256()
    for part in key:
        content = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(content)}:".encode() + content)
    folder = cache() / f"{title}-{digest.hexdigest()[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (cache() / f"{title}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            started = time.monotonic()
            say(f"making {folder}")
            making = folder.with_name(folder.name + ".making")
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            make(making)
            making.rename(folder)
            say(f"  made {title} in {time.monotonic() - started:.0f} s")
        folder.touch()
        _forget(title)
    return folder


def _forget(title: str) -> None:
    found = [path for path in cache().glob(f"{title}-*") if path.is_dir()]
    for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(path)
