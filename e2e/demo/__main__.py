"""`python -m demo`: exit code 0 when the launch has shown what it promises; `--keep` leaves everything running."""

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event
from types import FrameType

from rich.console import Console

from demo import node_stage, stage
from demo.performance import WITH, WITHOUT, Stage, perform
from demo.screen import summary
from node.__main__ import build
from node.cluster import Cluster
from node.real_node import CannotRun
from node.traces import traces_without_node
from plane.binaries import CannotBuild
from plane.tools import Failed


def main() -> int:
    """Exit code 0; 1 when something was not shown, with a sentence; 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end, until Ctrl-C")
    parser.add_argument("--node", action="store_true", help="on a real node of this machine, with real requests")
    given = parser.parse_args()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(highlight=False, markup=False)
    folder = Path(tempfile.mkdtemp(prefix="stepdown-demo-"))
    failed = False
    try:
        return (_on_node if given.node else _on_plane)(console, folder, keep=given.keep)
    except (CannotBuild, stage.CannotRun, CannotRun) as error:
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


def _on_plane(console: Console, folder: Path, *, keep: bool) -> int:
    say = _sayer(console)
    say(stage.INTRODUCTION)
    with stage.staged(folder, say) as staged:
        say("")
        played = perform(console, staged)
        code = summary(console, played.tallies[WITH], played.tallies[WITHOUT], played.checks)
        if keep:
            _keep(say, staged)
        say("\nstopping everything")
        return code


def _on_node(console: Console, folder: Path, *, keep: bool) -> int:
    say = _sayer(console)
    build()
    before = traces_without_node()
    say(node_stage.INTRODUCTION)
    with Cluster(folder / "cluster") as cluster, node_stage.staged(cluster, folder, say) as staged:
        say("")
        played = perform(console, staged)
        staged.launch.stop()
        outcome = staged.launch.outcome(played.stepped)
        tallies = staged.launch.tallies()
        code = summary(console, tallies[WITH], tallies[WITHOUT], [*played.checks, *outcome.checks()])
        if keep:
            _keep(say, staged)
        say("\nstopping everything")
    left = before.changes(traces_without_node())
    say(f"left behind: {', '.join(left) or 'nothing'}")
    return 1 if left else code


def _sayer(console: Console) -> Callable[[str], None]:
    return partial(console.print, soft_wrap=True)


def _keep(say: Callable[[str], None], staged: Stage) -> None:
    say("\nEverything is still running. In another terminal:\n")
    say("\n".join(f"  {line}" for line in staged.invitation().splitlines()))
    say("\nCtrl-C ends it.")
    with contextlib.suppress(KeyboardInterrupt):
        Event().wait()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
