"""A namespace that has not let the operator in: said with the command that does, which works as it is printed."""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plane.control_plane import ControlPlane
from plane.operator import Operator
from plane.prometheus import Prometheus
from plane.release import Release
from plane.shop import Shop

NAME = "stepdown-guest"
COMMAND = (
    f"kubectl -n {{namespace}} create rolebinding {NAME} --clusterrole={NAME}-workloads --serviceaccount={NAME}:{NAME}"
)


@pytest.fixture
def guest(
    plane: ControlPlane, prometheus: Prometheus, release: Release, stand_down: Callable[[], None], tmp_path: Path
) -> Iterator[Operator]:
    """The leading operator of a release that no namespace has let in."""
    stand_down()
    values = {"allNamespaces": False, "crds": {"enabled": False}}
    guest = Release(plane, tmp_path, prometheus.url, values, NAME, NAME).install()
    operator = Operator(guest, tmp_path).start()
    try:
        yield operator.wait_leader()
    finally:
        operator.stop()
        guest.uninstall()


def test_a_policy_where_nobody_let_the_operator_in_says_so_with_the_command_that_does(
    shop: Shop, guest: Operator
) -> None:
    shop.apply_workloads("shop", "shop-static")
    before = shop.snapshot()
    shop.requests("shop", ok=90, failed=10)
    shop.apply(shop.quick())

    ready = shop.wait_condition("shop", "Ready", "False", "NotAuthorized")
    command = COMMAND.format(namespace=shop.namespace)
    untouched = shop.snapshot()
    shop.kubectl(*shlex.split(command)[1:])
    shop.wait_level("shop", "scaled-out", timeout=40)

    assert f"Let the operator in: {command} (if it is," in ready["message"]
    assert ready["message"].startswith("get deployments shop: ")
    assert untouched == before
    assert shop.replicas("shop") == 4
    assert [event["type"] for event in shop.events("ActionFailed")] == ["Warning"]
    assert guest.running


@pytest.mark.row(9)
def test_row_9_a_binding_that_is_taken_away_is_told_once_and_what_is_held_goes_back_when_it_is_given_again(
    shop: Shop, guest: Operator
) -> None:
    bind = shlex.split(COMMAND.format(namespace=shop.namespace))[1:]
    shop.apply_workloads("shop", "shop-static")
    shop.all_is_well("shop")
    shop.kubectl(*bind)
    before = shop.snapshot()
    shop.start(shop.quick())
    shop.requests("shop", ok=90, failed=10)
    shop.wait_level("shop", "scaled-out")

    shop.kubectl("delete", "rolebinding", NAME, "--namespace", shop.namespace)
    shop.wait_condition("shop", "Ready", "False", "NotAuthorized")
    level, held = shop.level("shop"), shop.replicas("shop")
    shop.wait_event("ActionFailed")
    shop.all_is_well("shop")
    shop.kubectl(*bind)
    shop.wait_level("shop", "full", timeout=60)
    told = [event["count"] for event in shop.events("ActionFailed")]

    assert (level, held, told) == ("scaled-out", 4, [1])
    assert shop.snapshot() == before
