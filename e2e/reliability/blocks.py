"""Parts of pages that are written by a command, between two lines that say so."""

from collections.abc import Sequence
from pathlib import Path

END = "<!-- end -->\n"


def with_block(page: Path, command: str, lines: Sequence[str]) -> str:
    """The page with these lines after `<!-- written by COMMAND -->`. Raises ValueError where a mark is missing."""
    mark = f"<!-- written by {command} -->\n"
    before, begin, rest = page.read_text(encoding="utf-8").partition(mark)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} has no lines {mark.strip()} and {END.strip()}: put them back")
    return before + begin + "\n".join(lines) + "\n" + end + after
