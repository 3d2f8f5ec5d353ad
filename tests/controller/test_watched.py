"""When a policy is looked at again."""

import pytest

from cycle.world import SPEC, policy
from stepdown.api.policy import PolicySpec
from stepdown.controller import watched as module
from stepdown.controller.watched import Watched
from stepdown.engine.reasons import Problem
from stepdown.ports import Policy
from stepdown.prepared import Prepared


def watched(interval: str, ledger: list[str]) -> Watched:
    spec = {**SPEC, "interval": interval}
    raw = policy(spec=spec) | {"status": {"ledger": ledger}}
    raw["metadata"]["namespace"] = "default"
    return Watched(Policy(raw), Prepared.of("default", PolicySpec.model_validate(spec)), ())


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    monkeypatch.setattr(module.time, "time", lambda: 1_000_000.25)


def test_a_degraded_policy_is_looked_at_every_second():
    assert watched("15s", ["an entry"]).next_look({}, retry=False, troubled=False) == 1_000_001


@pytest.mark.row(9)
@pytest.mark.row(12)
def test_rows_9_and_12_a_refused_write_is_tried_again_less_and_less_up_to_the_interval():
    found = watched("10s", ["an entry"])
    found.memory.rejected = [(Problem.ACTION_REJECTED, "quota", 1)]
    looks = [found.next_look({}, retry=False, troubled=True) - 1_000_000 for _ in range(6)]
    assert looks == [1, 2, 4, 8, 10, 10]
