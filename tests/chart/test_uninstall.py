"""The hook that restores before an uninstall: a Job of the operator's own image, account and rights."""

import pytest

CHART_OBJECTS = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ServiceAccount")


def job_of(objects):
    (job,) = [obj for obj in objects if obj["kind"] == "Job"]
    return job


def test_it_runs_before_anything_is_deleted_and_stays_when_it_fails(render):
    assert job_of(render())["metadata"]["annotations"] == {
        "helm.sh/hook": "pre-delete",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
        "helm.sh/hook-output-log-policy": "hook-failed",
    }


def test_it_restores_all_by_the_deadline_with_the_operators_configuration(render):
    pod = job_of(render({"uninstall": {"deadline": "90s"}}))["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"] == [
        "restore", "--all", "--uninstall", "--deadline", "90s", "--config", "/etc/stepdown/config.json",
    ]  # fmt: skip
    assert pod["volumes"] == [{"name": "config", "configMap": {"name": "stepdown"}}]


@pytest.mark.parametrize(("deadline", "seconds"), [("90s", 150), ("5m", 360), ("1h", 3660)])
def test_its_job_ends_a_minute_after_the_deadline(render, deadline, seconds):
    assert job_of(render({"uninstall": {"deadline": deadline}}))["spec"]["activeDeadlineSeconds"] == seconds


def test_it_has_the_operators_account_and_no_right_of_its_own(render):
    (deployment,) = [obj for obj in render() if obj["kind"] == "Deployment"]
    with_hook, without = render(), render({"uninstall": {"restore": False}})
    account = job_of(with_hook)["spec"]["template"]["spec"]["serviceAccountName"]
    assert account == deployment["spec"]["template"]["spec"]["serviceAccountName"]
    assert [o for o in with_hook if o["kind"] in CHART_OBJECTS] == [o for o in without if o["kind"] in CHART_OBJECTS]


def test_it_runs_the_operators_image_as_restricted_as_the_operator(render):
    objects = render()
    (deployment,) = [obj for obj in objects if obj["kind"] == "Deployment"]
    operator, restore = (obj["spec"]["template"]["spec"] for obj in (deployment, job_of(objects)))
    for key in ("image", "securityContext"):
        assert restore["containers"][0][key] == operator["containers"][0][key]
    assert restore["securityContext"] == operator["securityContext"]


def test_the_operators_service_and_budget_do_not_select_it(render):
    labels = job_of(render())["spec"]["template"]["metadata"]["labels"]
    for obj in render({"podDisruptionBudget": {"enabled": True}}):
        if obj["kind"] in ("Service", "PodDisruptionBudget"):
            selector = obj["spec"]["selector"]
            assert labels["app.kubernetes.io/name"] != selector.get("matchLabels", selector)["app.kubernetes.io/name"]


def test_it_can_be_left_out_with_a_warning(render, notes):
    values = {"uninstall": {"restore": False}}
    assert not [obj for obj in render(values) if obj["kind"] == "Job"]
    assert "WARNING: uninstall.restore is off" in notes(values)


def test_a_deadline_that_is_no_time_fails_the_install(helm):
    from chart.conftest import CHART

    done = helm("template", "stepdown", str(CHART), values={"uninstall": {"deadline": "1.5m"}})
    assert done.returncode != 0
    assert "does not match pattern" in done.stderr
