"""docs/bug-zoo.md: each bug, and the tests that turn red with it."""

from torture.zoo.bug import Bug
from torture.zoo.catalogue import SECTIONS
from torture.zoo.running import ROOT

PAGE = ROOT / "docs" / "bug-zoo.md"

HEAD = """\
# The bug zoo

Bugs that operators really had: others, those that tools beside this one were measured to have, and those that were
made and found while building it. `make zoo` plants each in the product, in the process of the tests only, and fails
when a test that is named here does not turn red, or is not green without the bug. So the table also says which
tests are red when a guard is removed: a `test` operation, the epoch claim, the check for finite numbers, the check
of what an author may do.

`python -m torture.zoo run NAME` (with `PYTHONPATH=e2e`) plants one.
"""


def page() -> str:
    """The page as it should be."""
    parts = [HEAD]
    for name, bugs in SECTIONS.items():
        parts.append(f"\n## {name}\n\n| bug | what goes wrong | red with it |\n| --- | --- | --- |\n")
        parts += [f"| `{bug.name}` | {bug.story} | {_links(bug)} |\n" for bug in bugs]
    return "".join(parts)


def _links(bug: Bug) -> str:
    links = []
    for check in bug.caught_by:
        path, _, test = check.partition("::")
        links.append(f"[{test.removeprefix('test_').replace('_', ' ')}](../{path})")
    return "; ".join(links)
