"""A Service is pointed at a page of our own, which serves just the ports that the Service leads to."""

from typing import Any

import pytest

from actions.scene import TARGET, fields, obj, problem, translated
from stepdown.actions.status_page import PagePort, page_name, pages, ports_of
from stepdown.api.actions import StatusPageAction
from stepdown.api.policy import Mode

ACTION = {"statusPage": {"message": "Back soon."}}
NAME = "stepdown-page-shop-0ae96e29"
LABELS = {"app.kubernetes.io/name": "stepdown-page", "stepdown.dev/page": NAME}


def service(*ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return obj("Service", "shop", {"selector": {"app": "shop"}, "ports": list(ports), **spec})


WEB = service({"port": 80, "targetPort": "http"})


def page(replicas: int = 2, **status: Any) -> dict[str, Any]:
    return obj("Deployment", NAME, {"replicas": replicas}, status=status)


def pod(ready: str = "True", **status: Any) -> dict[str, Any]:
    return obj(
        "Pod",
        "page-1",
        {"containers": [{"name": "page", "ports": [{"name": "http", "containerPort": 8080}]}]},
        metadata={"labels": {**LABELS, "pod-template-hash": "1"}},
        status={"conditions": [{"type": "Ready", "status": ready}], **status},
    )


def unready(*objects: dict[str, Any]) -> str:
    found = translated(ACTION, WEB, *objects)
    assert found.unready is not None
    assert found.unready.problem == "FallbackNotReady"
    return found.unready.message.removeprefix(f"statusPage: Deployment {NAME} has 0 ready pods (needs 1); ")


def test_the_selector_becomes_that_of_the_page() -> None:
    found = translated(ACTION, WEB, page(), pod())

    assert fields(found) == {"Service/shop /spec/selector": LABELS}
    assert found.unready is None


def test_a_page_that_was_not_made_yet_is_not_routed_to() -> None:
    assert unready() == "it is being started"


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ([page(), pod("False")], "it is being started"),
        ([page(replicas=0)], "it is scaled to 0; scale it up"),
        (
            [page(conditions=[{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: pods"}])],
            "its pods can't be made: exceeded quota: pods",
        ),
        (
            [
                page(),
                pod("False", containerStatuses=[{"state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}]),
            ],
            "its image can't be started: ErrImagePull: no",
        ),
        (
            [page(), pod("False", containerStatuses=[{"state": {"waiting": {"reason": "ContainerCreating"}}}])],
            "it is being started",
        ),
        (
            [
                page(),
                pod("False", conditions=[{"type": "PodScheduled", "reason": "Unschedulable", "message": "0/3 nodes"}]),
            ],
            "no node takes its pods: 0/3 nodes",
        ),
    ],
    ids=["not ready", "scaled to 0", "quota", "image", "creating", "no room"],
)
def test_why_a_page_cannot_answer_is_said(objects: list[dict[str, Any]], why: str) -> None:
    assert unready(*objects) == why


def test_who_only_observes_misses_no_page() -> None:
    observing = TARGET.model_copy(update={"mode": Mode.OBSERVE})
    found = translated(ACTION, WEB, spec=observing)

    assert fields(found) == {"Service/shop /spec/selector": LABELS}
    assert found.unready is None


def test_a_service_that_is_not_there_is_an_issue() -> None:
    assert problem(translated(ACTION)) == (
        "TargetNotFound",
        "statusPage: Service shop isn't there; create it or correct the action's name",
    )


def test_a_service_without_a_tcp_port_is_an_issue() -> None:
    assert problem(translated(ACTION, service({"port": 53, "protocol": "UDP"}))) == (
        "ActionUnsupported",
        "statusPage: Service shop has no TCP port, so no page can answer for it;"
        " give it one, or name another Service in the action's service",
    )


def test_a_port_that_is_not_tcp_is_none_of_the_pages_business() -> None:
    both = service({"port": 443, "targetPort": "http"}, {"port": 443, "targetPort": 8443, "protocol": "UDP"})

    assert translated(ACTION, both, page(), pod()).unready is None


@pytest.mark.parametrize(
    ("ports", "served"),
    [
        ([{"port": 80}], [PagePort(80)]),
        ([{"port": 80, "targetPort": 8080}, {"port": 81, "targetPort": 8080}], [PagePort(8080)]),
        (
            [{"port": 80, "targetPort": "http"}, {"port": 81, "targetPort": 8080}, {"port": 82, "targetPort": "admin"}],
            [PagePort(8081, "http"), PagePort(8080), PagePort(8082, "admin")],
        ),
        ([{"port": 53, "protocol": "UDP"}], []),
        ([], []),
    ],
    ids=["the port itself", "once each", "names get numbers that are free", "UDP", "none"],
)
def test_the_ports_are_those_that_the_service_leads_to(ports: list[dict[str, Any]], served: list[PagePort]) -> None:
    assert ports_of(service(*ports)) == served


def test_a_name_is_a_label_and_tells_levels_and_services_apart() -> None:
    long = StatusPageAction(message="x", service="a" * 23 + "." + "b" * 200)
    names = {page_name(action, TARGET, place) for action in (StatusPageAction(message="x"), long) for place in (0, 1)}

    assert len(names) == 4
    assert all(len(name) <= 63 and "." not in name for name in names)


def test_the_pages_of_a_policy_are_found_by_name() -> None:
    spec = TARGET.model_copy(
        update={
            "levels": [
                TARGET.levels[0],
                TARGET.levels[1].model_validate(
                    {"name": "low", "enter": {"any": [{"signal": "load", "above": 1}]}, "actions": [ACTION]}
                ),
            ]
        }
    )

    assert pages(spec) == {NAME: (1, StatusPageAction(message="Back soon."))}
