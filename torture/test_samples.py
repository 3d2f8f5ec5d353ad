"""Bad samples, generated: whatever a Prometheus answers that isn't one fresh finite number moves no policy.

Each answer goes over HTTP through the operator's own adapter and engine. It says the opposite of what is true, with
all timers at zero: one bad sample that was believed would be a step.
"""

import asyncio
import json
import logging
import random
import socket
from collections.abc import Callable, Iterator, Sequence

import pytest

from adapters.hostile import NOW, Answer, Request, Server, http
from engine.play import condition, ladder_of, level
from stepdown.adapters.prometheus import PrometheusObserver
from stepdown.api.endpoint import EndpointSpec
from stepdown.engine.decide import decide, initial_state
from stepdown.engine.observation import Observation
from stepdown.engine.questions import PromqlQuestion
from torture.samples import KINDS, answer, bad_answer

SEED = 20_261_124
SAMPLES = 100_000
QUESTIONS = [PromqlQuestion("default", "shop", f"load_{number}", 60) for number in range(100)]
"""One for each policy. With their freshness they are one batch, so that a spoilt answer meets them all."""

LADDER = ladder_of(
    level("low", condition("load", above="50%")),
    signals=[{"name": "load", "query": "load"}],
    stabilization={"down": "0s", "up": "0s", "dwell": "0s"},
)

Ask = Callable[[Answer], list[Observation]]


class Policies:
    """The states of all policies; every second one is degraded, by good data."""

    def __init__(self) -> None:
        self.states = [initial_state(LADDER) for _ in QUESTIONS]
        self.tick([Observation(0.875 if number % 2 else 0.125) for number, _ in enumerate(QUESTIONS)], NOW)

    def tick(self, seen: Sequence[Observation], now: float) -> list[int]:
        """Decides on all; gives the numbers of those that moved."""
        moved = []
        for number, observation in enumerate(seen):
            decision, self.states[number] = decide(LADDER, self.states[number], {"load": observation}, now)
            if decision.is_transition:
                moved.append(number)
        return moved


def opposite(number: int) -> str:
    """The value that would move a policy."""
    return "0.125" if number % 2 else "0.875"


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Asks all questions of a server that answers so. A new observer each time remembers no quarantine."""
    server = Server(lambda _: None)
    loop = asyncio.new_event_loop()
    spec = EndpointSpec.model_validate(
        {
            "url": f"http://127.0.0.1:{server.port}",
            "allowedCIDRs": ["127.0.0.0/8"],
            "timeout": "10s",
            "limits": {"concurrentQueries": 1},
        }
    )

    def asked(reply: Answer) -> list[Observation]:
        server.answer = reply
        observer = PrometheusObserver(spec)
        try:
            seen = loop.run_until_complete(observer.observe(QUESTIONS, NOW))
        finally:
            observer.close()
        return [seen[question] for question in QUESTIONS]

    yield asked
    loop.close()
    server.close()


def test_good_samples_of_the_same_values_move_every_policy(ask: Ask) -> None:
    """So that nothing but its faults keeps a bad one from it."""
    seen = ask(lambda request: http(json.dumps(answer(request.query, opposite)).encode()))
    assert Policies().tick(seen, NOW + 1) == list(range(len(QUESTIONS)))


@pytest.mark.row(25)
@pytest.mark.row(26)
@pytest.mark.row(27)
@pytest.mark.row(28)
@pytest.mark.row(29)
@pytest.mark.row(31)
@pytest.mark.row(33)
def test_a_hundred_thousand_bad_samples_move_no_policy(
    ask: Ask, figure: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "stepdown")
    chance = random.Random(SEED)
    policies = Policies()
    made: list[str] = []
    kinds: set[str] = set()
    samples = turns = 0
    missing: set[str] = set()
    steps: list[int] = []

    def reply(request: Request) -> None:
        found, body = bad_answer(chance, request.query, opposite)
        made.extend(found)
        request.socket.sendall(body)
        request.socket.shutdown(socket.SHUT_RDWR)

    while samples < SAMPLES:
        turns += 1
        made.clear()
        seen = ask(reply)
        assert [o for o in seen if o.missing is None] == [], f"believed in turn {turns} of seed {SEED}: {set(made)}"
        missing |= {str(observation.missing) for observation in seen}
        steps += policies.tick(seen, NOW + turns)
        samples += len(made)
        kinds |= set(made)

    assert steps == []
    assert caplog.records == []
    assert kinds == KINDS
    assert missing == {"Empty", "NotScalar", "NotFinite", "Stale", "Partial", "Error"}
    figure("bad samples", samples)
    figure("false transitions of bad samples", len(steps))
