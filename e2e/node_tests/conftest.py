"""A real node for tests: one at a time on a machine, for one module's tests.

- `cluster`: control plane, node and Prometheus (node.cluster); the node has the operator's image.
- `api`, `kubectl`: as administrator.
- `release`, `pods`: the chart as users install it, and its pods.
- `shop`: a namespace under the restricted pod security standard with metrics that tests set, for one module.

Where the machine can't have a node, the tests are skipped with the reason; in CI (environment CI=true) they fail.
After each module the machine must look as before.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from node.cluster import Cluster, open_namespace
from node.operator_pods import OperatorPods, installed
from node.requirements import in_ci, missing
from node.traces import traces_without_node
from plane.api import Api
from plane.audit import EVERYBODYS
from plane.metrics_source import MetricsSource
from plane.release import Release
from plane.shop import Shop
from plane.tools import Tool, kubectl_for

SHOP = "shop"
_logs: dict[str, Callable[[], dict[str, str]]] = {}
"""What a failing test's report shows."""


@pytest.fixture(scope="session")
def machine() -> None:
    """A machine that can have a node."""
    if lacking := missing():
        if in_ci():
            pytest.fail(lacking)
        pytest.skip(lacking)


@pytest.fixture(scope="module")
def cluster(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A node with its control plane, of which nothing is left afterwards."""
    before = traces_without_node()
    with Cluster(tmp_path_factory.mktemp("cluster"), audit=EVERYBODYS) as cluster:
        _logs["node"] = cluster.logs
        yield cluster
    _logs.clear()
    assert before.changes(traces_without_node()) == []


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Api:
    """The API server as administrator."""
    return cluster.plane.api


@pytest.fixture(scope="module")
def kubectl(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """kubectl as administrator."""
    return kubectl_for(cluster.plane.kubeconfig(), tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def shop(cluster: Cluster, api: Api, kubectl: Tool) -> Iterator[Shop]:
    """A namespace with metrics that tests set, scraped every second."""
    open_namespace(api, SHOP)
    source = MetricsSource()
    cluster.prometheus.add_target(source.address)
    shop = Shop(SHOP, api, kubectl, source)
    _logs["shop"] = lambda: {"policies": shop.describe(), "pods": kubectl("get", "pods", "-A", "-o", "wide")}
    try:
        yield shop
    finally:
        source.stop()


@pytest.fixture(scope="module")
def release(cluster: Cluster, shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """`helm install` with two replicas, and otherwise the chart's own values."""
    return installed(cluster, tmp_path_factory.mktemp("release"), SHOP)


@pytest.fixture(scope="module")
def pods(release: Release) -> OperatorPods:
    """The operator's pods, ready, one of them leading."""
    return OperatorPods(release).wait_at_work()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Attaches the ends of all logs to the report of a failure."""
    report = yield
    if report.failed:
        for find in list(_logs.values()):
            try:
                report.sections.extend(find().items())
            except Exception as error:
                report.sections.append(("logs", repr(error)))
    return report
