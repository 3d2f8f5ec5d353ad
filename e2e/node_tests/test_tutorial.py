"""docs/tutorial.md, followed word for word: its commands are read out of the page and run as written.

Blocks of `sh` must succeed. In blocks of `console` each command must say what stands below it, where `…` is anything
up to the end of a line.
"""

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from node import images
from node.cluster import Cluster
from node.tea_shop import TeaShop
from plane.binaries import helm, kubectl
from plane.tools import kubectl_for

PAGE = images.ROOT / "docs" / "tutorial.md"
SECONDS = 130.0
"""Longest time for one step."""


@dataclass(frozen=True)
class Step:
    """Lines for a shell, and what they must say; None where nothing is promised."""

    lines: str
    says: str | None


def read_steps(page: str) -> list[Step]:
    """The steps of a page, in their order."""
    steps = []
    for kind, block in re.findall(r"^```(sh|console)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        if kind == "sh":
            steps.append(Step(block, None))
        else:
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, says = part.partition("\n")
                steps.append(Step(command, says))
    return steps


def is_said(says: str, output: str) -> bool:
    """Whether an output is what a page shows, whatever the spaces between words."""
    lines = [" ".join(line.split()) for line in says.strip().splitlines()]
    pattern = "\n".join(re.escape(line).replace("…", ".*") for line in lines)
    found = "\n".join(" ".join(line.split()) for line in output.strip().splitlines())
    return re.fullmatch(pattern, found) is not None


@pytest.fixture
def environment(cluster: Cluster, tmp_path: Path) -> dict[str, str]:
    """A shell's, of somebody who has what the page asks for."""
    cluster.prometheus.find_pods(cluster.plane.kubeconfig())
    TeaShop(cluster, kubectl_for(cluster.plane.kubeconfig(), tmp_path / "home")).load()
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in (kubectl(), helm()):
        (programs / program.name).symlink_to(program)
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "KUBECONFIG": str(cluster.plane.kubeconfig()),
        "PROMETHEUS": cluster.prometheus.url,
    }


def test_every_command_of_the_tutorial_works_and_says_what_the_page_shows(
    environment: dict[str, str], tmp_path: Path, figure: Any
) -> None:
    began = time.monotonic()
    for step in read_steps(PAGE.read_text()):
        with (tmp_path / "said").open("w+") as said:  # no pipe: what runs in the background would hold it
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", step.lines],
                env=environment,
                cwd=images.ROOT,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=SECONDS,
                check=False,
            )
        output = (tmp_path / "said").read_text()
        print(f"{time.monotonic() - began:.0f} s $ {step.lines}\n{output}")
        assert done.returncode == 0, f"{step.lines}\n{output}"
        assert step.says is None or is_said(step.says, output), f"{step.lines}\n{output}\nshould say:\n{step.says}"
    figure("docs/tutorial.md, followed word for word", round(time.monotonic() - began), "s")
