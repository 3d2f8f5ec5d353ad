"""Row 48 of the fault table: the operator, the release or the CRD is gone while something is degraded."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plane.api import Api, Object
from plane.control_plane import ControlPlane
from plane.holdings import HELD, apply_holdings, everything, snapshot
from plane.ladders import BREACHED, HEALTHY
from plane.operator import Operator, stepdown
from plane.release import Release
from plane.shop import POLICY, Shop
from plane.tools import Paste

CRD = "degradationpolicies.stepdown.dev"
REFUSED = "the server rejected our request"


@pytest.fixture
def before(shop: Shop, operator: Operator) -> dict[str, Object]:
    """Everything as it was; now `shop` is at `low` and holds a field of every kind."""
    apply_holdings(shop)
    shop.load(HEALTHY, "shop")
    shop.start(everything(shop.namespace))
    found = snapshot(shop)
    shop.load(BREACHED, "shop")
    shop.wait_level("shop", "low", timeout=60)
    assert changed(shop, found) == set(HELD)
    return found


@pytest.fixture
def killed(operator: Operator, before: Any, stand_down: Callable[[], None]) -> Operator:
    """The operator, dead for good."""
    operator.kill()
    stand_down()
    return operator


@pytest.fixture
def reinstalled(release: Release) -> Iterator[None]:
    """The release is there again at the end, as it was, and so are the CRDs."""
    values = dict(release.values)
    yield
    release.values = values
    release.install()


def changed(shop: Shop, before: dict[str, Object]) -> set[str]:
    return {place for place, obj in snapshot(shop).items() if obj != before[place]}


def restore(plane: ControlPlane, *arguments: str) -> tuple[int, str, str]:
    return stepdown("restore", *arguments, kubeconfig=plane.kubeconfig())


def set_by_hand(shop: Shop, selector: str, reviews: str, replicas: int, least: int) -> None:
    """What a person sets on everything that is held."""
    shop.api.json_patch("Service", "shop", shop.namespace, [
        {"op": "replace", "path": "/spec/selector", "value": {"app": selector}},
    ])  # fmt: skip
    shop.api.merge("ConfigMap", "flags", shop.namespace, {"data": {"reviews": reviews}})
    shop.scale("shop", replicas)
    shop.api.merge("HorizontalPodAutoscaler", "shop-static", shop.namespace, {"spec": {"minReplicas": least}})


@pytest.mark.row(48)
def test_the_printed_lines_of_a_dead_operator_refuse_what_has_changed_since_and_restore_the_rest(
    shop: Shop, killed: Operator, plane: ControlPlane, before: dict[str, Object], paste: Paste
) -> None:
    code, lines, errors = restore(plane, "--print", "-n", shop.namespace)
    assert (code, errors) == (0, "")
    set_by_hand(shop, "by-hand", "by hand", 7, 2)
    theirs = snapshot(shop)

    refused = paste(lines)
    kept = snapshot(shop)
    set_by_hand(shop, "shop-static", "off", 4, 3)
    taken = paste(lines)

    assert refused.stderr.count(REFUSED) == len(HELD)
    assert kept == theirs
    assert taken.stderr == ""
    assert changed(shop, before) == set()


@pytest.mark.row(48)
def test_row_48_what_an_uninstall_without_the_hook_left_is_put_back_from_outside_and_the_crd_can_go(
    shop: Shop,
    killed: Operator,
    plane: ControlPlane,
    release: Release,
    before: dict[str, Object],
    api: Api,
    reinstalled: None,
) -> None:
    release.helm("uninstall", release.name, "--namespace", release.namespace, "--no-hooks")
    api.delete("CustomResourceDefinition", CRD)
    shop.wait("the policy waits for an operator", lambda: "deletionTimestamp" in shop.policy("shop")["metadata"])
    held = changed(shop, before)

    code, output, errors = restore(plane, "--all", "--deadline", "60s")
    shop.wait("the CRD is gone", lambda: api.find("CustomResourceDefinition", CRD) is None, timeout=60)

    assert held == set(HELD)
    assert (code, errors.count("\n")) == (0, 1)
    assert "nothing is held any more (1 policy)" in output
    assert changed(shop, before) == set()
    api.delete("Lease", release.name, release.namespace)


@pytest.mark.row(48)
def test_row_48_a_crd_that_is_deleted_first_goes_when_the_operator_has_restored(
    shop: Shop, operator: Operator, release: Release, before: dict[str, Object], api: Api
) -> None:
    api.delete("CustomResourceDefinition", CRD)

    shop.wait("the CRD is gone", lambda: api.find("CustomResourceDefinition", CRD) is None, timeout=60)
    after = changed(shop, before)
    release.upgrade()

    assert after == set()


@pytest.mark.row(48)
def test_row_48_where_crd_and_ledger_are_gone_the_annotations_say_how_and_an_uninstall_is_not_held_up(
    shop: Shop,
    killed: Operator,
    plane: ControlPlane,
    release: Release,
    before: dict[str, Object],
    api: Api,
    paste: Paste,
    reinstalled: None,
) -> None:
    api.delete("CustomResourceDefinition", CRD)
    api.merge(POLICY, "shop", shop.namespace, {"metadata": {"finalizers": None}})
    shop.wait("the CRD is gone", lambda: api.find("CustomResourceDefinition", CRD) is None, timeout=60)

    helpless = restore(plane, "--all")
    code, lines, errors = restore(plane, "--print", "-n", shop.namespace)
    pasted = paste(lines)
    release.uninstall()

    assert (helpless[0], "its CRD isn't installed" in helpless[2]) == (1, True)
    assert (code, errors, pasted.stderr) == (0, "", "")
    assert changed(shop, before) == {"Deployment/shop"}
    assert "# Replicas of Deployments and StatefulSets carry no annotation" in lines
