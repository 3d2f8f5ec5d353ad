"""Row 44 of the fault table: a restore that is refused, by the operator and by `helm uninstall`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from plane.api import Api, ApiError, Object
from plane.ladders import BREACHED, HEALTHY, ladder, level, recover, settings, switch
from plane.operator import Operator
from plane.release import Release
from plane.shop import Shop


@dataclass
class Left:
    """An uninstall while one target can't be written, and what became of it."""

    namespace: str
    before: dict[str, Object]
    said: str
    message: str
    status: str
    condition: Object
    held: list[Object]
    end: dict[str, Object]


def freeze(namespace: str) -> list[Object]:
    """A policy of somebody else's: data of the ConfigMap `stuck` can't be changed."""
    version = "admissionregistration.k8s.io/v1"
    resources = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["configmaps"]}
    here = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    rule = "object.metadata.name != 'stuck' || object.data == oldObject.data"
    return [
        {
            "apiVersion": version,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": f"freeze-{namespace}"},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [resources], "namespaceSelector": here},
                "validations": [{"expression": rule, "message": "frozen until Monday"}],
            },
        },
        {
            "apiVersion": version,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": f"freeze-{namespace}"},
            "spec": {"policyName": f"freeze-{namespace}", "validationActions": ["Deny"]},
        },
    ]


def is_frozen(shop: Shop) -> bool:
    patch = [{"op": "replace", "path": "/data/reviews", "value": "by hand"}]
    path = shop.api.path("ConfigMap", "stuck", shop.namespace)
    try:
        shop.api.call("PATCH", path, patch, "application/json-patch+json", dryRun="All")
    except ApiError as error:
        return "frozen until Monday" in str(error)
    return False


@pytest.fixture(scope="module")
def left(
    release: Release, lead: Callable[[], Operator], stand_down: Callable[[], None], open_shop: Any, api: Api
) -> Iterator[Left]:
    operator = lead()
    release.upgrade({"uninstall": {"deadline": "10s"}})
    with open_shop("left") as shop:
        names = ("stuck", "other")
        shop.apply(*(settings(name, reviews="on") for name in names))
        before = shop.snapshot()
        for name in names:
            shop.load(BREACHED, name)
        shop.apply(*(ladder(n, shop.namespace, level("low", switch(n, reviews="off"))) for n in names))
        for name in names:
            shop.wait_level(name, "low", timeout=60)
        rules = freeze(shop.namespace)
        try:
            for rule in rules:
                api.create(rule)
            shop.wait("the rule is in force", lambda: is_frozen(shop))
            said = release.helm.refused("uninstall", release.name, "--namespace", release.namespace)
            message = failed_message(api, release)
            status = release.helm("status", release.name, "--namespace", release.namespace)
            operator.wait_leader(timeout=60)
            for name in names:
                shop.load(HEALTHY, name)
            condition = shop.wait_condition("stuck", "RestorePending", "True", timeout=60)
            shop.wait_level("other", "full", timeout=60)
            held = shop.ledger("stuck")
        finally:
            for rule in rules:
                api.delete(rule["kind"], rule["metadata"]["name"])
        recover(shop, operator, *names)
        shop.load(BREACHED, "stuck")
        shop.wait_level("stuck", "low", timeout=60)
        release.uninstall()
        end = shop.snapshot()
        stand_down()
        release.values.pop("uninstall")
        release.install()
        yield Left(shop.namespace, before, said, message, status, condition, held, end)


def failed_message(api: Api, release: Release) -> str:
    """What the hook's pod has said last."""
    (pod,) = [p for p in api.list("Pod", release.namespace) if p["metadata"]["name"].startswith("stepdown-uninstall")]
    return str(pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"])


@pytest.mark.row(44)
def test_row_44_a_refused_restore_stays_in_the_ledger_and_is_told(left: Left) -> None:
    assert left.condition["message"] == "still to restore: /data/reviews of ConfigMap stuck"
    assert [(entry["state"], entry["original"]) for entry in left.held] == [("Restoring", '"on"')]


@pytest.mark.row(44)
def test_row_44_an_uninstall_that_leaves_something_fails_with_the_list(left: Left) -> None:
    assert "Job/stepdown-system/stepdown-uninstall not ready. status: Failed" in left.said
    (line,) = (line for line in left.message.splitlines() if "not put back" in line)
    assert line.startswith(f"{left.namespace}/stuck: ConfigMap stuck /data/reviews not put back: ConfigMap stuck: ")
    assert "frozen until Monday" in line
    assert f"kubectl -n {left.namespace} patch configmaps stuck --type=json" in left.message


@pytest.mark.row(44)
def test_row_44_an_uninstall_that_leaves_something_takes_nothing_away_and_the_operator_goes_on(left: Left) -> None:
    assert "STATUS: uninstalling" in left.status
    assert left.condition["reason"] == "Restoring"


@pytest.mark.row(44)
def test_row_44_once_it_is_let_the_operator_restores_and_an_uninstall_goes_through(left: Left) -> None:
    assert left.end == left.before
