"""What pods say: how many are ready, and how they answer when asked directly.

Pods belong to tenants, so an answer is as little trusted as anybody's: no redirects, no proxies, a cap on its length,
and one deadline from the connection to the last byte, which a drip of single bytes doesn't move. Asked are a workload's
own pods, at addresses that only a pod can have; in a node's network, where every port is the node's, on declared ports.
"""

import asyncio
import contextlib
import ipaddress
from collections.abc import Collection, Sequence
from typing import Any

import aiohttp

from stepdown.actions.route import belongs_to, is_ready, selected
from stepdown.engine.fields import Ref
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.questions import PodsQuestion, ProbeQuestion
from stepdown.ports import Cluster, Refused, Unknown

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

BODY_MAX = 65_536

PODS_AT_ONCE = 16
"""Pods of one workload that are asked side by side."""


class PodsObserver:
    """Answers PodsQuestion and ProbeQuestion; never raises. `refused` are addresses that are never asked."""

    def __init__(self, cluster: Cluster, refused: Collection[str] = ()) -> None:
        self._cluster = cluster
        self._refused = frozenset(map(ipaddress.ip_address, refused))

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
        own = [pod for pod in selected(pods, labels) if belongs_to(pod, workload, question.kind)]
        ready = [pod for pod in own if is_ready(pod)]
        if isinstance(question, PodsQuestion):
            desired = int(workload["spec"].get("replicas", 1))
            if desired == 0:
                return Observation(missing=Missing.EMPTY, detail=f"{question.kind} {question.name} is scaled to 0")
            return Observation(value=min(1.0, len(ready) / desired), sampled=None)
        if not ready:
            return Observation(value=0.0, detail=f"{question.kind} {question.name} has no ready pod")
        wrong = await _first_wrong(ready, question, self._refused)
        return Observation(value=0.0 if wrong else 1.0, detail=wrong)


async def _first_wrong(pods: Sequence[dict[str, Any]], question: ProbeQuestion, refused: frozenset[Address]) -> str:
    """What the first pod that doesn't answer well did instead; the others are not waited for. Nothing if all do."""
    slots = asyncio.Semaphore(PODS_AT_ONCE)

    async def ask(session: aiohttp.ClientSession, pod: dict[str, Any]) -> str:
        async with slots:
            return await _ask(session, pod, question, refused)

    connector = aiohttp.TCPConnector(limit=PODS_AT_ONCE, force_close=True)
    async with aiohttp.ClientSession(
        connector=connector, auto_decompress=False, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        asking = [asyncio.create_task(ask(session, pod)) for pod in pods]
        try:
            for answer in asyncio.as_completed(asking):
                if wrong := await answer:
                    return wrong
            return ""
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)


async def _ask(
    session: aiohttp.ClientSession, pod: dict[str, Any], question: ProbeQuestion, refused: frozenset[Address]
) -> str:
    """Nothing when the pod answers 2xx in time, else what it did instead."""
    name = str(pod["metadata"]["name"])
    address = str(pod.get("status", {}).get("podIP", ""))
    ports = _ports(pod)
    port = question.port or (ports[0] if ports else None)
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return f"{name} has no address"
    if _is_never_asked(parsed) or parsed in refused:
        return f"{name} has the address {address}, which is never asked"
    if port is None:
        return f"{name} declares no port; name one in probe.http.port"
    if pod["spec"].get("hostNetwork") and port not in ports:
        return f"{name} is in its node's network, where just ports that it declares are asked; declare {port}"
    host = f"[{address}]" if parsed.version == 6 else address
    try:
        async with asyncio.timeout(question.timeout):
            status = await _status(session, f"http://{host}:{port}{question.path}")
    except TimeoutError:
        return f"{name} took longer than {question.timeout:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return f"{name}: {type(error).__name__}"
    return "" if 200 <= status < 300 else f"{name} answers {status}"


def _is_never_asked(address: Address) -> bool:
    """Whether an address can't be a pod's own: what it reached would be the operator's, or the machine's."""
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        return True
    return address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified


async def _status(session: aiohttp.ClientSession, url: str) -> int:
    """The status of an answer, after its body has come or has grown too long."""
    headers = {"User-Agent": "stepdown-probe", "Accept-Encoding": "identity"}
    async with session.get(url, allow_redirects=False, headers=headers) as answer:
        size = 0
        with contextlib.suppress(aiohttp.EofStream):
            async for chunk in answer.content.iter_any():
                size += len(chunk)
                if size > BODY_MAX:
                    break
        return answer.status


def _ports(pod: dict[str, Any]) -> list[int]:
    """The ports that a pod declares."""
    containers = pod["spec"].get("containers") or []
    return [int(port["containerPort"]) for container in containers for port in container.get("ports") or []]
