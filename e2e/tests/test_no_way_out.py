"""Credentials: sent to the host that their Secret lists, and nowhere else to be seen, whatever that host sends back."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from adapters.hostile_endpoint import Endpoints
from plane.api import Api, Object
from plane.ladders import BREACHED, HEALTHY, ladder, level, settings, switch
from plane.operator import Operator
from plane.release import Release
from plane.shop import Shop
from plane.tools import Tool

TOKEN = "Canary-" + "0123456789abcdef" * 8
SECRET = "canary"
KINDS = ("DegradationPolicy", "Event", "MetricsEndpoint", "ConfigMap", "Lease", "Service", "Deployment")


def readable_secret(release: Release) -> list[Object]:
    """A Secret for 127.0.0.1, and the operator's right to read it, as the chart's value `extraSecrets` gives it."""
    core, rbac = {"apiVersion": "v1"}, {"apiVersion": "rbac.authorization.k8s.io/v1"}
    metadata = {"name": SECRET, "namespace": release.namespace}
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [SECRET], "verbs": ["get"]}
    subject = {"kind": "ServiceAccount", "name": release.name, "namespace": release.namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": SECRET}
    annotated = {**metadata, "annotations": {"stepdown.dev/hosts": "127.0.0.1"}}
    return [
        {**core, "kind": "Secret", "metadata": annotated, "stringData": {"token": TOKEN}},
        {**rbac, "kind": "Role", "metadata": metadata, "rules": [rule]},
        {**rbac, "kind": "RoleBinding", "metadata": metadata, "roleRef": role, "subjects": [subject]},
    ]


@dataclass
class Seen:
    """Everything that the operator wrote or shows, as text by its place; and what the endpoints were sent."""

    texts: dict[str, str]
    details: dict[str, str]
    sent: dict[str, set[str]]


@pytest.fixture(scope="module")
def seen(lead: Callable[[], Operator], open_shop: Any, api: Api, kubectl: Tool, release: Release) -> Iterator[Seen]:
    operator = lead()
    endpoints = Endpoints()
    auth = {"auth": {"secretRef": {"name": SECRET}}}
    listed = endpoints.manifest("echo", **auth)
    unlisted = endpoints.manifest("steady", **auth)
    unlisted["spec"]["url"] = unlisted["spec"]["url"].replace("127.0.0.1", "localhost")
    made = [*readable_secret(release), listed, unlisted]
    kubectl("apply", "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    try:
        with open_shop("credentials") as shop:
            yield episode(shop, endpoints, operator, api)
    finally:
        for obj in made:
            namespace = ("--namespace", obj["metadata"]["namespace"]) if "namespace" in obj["metadata"] else ()
            kubectl("delete", obj["kind"], obj["metadata"]["name"], *namespace)
        endpoints.stop()


def episode(shop: Shop, endpoints: Endpoints, operator: Operator, api: Api) -> Seen:
    """A policy on each endpoint; the one that gets the token steps down, then sends back what it got."""
    names = ("echo", "steady")
    endpoints.values = dict.fromkeys(names, BREACHED)
    shop.apply(*(settings(name, reviews="on") for name in names))
    for name in names:
        found = ladder(name, shop.namespace, level("low", switch(name, reviews="off")))
        found["spec"]["metricsEndpoint"] = name
        shop.apply(found)
    shop.wait_level("echo", "low", timeout=60)
    endpoints.spoilt = {"echo"}
    endpoints.values["echo"] = HEALTHY
    before = len(endpoints.times("echo"))
    shop.wait("it has sent back much", lambda: len(endpoints.times("echo")) >= before + 12, timeout=120)
    details = {name: shop.wait_condition(name, "MetricsAvailable", "False", timeout=60)["message"] for name in names}
    shop.wait_event("MetricsUnavailable", timeout=60)
    texts = {kind: json.dumps(api.list(kind)) for kind in KINDS}
    texts["log"] = operator.log.read_text()
    texts["metrics"] = requests.get(f"{operator.url}/metrics", timeout=10).text
    return Seen(texts, details, dict(endpoints.credentials))


def test_a_token_goes_to_the_host_that_its_secret_lists(seen: Seen) -> None:
    assert seen.sent["echo"] == {f"Bearer {TOKEN}"}


def test_a_host_that_its_secret_does_not_list_is_not_even_asked(seen: Seen) -> None:
    assert "steady" not in seen.sent
    assert "may not be sent to localhost" in seen.details["steady"]


@pytest.mark.parametrize("place", [*KINDS, "log", "metrics"])
def test_a_token_that_is_sent_back_is_shown_nowhere_not_even_in_part(seen: Seen, place: str) -> None:
    text = seen.texts[place].lower()
    assert len(text) > 2
    for form in (TOKEN[:12], base64.b64encode(TOKEN.encode()).decode()[:16]):
        assert form.lower() not in text


def test_the_operators_own_token_is_shown_nowhere(seen: Seen, release: Release) -> None:
    user = json.loads(release.kubeconfig().read_text())["users"][0]["user"]
    head, claims, _ = user["token"].split(".")
    assert [place for place, text in seen.texts.items() if f"{head}." in text or claims[:40] in text] == []


def test_every_line_of_the_operators_log_is_one_json_object(seen: Seen) -> None:
    lines = seen.texts["log"].splitlines()
    assert lines != []
    assert {type(json.loads(line)) for line in lines} == {dict}
