"""Users who arrive whether or not the ones before them were answered: an open-loop load, made by vegeta.

vegeta knows constant rates only, so each second of a load is an attack of its own. It starts on time, beside those
whose requests still hang. Every request has a connection of its own, because its user is new.
"""

import json
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from plane.binaries import program

PATIENCE = 5.0
"""Seconds after which a user who has no answer yet takes it for an error page."""
NOBODY = "nobody"
"""Who has served a request without an answer."""

_KINDS = {
    "refused": "refused",
    "Timeout": "timeout",
    "deadline": "timeout",
    "unreachable": "unreachable",
    "no route": "unreachable",
    "reset": "reset",
    "broken pipe": "reset",
    "EOF": "reset",
}
"""What vegeta's errors contain, and the kind of error."""


@dataclass(frozen=True, slots=True)
class Request:
    """What one user got. `at` is the wall clock's time of arrival, `latency` is in seconds.

    `status` is 0 where no answer came. `error` is empty, `timeout`, `refused`, `reset`, `unreachable`, a status like
    `503`, or else what vegeta says: then it isn't the shop's, and the load was not what it should have been.
    """

    at: float
    url: str
    status: int
    served_by: str
    latency: float
    error: str


class Arrivals:
    """A load: `rate` gives requests a second for a time in seconds since `start`, for a length of `seconds`.

    `targets` are lines like `GET http://host/path`; the requests go to one after the other, round and round.
    """

    def __init__(self, targets: Sequence[str], rate: Callable[[float], float], seconds: int) -> None:
        self._targets, self._rate, self._seconds = targets, rate, seconds
        self._program = str(program("vegeta"))
        self._requests: list[Request] = []
        self._readers: list[threading.Thread] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._arrive, daemon=True)
        self.began = 0.0
        self.sent = 0

    def start(self) -> "Arrivals":
        """The first users arrive."""
        self.began = time.time()
        self._thread.start()
        return self

    def wait(self) -> list[Request]:
        """Waits until the last user has an answer or no patience left, and gives all requests by time of arrival."""
        self._thread.join()
        for reader in self._readers:
            reader.join()
        return sorted(self._requests, key=lambda request: request.at)

    def stop(self) -> None:
        """Nobody arrives any more."""
        self._stop.set()
        if self.began:
            self.wait()

    def answered(self) -> list[Request]:
        """The requests that are over, in no order."""
        return list(self._requests)

    def _arrive(self) -> None:
        due = 0.0
        for second in range(self._seconds):
            if self._stop.wait(max(0.0, self.began + second - time.time())):
                return
            due += self._rate(float(second))
            if count := round(due) - self.sent:
                self._attack(count)

    def _attack(self, count: int) -> None:
        """So many requests, evenly within a second from now."""
        targets = [self._targets[number % len(self._targets)] for number in range(self.sent, self.sent + count)]
        self.sent += count
        # No duration: a last request that is late by a hair would be left out.
        attack = [self._program, "attack", f"-rate={count}/1s", "-lazy", f"-timeout={PATIENCE:g}s"]
        attack += ["-keepalive=false", "-redirects=-1", "-max-body=0"]
        with tempfile.TemporaryFile() as asked:
            asked.write("\n".join(targets).encode())
            asked.seek(0)
            sending = subprocess.Popen(attack, stdin=asked, stdout=subprocess.PIPE)
        reading = subprocess.Popen([self._program, "encode"], stdin=sending.stdout, stdout=subprocess.PIPE)
        assert sending.stdout is not None
        sending.stdout.close()
        reader = threading.Thread(target=self._read, args=(sending, reading), daemon=True)
        reader.start()
        self._readers.append(reader)

    def _read(self, sending: "subprocess.Popen[bytes]", reading: "subprocess.Popen[bytes]") -> None:
        assert reading.stdout is not None
        for found in map(json.loads, reading.stdout):
            if found["url"]:  # the end of the targets is told as a result, too
                self._requests.append(_request(found))
        reading.wait()
        sending.wait()


def is_error(request: Request) -> bool:
    """Whether the user got an error page, or nothing at all."""
    return request.error != ""


def strange(requests: Iterable[Request]) -> set[str]:
    """Errors that no shop has made: with any, the load was not what it should have been."""
    known = {"", *_KINDS.values()}
    return {request.error for request in requests if request.error not in known and not request.error.isdigit()}


def per_server(requests: Iterable[Request]) -> Counter[str]:
    """Answers that were no errors, by who gave them; errors under `NOBODY`."""
    return Counter(NOBODY if is_error(request) else request.served_by for request in requests)


def per_second(requests: Iterable[Request], began: float) -> dict[int, Counter[str]]:
    """`per_server` for each second of arrival since a time of the wall clock, in order."""
    seconds: dict[int, list[Request]] = {}
    for request in requests:
        seconds.setdefault(int(request.at - began), []).append(request)
    return {second: per_server(seconds[second]) for second in sorted(seconds)}


def _request(found: dict[str, Any]) -> Request:
    served_by = (found["headers"] or {}).get("X-Served-By") or [""]
    return Request(
        at=datetime.fromisoformat(found["timestamp"]).timestamp(),
        url=found["url"],
        status=found["code"],
        served_by=served_by[0],
        latency=found["latency"] / 1e9,
        error=_kind(found["code"], found["error"]),
    )


def _kind(status: int, error: str) -> str:
    if status >= 400:
        return str(status)
    return next((kind for word, kind in _KINDS.items() if word in error), error)
