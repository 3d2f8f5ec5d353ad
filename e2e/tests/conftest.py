"""The real thing for tests: one plane, one Prometheus, one release and one operator a session; a namespace a test.

Fixtures to use:

- `shop`: a Shop (plane.shop) in a namespace of its own, with a MetricsSource that Prometheus scrapes every second.
- `operator`: the running operator, leading; a test may stop, kill or pause it, the next test gets a new one.
- `replicas`: a factory of further Operators over the same release, killed at the end of the test.
- `plane`, `prometheus`, `release`: the session's; leave them as they were.
- `api`, `kubectl`, `helm`: as administrator. `namespace` and `source` where a Shop is too much.

Everything is stopped at the end, on Ctrl-C too. A failing test's report has the logs.
"""

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from faults.stage import FaultStage
from plane.api import Api, ApiError
from plane.audit import RULES
from plane.control_plane import ControlPlane
from plane.gateway import served
from plane.keda import SCALED_OBJECTS
from plane.metrics_source import MetricsSource
from plane.operator import Operator
from plane.processes import wait_for
from plane.prometheus import Prometheus
from plane.release import Release
from plane.shop import Shop, let_go
from plane.tools import Paste, Tool, helm_for, kubectl_for
from plane.turns import turn

_numbers = itertools.count(1)
_logs: dict[str, Callable[[], str]] = {}
"""What a failing test's report shows: title to text."""


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the session's programs."""
    return tmp_path_factory.mktemp("plane")


@pytest.fixture(scope="session")
def plane(session_folder: Path) -> Iterator[ControlPlane]:
    """The control plane. `nobody-token` is a user without any right."""
    plane = ControlPlane(session_folder / "plane", users=(("nobody-token", "nobody", ""),), audit=RULES)
    try:
        plane.start()
        for process in plane.processes:
            _logs[process.name] = lambda process=process: process.tail(15)
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def prometheus(session_folder: Path) -> Iterator[Prometheus]:
    """Prometheus, scraping every second."""
    prometheus = Prometheus(session_folder / "prometheus")
    try:
        prometheus.start()
        assert prometheus.process is not None
        _logs["prometheus"] = prometheus.process.tail
        yield prometheus
    finally:
        prometheus.resume()
        prometheus.stop()


@pytest.fixture(scope="session")
def release(plane: ControlPlane, prometheus: Prometheus, session_folder: Path) -> Release:
    """The chart with its CRDs, installed once by Helm into stepdown-system."""
    return Release(plane, session_folder / "release", prometheus.url).install()


@pytest.fixture(scope="session")
def _first_operator(release: Release, session_folder: Path) -> Iterator[list[Operator]]:
    """The session's operator in a list of one, so that a new one can take its place."""
    holder: list[Operator] = []
    _logs["operator"] = lambda: holder[0].tail() if holder else ""
    try:
        yield holder
    finally:
        for operator in holder:
            operator.stop()


@pytest.fixture(scope="session")
def lead(_first_operator: list[Operator], release: Release, session_folder: Path) -> Callable[[], Operator]:
    """Makes sure that the session's operator runs and leads, and gives it: for fixtures that outlive a test."""

    def lead() -> Operator:
        if not _first_operator or not _first_operator[0].running:
            _first_operator[:] = [Operator(release, session_folder / "operator").start()]
        _first_operator[0].resume()
        return _first_operator[0].wait_leader()

    return lead


@pytest.fixture
def operator(lead: Callable[[], Operator]) -> Operator:
    """The running operator, leading; a new process when a test before ended it."""
    return lead()


@pytest.fixture(scope="session")
def stand_down(_first_operator: list[Operator]) -> Callable[[], None]:
    """Stops the session's operator, so that a test leads with its own; who asks for `operator` next gets a new one."""

    def stand_down() -> None:
        for operator in _first_operator:
            operator.resume()
            operator.stop()
        _first_operator.clear()

    return stand_down


@pytest.fixture
def replicas(release: Release, session_folder: Path) -> Iterator[Callable[..., Operator]]:
    """Starts further Operators over the session's release; takes Operator's keywords, and doesn't wait.

    They are stopped at the end of the test. While the session's operator leads they only stand by.
    """
    started: list[Operator] = []

    def start(**keywords: Any) -> Operator:
        operator = Operator(release, session_folder / "operator", **keywords).start()
        started.append(operator)
        _logs[operator.name] = operator.tail
        return operator

    yield start
    for operator in started:
        operator.resume()
        operator.stop()
        _logs.pop(operator.name, None)


@pytest.fixture(scope="session")
def api(plane: ControlPlane) -> Api:
    """The API server as administrator."""
    return plane.api


@pytest.fixture(scope="session")
def kubectl(plane: ControlPlane, session_folder: Path) -> Tool:
    """kubectl as administrator: `kubectl("get", "dgp")` gives its output, `kubectl.refused(...)` its complaint."""
    return kubectl_for(plane.kubeconfig(), session_folder / "home")


