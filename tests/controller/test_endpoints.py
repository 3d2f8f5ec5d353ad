"""Which namespace may ask which endpoint, and what is said where it may not."""

import asyncio
import base64
from typing import Any

import pytest

from adapters.hostile import NOW, Server, oracle
from stepdown.api.endpoint import EndpointSpec
from stepdown.controller import endpoints as module
from stepdown.controller.endpoints import Endpoints
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.questions import PodsQuestion, PromqlQuestion
from stepdown.engine.reasons import Problem
from stepdown.ports import Refused


class Secrets:
    """An API that knows Secrets by path."""

    def __init__(self, hosts: str | None = None, **secrets: dict[str, str]) -> None:
        self.secrets = secrets
        self.reads = 0
        self.metadata = {} if hosts is None else {"annotations": {"stepdown.dev/hosts": hosts}}

    async def get(self, path: str) -> dict[str, Any]:
        self.reads += 1
        name = path.rpartition("/")[2]
        if name not in self.secrets:
            raise Refused(404, "not found")
        data = {key: base64.b64encode(value.encode()).decode() for key, value in self.secrets[name].items()}
        return {"metadata": self.metadata, "data": data}


class HalfReady:
    """Pods of which one half is ready."""

    async def observe(self, questions: Any) -> dict[Any, Observation]:
        return dict.fromkeys(questions, Observation(value=0.5))


def spec(**fields: Any) -> EndpointSpec:
    return EndpointSpec.model_validate({"url": "http://127.0.0.1:1", "namespaceSelector": {}, **fields})


def make(api: Secrets | None = None, default: EndpointSpec | None = None) -> Endpoints:
    return Endpoints(
        api or Secrets(),  # type: ignore[arg-type]
        HalfReady(),  # type: ignore[arg-type]
        default=default,
        namespace="stepdown-system",
        refused=[],
        on_request=lambda: None,
    )


def endpoint(name: str, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"url": "http://127.0.0.1:1", **fields}}


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


def ask(endpoints: Endpoints, name: str = "default", of: str = "shop") -> Observation:
    question = PromqlQuestion(name, of, "load", 60)
    return asyncio.run(endpoints.observe([question], NOW))[question]


def test_without_a_default_the_chart_value_is_named():
    assert make().problems("shop", "default") == (
        (
            Problem.ENDPOINT_NOT_ALLOWED,
            "there is no endpoint default: set metricsEndpoint.url in the chart's values,"
            " or name a MetricsEndpoint in spec.metricsEndpoint",
        ),
    )


def test_a_selector_decides_by_the_namespaces_labels_as_they_are_now():
    endpoints = make()
    endpoints.see_endpoint(endpoint("platform", namespaceSelector={"matchLabels": {"team": "shop"}}), gone=False)
    assert "does not allow namespace shop" in endpoints.problems("shop", "platform")[0][1]
    endpoints.see_namespace(namespace("shop", team="shop"), gone=False)
    assert endpoints.problems("shop", "platform") == ()
    endpoints.see_namespace(namespace("shop"), gone=True)
    assert endpoints.problems("shop", "platform") != ()


def test_a_namespace_that_was_not_seen_yet_is_selected_by_nothing_that_asks_for_labels():
    endpoints = make()
    but_guests = {"matchExpressions": [{"key": "guest", "operator": "DoesNotExist"}]}
    endpoints.see_endpoint(endpoint("platform", namespaceSelector=but_guests), gone=False)
    assert "does not allow namespace shop" in endpoints.problems("shop", "platform")[0][1]
    endpoints.see_namespace(namespace("shop"), gone=False)
    assert endpoints.problems("shop", "platform") == ()


def test_an_endpoint_without_a_selector_allows_nobody():
    endpoints = make()
    endpoints.see_endpoint(endpoint("platform"), gone=False)
    assert "does not allow namespace shop" in endpoints.problems("shop", "platform")[0][1]


def test_an_endpoint_that_is_gone_may_not_be_used():
    endpoints = make()
    endpoints.see_endpoint(endpoint("platform", namespaceSelector={}), gone=False)
    endpoints.see_endpoint(endpoint("platform"), gone=True)
    assert "there is no MetricsEndpoint platform" in endpoints.problems("shop", "platform")[0][1]


def test_an_object_called_default_does_not_replace_the_configured_one():
    endpoints = make(default=spec())
    endpoints.see_endpoint(endpoint("default"), gone=False)
    endpoints.see_endpoint(endpoint("default"), gone=True)
    assert endpoints.problems("shop", "default") == ()


