"""`python -m supply sbom` prints the list of packages; `audit` judges them: 0 clean, 1 vulnerable, 2 not known."""

import sys
from pathlib import Path

from supply.audit import audit
from supply.sbom import sbom

ROOT = Path(__file__).parents[1]


def main(arguments: list[str]) -> int:
    """Does what was asked for; gives the exit code."""
    match arguments:
        case ["sbom"]:
            sys.stdout.write(sbom(ROOT))
            return 0
        case ["audit"]:
            code, lines = audit(ROOT)
            print("\n".join(lines))
            return code
        case _:
            print("say sbom or audit", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
