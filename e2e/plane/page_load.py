"""Asks a status page many times, each time anew."""

import asyncio
import time

AT_ONCE = 100


async def load(port: int, count: int) -> dict[str, float]:
    """How many answers were the whole page, how many weren't, and how long all of it took, in seconds."""
    left, found = count, {"whole": 0, "other": 0}

    async def ask() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
            answer = await reader.read()
            writer.close()
            is_whole = answer.startswith(b"HTTP/1.1 503 ") and answer.endswith(b"</html>\n")
            found["whole" if is_whole else "other"] += 1

    started = time.monotonic()
    await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    return {**found, "seconds": time.monotonic() - started}
