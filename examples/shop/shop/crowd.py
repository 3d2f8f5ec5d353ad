"""`python -m shop.crowd` is a crowd of users: RATE of them arrive each second, whether or not others were answered.

Each second it prints what those who were answered in it got: `core 40, full 58`, and errors by their code. One in ten
buys something. `python -m shop.crowd 10` is ten users who look, one after the other.
"""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from urllib.parse import SplitResult, urlsplit

PATIENCE_SECONDS = 5.0
_LOOK = b"GET / HTTP/1.0\r\n\r\n"
_BUY = b"POST /checkout HTTP/1.0\r\nContent-Length: 9\r\n\r\nproduct=3"


async def visit(url: SplitResult, request: bytes) -> str:
    """What one user got: who served it, or what went wrong."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection(url.hostname, url.port or 80)
            try:
                writer.write(request)
                return read_answer(await reader.read())
            finally:
                writer.close()
    except TimeoutError:
        return "no answer"
    except OSError:
        return "no connection"


def read_answer(answer: bytes) -> str:
    """X-Served-By of a good answer, `error 503` of a bad one."""
    status, *headers = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    code = status.split(" ")[1] if " " in status else "cut off"
    served_by = dict(line.split(": ", 1) for line in headers).get("X-Served-By", "somebody")
    return served_by if code == "200" else f"error {code} by {served_by}"


async def crowd(url: SplitResult, rate: float) -> None:
    """Never returns."""
    got: Counter[str] = Counter()
    waiting: set[asyncio.Task[None]] = set()

    async def come(request: bytes) -> None:
        got[await visit(url, request)] += 1

    began, arrived, told = time.monotonic(), 0, 0
    while True:
        seconds = time.monotonic() - began
        for _ in range(int(seconds * rate) - arrived):
            arrived += 1
            user = asyncio.create_task(come(_BUY if arrived % 10 == 0 else _LOOK))
            waiting.add(user)
            user.add_done_callback(waiting.discard)
        if int(seconds) > told:
            told = int(seconds)
            print(time.strftime("%T"), say(got), flush=True)
            got.clear()
        await asyncio.sleep(0.01)


async def come_in_turn(url: SplitResult, count: int) -> None:
    """So many users who look at the page, one after the other; then prints what they got."""
    print(say(Counter([await visit(url, _LOOK) for _ in range(count)])))


def say(got: Counter[str]) -> str:
    """`full 38, core 2`."""
    return ", ".join(f"{who} {count}" for who, count in sorted(got.items()))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # process 1 has no handler by default
    shop = urlsplit(os.environ.get("SHOP_URL") or f"http://{os.environ['SHOP_SERVICE_HOST']}")
    if sys.argv[1:]:
        asyncio.run(come_in_turn(shop, int(sys.argv[1])))
    else:
        asyncio.run(crowd(shop, float(os.environ.get("RATE", "100"))))
