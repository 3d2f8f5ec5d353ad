"""What policies remember, kept in their status, and what people are told, as Events.

Status is replaced whole by a JSON patch that tests uid and resourceVersion: compare-and-set. Events are written
in the background from a bounded queue; they are never worth a delay or a failure.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from stepdown.adapters.api import Api
from stepdown.adapters.paths import policy_path
from stepdown.api.lines import one_line
from stepdown.api.model import format_timestamp
from stepdown.api.policy import GROUP, VERSION
from stepdown.api.status import PolicyStatus
from stepdown.engine.fields import KINDS
from stepdown.ports import FINALIZER, Event, JsonPatch, Object, Policy, Refused, Unknown

log = logging.getLogger("stepdown.journal")

QUEUE_MAX = 500
REPEAT_SECONDS = 600.0
MESSAGE_MAX = 1024
STEM_MAX = 200


@dataclass(slots=True)
class _Written:
    """An Event that is there, since when (monotonic seconds), and how often it was told."""

    since: float
    name: str
    count: int = 1


class KubernetesJournal:
    """ports.Journal on the real API server. `run` must run for Events to be written."""

    def __init__(self, api: Api, identity: str) -> None:
        self._api = api
        self._identity = identity
        self._queue: asyncio.Queue[tuple[Object, str]] = asyncio.Queue(QUEUE_MAX)
        self._written: dict[str, _Written] = {}

    async def load(self, policy: Policy) -> Policy | None:
        """See ports.Journal."""
        try:
            found = Policy(await self._api.get(policy_path(policy.namespace, policy.name)))
        except Refused as error:
            if error.status == 404:
                return None
            raise
        return found if found.uid == policy.uid else None

    async def store(self, policy: Policy, status: PolicyStatus) -> Policy:
        """See ports.Journal."""
        body = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        patch = [*_tests(policy), {"op": "add", "path": "/status", "value": body}]
        return Policy(await self._api.patch(policy_path(policy.namespace, policy.name, "status"), patch))

    async def set_finalizer(self, policy: Policy, *, present: bool) -> Policy:
        """See ports.Journal."""
        have = list(policy.raw["metadata"].get("finalizers") or [])
        if (FINALIZER in have) == present:
            return policy
        want = [*have, FINALIZER] if present else [name for name in have if name != FINALIZER]
        patch = [*_tests(policy), {"op": "add", "path": "/metadata/finalizers", "value": want}]
        return Policy(await self._api.patch(policy_path(policy.namespace, policy.name), patch))

    def tell(self, policy: Policy, event: Event) -> None:
        """See ports.Journal."""
        message = one_line(event.message, MESSAGE_MAX)
        facts: dict[str, Any] = {"policy": f"{policy.namespace}/{policy.name}", "reason": str(event.reason)}
        log.info(message, extra={**facts, "undo": list(event.undo)} if event.undo else facts)
        involved: list[dict[str, Any]] = [
            {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": "DegradationPolicy",
                "name": policy.name,
                "namespace": policy.namespace,
                "uid": policy.uid,
            }
        ]
        if event.about is not None:
            about = event.about
            involved.append(
                {
                    "apiVersion": KINDS[about.kind].api_version,
                    "kind": about.kind,
                    "name": about.name,
                    "namespace": policy.namespace,
                    "uid": about.uid,
                }
            )
        for reference in involved:
            body = self._body(reference, str(event.reason), message, warning=event.warning)
            key = f"{reference['uid']}/{event.reason}/{message}"
            try:
                self._queue.put_nowait((body, key))
            except asyncio.QueueFull:
                return

    async def run(self) -> None:
        """Writes Events for ever."""
        while True:
            body, key = await self._queue.get()
            try:
                await self._write(body, key)
            except (Refused, Unknown) as error:
                log.debug("an Event could not be written: %s", error)
            except Exception:
                log.exception("an Event could not be written")

    async def _write(self, body: Object, key: str) -> None:
        now = time.monotonic()
        namespace = body["metadata"]["namespace"]
        path = f"/api/v1/namespaces/{namespace}/events"
        known = self._written.get(key)
        if known is not None and now - known.since < REPEAT_SECONDS:
            known.count += 1
            patch = [
                {"op": "add", "path": "/count", "value": known.count},
                {"op": "add", "path": "/lastTimestamp", "value": body["lastTimestamp"]},
            ]
            await self._api.patch(f"{path}/{known.name}", patch)
            return
        self._written = {k: v for k, v in self._written.items() if now - v.since < REPEAT_SECONDS}
        await self._api.post(path, body)
        self._written[key] = _Written(now, body["metadata"]["name"])

    def _body(self, reference: Object, reason: str, message: str, *, warning: bool) -> Object:
        now = format_timestamp(time.time())
        window = int(time.monotonic() // REPEAT_SECONDS)
        identity = f"{reference['uid']}/{reason}/{message}/{window}/{self._identity}"
        digest = sha256(identity.encode()).hexdigest()[:16]
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{_stem(reference['name'])}.{digest}", "namespace": reference["namespace"]},
            "involvedObject": reference,
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "source": {"component": "stepdown"},
            "reportingComponent": "stepdown.dev/operator",
            "reportingInstance": self._identity[:128],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }


def _stem(name: str) -> str:
    """The start of an Event's name: a part of a name may end where an object's can't."""
    return name[:STEM_MAX].rstrip("-.")


def _tests(policy: Policy) -> JsonPatch:
    return [
        {"op": "test", "path": "/metadata/uid", "value": policy.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": policy.resource_version},
    ]
