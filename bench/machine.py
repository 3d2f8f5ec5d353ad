"""What a run was made on: figures are worth something only beside that. No names, dates or paths."""

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from plane.binaries import KUBERNETES, MODULES


def describe() -> dict[str, str | int]:
    """CPU, cores, and the versions of what takes part."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "kubernetes": KUBERNETES,
        "prometheus": _required("prometheus", "github.com/prometheus/prometheus"),
        "alertmanager": _alertmanager_version(),
    }


def alertmanager() -> str | None:
    """The path of an installed Alertmanager; Debian gives it another name."""
    return shutil.which("alertmanager") or shutil.which("prometheus-alertmanager")


def load() -> float:
    """Runnable processes, averaged over the last minute: above 1 before a run, others disturb it."""
    return round(os.getloadavg()[0], 2)


def _cpu() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else platform.processor() or "unknown"


def _required(module: str, path: str) -> str:
    found = re.search(rf"{re.escape(path)} (v\S+)", (MODULES / module / "go.mod").read_text())
    return found.group(1) if found else "unknown"


def _alertmanager_version() -> str:
    program = alertmanager()
    if program is None:
        return "not installed"
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"version (\S+)", done.stdout + done.stderr)
    return found.group(1) if found else "unknown"
