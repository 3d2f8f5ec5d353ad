"""Values inside a JSON text, read and replaced without touching any other byte.

Parsing and printing a document again would lose its owner's spacing, order and number formats, and restoring
could not give back the bytes that were there. So values are found by their place in the text.
"""

from functools import lru_cache
from json import dumps
from json.decoder import JSONDecoder, scanstring  # type: ignore[attr-defined] # there, but in no stub
from typing import Any

from stepdown.engine.pointer import segments


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


_DECODER = JSONDecoder(strict=True, parse_constant=_no_number)
_SPACE = " \t\r\n"


class NotADocument(ValueError):
    """The text isn't a JSON object, or names a key twice on the way; the message says where."""


def parse(text: str) -> dict[str, Any]:
    """The document as a dict. Raises NotADocument."""
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise NotADocument(str(error)) from None
    if not isinstance(value, dict):
        raise NotADocument("it is not a JSON object")
    return value


def raw(text: str, pointer: str) -> str | None:
    """The very text of the value at a pointer, or None where there is none. Raises NotADocument."""
    place = _locate(text, pointer)
    return None if place is None else text[place[1] : place[2]]


def with_raw(text: str, pointer: str, value: str | None) -> str:
    """The document with the value at a pointer replaced by a text, added, or (None) removed.

    A member is added right behind the brace, without spaces, so that removing it gives back the same bytes.
    Raises NotADocument, and KeyError where there is no object to add to.
    """
    place = _locate(text, pointer)
    if place is not None:
        start, value_start, end = place
        if value is not None:
            return text[:value_start] + value + text[end:]
        if text[end : end + 1] == ",":
            return text[:start] + text[end + 1 :]
        before = text[:start].rstrip(_SPACE)
        return (before[:-1] if before.endswith(",") else text[:start]) + text[end:]
    if value is None:
        return text
    parent, _, name = pointer.rpartition("/")
    inside = _locate(text, parent) if parent else (0, _skip(text, 0), len(text))
    if inside is None or text[inside[1]] != "{":
        raise KeyError(pointer)
    brace = inside[1] + 1
    comma = "" if text[_skip(text, brace)] == "}" else ","
    return f"{text[:brace]}{dumps(segments('/' + name)[0])}:{value}{comma}{text[brace:]}"


@lru_cache(maxsize=32)  # a tick looks at the same few places of the same text again and again
def _locate(text: str, pointer: str) -> tuple[int, int, int] | None:
    """Start of the member, start and end of its value."""
    parse(text)
    start = value_start = _skip(text, 0)
    end = len(text)
    for name in segments(pointer):
        found = None
        for key, member, value, stop in _members(text, value_start):
            if key == name:
                if found is not None:
                    raise NotADocument(f"{name!r} is there twice")
                found = (member, value, stop)
        if found is None:
            return None
        start, value_start, end = found
    return start, value_start, end


def _members(text: str, place: int) -> list[tuple[str, int, int, int]]:
    if text[place] != "{":
        return []
    members = []
    place = _skip(text, place + 1)
    while text[place] != "}":
        if text[place] == ",":
            place = _skip(text, place + 1)
        key, after = scanstring(text, place + 1, True)
        value = _skip(text, _skip(text, after) + 1)
        _, stop = _DECODER.raw_decode(text, value)
        members.append((key, place, value, stop))
        place = _skip(text, stop)
    return members


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in _SPACE:
        place += 1
    return place
