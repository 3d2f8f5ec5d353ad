"""The node itself: pods run, are reached through their Service from everywhere, and can be looked at."""

import pytest

from node import web
from plane.api import Api
from plane.examples import dump
from plane.processes import wait_for
from plane.shop import Shop
from plane.tools import Tool


@pytest.fixture(scope="module")
def address(shop: Shop, api: Api) -> str:
    """The Service of two web servers, which answers."""
    shop.apply(web.deployment("web", 2), web.service("web"))
    shop.wait_ready("web")
    address = str(api.get("Service", "web", shop.namespace)["spec"]["clusterIP"])
    wait_for("the Service answers", lambda: web.ask(address).said == "web")
    return address


def test_a_service_answers_from_outside(address: str) -> None:
    answers = [web.ask(address) for _ in range(50)]

    assert web.errors(answers) == []
    assert {answer.said for answer in answers} == {"web"}


def test_a_service_answers_another_pod(address: str, shop: Shop, kubectl: Tool) -> None:
    script = f"from urllib.request import urlopen; print([urlopen('http://{address}').read() for _ in range(20)])"

    said = kubectl("exec", "--namespace", shop.namespace, "deployment/web", "--", "python", "-c", script)

    assert said.strip() == str([b"web"] * 20)


def test_a_pods_log_and_files_can_be_read(address: str, shop: Shop, kubectl: Tool) -> None:
    where = ("--namespace", shop.namespace, "deployment/web")

    assert kubectl("logs", *where) == ""
    assert "VERSION_CODENAME=bookworm" in kubectl("exec", *where, "--", "cat", "/etc/os-release")


def test_what_the_restricted_standard_forbids_is_refused(shop: Shop, kubectl: Tool) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "open"}}
    spec = {key: value for key, value in web.POD.items() if key != "securityContext"}

    said = kubectl.refused("apply", "--namespace", shop.namespace, "--filename", "-", stdin=dump({**pod, "spec": spec}))

    assert 'violates PodSecurity "restricted' in said
