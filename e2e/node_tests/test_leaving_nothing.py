"""`python -m node up`, ended in every way: the machine is as it was before."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.leftovers import cgroups
from node.traces import Traces, traces
from plane.processes import wait_for

E2E = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(E2E)}


@pytest.fixture
def before(machine: None) -> Traces:
    """The machine before a node."""
    return traces()


@pytest.fixture
def up(before: Traces, tmp_path: Path) -> Iterator[Callable[[str], "subprocess.Popen[bytes]"]]:
    """Starts `python -m node up` and waits until it has said something."""
    started: list[subprocess.Popen[bytes]] = []

    def start(said: str) -> "subprocess.Popen[bytes]":
        log = tmp_path / "up.log"
        with log.open("wb") as out:
            command = [sys.executable, "-m", "node", "up"]
            started.append(subprocess.Popen(command, env=ENVIRONMENT, stdout=out, stderr=out, cwd=tmp_path))
        wait_for(f"node up says {said!r}", lambda: said in log.read_text() or started[0].poll() is not None, 240)
        assert said in log.read_text()
        return started[0]

    yield start
    for process in started:
        process.kill()
        process.wait()
    down()


def down() -> None:
    """`python -m node down`."""
    subprocess.run([sys.executable, "-m", "node", "down"], env=ENVIRONMENT, check=True, timeout=90)


def assert_nothing_is_left(before: Traces) -> None:
    """At once or soon: the kernel takes networks away in its own time."""
    try:
        wait_for("the machine is as before", lambda: before.changes(traces()) == [], 20)
    except TimeoutError:
        assert before.changes(traces()) == []


def test_down_ends_the_node_of_another_process(before: Traces, up: Callable[[str], "subprocess.Popen[bytes]"]) -> None:
    process = up("Prometheus: http")
    there = before.changes(traces())

    down()

    assert {"links", "routes", "cgroups", "processes"} <= {line.partition(" ")[0] for line in there}
    assert process.wait(30) == 0
    assert before.changes(traces()) == []


def test_an_owner_that_is_killed_leaves_nothing(before: Traces, up: Callable[[str], "subprocess.Popen[bytes]"]) -> None:
    process = up("Prometheus: http")

    process.kill()
    process.wait()

    assert_nothing_is_left(before)


def test_an_interrupted_start_leaves_nothing(before: Traces, up: Callable[[str], "subprocess.Popen[bytes]"]) -> None:
    process = up("images: ")

    wait_for("the node's cgroups", lambda: cgroups() != [], 30)
    process.send_signal(signal.SIGINT)

    assert process.wait(30) == 0
    assert_nothing_is_left(before)


def test_a_keeper_that_is_killed_leaves_what_down_takes_away(
    before: Traces, up: Callable[[str], "subprocess.Popen[bytes]"]
) -> None:
    process = up("Prometheus: http")
    (keeper,) = [line for line in traces().processes if "node.keeper" in line]

    os.kill(int(keeper.split()[0]), signal.SIGKILL)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    down()

    assert_nothing_is_left(before)
