"""What is printed: comments and commands."""

import sys
from collections.abc import Iterable

from stepdown.api.lines import one_line
from stepdown.engine.undo import Undo


def comment(text: str) -> str:
    """A line that a shell skips, whatever is in the text."""
    return "# " + one_line(text, len(text))


def page(title: str, hints: Iterable[str], done: Undo) -> list[str]:
    """The lines to print for one policy: comments, commands, and what is left as it is."""
    lines = [comment(title), *map(comment, hints), *done.commands]
    return [*lines, *(comment(f"left as it is: {remark}") for remark in done.remarks)]


def say(text: str) -> None:
    """One line of standard error."""
    print(one_line(text, len(text)), file=sys.stderr)
