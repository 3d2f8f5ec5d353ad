"""What pods say: how many are ready, and how they answer when asked directly."""

import asyncio
import ipaddress
import time
from collections.abc import Collection
from typing import Any

import requests

from stepdown.actions.route import is_ready, selected
from stepdown.engine.fields import Ref
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.questions import PodsQuestion, ProbeQuestion
from stepdown.ports import Cluster, Refused, Unknown

BODY_MAX = 65_536


class PodsObserver:
    """Answers PodsQuestion and ProbeQuestion; never raises."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def observe(
        self, questions: Collection[PodsQuestion | ProbeQuestion]
    ) -> dict[PodsQuestion | ProbeQuestion, Observation]:
        """One observation per question."""
        answers = await asyncio.gather(*(self._answer(question) for question in questions))
        return dict(zip(questions, answers, strict=True))

    async def _answer(self, question: PodsQuestion | ProbeQuestion) -> Observation:
        workload_ref = Ref(question.kind, question.name)
        try:
            found = await self._cluster.read(question.namespace, [workload_ref, Ref("Pod")])
        except (Refused, Unknown) as error:
            return Observation(missing=Missing.ERROR, detail=str(error)[:200])
        workload, pods = found[workload_ref], found[Ref("Pod")]
        if not isinstance(workload, dict) or not isinstance(pods, list):
            return Observation(missing=Missing.ERROR, detail=f"{question.kind} {question.name} isn't there")
        labels = (workload["spec"].get("selector") or {}).get("matchLabels") or {}
        if not labels:
            return Observation(missing=Missing.ERROR, detail=f"{question.kind} {question.name} has no matchLabels")
        ready = [pod for pod in selected(pods, labels) if is_ready(pod)]
        if isinstance(question, PodsQuestion):
            desired = int(workload["spec"].get("replicas", 1))
            if desired == 0:
                return Observation(missing=Missing.EMPTY, detail=f"{question.kind} {question.name} is scaled to 0")
            return Observation(value=min(1.0, len(ready) / desired), sampled=None)
        if not ready:
            return Observation(value=0.0, detail=f"{question.kind} {question.name} has no ready pod")
        results = await asyncio.gather(*(asyncio.to_thread(_ask, pod, question) for pod in ready))
        wrong = [text for text in results if text]
        return Observation(value=0.0 if wrong else 1.0, detail=wrong[0] if wrong else "")


def _ask(pod: dict[str, Any], question: ProbeQuestion) -> str:
    """Nothing when the pod answers 2xx in time, else what it did instead."""
    name = str(pod["metadata"]["name"])
    address = str(pod.get("status", {}).get("podIP", ""))
    port = question.port or _first_port(pod)
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return f"{name} has no address"
    if parsed.is_loopback or parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified:
        return f"{name} has the address {address}, which is never asked"
    if port is None:
        return f"{name} declares no port; name one in probe.http.port"
    host = f"[{address}]" if parsed.version == 6 else address
    deadline = time.monotonic() + question.timeout
    with requests.Session() as session:
        session.trust_env = False
        try:
            with session.get(
                f"http://{host}:{port}{question.path}",
                timeout=question.timeout,
                allow_redirects=False,
                stream=True,
                headers={"User-Agent": "stepdown-probe", "Accept-Encoding": "identity"},
            ) as answer:
                size = 0
                for chunk in answer.iter_content(8192):
                    size += len(chunk)
                    if size > BODY_MAX or time.monotonic() > deadline:
                        break
                if time.monotonic() > deadline:
                    return f"{name} took longer than {question.timeout:g} s"
                return "" if 200 <= answer.status_code < 300 else f"{name} answers {answer.status_code}"
        except requests.RequestException as error:
            return f"{name}: {type(error).__name__}"


def _first_port(pod: dict[str, Any]) -> int | None:
    for container in pod.get("spec", {}).get("containers") or []:
        for port in container.get("ports") or []:
            return int(port["containerPort"])
    return None
