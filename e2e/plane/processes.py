"""Child processes that never outlive us, with their logs and with conditions instead of sleeps."""

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_given: set[int] = set()


def free_port() -> int:
    """A port that is free now on all addresses of the machine, also of connections that ended a moment ago.

    Who asked listens later, so none is given twice; and each of several test workers gives ports of its own.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    while True:
        with socket.socket() as probe:
            probe.bind(("", 0))
            port = int(probe.getsockname()[1])
        if port not in _given and port // 2 % workers == worker:  # Linux binds to odd ports only
            _given.add(port)
            return port


def wait_for(what: str, condition: Callable[[], bool], timeout: float = 30.0, every: float = 0.05) -> None:
    """Waits until a condition holds. Raises TimeoutError that says what was waited for."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout:.0f} s")
        time.sleep(every)


class Process:
    """One child and its log."""

    def __init__(self, name: str, command: list[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.command = command
        self.log = log
        self.environment = {**os.environ, **(environment or {})}
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> "Process":
        """Starts the child; it is killed when we die."""
        with self.log.open("ab") as out:
            self._child = subprocess.Popen(
                self.command,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self.environment,
                preexec_fn=lambda: _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509 - one system call
            )
        return self

    @property
    def running(self) -> bool:
        """Whether the child is alive."""
        return self._child is not None and self._child.poll() is None

    @property
    def returncode(self) -> int | None:
        """Its exit code, None while it runs."""
        return None if self._child is None else self._child.poll()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._child is not None
        return self._child.pid

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, if it is still there."""
        if self.running and self._child is not None:
            self._child.send_signal(number)

    def stop(self, timeout: float = 10.0) -> float:
        """Asks, then kills; gives the seconds that it took."""
        started = time.monotonic()
        if self._child is None:
            return 0.0
        self.signal(signal.SIGTERM)
        try:
            self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        return time.monotonic() - started

    def kill(self) -> None:
        """SIGKILL, and waits for the end."""
        self.signal(signal.SIGKILL)
        if self._child is not None:
            self._child.wait()

    def tail(self, lines: int = 40) -> str:
        """The end of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait_ready(self, condition: Callable[[], bool], timeout: float) -> None:
        """Waits for a condition. Raises RuntimeError with the log's end when the child dies or the time is over."""

        def holds() -> bool:
            if not self.running:
                raise RuntimeError(f"{self.name} ended with {self.returncode}:\n{self.tail()}")
            return condition()

        try:
            wait_for(f"{self.name} ready", holds, timeout)
        except TimeoutError as error:
            raise RuntimeError(f"{error}\n{self.tail()}") from None
