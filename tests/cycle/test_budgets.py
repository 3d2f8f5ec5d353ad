"""Error budgets in the status: of the objectives that there are, in a text of bounded length."""

from typing import Any

import pytest

from cycle.world import SPEC, World, run
from stepdown.engine.observation import Observation
from stepdown.prepared import Memory


def objective(name: str) -> dict[str, Any]:
    return {"name": name, "target": "99%", "errors": "e[$window]", "total": "t[$window]"}


def world(*names: str) -> World:
    return World({**SPEC, "objectives": [objective(name) for name in names]})


def look(world: World, **ratios: float) -> dict[str, str]:
    """Budgets left, by objective, after a tick that saw these error ratios."""
    world.now += 10
    policy = world.sandbox.policy("shop")
    seen = {name: Observation(value=0.1) for name in ("load", "errors")}
    seen |= {f"budget:{name}": Observation(value=ratio) for name, ratio in ratios.items()}
    memory = world.memories.setdefault("shop", Memory())
    run(world.cycle.tick(policy, world.prepared(policy.raw), seen, memory, world.now))
    return {found["name"]: found["budgetLeft"] for found in world.status.get("objectives", [])}


def test_a_budget_is_kept_while_it_is_not_asked():
    scene = world("availability")
    assert look(scene, availability=0.005) == {"availability": "50%"}
    assert look(scene) == {"availability": "50%"}


@pytest.mark.parametrize(("ratio", "left"), [(1e300, "-999%"), (0.5, "-999%"), (-1e300, "100%"), (0.02, "-100%")])
def test_a_budget_that_no_ratio_can_give_is_shown_at_its_bound(ratio: float, left: str):
    assert look(world("availability"), availability=ratio) == {"availability": left}


def test_the_budget_of_an_objective_that_was_taken_out_goes():
    scene = world(*(f"old-{number}" for number in range(8)))
    look(scene, **{f"old-{number}": 0.0 for number in range(8)})

    def renamed(obj: dict[str, Any]) -> None:
        obj["spec"]["objectives"] = [objective("new")]

    scene.sandbox.edit("DegradationPolicy", "shop", renamed)
    assert look(scene) == {}
    assert look(scene, new=0.01) == {"new": "0%"}
