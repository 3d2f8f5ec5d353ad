"""The image without a container engine: the Dockerfile is read, not repeated, so that the two can't drift."""

import os
import re
from pathlib import Path

import pytest

from node.archive import Image, Settings, write_archive, write_layer
from node.dockerfile import Copy, Run, is_ignored, read

ROOT = Path(__file__).parents[1]
BASE = {"PATH": "/usr/bin"}


def test_each_step_of_the_dockerfile_is_taken_in_its_order():
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    written = re.findall(r"^(RUN|COPY) (.*)$", text, flags=re.MULTILINE)

    build, last = read(text, BASE)

    taken = [("RUN", s.line) if isinstance(s, Run) else ("COPY", s.sources) for s in (*build.steps, *last.steps)]
    assert [word for word, _ in taken] == [word for word, _ in written]
    assert [rest for word, rest in taken if word == "RUN"] == [rest for word, rest in written if word == "RUN"]


def test_the_dockerfiles_last_stage_says_how_the_operator_starts():
    _, last = read((ROOT / "Dockerfile").read_text(), BASE)

    assert last.settings == Settings(
        user="65532:65532",
        env={
            "PATH": "/opt/stepdown/bin:/usr/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "USER": "stepdown",
        },
        workdir="/",
        entrypoint=("stepdown",),
        command=("run",),
    )
    assert last.steps == (Copy("build", ("/opt/stepdown",), "/opt/stepdown"),)


def test_copies_go_to_the_folder_of_their_place():
    (stage,) = read("FROM python:3\nWORKDIR /src\nCOPY a b ./\nCOPY c d/\nCOPY e /f\n", BASE)

    targets = [step.target for step in stage.steps if isinstance(step, Copy)]
    assert targets == ["/src/", "/src/d/", "/f"]


@pytest.mark.parametrize("line", ["HEALTHCHECK NONE", "COPY --chown=1 a b", "ADD a b"])
def test_what_the_builder_does_not_know_ends_the_build(line):
    with pytest.raises(ValueError, match="this builder doesn't know"):
        read(f"FROM python:3\n{line}\n", BASE)


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("README.md", False),
        ("operator/stepdown/cli.py", False),
        ("operator/stepdown/__pycache__/cli.pyc", True),
        ("tests/test_cli.py", True),
        (".git", True),
    ],
)
def test_dockerignore_keeps_out_what_it_names(path, ignored):
    assert is_ignored(path, (ROOT / ".dockerignore").read_text()) is ignored


def folder(path, *, at):
    (path / "bin").mkdir(parents=True)
    for name in ("b", "a"):
        (path / "bin" / name).write_text(name)
        os.utime(path / "bin" / name, (at, at))
    (path / "link").symlink_to("bin/a")
    return path


def test_the_same_files_give_the_same_bytes_whenever_they_were_written(tmp_path):
    layers = [write_layer(folder(tmp_path / str(at), at=at), tmp_path / f"{at}.tar", newest=500) for at in (1000, 2000)]
    archives = [
        write_archive(tmp_path / f"{number}.oci", Image("shop:1", (layer,), Settings()))
        for number, layer in enumerate(layers)
    ]

    assert layers[0].read_bytes() == layers[1].read_bytes()
    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_images_that_share_a_layer_have_it_once(tmp_path):
    layer = write_layer(folder(tmp_path / "root", at=1), tmp_path / "layer.tar", newest=500)
    one = write_archive(tmp_path / "one.oci", Image("a:1", (layer,), Settings()))
    two = write_archive(tmp_path / "two.oci", Image("a:1", (layer,), Settings()), Image("b:1", (layer,), Settings()))

    assert two.stat().st_size - one.stat().st_size < layer.stat().st_size
