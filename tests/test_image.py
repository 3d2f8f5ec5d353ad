"""The image's recipe, read and not built: pinned, hashed, without root."""

import fnmatch
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def instructions():
    """The Dockerfile as (word, rest), continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(" ", 1)) for line in lines]


def all_of(word):
    return [rest for found, rest in instructions() if found == word]


def last_stage():
    found = instructions()
    return dict(found[max(i for i, (word, _) in enumerate(found) if word == "FROM") :])


def pins(name):
    return set((ROOT / "requirements" / name).read_text().splitlines())


def test_each_stage_starts_from_one_pinned_python():
    (pin,) = all_of("ARG")
    assert re.fullmatch(r"PYTHON=3\.11\.\d+-slim-[a-z]+", pin)
    assert all_of("FROM") == ["python:${PYTHON} AS build", "python:${PYTHON}"]


def test_what_is_installed_is_hashed_or_ours():
    commands = [command for run in all_of("RUN") for command in run.split(" && ") if " pip " in command]
    assert len(commands) == 4
    for command in commands:
        assert "--require-hashes --only-binary :all: --requirement requirements/" in command or "--no-deps" in command


def test_the_build_backend_is_the_one_that_is_pinned_for_development():
    assert "hatchling==1.33.0 \\" in pins("build.txt")
    assert pins("build.txt") <= pins("dev.txt")


def test_the_container_runs_the_operator_without_root():
    stage = last_stage()
    assert stage["USER"] == "65532:65532"
    assert json.loads(stage["ENTRYPOINT"]) == ["stepdown"]
    assert json.loads(stage["CMD"]) == ["run"]


def test_nothing_is_compiled_at_run_time():
    assert "PYTHONDONTWRITEBYTECODE=1" in last_stage()["ENV"]
    assert any("compileall -q --invalidation-mode unchecked-hash /opt/stepdown/lib" in run for run in all_of("RUN"))


@pytest.mark.parametrize(
    "source", [part for rest in all_of("COPY") if "--from" not in rest for part in rest.split()[:-1]]
)
def test_what_the_build_copies_is_there_and_not_ignored(source):
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert (ROOT / source).exists()
    assert any(source == name or fnmatch.fnmatch(source, f"{name}/*") for name in allowed)
