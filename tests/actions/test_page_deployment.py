"""The Deployment of a status page: restricted, small, and started with what its policy says."""

from typing import Any

from stepdown.actions.page_deployment import DIGEST, Owner, PageImage, is_owned, page_deployment
from stepdown.actions.status_page import PagePort
from stepdown.api.actions import StatusPageAction

NAME = "stepdown-page-shop-1a2b3c4d"
OWNER = Owner("shop", "uid-shop")
IMAGE = PageImage("registry.example/stepdown:1")


def made(*ports: PagePort, message: str = "Back soon.", image: PageImage = IMAGE, **action: Any) -> dict[str, Any]:
    given = StatusPageAction.model_validate({"message": message, **action})
    return page_deployment(NAME, given, ports or (PagePort(8080, "http"),), OWNER, image)


def pod(deployment: dict[str, Any]) -> dict[str, Any]:
    return dict(deployment["spec"]["template"]["spec"])


def container(deployment: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod(deployment)["containers"]
    return dict(found)


def test_it_belongs_to_its_policy() -> None:
    found = made()

    assert found["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "stepdown.dev/v1alpha1",
            "kind": "DegradationPolicy",
            "name": "shop",
            "uid": "uid-shop",
            "controller": True,
        }
    ]
    assert is_owned(found, OWNER)
    assert not is_owned(found, Owner("shop", "another"))


def test_its_pods_keep_the_restricted_standard_and_have_no_token() -> None:
    found = made()

    assert pod(found)["automountServiceAccountToken"] is False
    assert pod(found)["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container(found)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "volumes" not in pod(found)
    assert container(found)["resources"] == {
        "requests": {"cpu": "10m", "memory": "48Mi"},
        "limits": {"memory": "128Mi"},
    }


def test_it_serves_the_ports_by_number_and_by_name_and_its_health_on_another() -> None:
    found = container(made(PagePort(9180), PagePort(8080, "http"), retryAfter="90s"))

    assert found["ports"] == [{"containerPort": 9180}, {"containerPort": 8080, "name": "http"}]
    assert found["args"] == [
        "page",
        "--message=Back soon.",
        "--retry-after=90",
        "--port=8080",
        "--port=9180",
        "--health-port=9181",
    ]
    assert found["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": 9181}


def test_a_message_reaches_the_page_as_it_was_written() -> None:
    message = "--port=1 $(HOSTNAME) costs $5 'now' \"then\""

    assert container(made(message=message))["args"][1] == ("--message=--port=1 $$(HOSTNAME) costs $$5 'now' \"then\"")


def test_a_port_below_1024_is_allowed_by_a_safe_sysctl() -> None:
    assert pod(made(PagePort(80)))["securityContext"]["sysctls"] == [
        {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
    ]


def test_the_image_is_pulled_as_the_operators_own() -> None:
    found = made(image=PageImage("registry.example/stepdown:2", "Always", ("registry",)))

    assert (container(found)["image"], container(found)["imagePullPolicy"]) == ("registry.example/stepdown:2", "Always")
    assert pod(found)["imagePullSecrets"] == [{"name": "registry"}]


def test_an_edit_that_changes_the_pods_is_told_by_the_digest_and_no_other() -> None:
    before = made()["metadata"]["annotations"][DIGEST]

    assert made()["metadata"]["annotations"][DIGEST] == before
    assert made(message="Later.")["metadata"]["annotations"][DIGEST] != before
    assert made(PagePort(8081, "http"))["metadata"]["annotations"][DIGEST] != before
