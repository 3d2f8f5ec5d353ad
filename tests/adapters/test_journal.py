"""What people are told reaches them as valid Events, and nothing that goes wrong with one stops the next."""

import asyncio
import re
from typing import Any

import pytest

from cycle.world import policy
from stepdown.adapters import journal as module
from stepdown.adapters.journal import KubernetesJournal
from stepdown.engine.fields import Target
from stepdown.ports import Event, Policy, Refused

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class Recorder:
    """An API that keeps what it is sent."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        self.patched: list[tuple[str, Any]] = []
        self.errors: list[Exception] = []

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.errors:
            raise self.errors.pop()
        self.posted.append(body)
        return body

    async def patch(self, path: str, patch: Any) -> dict[str, Any]:
        self.patched.append((path, patch))
        return {}


def named(name: str) -> Policy:
    raw = policy(name)
    return Policy({**raw, "metadata": {"name": name, "namespace": "default", "uid": "u-1", "resourceVersion": "1"}})


async def settled() -> None:
    """Until everybody who can go on over an API that answers at once has done so."""
    for _ in range(10):
        await asyncio.sleep(0)


def told(api: Recorder, *events: tuple[Policy, Event]) -> KubernetesJournal:
    journal = KubernetesJournal(api, "operator-0_1234")  # type: ignore[arg-type]

    async def write() -> None:
        writing = asyncio.create_task(journal.run())
        for found, event in events:
            journal.tell(found, event)
            await settled()
        assert not writing.done()
        writing.cancel()

    asyncio.run(write())
    return journal


@pytest.mark.parametrize(
    "name",
    ["shop", "a" * 253, "a" * 199 + "." + "b" * 53, "a" * 199 + "-" + "b" * 53, "a" * 198 + "--" + "b" * 53],
    ids=["short", "longest", "a dot at the cut", "a dash at the cut", "two dashes at the cut"],
)
def test_an_event_of_a_policy_of_any_name_has_a_name_that_the_api_server_takes(name: str):
    api = Recorder()
    told(api, (named(name), Event("LevelEntered", "down")))
    (body,) = api.posted
    assert len(body["metadata"]["name"]) <= 253
    assert SUBDOMAIN.fullmatch(body["metadata"]["name"])


def test_a_message_is_one_line_of_bounded_length():
    api = Recorder()
    told(api, (named("shop"), Event("LevelEntered", "a\nb\x1b[31m\u202e" + "x" * 5000)))
    (body,) = api.posted
    assert len(body["message"]) == 1024
    assert body["message"].startswith("a b [31m xxx")


def test_an_event_is_told_on_the_policy_and_on_the_touched_object():
    api = Recorder()
    about = Target("Service", "web", "u-2")
    told(api, (named("shop"), Event("ActionApplied", "set", about=about)))
    assert [b["involvedObject"]["kind"] for b in api.posted] == ["DegradationPolicy", "Service"]


def test_a_repeated_event_counts_on_the_one_that_is_there_also_in_the_next_window(monkeypatch: pytest.MonkeyPatch):
    api = Recorder()
    now = 599.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    journal = KubernetesJournal(api, "operator-0_1234")  # type: ignore[arg-type]

    async def write() -> None:
        nonlocal now
        writing = asyncio.create_task(journal.run())
        for moment in (599.0, 601.0):
            now = moment
            journal.tell(named("shop"), Event("Reapplied", "again"))
            await settled()
        writing.cancel()

    asyncio.run(write())
    (body,), ((path, patch),) = api.posted, api.patched
    assert path.rpartition("/")[2] == body["metadata"]["name"]
    assert patch[0]["value"] == 2


def test_an_event_that_could_not_be_written_is_written_when_it_is_told_again():
    api = Recorder()
    api.errors = [Refused(403, "forbidden")]
    event = (named("shop"), Event("Reapplied", "again"))
    told(api, event, event)
    assert len(api.posted) == 1
    assert api.patched == []


def test_an_event_that_makes_the_code_fail_does_not_silence_the_next(caplog: pytest.LogCaptureFixture):
    api = Recorder()
    api.errors = [KeyError("a bug")]
    told(api, (named("shop"), Event("Reapplied", "one")), (named("shop"), Event("Reapplied", "two")))
    assert [body["message"] for body in api.posted] == ["two"]
