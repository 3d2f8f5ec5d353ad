"""Asking a company outside to do something, and being honest about what is known afterwards."""

import http.client
import json
from enum import StrEnum
from urllib.parse import urlsplit

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 3.0


class Outcome(StrEnum):
    """What became of it. UNKNOWN may have been done or not; UNREACHED was surely not."""

    DONE = "done"
    REFUSED = "refused"
    UNREACHED = "unreached"
    UNKNOWN = "unknown"


def ask_outside(base: str, key: str, what: str) -> Outcome:
    """Asks once. Asking again with the same key is safe."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=CONNECT_SECONDS)
    try:
        connection.connect()
    except OSError:
        return Outcome.UNREACHED
    try:
        connection.sock.settimeout(ANSWER_SECONDS)
        connection.request("POST", "/done", json.dumps({"key": key, "what": what}))
        return read_code(connection.getresponse().status)
    except (OSError, http.client.HTTPException):
        return Outcome.UNKNOWN
    finally:
        connection.close()


def read_code(code: int) -> Outcome:
    """What a code says. 503 comes from a full line, before anything was done."""
    match code:
        case 200:
            return Outcome.DONE
        case 503:
            return Outcome.UNREACHED
        case 400 | 402:
            return Outcome.REFUSED
        case _:
            return Outcome.UNKNOWN
