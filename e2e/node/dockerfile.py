"""Reads a Dockerfile, as much of the language as ours uses. What it doesn't know ends the build."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from string import Template

from node.archive import Settings


@dataclass(frozen=True)
class Run:
    """RUN: a line for the shell, with the environment and the folder of its place."""

    line: str
    settings: Settings


@dataclass(frozen=True)
class Copy:
    """COPY: `sources` of an earlier stage, or of the context where `stage` is empty, to an absolute path."""

    stage: str
    sources: tuple[str, ...]
    target: str


@dataclass(frozen=True)
class Stage:
    """From one FROM to the next. `base` is the image's name, `settings` what its containers get."""

    name: str
    base: str
    steps: tuple[Run | Copy, ...]
    settings: Settings


def read(text: str, base_env: dict[str, str]) -> list[Stage]:
    """The stages, in order. Raises ValueError for an instruction that isn't known here."""
    arguments: dict[str, str] = {}
    stages: list[_Open] = []
    for word, rest in _instructions(text):
        if word == "ARG":
            name, _, value = rest.partition("=")
            arguments[name] = value
        elif word == "FROM":
            image, _, name = Template(rest).substitute(arguments).partition(" AS ")
            stages.append(_Open(name, image, base_env))
        else:
            stages[-1].take(word, rest)
    return [stage.closed() for stage in stages]


def _instructions(text: str) -> list[tuple[str, str]]:
    """(word, rest), with continued lines joined and comments left out."""
    joined = re.sub(r"\\\n\s*", "", text)
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


class _Open:
    """A stage while it is read."""

    def __init__(self, name: str, base: str, env: dict[str, str]) -> None:
        self.name, self.base = name, base
        self.env = dict(env)
        self.workdir = "/"
        self.user = ""
        self.entrypoint: tuple[str, ...] = ()
        self.command: tuple[str, ...] = ()
        self.steps: list[Run | Copy] = []

    def take(self, word: str, rest: str) -> None:
        """One instruction."""
        match word:
            case "ENV":
                before = dict(self.env)
                for pair in rest.split():
                    name, _, value = pair.partition("=")
                    self.env[name] = Template(value).substitute(before)
            case "WORKDIR":
                self.workdir = rest
            case "USER":
                self.user = rest
            case "ENTRYPOINT":
                self.entrypoint = tuple(json.loads(rest))
            case "CMD":
                self.command = tuple(json.loads(rest))
            case "RUN":
                self.steps.append(Run(rest, self.settings()))
            case "COPY":
                self.steps.append(self._copy(rest.split()))
            case _:
                raise ValueError(f"{word} {rest}: this builder doesn't know {word}; teach node.dockerfile")

    def settings(self) -> Settings:
        """As they are now."""
        return Settings(self.user, dict(self.env), self.workdir, self.entrypoint, self.command)

    def closed(self) -> Stage:
        """The stage as read."""
        return Stage(self.name, self.base, tuple(self.steps), self.settings())

    def _copy(self, words: list[str]) -> Copy:
        stage = ""
        if words[0].startswith("--from="):
            stage = words.pop(0).removeprefix("--from=")
        if words[0].startswith("--"):
            raise ValueError(f"COPY {words[0]}: this builder doesn't know the option; teach node.dockerfile")
        *sources, target = words
        slash = "/" if target.endswith("/") or target == "." else ""
        return Copy(stage, tuple(sources), str(Path(self.workdir, target)) + slash)


def is_ignored(path: str, ignore: str) -> bool:
    """Whether a path of the context is kept out by the lines of a .dockerignore. The last line that fits decides."""
    ignored = False
    for line in ignore.splitlines():
        pattern = line.removeprefix("!")
        inner = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
        if re.fullmatch(f"{inner}(/.*)?", path):
            ignored = not line.startswith("!")
    return ignored
