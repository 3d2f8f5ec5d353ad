"""What is known against the pins: pip-audit's findings, and plainly what it could not look up.

A package that couldn't be looked up is not a package without vulnerabilities: 2 is the code for "not known".
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supply.sbom import LOCK

CLEAN, VULNERABLE, UNKNOWN = 0, 1, 2


def audit(root: Path) -> tuple[int, list[str]]:
    """Exit code and lines for a checkout."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    command += ["--require-hashes", "--disable-pip", "--requirement", str(root / LOCK)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return UNKNOWN, [f"nothing was looked up, so nothing is known: {last}"]
    return verdict(found)


def verdict(found: Mapping[str, Any]) -> tuple[int, list[str]]:
    """Exit code and lines for what pip-audit has found."""
    packages = found["dependencies"]
    unseen = [package["name"] for package in packages if "skip_reason" in package]
    lines = [
        f"{package['name']} {package['version']}: {known['id']}, {_cure(known)}"
        for package in packages
        for known in package.get("vulns", [])
    ]
    code = VULNERABLE if lines else UNKNOWN if unseen or not packages else CLEAN
    if unseen or not packages:
        lines.append(
            f"{len(unseen)} of {len(packages)} packages could not be looked up, and nothing is known about them:"
            " the advisory database can't be reached from here, or has no such package"
        )
    return code, lines or [f"{len(packages)} packages, and no known vulnerability"]


def _cure(known: Mapping[str, Any]) -> str:
    fixed = known.get("fix_versions") or []
    return f"fixed in {', '.join(fixed)}" if fixed else "no version fixes it"
