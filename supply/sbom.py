"""The list of what the image installs: every pin of requirements/run.txt with its hashes, as CycloneDX JSON.

The same lock gives the same bytes: no serial number, and a time only where SOURCE_DATE_EPOCH says one. No package
index is named: packages are told by their purl and their hashes, wherever they were fetched from.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path("requirements/run.txt")


def sbom(root: Path) -> str:
    """The list for a checkout. Raises subprocess.CalledProcessError."""
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", str(root / LOCK)]
    command += ["--pyproject", str(root / "pyproject.toml"), "--index-url", "pkg:pypi", "--short-PURLs"]
    command += ["--output-reproducible", "--spec-version", "1.6"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for component in found["components"]:
        del component["description"]  # its line of the lock, with all hashes once more
        for reference in component["externalReferences"]:
            reference["url"], reference["comment"] = (
                component["purl"],
                "any file of this release with one of the hashes",
            )
    for tool in found["metadata"]["tools"]["components"]:
        tool.pop("externalReferences", None)
    return json.dumps(found, indent=1, sort_keys=True) + "\n"
