"""Folders that are made once for all clones, under a key of what they are made from, and outlive them."""

import fcntl
import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

KEPT = 3
"""Folders of one title: a few clones side by side use each their own."""


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def cache() -> Path:
    """Where they are."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stepdown"


def key_of(parts: Iterable[str | bytes]) -> str:
    """A key of what a folder is made from."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(content)}:".encode() + content)
    return digest.hexdigest()[:16]


def cached(title: str, key: str, make: Callable[[Path], None], minutes: int = 0) -> Path:
    """The folder of a title for a key, 16 hexadecimal digits; `make` fills a new one, which takes about `minutes`.

    Of each title those used last are kept. One that failed or was interrupted is made anew.
    """
    folder = cache() / f"{title}-{key}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (cache() / f"{title}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                _make(title, folder, make, minutes)
    folder.touch()
    return folder


def _make(title: str, folder: Path, make: Callable[[Path], None], minutes: int) -> None:
    started = time.monotonic()
    say(f"making {folder}" + (f": the first time takes about {minutes} minutes" if minutes else ""))
    making = folder.with_name(folder.name + ".making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    make(making)
    making.rename(folder)
    say(f"  made {title} in {time.monotonic() - started:.0f} s")
    found = [path for path in folder.parent.iterdir() if re.fullmatch(rf"{re.escape(title)}-[0-9a-f]{{16}}", path.name)]
    for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(path)
