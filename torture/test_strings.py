"""Hostile strings, generated: whatever others write, a log line stays one JSON object, and an Event one bounded line.

Each string comes in where such strings come from (a name, a query, an answer, an error's body, a value, an
exception) and goes out through the operator's own journal and log.
"""

import asyncio
import io
import json
import logging
import random
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.hostile import NOW, Request, Server, error, vector
from stepdown.adapters.api import _refusal
from stepdown.adapters.journal import KubernetesJournal
from stepdown.adapters.paths import object_path
from stepdown.adapters.prometheus import PrometheusObserver
from stepdown.api.endpoint import EndpointSpec
from stepdown.controller.logs import set_up
from stepdown.engine import promql
from stepdown.engine.ledger import short
from stepdown.engine.questions import PromqlQuestion
from stepdown.ports import Event, Policy, Refused

SEED = 20_261_124
STRINGS = 10_000
LOAD = PromqlQuestion("default", "shop", "load", 60)
POLICY = Policy({"metadata": {"name": "shop", "namespace": "shop", "uid": "u-1", "resourceVersion": "1"}})

PIECES = (
    "\n", "\r\n", "\x00", "\x1b[31m", "\x1b]0;title\x07", "\x9b2J", "\b\b\b", "\u202e", "\u2066", "\u200b", "\u2028",
    "\u2029", "\x85", "\x0b", "\x0c", "\ufeff", "\ud800", "\udfff", "\udc80", "../", "..\\", "/../../secrets/x", "#",
    "?", "%2e%2e%2f", "%0a", "%s%n%(levelname)s", "{0}", "{{.}}", "${HOME}", "$(id)", "`id`", "'; rm -rf /; '", '"',
    "\\", "'", '"}\n{"level": "CRITICAL"', '","message":"', "<script>", "{__name__=~'.+'}", "}) or vector(1)", "shop",
    "Authorization: Bearer", "é", "漢", "😀", "a" * 300, "\n" * 50, "x" * 20_000,
)  # fmt: skip


def strings() -> Iterator[str]:
    """Some pieces and characters in a row, ten thousand times."""
    chance = random.Random(SEED)
    for _ in range(STRINGS):
        weights = [1.0] * (len(PIECES) - 1) + [0.05]
        pieces = chance.choices(PIECES, weights, k=chance.randint(1, 8))
        pieces += [chr(chance.randrange(0x110000)) for _ in range(chance.randint(0, 4))]
        chance.shuffle(pieces)
        yield "".join(pieces)


class Recorder:
    """An API that keeps the Events that it is sent, and takes only what can be sent at all."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    async def post(self, _: str, body: dict[str, Any]) -> dict[str, Any]:
        """Creates."""
        self.events.append(json.loads(json.dumps(body).encode()))
        return body

    async def patch(self, _: str, __: Any) -> dict[str, Any]:
        """Counts a repeated one."""
        return {}


class Prometheus:
    """Answers with the next string: as an error's text, or as a warning."""

    def __init__(self) -> None:
        self.said = ""
        self.server = Server(self._answer)
        url = f"http://127.0.0.1:{self.server.port}"
        self._observer = PrometheusObserver(EndpointSpec(url=url, allowedCIDRs=["127.0.0.0/8"]))
        self._loop = asyncio.new_event_loop()
        self._warns = False

    def fails_with(self, text: str, *, warns: bool) -> str:
        """What an observation says of it."""
        self.said, self._warns = text, warns
        seen = self._loop.run_until_complete(self._observer.observe([LOAD], NOW))[LOAD]
        assert seen.missing is not None
        return seen.detail

    def close(self) -> None:
        """Lets go of everything."""
        self._observer.close()
        self._loop.close()
        self.server.close()

    def _answer(self, _: Request) -> bytes:
        return vector([], warnings=[self.said]) if self._warns else error("internal", self.said, 500)


@pytest.fixture
def prometheus() -> Iterator[Prometheus]:
    found = Prometheus()
    yield found
    found.close()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the operator's own log writes; afterwards logs go where they went before."""
    stream = io.StringIO()
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook, sys.unraisablehook)
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stderr", stream)
    set_up("info", "json")
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks


def refused_name(text: str) -> str:
    """What is said of a name that no object can have; a path of one segment for one that some may have."""
    try:
        path = object_path("shop", "ConfigMap", text)
    except Refused as refusal:
        return refusal.message
    assert path == f"/api/v1/namespaces/shop/configmaps/{text}"
    assert text.isascii()
    assert not set(text) & set("/?#%\\ \n")
    return path


def raised(text: str) -> str:
    """An exception with this text, logged with its traceback."""
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("stepdown.test").exception("failed")
    return text


def entrances(prometheus: Prometheus) -> list[Callable[[str], str]]:
    """How strings come in, each with what the operator makes of it."""
    return [
        lambda text: prometheus.fails_with(text, warns=False),
        lambda text: prometheus.fails_with(text, warns=True),
        lambda text: _refusal(403, json.dumps({"message": text}).encode()).message,  # type: ignore[attr-defined]
        lambda text: str(_refusal(500, text.encode("utf-8", "surrogatepass"))),
        lambda text: promql.check(text) or "a query",
        refused_name,
        short,
        raised,
        lambda text: text,
    ]


@pytest.mark.row(52)
def test_ten_thousand_hostile_strings_leave_every_log_line_one_object_and_every_event_bounded(
    prometheus: Prometheus, written: io.StringIO, figure: Callable[..., None]
) -> None:
    api = Recorder()
    journal = KubernetesJournal(api, "operator-0")  # type: ignore[arg-type]
    log = logging.getLogger("stepdown.test")
    ways = entrances(prometheus)
    told = 0

    async def tell() -> None:
        nonlocal told
        writing = asyncio.create_task(journal.run())
        for number, (text, made) in enumerate(texts):
            journal.tell(POLICY, Event(f"Reason{number % 3}", made, undo=(text,)))
            log.error(made, extra={"policy": text, "why": text, "reason": made})
            told += 1
            for _ in range(5):  # an API that answers at once lets the journal write by then
                await asyncio.sleep(0)
        writing.cancel()

    texts = [(text, ways[number % len(ways)](text)) for number, text in enumerate(strings())]
    asyncio.run(tell())
    lines = written.getvalue().split("\n")

    assert told == STRINGS
    assert lines.pop() == ""
    assert len(lines) == 2 * STRINGS + STRINGS // len(ways)
    assert all(line.isascii() for line in lines)
    assert {type(json.loads(line)) for line in lines} == {dict}
    assert {json.loads(line)["logger"] for line in lines} == {"stepdown.journal", "stepdown.test"}
    messages = [event["message"] for event in api.events]
    assert max(map(len, messages)) == 1024
    assert [message for message in messages if not message.isprintable()] == []
    assert [made for _, made in texts if len(made) > 600 and made not in {text for text, _ in texts}] == []
    figure("hostile strings", told)
