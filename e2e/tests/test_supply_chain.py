"""What the image is made of: one list from the lock, and a wheel that is the same bytes wherever it is built."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from supply.sbom import sbom

ROOT = Path(__file__).parents[2]


def pins() -> dict[str, set[str]]:
    """Names, versions and hashes of requirements/run.txt, read by hand: `name==version` to SHA-256."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in (ROOT / "requirements" / "run.txt").read_text().splitlines():
        if pinned := re.match(r"([a-z0-9.-]+)(?:\[[a-z,]+\])?==([^ ;]+)", line):
            name = f"{pinned[1]}=={pinned[2]}"
            found[name] = set()
        found[name] |= set(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
    return found


@pytest.fixture(scope="module")
def made() -> str:
    """The list, made once."""
    return sbom(ROOT)


def test_the_sbom_lists_exactly_the_pinned_packages_with_their_hashes(made: str) -> None:
    listed = json.loads(made)

    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.6")
    assert {
        f"{c['name']}=={c['version']}": {h["content"] for r in c["externalReferences"] for h in r["hashes"]}
        for c in listed["components"]
    } == pins()
    assert listed["metadata"]["component"]["name"] == "stepdown"


def test_the_sbom_is_the_same_bytes_each_time_and_names_no_place_to_fetch_from(made: str) -> None:
    assert sbom(ROOT) == made
    assert set(re.findall(r'"url": "([a-z]+):', made)) == {"pkg"}


def built(folder: Path, umask: int, mtime: int) -> str:
    """The SHA-256 of a wheel of this checkout, copied to a folder of its own."""
    folder.mkdir()
    for name in ("operator", "pyproject.toml", "README.md", "LICENSE"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (mtime, mtime))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-build-isolation", "--no-index", "--wheel-dir", "dist", "."]
    subprocess.run(command, cwd=folder, check=True, umask=umask, env={**os.environ, "TZ": f"UTC{umask % 7}"})
    (wheel,) = (folder / "dist").glob("*.whl")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_the_wheel_is_the_same_bytes_wherever_and_whenever_it_is_built(tmp_path: Path) -> None:
    assert built(tmp_path / "one", 0o022, 1_700_000_000) == built(tmp_path / "another", 0o077, 1_750_000_000)
