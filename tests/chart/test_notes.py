"""What Helm prints after an installation: where it may work, what to do next, what will surprise."""

import pytest


def test_notes_tell_version_where_it_may_work_and_what_to_do_next(notes):
    text = notes({"namespaces": ["shop", "payments"], "metricsEndpoint": {"url": "http://prometheus:9090"}})
    assert text.strip() == (
        "Stepdown 0.1.0 may work in shop, payments.\n"
        "\n"
        "Let it into a namespace:\n"
        "  kubectl -n NAMESPACE create rolebinding stepdown --clusterrole=stepdown-workloads"
        " --serviceaccount=stepdown-system:stepdown\n"
        "\n"
        "Try:\n"
        "  kubectl -n stepdown-system rollout status deployment/stepdown\n"
        "  helm test stepdown --namespace stepdown-system\n"
        "  kubectl explain degradationpolicies.spec.levels\n"
        "  kubectl get degradationpolicies --all-namespaces --watch\n"
        "\n"
        "Put everything back, and suspend every policy, whether the operator is at work or gone:\n"
        "  stepdown restore --all --lease-namespace stepdown-system --lease-name stepdown\n"
        "\n"
        "Uninstall, which puts everything back first:\n"
        "  helm uninstall stepdown --namespace stepdown-system --timeout 360s"
    )


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({}, "no namespace yet"),
        ({"allNamespaces": True}, "all namespaces"),
        ({"namespaces": ["shop"], "watchOthers": False}, "shop"),
    ],
)
def test_notes_tell_where_it_may_work(notes, values, where):
    assert notes(values).startswith(f"Stepdown 0.1.0 may work in {where}.\n")


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ({}, "metricsEndpoint.url is not set"),
        ({"crds": {"enabled": False}}, "crds.enabled is false"),
        ({"crds": {"keep": False}}, "crds.keep is false"),
        ({"metrics": {"serviceMonitor": {"enabled": True}}}, "the cluster does not know ServiceMonitor"),
        ({"metrics": {"prometheusRule": {"enabled": True}}}, "the cluster does not know PrometheusRule"),
        ({"features": {"hpa": False}}, "features.hpa is off"),
        ({"admission": {"selfFence": False}}, "admission.selfFence is off and features.statusPage on"),
    ],
)
def test_notes_warn_of_what_will_surprise(notes, values, warning):
    assert f"WARNING: {warning}" in notes(values)
