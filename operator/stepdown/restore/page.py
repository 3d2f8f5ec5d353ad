"""What is printed: comments, commands, and what a target's annotation alone says is held on it."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from stepdown.api.lines import one_line
from stepdown.api.status import Entry, EntryState, EntryTarget
from stepdown.engine.annotation import annotation_of
from stepdown.engine.fields import KINDS, Target, decode
from stepdown.engine.ledger import entry_id
from stepdown.engine.undo import Undo


def marked(kind: str, obj: Mapping[str, Any]) -> dict[str, list[Entry]]:
    """What an object's annotation alone says is held on it, by policy.

    What doesn't fit this very object is left out: somebody has copied the annotation, or made it.
    """
    found: dict[str, list[Entry]] = {}
    metadata = obj["metadata"]
    target = Target(kind, str(metadata["name"]), str(metadata["uid"]))
    for key, facts in annotation_of(obj).items():
        if not isinstance(facts, dict) or key != entry_id(target, str(facts.get("path"))):
            continue
        try:
            entry = Entry(
                id=key,
                target=EntryTarget(
                    group=KINDS[kind].group,
                    version=KINDS[kind].version,
                    kind=kind,
                    name=target.name,
                    uid=target.uid,
                ),
                path=facts["path"],
                original=facts.get("original"),
                applied=facts.get("applied"),
                state=EntryState.APPLIED,
                level=facts.get("level", ""),
                time=0.0,
            )
            for text in (entry.original, entry.applied):
                decode(text)
        except (ValidationError, ValueError):
            continue
        found.setdefault(str(facts.get("policy")), []).append(entry)
    return found


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