@pytest.fixture(scope="session")
def helm(plane: ControlPlane, session_folder: Path) -> Tool:
    """Helm as administrator."""
    return helm_for(plane.kubeconfig(), session_folder / "home")


@pytest.fixture(scope="session")
def open_namespace(plane: ControlPlane, release: Release) -> Callable[[str], contextlib.AbstractContextManager[str]]:
    """A factory: `with open_namespace("walk") as name`, for fixtures that outlive a test."""

    @contextlib.contextmanager
    def opened(title: str) -> Iterator[str]:
        words = re.sub(r"[^a-z0-9]+", "-", title.removeprefix("test_").lower()).strip("-")[:40].strip("-")
        name = f"{words}-{next(_numbers)}"
        plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        wait_for(f"{name} can be used", lambda: plane.api.find("ServiceAccount", "default", name) is not None)
        try:
            yield name
        finally:
            with contextlib.suppress(ApiError):
                let_go(plane.api, name)
            plane.api.delete("Namespace", name)

    return opened


@pytest.fixture(scope="session")
def open_source(prometheus: Prometheus) -> Iterator[Callable[[], contextlib.AbstractContextManager[MetricsSource]]]:
    """A factory: `with open_source() as source`, for fixtures that outlive a test.

    Sources are used again, because Prometheus takes up to 5 s until it scrapes a new target.
    """
    idle: list[MetricsSource] = []

    @contextlib.contextmanager
    def opened() -> Iterator[MetricsSource]:
        source = idle.pop() if idle else MetricsSource()
        if not source.scrapes:
            prometheus.add_target(source.address)
        try:
            yield source
        finally:
            source.clear()
            before = len(source.scrapes)
            try:
                wait_for("a scrape that finds nothing", lambda: len(source.scrapes) > before, timeout=3)
                idle.append(source)
            except TimeoutError:  # a test has taken it away from Prometheus
                prometheus.remove_target(source.address)
                source.stop()

    yield opened
    for source in idle:
        source.stop()


@pytest.fixture(scope="session")
def open_shop(
    plane: ControlPlane, kubectl: Tool, open_namespace: Any, open_source: Any
) -> Callable[[str], contextlib.AbstractContextManager[Shop]]:
    """A factory: `with open_shop("walk") as shop`, for fixtures that outlive a test."""

    @contextlib.contextmanager
    def opened(title: str) -> Iterator[Shop]:
        with open_namespace(title) as namespace, open_source() as source:
            shop = Shop(namespace, plane.api, kubectl, source)
            _logs[f"policies in {namespace}"] = shop.describe
            try:
                yield shop
            finally:
                del _logs[f"policies in {namespace}"]

    return opened


@pytest.fixture(scope="module")
def faults(
    plane: ControlPlane, release: Release, session_folder: Path, stand_down: Callable[[], None], open_source: Any
) -> Iterator[FaultStage]:
    """An operator behind a proxy with a plan of faults (faults.stage), which leads in one module's tests."""
    stand_down()
    with open_source() as source:
        stage = FaultStage(plane, release, session_folder / "operator", source)
        _logs[stage.operator.name] = stage.operator.tail
        try:
            stage.start().operator.wait_leader(60)
            yield stage
        finally:
            stage.stop()
            _logs.pop(stage.operator.name, None)


@pytest.fixture
def namespace(request: pytest.FixtureRequest, open_namespace: Any) -> Iterator[str]:
    """A namespace of the test's own. At the end its policies are deleted, and what is left is let go."""
    with open_namespace(request.node.name) as name:
        yield name


@pytest.fixture
def source(open_source: Any) -> Iterator[MetricsSource]:
    """Series that the test sets, scraped every second. At the end they go stale, so that no other test sees them."""
    with open_source() as source:
        yield source


@pytest.fixture
def shop(request: pytest.FixtureRequest, open_shop: Any) -> Iterator[Shop]:
    """The world of one test, with a namespace and a source of its own; the operator is another fixture."""
    with open_shop(request.node.name) as shop:
        yield shop


@pytest.fixture(scope="module")
def keda(api: Api) -> Iterator[None]:
    """The kind ScaledObject, served."""
    api.create(SCALED_OBJECTS)
    try:
        yield
    finally:
        api.delete("CustomResourceDefinition", SCALED_OBJECTS["metadata"]["name"])


@pytest.fixture(scope="module")
def gateway(api: Api, kubectl: Tool) -> Iterator[None]:
    """The kind HTTPRoute, served."""
    with served(api, kubectl):
        yield


@pytest.fixture
def paste(plane: ControlPlane, tmp_path: Path) -> Paste:
    """Pastes lines into bash, where kubectl is the administrator's."""
    return Paste(plane.kubeconfig(), tmp_path)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """A test that is marked `alone` runs beside none of the other process, from its fixtures' start to their end."""
    with turn(item.config.rootpath / ".run", alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Attaches the ends of all logs to the report of a failure."""
    report = yield
    if report.failed:
        for title, text in list(_logs.items()):
            with contextlib.suppress(Exception):
                report.sections.append((title, text()))
    return report
