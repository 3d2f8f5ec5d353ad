"""Plays a launch on a stage, whichever it is, shows it, and gives what became of it."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console

from demo.load import LENGTH
from demo.screen import LiveScreen, Moment, PlainScreen, Screen, Step
from demo.tally import Tally
from demo.verdict import Check, differences, judge
from plane.shop import Shop
from plane.tools import Failed

WITH, WITHOUT = "with-policy", "without-policy"
"""Namespaces of the two shops."""

LATEST = LENGTH + 90.0
"""Seconds after which nobody waits any longer for the way back."""

SETTLED = 3.0
"""Seconds that the end must last before it counts."""


class Launch(Protocol):
    """Both shops under one load."""

    def begin(self) -> None:
        """The load's time starts."""

    @property
    def seconds(self) -> float:
        """Seconds since `begin`; 0 before."""

    @property
    def users(self) -> int:
        """Users now."""

    def tallies(self) -> Mapping[str, Tally]:
        """Both shops at the same moment, by namespace."""


class Stage(Protocol):
    """Where a launch is played. `shop` is the one with the policy."""

    @property
    def shop(self) -> Shop:
        """The shop with the policy."""

    @property
    def launch(self) -> Launch:
        """The load."""

    def status(self) -> dict[str, Any]:
        """The policy's status as it was last seen."""

    def policy_line(self) -> str:
        """What `kubectl get dgp` prints. Raises plane.tools.Failed."""

    def invitation(self) -> str:
        """Commands to try while everything runs."""

    def check(self) -> None:
        """Raises RuntimeError where something has ended that must not."""


@dataclass(frozen=True, slots=True)
class Performance:
    """What a launch came to. `stepped` is the wall clock's time when the first step down was seen complete."""

    visited: list[str]
    stepped: float | None
    tallies: Mapping[str, Tally]
    checks: list[Check]


def perform(console: Console, stage: Stage) -> Performance:
    """Plays it until everything is back, or nobody waits any longer for that."""
    before = stage.shop.snapshot()
    is_terminal = console.is_terminal and not console.is_dumb_terminal
    screen: Screen = LiveScreen(console) if is_terminal else PlainScreen(console)
    with _polled(stage) if is_terminal else contextlib.nullcontext(_Line()) as line:
        try:
            stage.launch.begin()
            visited, stepped = _follow(stage, screen, line)
        finally:
            screen.close()
    status = stage.status()
    tallies = stage.launch.tallies()
    after = stage.shop.snapshot()
    checks = judge(
        visited,
        str(status.get("level", "")),
        len(status.get("ledger") or []),
        len(before),
        differences(before, after),
        (tallies[WITH].errors, tallies[WITHOUT].errors),
    )
    return Performance(visited, stepped, tallies, checks)


def _follow(stage: Stage, screen: Screen, line: "_Line") -> tuple[list[str], float | None]:
    """The levels entered, and when the first one was reached."""
    launch = stage.launch
    visited: list[str] = []
    stepped: float | None = None
    quiet_since: float | None = None
    told = len(stage.status().get("history") or [])
    full = next(iter(launch.tallies()[WITH].pages))
    while launch.seconds < LATEST:
        stage.check()
        status = stage.status()
        history = status.get("history") or []
        for seen in history[told:]:
            visited.append(seen["to"])
            screen.step(Step(launch.seconds, seen["from"], seen["to"], seen["message"], stage.policy_line()))
        told = len(history)
        if stepped is None and status.get("level") != "full":
            stepped = time.time()
        tallies = launch.tallies()
        screen.show(Moment(launch.seconds, launch.users, tallies[WITH], tallies[WITHOUT], line.text))
        back = status.get("level") == "full" and not status.get("ledger") and tallies[WITH].page == full
        if launch.seconds < LENGTH or not back:
            quiet_since = None
        elif quiet_since is None:
            quiet_since = launch.seconds
        elif launch.seconds - quiet_since > SETTLED:
            break
        time.sleep(0.1)
    return visited, stepped


class _Line:
    """What `kubectl get dgp` printed last."""

    text = ""


@contextlib.contextmanager
def _polled(stage: Stage) -> Iterator[_Line]:
    """`kubectl get dgp` once a second, beside everything else."""
    line, stop = _Line(), threading.Event()

    def poll() -> None:
        while not stop.is_set():
            with contextlib.suppress(Failed):
                line.text = stage.policy_line()
            stop.wait(1.0)

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield line
    finally:
        stop.set()
        thread.join()
