"""What a run of the tests has shown: which tests of which rows passed, and the figures that tests hand over.

One JSON object a line in `.run/results.jsonl`, appended by every suite of `make test`, so that its end can say what
the whole run came to.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

RESULTS = ROOT / ".run" / "results.jsonl"

RECORDED = Path(__file__).parent / "figures.json"
"""The figures that docs/reliability.md shows: those of one run, recorded by `make figures`."""

SCENARIOS = Path(__file__).parent / "scenarios.json"
"""What docs/performance.md says of scenarios: each as it was played last, recorded by `make scenarios`."""


@dataclass(frozen=True)
class Figure:
    """A number that a run came to, as people read it; `unit` is empty for a count."""

    name: str
    value: float | str
    unit: str = ""

    @property
    def text(self) -> str:
        """`31,204`, `3.2 s`."""
        number = self.value if isinstance(self.value, str) else f"{self.value:,.{0 if self.value % 1 == 0 else 2}f}"
        return f"{number} {self.unit}".rstrip()


@dataclass(frozen=True)
class Scenario:
    """What users got in a scenario, side by side: how many error pages without a policy and with one.

    `users` is how many asked each of the two; `note` is what else there is to say; `test` is the file that plays it.
    """

    name: str
    users: int
    without: int
    with_policy: int
    note: str
    test: str


@dataclass
class Results:
    """Everything that was shown: figures and scenarios by name in the order of the run, tests (path, name) passed."""

    figures: dict[str, Figure] = field(default_factory=dict)
    scenarios: dict[str, Scenario] = field(default_factory=dict)
    passed: set[tuple[str, str]] = field(default_factory=set)


def begin() -> None:
    """Forgets the run before."""
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("")


def add_figure(name: str, value: float | str, unit: str = "") -> None:
    """Hands a figure over to the end of the run."""
    _append({"figure": name, "value": value, "unit": unit})


def add_scenario(scenario: Scenario) -> None:
    """Hands over what a scenario came to."""
    _append({"scenario": asdict(scenario)})


def add_passed(path: str, name: str) -> None:
    """A test with a row's mark has passed; `name` is its function's."""
    _append({"path": path, "test": name})


def read_results() -> Results:
    """What the run has shown so far."""
    results = Results()
    for line in _lines():
        if "figure" in line:
            figure = Figure(str(line["figure"]), line["value"], str(line["unit"]))  # type: ignore[arg-type]
            results.figures[figure.name] = figure
        elif "scenario" in line:
            scenario = Scenario(**line["scenario"])  # type: ignore[arg-type]
            results.scenarios[scenario.name] = scenario
        else:
            results.passed.add((str(line["path"]), str(line["test"])))
    return results


def recorded() -> list[Figure]:
    """The figures of the recorded run."""
    return [Figure(**each) for each in json.loads(RECORDED.read_text())]


def record(figures: list[Figure]) -> None:
    """Keeps figures for the page."""
    kept = [{"name": figure.name, "value": figure.value, "unit": figure.unit} for figure in figures]
    RECORDED.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n")


def recorded_scenarios() -> list[Scenario]:
    """The scenarios as they were recorded."""
    return [Scenario(**each) for each in json.loads(SCENARIOS.read_text())]


def record_scenarios(played: Mapping[str, Scenario]) -> None:
    """Keeps scenarios for the page, each in place of the one that has its name."""
    kept = {scenario.name: scenario for scenario in recorded_scenarios()} | dict(played)
    SCENARIOS.write_text(json.dumps([asdict(each) for each in kept.values()], indent=2, ensure_ascii=False) + "\n")


def _append(line: dict[str, object]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as out:
        out.write(json.dumps(line) + "\n")


def _lines() -> Iterator[dict[str, object]]:
    if RESULTS.exists():
        for line in RESULTS.read_text().splitlines():
            yield json.loads(line)
