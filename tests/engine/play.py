"""A ladder, its memory and a clock: what the tests of decisions stand on."""

from typing import Any

from stepdown.api.policy import PolicySpec
from stepdown.api.status import EngineState
from stepdown.engine.decide import NO_LEVELS, Decision, decide, initial_state
from stepdown.engine.ladder import Ladder, build_ladder
from stepdown.engine.observation import Missing, Observation

START = 1_000_000.0

Value = float | Missing


def ladder_of(*levels: dict[str, Any], signals: list[dict[str, Any]] | None = None, **spec: Any) -> Ladder:
    """A ladder of `full` and these levels, over the signals `load` and `errors`; windows are short."""
    return build_ladder(
        PolicySpec.model_validate(
            {
                "target": {"service": "shop", "deployment": "shop"},
                "signals": signals or [{"name": "load", "query": "load"}, {"name": "errors", "query": "errors"}],
                "stabilization": {"down": "0s", "up": "1m", "dwell": "0s"},
                **spec,
                "levels": [{"name": "full"}, *levels],
            }
        )
    )


def level(name: str, *conditions: dict[str, Any], every: bool = False, **fields: Any) -> dict[str, Any]:
    """A level that any of the conditions enters, or all of them."""
    return {"name": name, "enter": {"all" if every else "any": list(conditions)}, **fields}


def condition(signal: str = "load", **fields: Any) -> dict[str, Any]:
    """A condition on a signal; above 80% where no threshold is given."""
    return {"signal": signal, **({"above": "80%"} if not {"above", "below"} & set(fields) else {}), **fields}


def observed(values: dict[str, Value]) -> dict[str, Observation]:
    return {
        name: Observation(missing=value) if isinstance(value, Missing) else Observation(value=value)
        for name, value in values.items()
    }


class Play:
    """Decisions one after the other. What was seen last is seen again until a new value is given."""

    def __init__(self, ladder: Ladder, state: EngineState | None = None, **values: Value) -> None:
        self.ladder = ladder
        self.state = state if state is not None else initial_state(ladder)
        self.now = START
        self.values: dict[str, Value] = {"load": 0.1, "errors": 0.0, **values}
        self.unavailable = NO_LEVELS
        self.decision = self._decide()

    def see(self, seconds: float = 10, **values: Value) -> str:
        """Time passes, then one decision over these values; gives the level's name."""
        self.now += seconds
        self.values |= values
        self.decision = self._decide()
        return self.level

    def until(self, seconds: float, step: float = 10) -> list[str]:
        """The level after each tick of a time in which nothing changes."""
        return [self.see(step) for _ in range(round(seconds / step))]

    @property
    def level(self) -> str:
        return self.ladder.steps[self.decision.level].name

    @property
    def reason(self) -> str:
        return str(self.decision.reason)

    def _decide(self) -> Decision:
        decision, self.state = decide(self.ladder, self.state, observed(self.values), self.now, self.unavailable)
        return decision
