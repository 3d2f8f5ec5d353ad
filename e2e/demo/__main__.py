"""`python -m demo`: exit code 0 when the launch has shown what it promises; `--keep` leaves everything running."""

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from types import FrameType

from rich.console import Console

from demo.launch import LENGTH
from demo.screen import INTRODUCTION, LiveScreen, Moment, PlainScreen, Screen, Step, summary
from demo.shops import Page
from demo.stage import WITH, WITHOUT, CannotRun, Stage, staged
from demo.verdict import differences, judge
from plane.binaries import CannotBuild
from plane.tools import Failed

LATEST = LENGTH + 90.0
"""Seconds after which nobody waits any longer for the way back."""

SETTLED = 3.0
"""Seconds that the end must last before it counts."""


def main() -> int:
    """Exit code 0; 1 when something was not shown, with a sentence; 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end, until Ctrl-C")
    keep = parser.parse_args().keep
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(highlight=False, markup=False)
    folder = Path(tempfile.mkdtemp(prefix="stepdown-demo-"))
    failed = False
    try:
        return _perform(console, folder, keep=keep)
    except (CannotBuild, CannotRun) as error:
        console.print(str(error), soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("stopped", soft_wrap=True)
        return 130
    except (Failed, RuntimeError, TimeoutError, AssertionError) as error:
        failed = True
        console.print(f"the demo could not go on: {error}\nall logs are in {folder}", soft_wrap=True)
        return 1
    finally:
        if not failed:
            shutil.rmtree(folder, ignore_errors=True)


def _perform(console: Console, folder: Path, *, keep: bool) -> int:
    def say(text: str) -> None:
        console.print(text, soft_wrap=True)

    say(INTRODUCTION)
    with staged(folder, say) as stage:
        say("")
        code = _launch(console, stage)
        if keep:
            say("\nEverything is still running. In another terminal:\n")
            say("\n".join(f"  {line}" for line in stage.invitation().splitlines()))
            say("\nCtrl-C ends it.")
            with contextlib.suppress(KeyboardInterrupt):
                Event().wait()
        say("\nstopping everything")
        return code


def _launch(console: Console, stage: Stage) -> int:
    before = stage.shop.snapshot()
    is_terminal = console.is_terminal and not console.is_dumb_terminal
    screen: Screen = LiveScreen(console) if is_terminal else PlainScreen(console)
    with _polled(stage) if is_terminal else contextlib.nullcontext(_Line()) as line:
        try:
            stage.launch.begin()
            visited = _follow(stage, screen, line)
        finally:
            screen.close()
    status = stage.status()
    shops = stage.launch.tallies()
    protected, bare = shops[WITH], shops[WITHOUT]
    after = stage.shop.snapshot()
    checks = judge(
        visited,
        str(status.get("level", "")),
        len(status.get("ledger") or []),
        len(before),
        differences(before, after),
        (protected.errors, bare.errors),
    )
    summary(console, protected, bare, checks)
    return 0 if all(check.holds for check in checks) else 1


def _follow(stage: Stage, screen: Screen, line: "_Line") -> list[str]:
    """Shows the launch until everything is back, or until nobody waits any longer; gives the levels entered."""
    launch = stage.launch
    visited: list[str] = []
    quiet_since: float | None = None
    told = len(stage.status().get("history") or [])
    while launch.seconds < LATEST:
        if not stage.operator.running:
            raise RuntimeError(f"the operator ended with {stage.operator.returncode}:\n{stage.operator.tail(15)}")
        if not launch.is_running:
            raise RuntimeError("the shops' process has ended")
        status = stage.status()
        history = status.get("history") or []
        for seen in history[told:]:
            visited.append(seen["to"])
            screen.step(Step(launch.seconds, seen["from"], seen["to"], seen["message"], stage.policy_line()))
        told = len(history)
        shops = launch.tallies()
        screen.show(Moment(launch.seconds, launch.users, shops[WITH], shops[WITHOUT], line.text))
        back = status.get("level") == "full" and not status.get("ledger") and shops[WITH].rates.page is Page.FULL
        if launch.seconds < LENGTH or not back:
            quiet_since = None
        elif quiet_since is None:
            quiet_since = launch.seconds
        elif launch.seconds - quiet_since > SETTLED:
            break
        time.sleep(0.1)
    return visited


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


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
