"""kubectl and helm against one plane, away from the user's own configuration."""

import os
import subprocess
from pathlib import Path

from plane.binaries import helm, kubectl

SECONDS = 90.0
"""Longest time for one command."""


class Failed(Exception):
    """A command that ended with another code than 0. `text` is what it printed, errors first."""

    def __init__(self, command: str, code: int, text: str) -> None:
        super().__init__(f"{command} ended with {code}: {text}")
        self.code = code
        self.text = text


class Tool:
    """One program with one kubeconfig. Calling it gives what it printed; `refused` gives its complaint."""

    def __init__(self, program: Path, kubeconfig: Path, home: Path) -> None:
        self.program = program
        self.kubeconfig = kubeconfig
        home.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))}
        self._environment = {**kept, "HOME": str(home), "KUBECONFIG": str(kubeconfig), "NO_COLOR": "1"}
        self._environment |= {f"HELM_{place}_HOME": str(home / place.lower()) for place in ("CACHE", "CONFIG", "DATA")}

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs it. Raises Failed."""
        done = self._run(arguments, stdin)
        if done.returncode != 0:
            shown = " ".join([self.program.name, *arguments])[:300]
            raise Failed(shown, done.returncode, f"{done.stderr}{done.stdout}")
        return done.stdout

    def refused(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs it and gives its complaint. Raises AssertionError when it had none."""
        done = self._run(arguments, stdin)
        assert done.returncode != 0, f"{self.program.name} {' '.join(arguments)} was not refused: {done.stdout}"
        return f"{done.stderr}{done.stdout}"

    def _run(self, arguments: tuple[str, ...], stdin: str | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *arguments],
            input=stdin,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


def kubectl_for(kubeconfig: Path, home: Path) -> Tool:
    """kubectl as the user of a kubeconfig; `home` keeps its caches."""
    return Tool(kubectl(), kubeconfig, home)


def helm_for(kubeconfig: Path, home: Path) -> Tool:
    """Helm as the user of a kubeconfig; `home` keeps its caches."""
    return Tool(helm(), kubeconfig, home)


class Paste:
    """A shell whose kubectl has one kubeconfig: calling it runs lines exactly as they are."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        (folder / "kubectl").symlink_to(kubectl())
        self._environment = {"PATH": f"{folder}:{os.environ['PATH']}", "KUBECONFIG": str(kubeconfig)}
        self._environment["HOME"] = str(folder)

    def __call__(self, lines: str) -> subprocess.CompletedProcess[str]:
        """What bash makes of the lines."""
        return subprocess.run(
            ["bash"],
            input=lines,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
