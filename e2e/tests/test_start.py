"""What isn't there at the start is said in one clear line and waited for; never a traceback."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from plane.api import Api
from plane.control_plane import ControlPlane
from plane.forwarder import Forwarder
from plane.operator import Operator
from plane.prometheus import Prometheus
from plane.release import Release
from plane.shop import Shop

Start = Callable[..., Operator]
POWERLESS = "powerless"


@pytest.fixture
def forward() -> Iterator[Callable[[str], Forwarder]]:
    """A closed port before a URL, closed again at the end."""
    made: list[Forwarder] = []

    def forward(url: str) -> Forwarder:
        made.append(Forwarder(url))
        return made[-1]

    yield forward
    for forwarder in made:
        forwarder.close()


@pytest.fixture
def powerless(plane: ControlPlane, release: Release, api: Api) -> Iterator[str]:
    """A ServiceAccount in the release's namespace without any right."""
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": POWERLESS}}, release.namespace)
    yield POWERLESS
    api.delete("ServiceAccount", POWERLESS, release.namespace)


def warnings(operator: Operator) -> list[str]:
    """The sentences of everything above info, and every line that is no JSON object at all."""
    found = []
    for line in operator.lines():
        try:
            entry = json.loads(line)
        except ValueError:
            found.append(line)
            continue
        if entry["level"] != "INFO":
            found.append(entry["message"])
    return found


def wait_retries(operator: Operator, log: str, seconds: float = 4.0) -> None:
    """Waits for a line, and then for so long that a retry would have said it again."""
    operator.wait_log(log)
    time.sleep(seconds)
    assert operator.running


def test_without_an_api_server_one_line_says_so_and_it_leads_when_the_server_comes(
    plane: ControlPlane, release: Release, replicas: Start, stand_down: Callable[[], None], forward: Callable
) -> None:
    stand_down()
    server = forward(plane.url)
    operator = replicas(kubeconfig=server.kubeconfig(release.kubeconfig()))

    wait_retries(operator, "no lease yet", 2.5)
    said = warnings(operator)
    server.open()
    operator.wait_leader()

    assert len(said) == 1
    assert f"Cannot connect to host 127.0.0.1:{server.port}" in said[0]


def test_without_rights_one_line_each_says_what_is_refused_and_it_works_when_they_are_given(
    plane: ControlPlane, release: Release, powerless: str, replicas: Start, stand_down: Callable, shop: Shop
) -> None:
    stand_down()
    shop.apply(shop.quick())
    operator = replicas(kubeconfig=plane.service_account_kubeconfig(release.namespace, powerless))

    wait_retries(operator, "no lease yet", 2.5)
    without_lease = warnings(operator)
    shop.kubectl(
        "create",
        "rolebinding",
        powerless,
        f"--role={release.name}-own",
        f"--serviceaccount={release.namespace}:{powerless}",
        "--namespace",
        release.namespace,
    )
    operator.wait_leader()
    wait_retries(operator, "can't be listed")
    without_lists = warnings(operator)[1:]
    roles = [release.name, f"{release.name}-policies", f"{release.name}-workloads"]
    for role in roles:
        shop.kubectl(
            "create",
            "clusterrolebinding",
            f"{role}-{powerless}",
            f"--clusterrole={role}",
            f"--serviceaccount={release.namespace}:{powerless}",
        )
    try:
        shop.wait_condition("shop", "Ready", "False", "TargetNotFound")
    finally:
        shop.kubectl("delete", "clusterrolebinding", *(f"{role}-{powerless}" for role in roles))
        shop.kubectl("delete", "rolebinding", powerless, "--namespace", release.namespace)

    assert without_lease == [
        f'no lease yet: 403: leases.coordination.k8s.io "stepdown" is forbidden: User "system:serviceaccount:'
        f'{release.namespace}:{powerless}" cannot get resource "leases" in API group "coordination.k8s.io" in the'
        f" namespace \"{release.namespace}\"; give the operator's ServiceAccount the chart's roles"
    ]
    assert len(without_lists) == 1
    assert without_lists[0].startswith("namespaces can't be listed: ")
    assert without_lists[0].endswith("; give the operator's ServiceAccount the chart's roles")


def test_without_crds_one_line_says_how_to_install_them_and_it_works_when_they_are_there(
    release: Release, replicas: Start, stand_down: Callable[[], None], shop: Shop
) -> None:
    stand_down()
    shop.kubectl("delete", "crd", "degradationpolicies.stepdown.dev", "metricsendpoints.stepdown.dev")
    operator = replicas()

    wait_retries(operator, "can't be listed")
    said = warnings(operator)
    release.upgrade()
    shop.apply(shop.quick())

    shop.wait_condition("shop", "Ready", "False", "TargetNotFound")
    assert len(said) == 1
    assert said[0].startswith("metricsendpoints can't be listed: ")
    assert said[0].endswith("; install the CRDs: helm install, or stepdown crd | kubectl apply -f -")


def test_without_prometheus_the_policy_says_so_and_it_works_when_it_comes(
    release: Release,
    prometheus: Prometheus,
    replicas: Start,
    stand_down: Callable[[], None],
    shop: Shop,
    forward: Callable,
) -> None:
    stand_down()
    server = forward(prometheus.url)
    operator = replicas(config={"metricsEndpoint": {**release.config()["metricsEndpoint"], "url": server.url}})
    shop.apply_workloads("shop", "shop-static")
    shop.all_is_well("shop")
    shop.apply(shop.quick())

    unseen = shop.wait_condition("shop", "MetricsAvailable", "False")
    wait_retries(operator, "MetricsUnavailable")
    lines = [line for line in operator.lines() if "MetricsUnavailable" in line]
    ready = shop.condition("shop", "Ready")
    server.open()

    shop.wait_condition("shop", "MetricsAvailable", "True")
    assert unseen["message"].startswith("errors: Error (")
    assert unseen["message"].endswith("the level is held until data is back")
    assert ready["status"] == "True"
    assert len(lines) == 1
    assert warnings(operator) == []
