"""For pytest: the fixtures `figure` and `scenario`, and a note of each test with a row's mark that passed."""

from collections.abc import Callable
from dataclasses import asdict

import pytest

from reliability.results import ROOT, Scenario, add_figure, add_passed, add_scenario

HandOver = Callable[..., None]


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> HandOver:
    """`figure("failover p99", 3.2, "s")`: a number that the run came to. It counts when the test passes."""

    def hand_over(name: str, value: float | str, unit: str = "") -> None:
        request.node.user_properties.append(("figure", (name, value, unit)))

    return hand_over


@pytest.fixture
def scenario(request: pytest.FixtureRequest) -> HandOver:
    """`scenario("The launch", users=12_000, without=10_000, with_policy=0, note="…")`: what users got.

    It counts when the test passes.
    """

    def hand_over(name: str, *, users: int, without: int, with_policy: int, note: str = "") -> None:
        test = request.node.path.relative_to(ROOT).as_posix()
        played = Scenario(name, users, without, with_policy, note, test)
        request.node.user_properties.append(("scenario", asdict(played)))

    return hand_over


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks travel with reports, so that they arrive from workers too."""
    for item in items:
        if item.get_closest_marker("row") is not None:
            path = item.path.relative_to(ROOT).as_posix()
            item.user_properties.append(("row", (path, item.originalname if isinstance(item, pytest.Function) else "")))


class Recorder:
    """Writes down what passed; in the process that all reports come to."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for each phase of each test."""
        if report.when != "call" or not report.passed:
            return
        for kind, value in report.user_properties:
            match kind, value:
                case "figure", (str(name), str(number) | int(number) | float(number), str(unit)):
                    add_figure(name, number, unit)
                case "scenario", dict(played):
                    add_scenario(Scenario(**played))
                case "row", (str(path), str(test)):
                    add_passed(path, test)


def pytest_configure(config: pytest.Config) -> None:
    """Registers the recorder."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(), "reliability-recorder")
