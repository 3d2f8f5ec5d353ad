"""What is known of mutants: those that may survive, each with its reason, and the last full run."""

import json
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

_HERE = Path(__file__).parent
SURVIVORS = _HERE / "survivors.toml"
RESULTS = _HERE / "results.json"


def survivors() -> dict[str, str]:
    """Reasons by the line of the mutant."""
    reasons: dict[str, str] = {}
    for group in tomllib.loads(SURVIVORS.read_text()).get("because", []):
        reasons |= dict.fromkeys(group["mutants"], group["why"])
    return reasons


@dataclass(frozen=True)
class Results:
    """A full run. `by_walks` are lines of those that only the long tests kill; a timeout is a mutant that hangs."""

    tried: int
    killed: int
    timeouts: int
    by_walks: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of the mutants, those that some test notices."""
        return (self.killed + self.timeouts) / self.tried if self.tried else 0.0

    def keep(self) -> None:
        """Writes them down."""
        RESULTS.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")
