"""What a mutant changes, as one line that outlives its number: `ledger._keep: this => that`.

To be run in the stage's folder, where mutmut finds its files: `python difference.py NAME...` prints a JSON object.
"""

import json
import re
import sys

_MARKED = re.compile(r"^([-+])(?!--|\+\+)(.*)$", re.MULTILINE)


def line_of(name: str, diff: str) -> str:
    """The line of a mutant, from its name and its unified diff."""
    changed: dict[str, list[str]] = {"-": [], "+": []}
    for sign, text in _MARKED.findall(diff):
        changed[sign].append(" ".join(text.split()))
    return f"{function_of(name)}: {' '.join(changed['-'])} => {' '.join(changed['+'])}"


def function_of(name: str) -> str:
    """`ledger._keep` or `turn.Turn.move`, from mutmut's name for a mutant."""
    module, _, mangled = name.partition("__mutmut_")[0].rpartition(".")
    function = mangled.removeprefix("xǁ").replace("ǁ", ".") if mangled.startswith("xǁ") else mangled.removeprefix("x_")
    return f"{module.rpartition('.')[2]}.{function}"


def main() -> None:
    """Prints the line of each mutant that is named."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    print(json.dumps({name: line_of(name, get_diff_for_mutant(name)) for name in sys.argv[1:]}))


if __name__ == "__main__":
    main()
