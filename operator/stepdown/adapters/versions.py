"""Answers from before what was seen already are noticed: a cache or a server that lags gives them.

What is read decides whether an original is still needed. A stale answer that shows a field as it was before us would
make us forget what we hold, and take our own value for the user's afterwards.
"""

import time
from collections.abc import Callable

from stepdown.ports import Object, Unknown

LAGGING_SECONDS = 300.0
"""How long what was seen speaks against an older answer; a server that was restored from a backup is believed then."""

SEEN_MAX = 10_000
"""Paths that are remembered; the one that was seen least lately is forgotten first."""


class Versions:
    """The newest resourceVersion of each path, and when it was last seen (monotonic seconds)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._newest: dict[str, tuple[int, float]] = {}

    def newest(self, path: str) -> int:
        """The version that an answer to what is asked now can't be older than; 0 where any may be."""
        version, at = self._newest.get(path, (0, 0.0))
        return version if self._clock() - at < LAGGING_SECONDS else 0

    def check(self, path: str, answer: Object, newest: int) -> None:
        """Remembers an answer; `newest` is what `newest` said when it was asked for. Raises Unknown for a stale one."""
        version = self.note(path, answer)
        if 0 < version < newest:
            raise Unknown(f"GET {path}: the answer has version {version}, but {newest} was seen before; it is stale")

    def note(self, path: str, answer: Object) -> int:
        """Remembers the version of an object or a list, and gives it; 0 where it has none."""
        text = str((answer.get("metadata") or {}).get("resourceVersion") or "")
        version = int(text) if text.isdecimal() else 0
        if version >= self.newest(path):
            self._newest.pop(path, None)
            self._newest[path] = (version, self._clock())
            if len(self._newest) > SEEN_MAX:
                del self._newest[next(iter(self._newest))]
        return version
