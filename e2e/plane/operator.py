"""`stepdown run` as a child process, under the chart's own ServiceAccount and nothing more.

A verb that the chart's roles forget is refused here as it would be in a cluster, so tests find it.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from plane.processes import Process, free_port, wait_for
from plane.release import Release

_RUN = (sys.executable, "-m", "stepdown.cli", "run")
_numbers = itertools.count(1)


class Samples:
    """What /metrics showed at one moment."""

    def __init__(self, text: str) -> None:
        self._samples = [
            (sample.name, dict(sample.labels), float(sample.value))
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    def sum(self, name: str, **labels: str) -> float:
        """The sum over all series of this name with these labels; 0 where there is none."""
        wanted = labels.items()
        return sum(value for found, having, value in self._samples if found == name and wanted <= having.items())

    def series(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of all series of this name."""
        return [(labels, value) for found, labels, value in self._samples if found == name]


class Operator:
    """One replica. Several may run over one installed release; each writes its own log in `folder`.

    `namespaces` limits what it watches (`--namespace`); `kubeconfig` replaces the release's, for example by one
    that goes through a proxy; `config` goes over the chart's config.json, key by key at the top; `environment`
    goes over ours.
    """

    def __init__(
        self,
        release: Release,
        folder: Path,
        namespaces: Sequence[str] = (),
        kubeconfig: Path | None = None,
        config: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.release = release
        self.name = f"operator-{next(_numbers)}"
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._namespaces = namespaces
        self._kubeconfig = kubeconfig
        self._config = config or {}
        self._environment = environment or {}
        self.url = ""
        self.process: Process | None = None

    @property
    def log(self) -> Path:
        """The log of all its lives."""
        return self._folder / f"{self.name}.log"

    def start(self) -> "Operator":
        """Starts it, with a fresh token and port; doesn't wait."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = self._folder / f"{self.name}.json"
        config.write_text(json.dumps({**self.release.config(), "metricsAddress": f"127.0.0.1:{port}", **self._config}))
        command = [*_RUN, "--config", str(config)]
        for namespace in self._namespaces:
            command += ["--namespace", namespace]
        environment = {
            "KUBECONFIG": str(self._kubeconfig or self.release.kubeconfig()),
            "HOME": str(self._folder),
            "POD_NAME": self.name,
            **self._environment,
        }
        self.process = Process(self.name, command, self.log, environment).start()
        return self

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self.process is not None and self.process.running

    @property
    def returncode(self) -> int | None:
        """Its exit code, None while it runs or before it was started."""
        return None if self.process is None else self.process.returncode

    def stop(self) -> float:
        """SIGTERM, and waits; gives the seconds that it took to end."""
        return 0.0 if self.process is None else self.process.stop(timeout=30)

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()

    def pause(self) -> None:
        """SIGSTOP: it stays, and does nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM without waiting."""
        self._signal(signal.SIGTERM)

    def metrics(self) -> Samples:
        """What /metrics shows now. Raises requests.RequestException."""
        answer = requests.get(f"{self.url}/metrics", timeout=5)
        answer.raise_for_status()
        return Samples(answer.text)

    def health(self, path: str = "/healthz") -> int:
        """The status code of /healthz or /readyz; 0 when nothing answers."""
        try:
            return requests.get(self.url + path, timeout=5).status_code
        except requests.RequestException:
            return 0

    def is_leader(self) -> bool:
        """Whether it says that it leads."""
        try:
            return self.metrics().sum("stepdown_leader") == 1
        except requests.RequestException:
            return False

    def wait_leader(self, timeout: float = 30.0) -> "Operator":
        """Waits until it leads. Raises RuntimeError with the log's end when it dies or the time is over."""
        assert self.process is not None, "start it first"
        self.process.wait_ready(self.is_leader, timeout)
        return self

    def wait_log(self, text: str, timeout: float = 30.0) -> str:
        """Waits for a line that holds a text, and gives it. Raises TimeoutError."""
        wait_for(f"{self.name} logs {text!r}", lambda: any(text in line for line in self.lines()), timeout)
        return next(line for line in self.lines() if text in line)

    def lines(self) -> list[str]:
        """All lines of the log."""
        return self.log.read_text(errors="replace").splitlines() if self.log.exists() else []

    def tail(self, lines: int = 60) -> str:
        """The end of the log."""
        return "\n".join(self.lines()[-lines:])

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.signal(number)


def stepdown(*arguments: str, kubeconfig: Path | None = None) -> tuple[int, str, str]:
    """A command of ours other than `run`, to its end: exit code, output, errors."""
    environment = {**os.environ, **({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {})}
    command = [sys.executable, "-m", "stepdown.cli", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr
