"""Two policies that are ticked side by side, and meet on the same field."""

import asyncio
import random
from collections.abc import Collection
from typing import Any

import pytest

from cycle.world import SPEC, deployment, policy
from stepdown.api.policy import PolicySpec
from stepdown.cycle import Cycle
from stepdown.engine.fields import Ref, Target
from stepdown.engine.observation import Observation
from stepdown.ports import Conflict, JsonPatch, Object, Policy, Refused, Snapshot, Unknown
from stepdown.prepared import Claims, Memory, Prepared
from stepdown.simulate.sandbox import Sandbox

SEEDS = (3, 7, 14, 17, 19, 23, 24, 45, 53, 56)
"""Of sixty, those that lost an original once."""


class Waiting(Sandbox):
    """A sandbox whose calls take their time, as a seed says."""

    def __init__(self, objects: Collection[Object], seed: int) -> None:
        super().__init__(objects)
        self._random = random.Random(seed)

    async def _wait(self) -> None:
        for _ in range(self._random.randrange(6)):
            await asyncio.sleep(0)

    async def read(self, namespace: str, refs: Collection[Ref]) -> Snapshot:
        found = await super().read(namespace, refs)
        await self._wait()
        return found

    async def patch(self, namespace: str, target: Target, patch: JsonPatch, subresource: str = "") -> Object:
        await self._wait()
        result = await super().patch(namespace, target, patch, subresource)
        await self._wait()
        return result

    async def store(self, policy: Policy, status: Any) -> Policy:
        await self._wait()
        result = await super().store(policy, status)
        await self._wait()
        return result


def scaling(name: str, to: int) -> dict[str, Any]:
    """A policy that scales the shop by the same signal as the other one."""
    level = {
        "name": "small",
        "enter": {"any": [{"signal": "load", "above": "80%"}]},
        "actions": [{"scale": {"to": to}}, {"scale": {"deployment": f"extras-{name}", "to": 0}}],
    }
    signals = [{"name": "load", "query": "load"}]
    return policy(name, {**SPEC, "signals": signals, "levels": [{"name": "full"}, level]})


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.row(49)
def test_row_49_two_policies_that_step_down_at_the_same_moment_lose_no_original(seed: int):
    names = {"shop": 6, "other": 12}
    deployments = [deployment(name, 2) for name in ("shop", "extras-shop", "extras-other")]
    sandbox = Waiting([*deployments, *(scaling(name, to) for name, to in names.items())], seed)
    cycle = Cycle(sandbox, sandbox, Claims(), 1)
    memories = {name: Memory() for name in names}
    prepared = {n: Prepared.of("default", PolicySpec.model_validate(sandbox.policy(n).raw["spec"])) for n in names}

    async def tick(name: str, load: float, now: float) -> None:
        for _ in range(sandbox._random.randrange(6)):
            await asyncio.sleep(0)
        seen = {"load": Observation(value=load)}
        try:
            await cycle.tick(sandbox.policy(name), prepared[name], seen, memories[name], now)
        except (Conflict, Refused, Unknown):
            return

    async def play() -> None:
        for turn in range(20):
            load = 0.92 if turn < 5 else 0.1
            await asyncio.gather(*(tick(name, load, 1_000_000.0 + 10 * turn) for name in names))

    asyncio.run(play())
    replicas = {name: sandbox.get("Deployment", name)["spec"]["replicas"] for name in ("shop", "extras-shop")}  # type: ignore[index]
    ledgers = [(sandbox.policy(name).raw["status"]["ledger"]) for name in names]
    contested = [event.message for event in sandbox.events if event.reason == "Contested"]
    assert (replicas, ledgers, contested) == ({"shop": 2, "extras-shop": 2}, [[], []], [])
