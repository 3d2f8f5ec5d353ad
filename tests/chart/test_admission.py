"""The rules that the API server holds everybody to: both by default, each to be switched off, and no webhook."""

import pytest

EVERY_KIND = {
    "features": {"keda": True, "gateway": True},
    "podDisruptionBudget": {"enabled": True},
    "networkPolicy": {"enabled": True},
}


def policies(objects):
    return {o["metadata"]["name"]: o["spec"] for o in objects if o["kind"] == "ValidatingAdmissionPolicy"}


def bound(objects):
    return {
        o["spec"]["policyName"]: o["spec"]["validationActions"]
        for o in objects
        if o["kind"] == "ValidatingAdmissionPolicyBinding"
    }


@pytest.mark.parametrize(
    ("admission", "expected"),
    [
        ({}, {"stepdown-author-check", "stepdown-self-fence"}),
        ({"authorCheck": False}, {"stepdown-self-fence"}),
        ({"selfFence": False}, {"stepdown-author-check"}),
        ({"authorCheck": False, "selfFence": False}, set()),
    ],
)
def test_each_rule_is_there_unless_it_is_switched_off(render, admission, expected):
    objects = render({"admission": admission})
    assert set(policies(objects)) == expected
    assert bound(objects) == {name: ["Deny"] for name in expected}


def test_what_cannot_be_judged_is_refused(render):
    assert {spec["failurePolicy"] for spec in policies(render()).values()} == {"Fail"}


def test_a_refusal_is_a_403_because_a_422_would_be_taken_for_a_lost_race(render):
    reasons = {v["reason"] for spec in policies(render()).values() for v in spec["validations"]}
    assert reasons == {"Forbidden"}


@pytest.mark.row(56)
@pytest.mark.parametrize("values", [{}, EVERY_KIND])
def test_row_56_the_chart_renders_no_webhook(render, values):
    kinds = {obj["kind"] for obj in render(values)}
    assert not {kind for kind in kinds if "Webhook" in kind or kind == "APIService"}


def asked(objects):
    """Rights that the author check asks for, in its order."""
    validations = policies(objects)["stepdown-author-check"]["validations"]
    return [v["messageExpression"].rpartition("auth can-i ")[2].strip("'") for v in validations]


def test_the_author_is_asked_for_each_kind_of_thing_that_the_operator_would_change(render):
    assert asked(render(EVERY_KIND)) == [
        "patch deployments.apps --subresource=scale",
        "patch statefulsets.apps --subresource=scale",
        "patch horizontalpodautoscalers.autoscaling",
        "patch scaledobjects.keda.sh",
        "patch configmaps",
        "patch pods",
        "patch services",
        "patch httproutes.gateway.networking.k8s.io",
        "list pods",
        "get pods --subresource=proxy",
    ]


def test_only_what_scaling_may_change_instead_follows_the_features(render):
    off = dict.fromkeys(("scale", "flags", "refreshPods", "route", "gateway", "hpa", "keda", "probes"), False)
    assert asked(render({"features": off})) == [
        "patch deployments.apps --subresource=scale",
        "patch statefulsets.apps --subresource=scale",
        "patch configmaps",
        "patch pods",
        "patch services",
        "patch httproutes.gateway.networking.k8s.io",
        "list pods",
        "get pods --subresource=proxy",
    ]


@pytest.mark.parametrize(
    ("values", "account"),
    [
        ({}, "stepdown"),
        ({"fullnameOverride": "platform"}, "platform"),
        ({"serviceAccount": {"name": "robot"}}, "robot"),
    ],
)
def test_the_fence_is_around_the_charts_own_account(render, values, account):
    (fence,) = [spec for name, spec in policies(render(values)).items() if name.endswith("-self-fence")]
    (condition,) = fence["matchConditions"]
    assert condition["expression"].endswith(f"== 'system:serviceaccount:stepdown-system:{account}'")
