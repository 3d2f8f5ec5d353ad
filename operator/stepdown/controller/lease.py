"""Leadership: a Lease, a monotonic clock, and an epoch that only grows.

The library's elector was measured to lead on after its lease was lost, so this is our own. A leader believes in
itself only until a fixed part of the duration after the *start* of its last good renewal, which holds however
long it was starved or paused since. Another's Lease is taken only after it has stood unchanged before our own
eyes for its whole duration; clocks of other machines are never compared. `leaseTransitions` is the epoch.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from stepdown.api.model import format_timestamp
from stepdown.ports import Conflict, JsonPatch, Object, Refused, Unknown

log = logging.getLogger("stepdown.lease")

BELIEVED_PART = 2 / 3
"""The part of the duration for which a leader believes in its last renewal; the rest is margin for a late write."""


class LeaseApi(Protocol):
    """What the elector needs of the API server."""

    async def get(self, path: str) -> Object:
        """A GET."""

    async def patch(self, path: str, patch: JsonPatch) -> Object:
        """A JSON patch."""

    async def post(self, path: str, body: Object) -> Object:
        """A creation."""


class Lease:
    """One contender for one Lease. Times in seconds; `clock` and `sleep` are for tests."""

    def __init__(
        self,
        api: LeaseApi,
        namespace: str,
        name: str,
        identity: str,
        duration: float = 15.0,
        renew_every: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{name}"
        self._namespace, self._name, self._identity = namespace, name, identity
        self._duration, self._every = duration, renew_every
        self._clock, self._sleep = clock, sleep
        self._seen: tuple[str, float] | None = None
        self._last_good = float("-inf")
        self.epoch = 0

    @property
    def name(self) -> str:
        """`namespace/name`."""
        return f"{self._namespace}/{self._name}"

    def is_leader(self) -> bool:
        """Whether we may write now."""
        return self._clock() < self._last_good + self._duration * BELIEVED_PART

    def guard(self) -> None:
        """Raises Unknown when we may not write: the write does not happen, and nothing is assumed."""
        if not self.is_leader():
            raise Unknown("not the leader any more: nothing is written")

    async def acquire(self) -> int:
        """Waits until we lead; gives the epoch."""
        while True:
            started = self._clock()
            try:
                if await self._try():
                    self._last_good = started
                    if self.is_leader():
                        return self.epoch
            except Refused as error:
                cure = "; give the operator's ServiceAccount the chart's roles" if error.status in (401, 403) else ""
                log.warning("no lease yet: %s%s", error, cure)
            except Unknown as error:
                log.warning("no lease yet: %s", error)
            await self._sleep(self._every)

    async def hold(self) -> None:
        """Renews; returns as soon as we don't lead any more."""
        while self.is_leader():
            await self._sleep(self._every)
            started = self._clock()
            try:
                found = await self._api.get(self._path)
                spec = found.get("spec") or {}
                if spec.get("holderIdentity") != self._identity or spec.get("leaseTransitions") != self.epoch:
                    log.error("the lease is held by %s now", str(spec.get("holderIdentity"))[:100])
                    self._last_good = float("-inf")
                    return
                await self._api.patch(self._path, _replacing(found, self._spec(self.epoch, spec.get("acquireTime"))))
                self._last_good = started
            except Conflict:
                continue
            except Refused as error:
                if error.status == 404:
                    log.error("the lease was deleted")
                    self._last_good = float("-inf")
                    return
                log.warning("a renewal was refused: %s", error)
            except Unknown as error:
                log.warning("a renewal got no answer: %s", error)

    async def release(self) -> None:
        """Lets the next one take over at once."""
        if not self.is_leader():
            return
        self._last_good = float("-inf")
        try:
            found = await self._api.get(self._path)
            if (found.get("spec") or {}).get("holderIdentity") == self._identity:
                await self._api.patch(self._path, _replacing(found, {**found["spec"], "holderIdentity": ""}))
        except (Refused, Unknown) as error:
            log.warning("the lease could not be released: %s", error)

    async def _try(self) -> bool:
        try:
            found = await self._api.get(self._path)
        except Refused as error:
            if error.status != 404:
                raise
            return await self._create()
        spec = found.get("spec") or {}
        version = str(found["metadata"].get("resourceVersion"))
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, self._clock())
        holder = spec.get("holderIdentity")
        free = not holder or holder == self._identity
        if not free and self._clock() - self._seen[1] < _seconds(spec, self._duration):
            return False
        epoch = max(_whole(spec.get("leaseTransitions")), self.epoch) + 1
        try:
            await self._api.patch(self._path, _replacing(found, self._spec(epoch)))
        except Conflict:
            return False
        self.epoch = epoch
        return True

    async def _create(self) -> bool:
        epoch = max(self.epoch + 1, int(time.time()))  # a Lease created anew must not go back behind the old one
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": self._spec(epoch),
        }
        try:
            await self._api.post(self._collection, body)
        except Conflict:
            return False
        self.epoch = epoch
        return True

    def _spec(self, epoch: int, acquired: Any = None) -> dict[str, Any]:
        """Times are for people and other tools; the fraction keeps two renewals in a second from being equal."""
        now = f"{format_timestamp(time.time())[:-1]}.{int(self._clock() * 1e6) % 1_000_000:06d}Z"
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._duration)),
            "acquireTime": acquired or now,
            "renewTime": now,
            "leaseTransitions": epoch,
        }


def _replacing(found: Object, spec: dict[str, Any]) -> JsonPatch:
    return [
        {"op": "test", "path": "/metadata/uid", "value": found["metadata"]["uid"]},
        {"op": "test", "path": "/metadata/resourceVersion", "value": found["metadata"]["resourceVersion"]},
        {"op": "add", "path": "/spec", "value": spec},
    ]


def _seconds(spec: dict[str, Any], default: float) -> float:
    found = spec.get("leaseDurationSeconds")
    return float(found) if isinstance(found, int) and 0 < found <= 3600 else default


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
