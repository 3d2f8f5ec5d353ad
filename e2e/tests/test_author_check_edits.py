"""What the author check asks at edits: new specs are judged, and taking the operator's hands off never is."""

from collections.abc import Iterator
from typing import Any

import pytest

from plane.api import Api, ApiError, Object
from plane.processes import wait_for
from plane.release import Release
from plane.shop import POLICY, Shop
from plane.tools import Tool

WRITER = "policy-writer"


@pytest.fixture(scope="module")
def powerful(release: Release, open_shop: Any, kubectl: Tool) -> Iterator[Shop]:
    """A policy of an administrator, and a writer of policies who may do nothing else; the check is at work."""
    with open_shop("edits") as shop:
        where = ("--namespace", shop.namespace)
        verbs = "--verb=create,patch,update,delete"
        kubectl("create", "role", WRITER, verbs, "--resource=degradationpolicies.stepdown.dev", *where)
        kubectl("create", "rolebinding", WRITER, f"--role={WRITER}", f"--user={WRITER}", *where)
        shop.apply(shop.quick())
        writer = shop.api.acting_as(WRITER)
        wait_for(
            "the check is at work", lambda: "may not patch" in refusal(writer, shop, {"spec": {"mode": "Observe"}})
        )
        yield shop


def refusal(user: Api, shop: Shop, body: Object) -> str:
    """What a merge patch of the policy is refused with; empty when it is taken, and then nothing is stored."""
    path = shop.api.path(POLICY, "shop", shop.namespace)
    try:
        user.call("PATCH", path, body, "application/merge-patch+json", dryRun="All")
    except ApiError as error:
        return f"{error.status} {error.message}"
    return ""


TAKEN: dict[str, Object] = {
    "a label": {"metadata": {"labels": {"team": "shop"}}},
    "an annotation": {"metadata": {"annotations": {"note": "x"}}},
    "a finalizer": {"metadata": {"finalizers": ["example.com/kept"]}},
    "suspended": {"spec": {"suspend": True}},
    "not suspended, as it is": {"spec": {"suspend": False}},
    "the spec as it is": {"spec": {"target": {"service": "shop"}}},
}
REFUSED: dict[str, Object] = {
    "suspended, and more": {"spec": {"suspend": True, "interval": "30s"}},
    "an override": {"spec": {"override": {"level": "full", "reason": "x", "until": "2099-01-01T00:00:00Z"}}},
    "mode Observe": {"spec": {"mode": "Observe"}},
    "another target": {"spec": {"target": {"deployment": "other"}}},
    "another timer": {"spec": {"interval": "30s"}},
}


@pytest.mark.parametrize("edit", TAKEN)
def test_an_edit_that_asks_for_nothing_new_is_taken_of_anybody_who_may_write_policies(
    powerful: Shop, edit: str
) -> None:
    assert refusal(powerful.api.acting_as(WRITER), powerful, TAKEN[edit]) == ""


@pytest.mark.parametrize("edit", REFUSED)
def test_an_edit_of_the_spec_is_refused_to_who_could_not_do_by_hand_what_it_does(powerful: Shop, edit: str) -> None:
    assert "403 " in refusal(powerful.api.acting_as(WRITER), powerful, REFUSED[edit])


def test_who_may_suspend_may_not_let_it_go_on(powerful: Shop) -> None:
    writer = powerful.api.acting_as(WRITER)
    writer.merge(POLICY, "shop", powerful.namespace, {"spec": {"suspend": True}})
    try:
        said = refusal(writer, powerful, {"spec": {"suspend": False}})
    finally:
        powerful.patch_policy("shop", {"suspend": None})

    assert "403 " in said


def test_a_refusal_names_the_missing_right_all_that_are_needed_and_how_to_ask(powerful: Shop) -> None:
    said = refusal(powerful.api.acting_as(WRITER), powerful, {"spec": {"interval": "30s"}})

    assert said == (
        '403 degradationpolicies.stepdown.dev "shop" is forbidden: ValidatingAdmissionPolicy'
        " 'stepdown-author-check' with binding 'stepdown-author-check' denied request: a policy does only what its"
        f" author may do by hand, and {WRITER} may not patch deployments.apps --subresource=scale in namespace"
        f" {powerful.namespace}: ask for that right, or leave it out of the policy. In all it needs: patch"
        " deployments.apps --subresource=scale, patch horizontalpodautoscalers.autoscaling, patch"
        " scaledobjects.keda.sh, patch services. Each of them can be asked for like this: kubectl -n"
        f" {powerful.namespace} auth can-i patch deployments.apps --subresource=scale"
    )


def test_deleting_a_policy_needs_no_right_on_what_it_acts_on(powerful: Shop) -> None:
    powerful.apply({**powerful.quick(), "metadata": {"name": "other", "namespace": powerful.namespace}})

    powerful.api.acting_as(WRITER).call("DELETE", powerful.api.path(POLICY, "other", powerful.namespace))

    powerful.wait("the policy is gone", lambda: powerful.api.find(POLICY, "other", powerful.namespace) is None)
