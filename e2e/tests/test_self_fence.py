"""SEC6: the operator's own token can't do what its code never does, whatever roles its account is bound to.

The account is bound to cluster-admin here, so that every refusal is the fence's and none is that of a role. All
writes are dry runs: they go through admission, and an abuse that was let pass would break nothing.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plane.api import Api, ApiError
from plane.operator_writes import ABUSES, APPLY, NEEDED, Write, objects
from plane.page_writes import PAGE_ABUSES, PAGE_NEEDED, page
from plane.processes import wait_for
from plane.release import Release
from plane.tools import Tool

FENCE = "the fence of the Stepdown operator: "
EVERY_ABUSE = ABUSES | PAGE_ABUSES
EVERY_NEED = NEEDED | PAGE_NEEDED


@pytest.fixture(scope="module")
def operators_token(
    release: Release, api: Api, kubectl: Tool, keda: None, gateway: None, open_namespace: Any
) -> Iterator[Callable[[Write], str]]:
    """Sends a write with the operator's real token and gives the refusal; empty when it was taken."""
    account = f"{release.namespace}:{release.name}"
    token = json.loads(release.kubeconfig().read_text())["users"][0]["user"]["token"]
    user = Api(api.url, api.ca, token)
    with open_namespace("fenced") as namespace:
        kubectl(
            "create", "clusterrolebinding", "almighty", "--clusterrole=cluster-admin", f"--serviceaccount={account}"
        )
        wait_for("ScaledObjects are served", lambda: api.list("ScaledObject", namespace) == [])
        for obj in objects(namespace):
            api.create(obj)
        owner = api.get("DegradationPolicy", "shop", namespace)
        api.create(page(uid=owner["metadata"]["uid"]), namespace)
        for bare in objects(namespace):
            if bare["kind"] in ("Service", "HTTPRoute"):
                api.create({**bare, "metadata": {"name": "bare"}}, namespace)

        def send(write: Write) -> str:
            body = json.loads(json.dumps(write.body).replace("{ns}", namespace))
            path = write.of.replace("{ns}", f"namespaces/{namespace}")
            query = {"fieldManager": "x", "force": "true"} if write.content == APPLY else {}
            try:
                user.call(write.method, path, body, write.content, dryRun="All", **query)
            except ApiError as error:
                return f"{error.status} {error.message}"
            return ""

        try:
            wait_for("the binding and the fence are at work", lambda: FENCE in send(ABUSES["a Secret made"]))
            yield send
        finally:
            kubectl("delete", "clusterrolebinding", "almighty")


@pytest.mark.parametrize("abuse", EVERY_ABUSE)
def test_the_operators_token_cannot_do_what_its_code_never_does(
    operators_token: Callable[[Write], str], abuse: str
) -> None:
    said = operators_token(EVERY_ABUSE[abuse])

    assert said.startswith("403 ")
    assert FENCE in said


@pytest.mark.parametrize("need", EVERY_NEED)
def test_the_operators_token_can_do_what_its_code_does(operators_token: Callable[[Write], str], need: str) -> None:
    assert operators_token(EVERY_NEED[need]) == ""


def test_a_refusal_of_the_fence_names_what_was_sent(operators_token: Callable[[Write], str]) -> None:
    said = operators_token(ABUSES["another port"])

    assert said == (
        "403 services \"shop\" is forbidden: ValidatingAdmissionPolicy 'stepdown-self-fence' with binding"
        " 'stepdown-self-fence' denied request: the fence of the Stepdown operator: in spec of /services its account"
        " changes only selector"
    )


def test_every_one_of_more_than_thirty_abuses_is_refused_by_the_fence(
    operators_token: Callable[[Write], str], figure: Callable[..., None]
) -> None:
    refused = sum(FENCE in operators_token(write) for write in EVERY_ABUSE.values())

    assert refused == len(EVERY_ABUSE) > 30
    figure("abuse writes refused", refused)
