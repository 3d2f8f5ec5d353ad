"""Which metrics endpoints there are, who may use them, and an observer for each.

`default` comes from the operator's configuration, all others are MetricsEndpoint objects. A policy names one; its
namespace's labels decide whether it may. A question to an endpoint that may not be used is answered as missing,
so that nothing reaches an address that its namespace was not given.
"""

import asyncio
import base64
import binascii
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from stepdown.adapters.api import Api
from stepdown.adapters.paths import secret_path
from stepdown.adapters.pods import PodsObserver
from stepdown.adapters.prometheus import PrometheusObserver, PrometheusQuestion
from stepdown.api.endpoint import EndpointSpec
from stepdown.api.validation import InvalidSpec, parse_endpoint
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.questions import PodsQuestion, ProbeQuestion, Question
from stepdown.engine.reasons import Problem
from stepdown.ports import Object, Refused, Unknown
from stepdown.prepared import Problems

DEFAULT = "default"
"""The endpoint of the operator's own configuration."""

HOSTS = "stepdown.dev/hosts"
"""Annotation of a Secret: the hosts, or hosts and ports, that it may be sent to, with commas between."""

SECRET_SECONDS = 60.0
"""How often credentials are read again; a rotated token is good for longer than that."""


class _Unusable(Exception):
    """The endpoint can't be asked now; the message says why."""


@dataclass(slots=True)
class _Ready:
    """An observer with what it was made of."""

    spec: EndpointSpec
    secret: Mapping[str, str] | None
    observer: PrometheusObserver
    read_at: float


