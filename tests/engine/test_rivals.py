"""Who sets a field back is told how to stop, in terms of their own tool."""

import pytest

from stepdown.engine.rivals import cure, manager_of

WEIGHT = "/spec/rules#/all/shop:80/weight"


@pytest.mark.parametrize(
    ("manager", "sentence"),
    [
        (
            "flagger",
            "Flagger owns these weights: suspend its Canary (spec.suspend: true), or take the action out of the policy",
        ),
        (
            "rollouts-controller",
            "Argo Rollouts owns these weights: take the HTTPRoute out of the Rollout's trafficRouting, or the action"
            " out of the policy",
        ),
        (
            "gatewayAPI",
            "Argo Rollouts owns these weights: take the HTTPRoute out of the Rollout's trafficRouting, or the action"
            " out of the policy",
        ),
        (
            "argocd-controller",
            "Argo CD: add to the Application spec.ignoreDifferences [{group: 'gateway.networking.k8s.io', kind:"
            " HTTPRoute, name: web, jqPathExpressions: [.spec.rules[].backendRefs[].weight]}] and the sync option"
            " RespectIgnoreDifferences=true",
        ),
        (
            "kubectl-edit",
            "change the weights of HTTPRoute web only through one of the two, or take the action out of the policy;"
            " a rule that got other matches keeps what it has now, so set its weights yourself",
        ),
    ],
)
def test_who_writes_weights_too_is_told_what_ends_the_fight(manager, sentence):
    assert cure(manager, "gateway.networking.k8s.io", "HTTPRoute", "web", WEIGHT) == sentence


def test_rules_are_one_value_to_the_api_server_so_their_owner_is_that_of_each_weight():
    managed = [{"manager": "flagger", "time": "2026-01-01", "fieldsV1": {"f:spec": {"f:rules": {}}}}]

    assert manager_of({"metadata": {"managedFields": managed}}, WEIGHT) == "flagger"
