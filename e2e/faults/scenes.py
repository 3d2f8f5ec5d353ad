"""Scenes: what a test does to one world, many side by side, each with an outcome to look at."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from faults.calls import Exchange
from faults.episode import Episode
from faults.oracles import violations
from faults.plan import Fault, Rule, Where
from faults.proxy import FaultProxy
from faults.world import World
from plane.api import Object
from plane.processes import wait_for


@dataclass
class Scene:
    """What became of one world."""

    wrong: list[str] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)


class Player:
    """One world under way, with what a script needs."""

    def __init__(self, world: World, proxy: FaultProxy) -> None:
        self.world, self.plan, self.log = world, proxy.plan, proxy.log
        self.episode = Episode(world, proxy)
        self.scene = Scene()
        self.before = world.objects()

    def at(self, verb: str, resource: str, fault: Fault, nth: int = 1, times: int | None = 1) -> Rule:
        """A fault in this world."""
        return self.plan.add(Where(self.world.namespace, verb, resource), fault, nth, times)

    def stored(self) -> Object:
        """The policy as the API server has it."""
        return self.world.find()

    def sent(self, resource: str) -> list[Exchange]:
        """The writes of one resource so far."""
        return [e for e in self.episode.log if e.request.is_write and e.request.resource == resource]

    def edit(self, kind: str, name: str, change: Object) -> Callable[[], object]:
        """A person's merge patch, made when it is called."""
        return lambda: self.world.api.merge(kind, name, self.world.namespace, change)

    def wait_ready_is(self, status: str) -> Object:
        """Waits for the condition Ready of the stored policy."""

        def found() -> Object:
            conditions = (self.stored().get("status") or {}).get("conditions") or []
            return next((c for c in conditions if c["type"] == "Ready"), {})

        wait_for(f"Ready={status} in {self.world.namespace}", lambda: found().get("status") == status, 60)
        return found()

    def down_and_up(self) -> None:
        """Two levels down and up again. Raises Stuck."""
        for name in ("low", "lower", "full"):
            self.episode.to(name)

    def end(self, log: Sequence[Exchange] | None = None) -> None:
        """Notes what is wrong at the end; `before` is what should be there, `log` what was asked (of several)."""
        self.scene.wrong += violations(log or self.episode.log, self.before, self.world.objects())


Script = Callable[[Player], None]


def play_scenes(scripts: Sequence[Script], worlds: Sequence[World], proxy: FaultProxy) -> dict[str, Scene]:
    """Plays each in a world of its own, at the same time; the outcomes by the scripts' names."""

    def play(script: Script, world: World) -> Scene:
        player = Player(world, proxy)
        try:
            script(player)
        except Exception as error:
            player.scene.wrong.append(f"{type(error).__name__}: {error}")
        return player.scene

    with ThreadPoolExecutor(len(scripts)) as pool:
        found = list(pool.map(play, scripts, worlds))
    return {script.__name__: scene for script, scene in zip(scripts, found, strict=True)}
