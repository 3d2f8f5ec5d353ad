"""What a long answer took is given back to the system when it is done with.

Of itself the C library learns from the first long answer to take the next ones from a heap of each thread, where they
are copied as they grow and kept when they are freed: four megabytes became thirty-two. Said once how much is long, it
maps such blocks one by one, and unmaps them.
"""

import contextlib
import ctypes

LONG_BYTES = 131_072
_M_MMAP_THRESHOLD = -3


def give_back_long_blocks() -> None:
    """For this process; nothing happens where the C library knows no such setting."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LONG_BYTES)
