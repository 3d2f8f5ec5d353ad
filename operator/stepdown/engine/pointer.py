"""Segments of the pointers that field paths are made of: RFC 6901, and `~2` for the `#` that splits a path."""


def escape(name: str) -> str:
    """One segment of a path."""
    return name.replace("~", "~0").replace("/", "~1").replace("#", "~2")


def unescape(segment: str) -> str:
    """The name that `escape` was given."""
    return segment.replace("~2", "#").replace("~1", "/").replace("~0", "~")


def segments(pointer: str) -> list[str]:
    """The names that a pointer steps through."""
    names = pointer.split("/")[1:]
    return [unescape(name) for name in names] if "~" in pointer else names
