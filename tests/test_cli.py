"""The command line's exit codes and output."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stepdown.cli import app

ROOT = Path(__file__).parents[1]
runner = CliRunner()


def run(*arguments: str):
    return runner.invoke(app, list(arguments))


def test_help_names_the_commands() -> None:
    result = run("--help")

    assert result.exit_code == 0
    assert "lint" in result.output
    assert "crd" in result.output


def test_the_version_is_printed() -> None:
    result = run("--version")

    assert (result.exit_code, result.output) == (0, "stepdown 0.1.0\n")


def test_a_clean_file_lints_with_exit_0_and_without_output() -> None:
    result = run("lint", str(ROOT / "examples/smallest.yaml"))

    assert (result.exit_code, result.output) == (0, "")


def test_findings_are_printed_with_exit_1(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("apiVersion: stepdown.dev/v1alpha1\nkind: Degradation\n", encoding="utf-8")

    result = run("lint", str(ROOT / "examples/smallest.yaml"), str(file))

    assert result.exit_code == 1
    assert result.stdout == f"{file}:2: kind: stepdown.dev has no kind Degradation. Did you mean DegradationPolicy?\n"


def test_notes_alone_go_to_stderr_with_exit_0() -> None:
    file = ROOT / "examples/workloads.yaml"

    result = run("lint", str(file))

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{file}:3: not checked, of other kinds: Service, Deployment, ConfigMap\n"


def test_crd_prints_both_as_one_manifest() -> None:
    result = run("crd")

    assert result.exit_code == 0
    assert result.stdout.count("kind: CustomResourceDefinition\n") == 2
    assert "\n---\n" in result.stdout


def test_crd_writes_and_checks_the_generated_files(tmp_path: Path) -> None:
    assert run("crd", "--write", str(tmp_path)).exit_code == 0
    assert run("crd", "--check", str(tmp_path)).exit_code == 0

    reference = tmp_path / "docs/reference.md"
    reference.write_text("old", encoding="utf-8")
    result = run("crd", "--check", str(tmp_path))

    assert result.exit_code == 1
    assert result.stdout == (f"{reference} is not what the models say. Run: stepdown crd --write {tmp_path}\n")


def test_crd_takes_only_one_of_write_and_check(tmp_path: Path) -> None:
    result = run("crd", "--write", str(tmp_path), "--check", str(tmp_path))

    assert result.exit_code == 2
    assert "give one" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["lint"], ["unknown"]])
def test_wrong_usage_is_exit_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from stepdown.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'pydantic', 'kopf', 'kubernetes', 'ruamel.yaml', 'requests', 'rich'} & set(sys.modules)))"
    )

    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert result.stdout.splitlines()[-1] == "[]"


def test_the_module_runs_too() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "stepdown.cli", "--version"], capture_output=True, text=True, check=True
    )

    assert result.stdout == "stepdown 0.1.0\n"
