"""Row 56: no webhook is on our path, so none can be down: what the chart brings is judged by the API server itself."""

from typing import Any

import pytest

from plane.api import Api, ApiError
from plane.release import Release

pytestmark = pytest.mark.row(56)
WEBHOOKS = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")


def test_row_56_the_chart_brings_no_webhook_and_no_server_that_the_api_server_calls(release: Release, api: Api) -> None:
    hooks = [api.call("GET", f"/apis/admissionregistration.k8s.io/v1/{plural}")["items"] for plural in WEBHOOKS]
    services = api.call("GET", "/apis/apiregistration.k8s.io/v1/apiservices")["items"]
    crds = [c for c in api.list("CustomResourceDefinition") if c["spec"]["group"] == "stepdown.dev"]

    assert hooks == [[], []]
    assert [s["metadata"]["name"] for s in services if s["spec"].get("service")] == []
    assert {c["spec"]["conversion"]["strategy"] for c in crds} == {"None"}


@pytest.mark.parametrize(
    ("user", "level", "sentence"),
    [
        ("admin", {"actions": [{"scale": {"to": 1, "by": 2}}]}, "exactly one of to, by"),
        ("powerless", {"actions": [{"scale": {"to": 1}}]}, "a policy does only what its author may do by hand"),
    ],
    ids=["by CEL of the CRD", "by the author check"],
)
def test_row_56_rules_hold_with_no_pod_of_ours_running(
    release: Release, api: Api, namespace: str, user: str, level: dict[str, Any], sentence: str
) -> None:
    create = {"apiGroups": ["stepdown.dev"], "resources": ["degradationpolicies"], "verbs": ["create"]}
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    api.call("POST", f"{rbac}/roles", {"metadata": {"name": "writer"}, "rules": [create]})
    of = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "writer"}
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "powerless"}]
    api.call("POST", f"{rbac}/rolebindings", {"metadata": {"name": "writer"}, "roleRef": of, "subjects": subjects})
    policy = {
        "apiVersion": "stepdown.dev/v1alpha1",
        "kind": "DegradationPolicy",
        "metadata": {"name": "shop"},
        "spec": {
            "target": {"deployment": "shop"},
            "signals": [{"name": "errors", "query": "up"}],
            "levels": [
                {"name": "full"},
                {"name": "low", "enter": {"any": [{"signal": "errors", "above": 5}]}, **level},
            ],
        },
    }
    writer = api if user == "admin" else api.acting_as(user)

    with pytest.raises(ApiError) as refused:
        writer.create(policy, namespace, dryRun="All")

    assert sentence in refused.value.message
    assert api.get("Deployment", release.name, release.namespace)["status"].get("replicas", 0) == 0
