"""`engine`: decisions per second of a steady policy on one core, beside floors measured in the same run.

The policy is examples/four-levels.yaml at full service with every signal healthy: what an operator decides nearly
all of its life. Two floors say what that is worth. `comparisons`: the same three thresholds as bare Python
comparisons, without timers, missing kinds or reasons. `answers`: json.loads of the smallest answer of Prometheus
that holds the three values and their ages, which any tool has to read first.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from bench.outcome import Outcome, at_least, say
from plane import examples
from stepdown.api.validation import parse_policy
from stepdown.engine.decide import decide, initial_state
from stepdown.engine.ladder import build_ladder
from stepdown.engine.observation import Observation

ROUNDS = 7
NOW = 1_772_388_000.0
HEALTHY = {"load": 0.4, "db-latency": 0.04, "errors": 0.001}


def measure(*, quick: bool) -> Outcome:
    """The median of some rounds, the three kinds of work in turn."""
    count = 5_000 if quick else 50_000
    policy = examples.policy("four-levels.yaml")
    policy["metadata"]["namespace"] = "bench"
    ladder = build_ladder(parse_policy(policy))
    observations = {name: Observation(value=value, sampled=NOW) for name, value in HEALTHY.items()}
    start = initial_state(ladder)

    def decisions() -> None:
        state = start
        for number in range(count):
            decision, state = decide(ladder, state, observations, NOW + number)
        assert decision.level == 0
        assert state is start, "a steady decision leaves the state alone"

    bounds = {watch.names[0]: watch.threshold.value for watch in ladder.watches}
    assert bounds.keys() == HEALTHY.keys()

    def comparisons() -> None:
        breached = 0
        for _ in range(count):
            for name, bound in bounds.items():
                seen = observations[name]
                if seen.value is not None and seen.value > bound:
                    breached += 1
        assert breached == 0

    answer = json.dumps(_answer())

    def answers() -> None:
        for _ in range(count):
            found = json.loads(answer)
        assert len(found["data"]["result"]) == 2 * len(HEALTHY)

    rates: dict[str, list[float]] = {"decisions": [], "comparisons": [], "answers": []}
    for number in range(ROUNDS):
        for name, work in (("decisions", decisions), ("comparisons", comparisons), ("answers", answers)):
            rates[name].append(count / _seconds(work))
        say(f"engine: round {number + 1} of {ROUNDS}: {rates['decisions'][-1]:,.0f} decisions/s")
    middle = {name: sorted(found)[ROUNDS // 2] for name, found in rates.items()}
    return Outcome(
        what="steady decisions of the four-level example on one core",
        figures={f"{name}_per_second": round(rate) for name, rate in middle.items()}
        | {"microseconds_per_decision": round(1e6 / middle["decisions"], 2)},
        ratios={
            "decision_per_bare_comparisons": round(middle["comparisons"] / middle["decisions"], 2),
            "decision_per_reading_its_answer": round(middle["answers"] / middle["decisions"], 2),
        },
        goals=(at_least("decisions_per_second", 100_000),),
        details={"decisions_per_second_by_round": [round(rate) for rate in rates["decisions"]]},
    )


def _seconds(work: Callable[[], None]) -> float:
    """CPU time, so that what else runs on the machine counts little."""
    started = time.process_time()
    work()
    return time.process_time() - started


def _answer() -> dict[str, Any]:
    rows = [
        {"metric": {"stepdown_query": str(number)}, "value": [NOW, str(value)]}
        for number, value in enumerate([*HEALTHY.values(), *(NOW for _ in HEALTHY)])
    ]
    return {"status": "success", "data": {"resultType": "vector", "result": rows}}
