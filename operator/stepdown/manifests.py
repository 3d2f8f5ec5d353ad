"""YAML manifests as kubectl reads them, with the line of every field.

kubectl speaks YAML 1.1, where `on` and `yes` are booleans, keeps the last of two equal keys without a word, and
knows no dates. A file that two programs read differently is a trap, so that each of these is a flaw here.
Nothing in a file makes reading it raise; what can't be read is a flaw too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

MOST_NODES = 200_000
"""Values in one document, aliases counted each time: more is a mistake or an attack."""

_YES = {"y", "yes", "on"}
_BOOLEANS = {*_YES, "n", "no", "off"}
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with the YAML itself, at a line; `path` is the value that was misread, if one was."""

    line: int
    message: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its value, the line of each path (`spec.levels[1].enter`), and its flaws."""

    line: int
    value: Any
    lines: dict[str, int] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)

    def line_of(self, path: str) -> int:
        """The line of a path, or of the nearest part of it that was written."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, self.line)


def read_documents(path: Path) -> Iterator[Document]:
    """The documents of a file, in order, empty ones left out. The last one may consist of a flaw alone."""
    try:
        text = path.read_text(encoding="utf-8")
    except IsADirectoryError:
        yield _unreadable(1, f"is a directory. Name its files, like {path}/*.yaml")
        return
    except OSError as error:
        yield _unreadable(1, f"can't be read: {error.strerror or error}. Check the path")
        return
    except UnicodeDecodeError:
        yield _unreadable(1, "is not UTF-8. Save it as UTF-8")
        return
    yield from parse_documents(text)


def parse_documents(text: str) -> Iterator[Document]:
    """The documents of a text, as `read_documents`."""
    try:
        for node in YAML(typ="safe", pure=True).compose_all(text):
            document = _Reader().read(node)
            if document.value is not None or document.flaws:
                yield document
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        yield _unreadable(line, f"not YAML: {error.problem or error.context}. Check quotes, colons and indentation")
    except YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        reason = getattr(error, "reason", str(error).partition("\n")[0])
        yield _unreadable(line, f"not YAML: {reason}. Remove what can't be printed")
    except (RecursionError, _TooMuch, ValueError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        yield _unreadable(1, f"not readable: {reason}. Make it simpler")


def _unreadable(line: int, message: str) -> Document:
    return Document(line, None, flaws=[Flaw(line, message)])


class _TooMuch(Exception):
    pass


class _Reader:
    """Turns the nodes of one document into plain values."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}
        self.flaws: list[Flaw] = []
        self.left = MOST_NODES

    def read(self, node: Any) -> Document:
        if node is None:
            return Document(1, None)
        return Document(node.start_mark.line + 1, self._value(node, ""), self.lines, self.flaws)

    def _value(self, node: Any, path: str) -> Any:
        self.left -= 1
        if self.left < 0:
            raise _TooMuch(f"more than {MOST_NODES} values")
        match node:
            case MappingNode():
                return self._mapping(node, path)
            case SequenceNode():
                return [self._item(item, f"{path}[{index}]") for index, item in enumerate(node.value)]
            case _:
                return self._scalar(node, path)

    def _item(self, node: Any, path: str) -> Any:
        self.lines[path] = node.start_mark.line + 1
        return self._value(node, path)

    def _mapping(self, node: MappingNode, path: str) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == f"{_TAG}merge":
                values = self._value(value_node, path)
                for value in values if isinstance(values, list) else [values]:
                    merged = {**(value if isinstance(value, dict) else {}), **merged}
                continue
            key = key_node.value if isinstance(key_node, ScalarNode) else "?"
            inner = f"{path}.{key}" if path else key
            if _is_boolean(key_node):
                self._flaw(line, "", f'{key} is a boolean to kubectl (YAML 1.1). Put it in quotes, "{key}"')
            if key in first:
                self._flaw(line, "", f"{inner} is there twice, first on line {first[key]}. Keep one")
            first.setdefault(key, line)
            self.lines[inner] = line
            result[key] = self._value(value_node, inner)
        return {**merged, **result}

    def _scalar(self, node: ScalarNode, path: str) -> Any:
        text = node.value
        if _is_boolean(node):
            value = text.lower() in _YES
            written = str(value).lower()
            self._flaw(
                node.start_mark.line + 1,
                path,
                f'{path}: {text} is a boolean to kubectl (YAML 1.1). Write {written}, or put it in quotes, "{text}"',
            )
            return value
        match str(node.tag).removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text.replace("_", ""), 0) if not text.lstrip("+-").isdecimal() else int(text)
            case "float":
                return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
            case _:
                return text

    def _flaw(self, line: int, path: str, message: str) -> None:
        self.flaws.append(Flaw(line, message, path))


def _is_boolean(node: Any) -> bool:
    return (
        isinstance(node, ScalarNode)
        and node.style is None
        and node.tag == f"{_TAG}str"
        and node.value.lower() in _BOOLEANS
    )
