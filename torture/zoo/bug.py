"""What a bug of the zoo is: a sentence, the edits that plant it, and the checks that must turn red."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """A piece of a module's source, or of a file of the chart, and what the bug has in its place.

    `module` is its name, or the file's path within the chart: `templates/author-check.yaml`.
    The piece must be there exactly once: when the product moves on, the plant fails loudly instead of doing nothing.
    """

    module: str
    before: str
    after: str

    @property
    def is_in_the_chart(self) -> bool:
        """Whether it is a file of the chart."""
        return "/" in self.module


@dataclass(frozen=True)
class Bug:
    """`name` is a slug, `story` says what goes wrong and where it comes from; `caught_by` are ids of tests.

    An id without a case in brackets means the whole test: it is red when any of its cases is.
    """

    name: str
    story: str
    edits: tuple[Edit, ...]
    caught_by: tuple[str, ...]


def edited(source: str, edits: tuple[Edit, ...], module: str) -> str:
    """The source with a module's edits in it. Raises LookupError where a piece is not there exactly once."""
    for edit in edits:
        if edit.module != module:
            continue
        if source.count(edit.before) != 1:
            times = source.count(edit.before)
            raise LookupError(f"{module} has {edit.before.strip()!r} {times} times, not once: plant the bug anew")
        source = source.replace(edit.before, edit.after)
    return source