class Endpoints:
    """ports.Observer over all endpoints and the pods.

    `namespace` is the operator's own, where the Secrets are; `refused` are addresses that are never asked.
    """

    def __init__(
        self,
        api: Api,
        pods: PodsObserver,
        *,
        default: EndpointSpec | None,
        namespace: str,
        refused: Sequence[str],
        on_request: Callable[[], None],
    ) -> None:
        self._api = api
        self._pods = pods
        self._namespace = namespace
        self._refused = refused
        self._on_request = on_request
        self._specs: dict[str, EndpointSpec | str] = {} if default is None else {DEFAULT: default}
        self._labels: dict[str, dict[str, str]] = {}
        self._seen: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._ready: dict[str, _Ready] = {}

    def see_endpoint(self, obj: Mapping[str, Any], *, gone: bool) -> None:
        """A MetricsEndpoint was seen, or seen to be gone; one that is called `default` changes nothing."""
        name = str(obj["metadata"]["name"])
        if name == DEFAULT or not self._is_news("metricsendpoints", obj, gone=gone):
            return
        if gone:
            self._specs.pop(name, None)
            if (ready := self._ready.pop(name, None)) is not None:
                ready.observer.close()
            return
        try:
            self._specs[name] = parse_endpoint(dict(obj))
        except InvalidSpec as error:
            self._specs[name] = str(error.problems[0])

    def see_namespace(self, obj: Mapping[str, Any], *, gone: bool) -> None:
        """A Namespace was seen, or seen to be gone."""
        name = str(obj["metadata"]["name"])
        if not self._is_news("namespaces", obj, gone=gone):
            return
        if gone:
            self._labels.pop(name, None)
        else:
            self._labels[name] = dict(obj["metadata"].get("labels") or {})

    def known(self, plural: str) -> list[Mapping[str, Any]]:
        """Names, uids and versions of the objects of a kind that were seen and not seen to be gone."""
        return [obj for (kind, _), obj in self._seen.items() if kind == plural]

    def _is_news(self, plural: str, obj: Mapping[str, Any], *, gone: bool) -> bool:
        """Whether this is not an older view than the one that is known; lists and watches may overtake each other."""
        metadata = obj["metadata"]
        key = (plural, str(metadata["name"]))
        known = self._seen.get(key, {"metadata": {}})["metadata"]
        is_same = known.get("uid") == metadata.get("uid")
        if gone:
            if not is_same:
                return False
            self._seen.pop(key, None)
            return True
        if is_same and int(metadata.get("resourceVersion", 0)) < int(known.get("resourceVersion", 0)):
            return False
        kept = ("name", "uid", "resourceVersion")
        self._seen[key] = {"metadata": {name: metadata[name] for name in kept if name in metadata}}
        return True

    def problems(self, namespace: str, endpoint: str) -> Problems:
        """What is wrong, if anything, with a namespace's use of an endpoint."""
        spec = self._specs.get(endpoint)
        if isinstance(spec, EndpointSpec):
            selector = spec.namespace_selector
            labels = self._labels.get(namespace)
            if selector is not None and (selector.matches(labels) if labels is not None else selector.is_everything):
                return ()
            text = (
                f"MetricsEndpoint {endpoint} does not allow namespace {namespace}:"
                " an administrator adds it to its namespaceSelector"
            )
        elif spec is None and endpoint == DEFAULT:
            text = (
                "there is no endpoint default: set metricsEndpoint.url in the chart's values,"
                " or name a MetricsEndpoint in spec.metricsEndpoint"
            )
        elif spec is None:
            text = (
                f"there is no MetricsEndpoint {endpoint}: an administrator creates it,"
                " or spec.metricsEndpoint names another"
            )
        else:
            text = f"MetricsEndpoint {endpoint} can't be used: {spec}"
        return ((Problem.ENDPOINT_NOT_ALLOWED, text),)

    async def observe(self, questions: Collection[Question], at: float) -> Mapping[Question, Observation]:
        """See ports.Observer."""
        pods: list[PodsQuestion | ProbeQuestion] = []
        asked: dict[str, list[PrometheusQuestion]] = {}
        answers: dict[Question, Observation] = {}
        for question in questions:
            if isinstance(question, PodsQuestion | ProbeQuestion):
                pods.append(question)
            elif self.problems(question.namespace, question.endpoint):
                answers[question] = Observation(missing=Missing.ERROR, detail="its endpoint may not be used")
            else:
                asked.setdefault(question.endpoint, []).append(question)
        looking = asyncio.create_task(self._pods.observe(pods))
        for found in await asyncio.gather(*(self._ask(name, batch, at) for name, batch in asked.items())):
            answers.update(found.items())
        answers.update((await looking).items())
        return answers

    async def _ask(
        self, name: str, questions: list[PrometheusQuestion], at: float
    ) -> Mapping[PrometheusQuestion, Observation]:
        try:
            observer = await self._observer(name)
        except _Unusable as error:
            return dict.fromkeys(questions, Observation(missing=Missing.ERROR, detail=str(error)))
        return await observer.observe(questions, at)

    async def _observer(self, name: str) -> PrometheusObserver:
        spec = self._specs.get(name)
        if not isinstance(spec, EndpointSpec):
            raise _Unusable(f"there is no endpoint {name}")
        known = self._ready.get(name)
        now = time.monotonic()
        if known is not None and known.spec == spec and (spec.auth is None or now - known.read_at < SECRET_SECONDS):
            return known.observer
        secret = await self._secret(name, spec)
        known = self._ready.get(name)  # another batch may have made it meanwhile
        if known is not None and known.spec == spec and known.secret == secret:
            known.read_at = now
            return known.observer
        try:
            observer = PrometheusObserver(spec, refused=self._refused, on_request=self._on_request, **_login(secret))
        except ValueError as error:
            raise _Unusable(f"endpoint {name} can't be used: {str(error)[:200]}") from None
        if known is not None:
            known.observer.close()
        self._ready[name] = _Ready(spec, secret, observer, now)
        return observer

    async def _secret(self, endpoint: str, spec: EndpointSpec) -> Mapping[str, str] | None:
        if spec.auth is None:
            return None
        name = spec.auth.secret_ref.name
        path = secret_path(self._namespace, name)
        try:
            found = await self._api.get(path)
        except Refused as error:
            cure = (
                "create it" if error.status == 404 else "list it in metricsEndpoint.extraSecrets of the chart's values"
            )
            raise _Unusable(f"Secret {name} in {self._namespace} can't be read ({error.status}): {cure}") from None
        except Unknown:
            raise _Unusable(f"Secret {name} in {self._namespace} can't be read now") from None
        _check_host(found, name, spec.url, needs_list=endpoint != DEFAULT)
        return _decoded(found, name)

    def close(self) -> None:
        """Lets go of all observers."""
        for ready in self._ready.values():
            ready.observer.close()
        self._ready.clear()


def _check_host(secret: Object, name: str, url: str, *, needs_list: bool) -> None:
    """Raises _Unusable where the Secret doesn't list the host of a URL.

    Who may write a MetricsEndpoint need not be who may read the Secret, and would get it by naming a host of their
    own. `default` comes from the chart's values, together with its Secret, and needs no list.
    """
    parts = urlsplit(url)
    text = str((secret["metadata"].get("annotations") or {}).get(HOSTS) or "")
    listed = {host.strip().lower() for host in text.split(",") if host.strip()}
    if (needs_list or listed) and not listed & {parts.netloc.lower(), parts.hostname}:
        raise _Unusable(f"Secret {name} may not be sent to {parts.netloc}: list the host in its annotation {HOSTS}")


def _decoded(secret: Object, name: str) -> dict[str, str]:
    try:
        data = {key: base64.b64decode(text).decode().strip() for key, text in (secret.get("data") or {}).items()}
    except (binascii.Error, UnicodeDecodeError):
        raise _Unusable(f"Secret {name} holds bytes that are no text: give token, or username and password") from None
    if not data.get("token") and not (data.get("username") and data.get("password")):
        raise _Unusable(f"Secret {name} has no token, nor username and password: add them")
    return data


def _login(secret: Mapping[str, str] | None) -> dict[str, Any]:
    if secret is None:
        return {}
    if secret.get("token"):
        return {"token": secret["token"]}
    return {"basic": (secret["username"], secret["password"])}
