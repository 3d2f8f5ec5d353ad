"""Values inside a JSON text, read and replaced without touching any other byte.

Parsing and printing a document again would lose its owner's spacing, order and number formats, and restoring
could not give back the bytes that were there. So values are found by their place in the text.
"""

from collections.abc import Mapping
from functools import lru_cache, reduce
from itertools import pairwise
from json import dumps
from json.decoder import JSONDecoder, scanstring  # type: ignore[attr-defined] # there, but in no stub
from typing import Any

from stepdown.engine.pointer import segments


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


_DECODER = JSONDecoder(strict=True, parse_constant=_no_number)
_SPACE = " \t\r\n"

Place = tuple[int, int, int]
"""Start of a member, start and end of its value."""


class NotADocument(ValueError):
    """The text isn't a JSON object, or names a key twice on the way; the message says where."""


def parse(text: str) -> dict[str, Any]:
    """The document as a dict, which is shared: it must not be changed. Raises NotADocument."""
    return _read(text).value


def raw(text: str, pointer: str) -> str | None:
    """The very text of the value at a pointer, or None where there is none. Raises NotADocument."""
    place = _read(text).locate(pointer)
    return None if place is None else text[place[1] : place[2]]


def with_raw(text: str, pointer: str, value: str | None) -> str:
    """The document with the value at a pointer replaced by a text, added, or (None) removed.

    A member is added right behind the brace, without spaces, so that removing it gives back the same bytes.
    Raises NotADocument, and KeyError where there is no object to add to.
    """
    found = _read(text)
    place = found.locate(pointer)
    if place is not None:
        start, value_start, end = place
        if value is not None:
            return text[:value_start] + value + text[end:]
        comma = _skip(text, end)
        if text[comma : comma + 1] == ",":
            return text[:start] + text[comma + 1 :]
        before = text[:start].rstrip(_SPACE)
        return (before[:-1] if before.endswith(",") else text[:start]) + text[end:]
    if value is None:
        return text
    parent, _, name = pointer.rpartition("/")
    inside = found.locate(parent)
    if inside is None or text[inside[1]] != "{":
        raise KeyError(pointer)
    brace = inside[1] + 1
    then = "" if text[_skip(text, brace)] == "}" else ","
    return f"{text[:brace]}{dumps(segments('/' + name)[0])}:{value}{then}{text[brace:]}"


def with_raws(text: str, values: Mapping[str, str | None]) -> str:
    """The document with several values set, as `with_raw` sets each; raises as it does.

    Members of one object are set in that object's own text: a long document is read once, not once for each value. No
    value that is set may be an object that another one is to be set in.
    """
    found = _read(text)
    by_parent: dict[str, dict[str, str | None]] = {}
    for pointer, value in values.items():
        parent, slash, name = pointer.rpartition("/")
        by_parent.setdefault(parent, {})[slash + name] = value
    changed: list[tuple[int, int, str]] = []
    for parent, members in by_parent.items():
        place = found.locate(parent)
        if place is None or text[place[1]] != "{":
            if missing := [parent + name for name, value in members.items() if value is not None]:
                raise KeyError(missing[0])
            continue
        inside = text[place[1] : place[2]]
        for name, value in members.items():
            inside = with_raw(inside, name, value)
        changed.append((place[1], place[2], inside))
    changed.sort()
    if any(left[1] > right[0] for left, right in pairwise(changed)):  # one object is inside another
        return reduce(lambda done, pointer: with_raw(done, pointer, values[pointer]), values, text)
    for start, end, inside in reversed(changed):
        text = text[:start] + inside + text[end:]
    return text


class _Document:
    """A text that is parsed once, with the places of the members of each object that was stepped into."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._value, self._wrong = _parsed(text)
        self._objects: dict[int, dict[str, Place | None]] = {}

    @property
    def value(self) -> dict[str, Any]:
        """Raises NotADocument."""
        self._insist()
        assert self._value is not None
        return self._value

    def locate(self, pointer: str) -> Place | None:
        """Start of the member, start and end of its value. Raises NotADocument."""
        self._insist()
        start = value_start = _skip(self._text, 0)
        end = len(self._text)
        for name in segments(pointer):
            members = self._members(value_start)
            if name not in members:
                return None
            found = members[name]
            if found is None:
                raise NotADocument(f"{name!r} is there twice")
            start, value_start, end = found
        return start, value_start, end

    def _insist(self) -> None:
        if self._value is None:
            raise NotADocument(self._wrong)

    def _members(self, brace: int) -> dict[str, Place | None]:
        if brace not in self._objects:
            self._objects[brace] = _members(self._text, brace)
        return self._objects[brace]


@lru_cache(maxsize=4)  # a tick looks at the same few texts again and again
def _read(text: str) -> _Document:
    return _Document(text)


def _parsed(text: str) -> tuple[dict[str, Any] | None, str]:
    """The document, or what is wrong with it."""
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        return None, str(error)
    return (value, "") if isinstance(value, dict) else (None, "it is not a JSON object")


def _members(text: str, place: int) -> dict[str, Place | None]:
    """The members of the object that begins here, None for a name that is there twice; none of anything else."""
    if text[place] != "{":
        return {}
    members: dict[str, Place | None] = {}
    place = _skip(text, place + 1)
    while text[place] != "}":
        if text[place] == ",":
            place = _skip(text, place + 1)
        key, after = scanstring(text, place + 1, True)
        value = _skip(text, _skip(text, after) + 1)
        _, stop = _DECODER.raw_decode(text, value)
        members[key] = None if key in members else (place, value, stop)
        place = _skip(text, stop)
    return members


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in _SPACE:
        place += 1
    return place