def test_an_endpoint_that_cannot_be_understood_says_why():
    endpoints = make()
    endpoints.see_endpoint(endpoint("platform", timeout="5 minutes"), gone=False)
    assert "MetricsEndpoint platform can't be used: spec.timeout" in endpoints.problems("shop", "platform")[0][1]


def test_a_namespace_that_is_not_allowed_reaches_nobody():
    server = Server(oracle({}))
    try:
        closed = spec(url=f"http://127.0.0.1:{server.port}", allowedCIDRs=["127.0.0.0/8"], namespaceSelector=None)
        seen = ask(make(default=closed))
        assert seen == Observation(missing=Missing.ERROR, detail="its endpoint may not be used")
        assert server.connections == 0
    finally:
        server.close()


def test_pods_are_asked_without_an_endpoint():
    question = PodsQuestion("shop", "Deployment", "shop")
    assert asyncio.run(make().observe([question], NOW)) == {question: Observation(value=0.5)}


def test_a_token_from_the_secret_goes_to_its_endpoint_and_a_new_one_after_a_while(monkeypatch):
    server = Server(oracle({}))
    api = Secrets(prometheus={"token": "first"})
    fields = {"url": f"http://127.0.0.1:{server.port}", "allowedCIDRs": ["127.0.0.0/8"]}
    endpoints = make(api, spec(**fields, auth={"secretRef": {"name": "prometheus"}}))
    try:
        assert ask(endpoints).value == 1.0
        assert server.requests[-1].headers["authorization"] == "Bearer first"
        api.secrets["prometheus"] = {"token": "second"}
        assert ask(endpoints).value == 1.0
        assert api.reads == 1
        monkeypatch.setattr(module, "SECRET_SECONDS", 0.0)
        assert ask(endpoints).value == 1.0
        assert server.requests[-1].headers["authorization"] == "Bearer second"
    finally:
        endpoints.close()
        server.close()


def test_a_secret_that_is_missing_or_empty_is_named_with_its_cure():
    auth = {"secretRef": {"name": "prometheus"}}
    missing = ask(make(Secrets(), spec(auth=auth)))
    assert missing.detail == "Secret prometheus in stepdown-system can't be read (404): create it"
    empty = ask(make(Secrets(prometheus={"user": "x"}), spec(auth=auth)))
    assert empty.detail == "Secret prometheus has no token, nor username and password: add them"


def test_certificates_that_are_none_make_the_signal_missing_and_nothing_raises():
    seen = ask(make(default=spec(url="https://127.0.0.1:1", ca="no certificate", allowedCIDRs=["127.0.0.0/8"])))
    assert seen.missing is Missing.ERROR
    assert "endpoint default can't be used" in seen.detail


def sent_to(url: str, hosts: str | None, name: str = "platform") -> str:
    """What is said, and so whether the Secret was kept, of an endpoint of this name whose port is closed."""
    fields = {"url": url, "allowedCIDRs": ["127.0.0.0/8"], "auth": {"secretRef": {"name": "prometheus"}}}
    endpoints = make(Secrets(hosts, prometheus={"token": "s3cret"}), spec(**fields))
    endpoints.see_endpoint(endpoint("platform", namespaceSelector={}, **fields), gone=False)
    try:
        return ask(endpoints, name).detail
    finally:
        endpoints.close()


@pytest.mark.parametrize("hosts", ["127.0.0.1", "127.0.0.1:1", "other.example, 127.0.0.1", "LOCALHOST,127.0.0.1:1 "])
def test_a_secret_goes_to_the_hosts_that_it_lists(hosts: str):
    assert sent_to("http://127.0.0.1:1", hosts) == "no connection: Connection refused"


@pytest.mark.parametrize("hosts", [None, "", "127.0.0.2", "127.0.0.1:2", "example.127.0.0.1", "27.0.0.1", "*", ","])
def test_a_secret_goes_to_no_other_host_whoever_names_it(hosts: str | None):
    assert sent_to("http://127.0.0.1:1", hosts) == (
        "Secret prometheus may not be sent to 127.0.0.1:1: list the host in its annotation stepdown.dev/hosts"
    )


def test_the_secret_of_the_charts_own_endpoint_needs_no_list_but_keeps_to_one():
    assert sent_to("http://127.0.0.1:1", None, "default") == "no connection: Connection refused"
    assert "may not be sent to" in sent_to("http://127.0.0.1:1", "prometheus.monitoring", "default")
