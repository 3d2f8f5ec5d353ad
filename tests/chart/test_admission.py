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
        "create deployments.apps",
        "patch services",
        "patch httproutes.gateway.networking.k8s.io",
        "create pods --subresource=eviction",
        "list pods",
        "get pods --subresource=proxy",
    ]


def test_only_what_scaling_may_change_instead_follows_the_features(render):
    names = ("scale", "flags", "refreshPods", "route", "gateway", "statusPage", "restart", "hpa", "keda", "probes")
    off = dict.fromkeys(names, False)
    assert asked(render({"features": off})) == [
        "patch deployments.apps --subresource=scale",
        "patch statefulsets.apps --subresource=scale",
        "patch configmaps",
        "patch pods",
        "create deployments.apps",
        "patch services",
        "patch httproutes.gateway.networking.k8s.io",
        "create pods --subresource=eviction",
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


def test_the_fence_leaves_deployments_alone_where_there_are_no_status_pages(render):
    on, off = (policies(render({"features": {"statusPage": given}}))["stepdown-self-fence"] for given in (True, False))
    assert "stepdown-page-" in str(on)
    assert "stepdown-page" not in str(off)


def test_the_fence_knows_the_image_that_pages_are_made_of(render):
    image = f"registry.example/stepdown@sha256:{'1' * 64}"
    repository, _, digest = image.partition("@")
    objects = render({"image": {"repository": repository, "digest": digest}})
    (config,) = [o["data"]["config.json"] for o in objects if o["kind"] == "ConfigMap"]
    assert f'"image": "{image}"' in config
    assert f"c.image == '{image}'" in str(policies(objects)["stepdown-self-fence"])
