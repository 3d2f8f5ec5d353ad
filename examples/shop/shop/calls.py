"""Asking another service."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from shop.answers import Answer, Refused

SECONDS = 3.0
"""Longest wait for another service."""
ORDER_SECONDS = 15.0
"""Longest wait for an order: longer than all that it may wait for, so that nobody hears of a failure that was none."""


def call(base: str, method: str, path: str, body: bytes = b"", seconds: float = SECONDS) -> Answer:
    """Another service's answer, whatever its code. Raises Refused with 503 where there is none."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=seconds)
    try:
        connection.request(method, path, body)
        given = connection.getresponse()
        return Answer(given.status, given.read(), given.headers.get("Content-Type", ""))
    except (OSError, http.client.HTTPException) as error:
        raise Refused(503, f"{method} {path} got no answer: {error}") from None
    finally:
        connection.close()


def ask(base: str, path: str) -> Any:
    """What a GET gives, read. Raises Refused with the other's code and sentence."""
    given = call(base, "GET", path)
    if given.code != 200:
        raise Refused(given.code, json.loads(given.body)["error"])
    return json.loads(given.body)
