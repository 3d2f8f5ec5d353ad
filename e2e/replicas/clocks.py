"""Wall clocks that tests set, one for each replica; the monotonic clock stays the real one, as on a machine.

libfaketime stands between the process and its C library, so it is the operator's own code that is shown another time.
"""

import os
from pathlib import Path

import libfaketime

HOUR = 3600


class Clock:
    """A wall clock that is off by some seconds, in a file that the process looks at each time."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self.set(offset)

    def set(self, offset: int) -> None:
        """Off by so many seconds from now on."""
        new = self._path.with_suffix(".new")
        new.write_text(f"{offset:+d}\n")
        new.rename(self._path)

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process go by this clock."""
        library = Path(libfaketime.__file__).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
        return {
            "LD_PRELOAD": ":".join(filter(None, [str(library), os.environ.get("LD_PRELOAD")])),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
