"""Leadership: a Lease, a monotonic clock, and an epoch that only grows.

The library's elector was measured to lead on after its lease was lost, so this is our own. A leader believes in
itself only until a fixed part of the duration after the *start* of its last good renewal, which holds however
long it was starved or paused since. Another's Lease is taken only after it has stood unchanged before our own
eyes for its whole duration; clocks of other machines are never compared. `leaseTransitions` is the epoch.

A Lease may be deleted, garbled or taken by hand. One that was there and is gone stands for its old holder, who may
not have noticed: it is made anew after the duration only. A process that has never seen it asks what policies
remember. What isn't readable counts as held by somebody, and so does an emptied holder that its holder has not
emptied itself. An epoch is never below the seconds since EPOCH_ZERO, so that losing the count doesn't lead behind it.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

from stepdown.api.model import format_timestamp
from stepdown.engine.pointer import escape
from stepdown.ports import Conflict, JsonPatch, Object, Refused, Unknown

log = logging.getLogger("stepdown.lease")

BELIEVED_PART = 2 / 3
"""The part of the duration for which a leader believes in its last renewal; the rest is margin for a late write."""

DURATION_MAX = 300.0
"""Seconds: the longest duration of anybody's that is waited for, as long as the configuration allows."""

EPOCH_ZERO = 1_704_067_200
"""2024-01-01, as seconds since 1970: `leaseTransitions` is a 32-bit number."""

EPOCH_MAX = 2_147_000_000
"""What is above it was written by hand and doesn't count: the field ends soon after, and nothing could follow."""

LOOK_SECONDS = 0.5
"""Longest time between two looks of who stands by: a Lease that was let go is soon taken."""

ASKED_BY = "stepdown.dev/asked-by"
"""Annotation of a Lease: the identity to hand it over to."""

IDENTITY_MAX = 200
"""Longest identity that a Lease is handed over to."""

_NOWHERE = ""
"""The version of a Lease that is not there."""


class LeaseApi(Protocol):
    """What the elector needs of the API server."""

    async def get(self, path: str) -> Object:
        """A GET."""

    async def patch(self, path: str, patch: JsonPatch) -> Object:
        """A JSON patch."""

    async def post(self, path: str, body: Object) -> Object:
        """A creation."""


async def _nothing() -> int:
    return 0


class Lease:
    """One contender for one Lease. Times in seconds; `clock`, `sleep` and `wall` are for tests.

    `remembered` gives the highest epoch that anything else still knows of, 0 for none; it may raise as the API does.
    One that `asks` has the Lease handed over to it, and hands it over to nobody; its identity must be its alone.
    """

    def __init__(
        self,
        api: LeaseApi,
        namespace: str,
        name: str,
        identity: str,
        duration: float = 15.0,
        renew_every: float = 2.0,
        asks: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        wall: Callable[[], float] = time.time,
        remembered: Callable[[], Awaitable[int]] = _nothing,
    ) -> None:
        self._api = api
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{name}"
        self._namespace, self._name, self._identity = namespace, name, identity
        self._duration, self._every = duration, min(renew_every, duration * BELIEVED_PART / 2)
        self._asks, self._has_asked, self._heir = asks, False, ""
        self._clock, self._sleep, self._wall, self._remembered = clock, sleep, wall, remembered
        self._seen: tuple[str, float] | None = None
        self._last_good = float("-inf")
        self._unanswered = 0
        self._highest = 0
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
            pause = self._every
            try:
                if await self._try():
                    self._last_good = started
                    if self.is_leader():
                        return self.epoch
                pause = min(self._every, LOOK_SECONDS)
            except Refused as error:
                cure = "; give the operator's ServiceAccount the chart's roles" if error.status in (401, 403) else ""
                log.warning("no lease yet: %s%s", error, cure)
            except Unknown as error:
                log.warning("no lease yet: %s", error)
            await self._sleep(pause)

    async def hold(self) -> None:
        """Renews; returns as soon as we don't lead any more, or are asked not to: then `release` hands over."""
        while self.is_leader():
            await self._sleep(self._every)
            started = self._clock()
            try:
                found = await self._api.get(self._path)
                spec = _spec_of(found)
                if not self._is_ours(spec):
                    log.error("the lease is held by %s now", str(spec.get("holderIdentity"))[:100])
                    self._last_good = float("-inf")
                    return
                if not self._asks and (asker := _asker(found)):
                    log.warning("the lease is asked for by %s: it is handed over", asker)
                    self._heir = asker
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

    async def release(self, after: float = 0.0) -> None:
        """Lets the next one take over: who has asked, or anybody, at once or after some seconds."""
        heir, self._heir = self._heir, ""
        if not self.is_leader():
            return
        self._last_good = float("-inf")
        try:
            found = await self._api.get(self._path)
            spec = _spec_of(found)
            if self._is_ours(spec):
                kept = {key: value for key, value in spec.items() if key != "renewTime"}
                left = {**spec, "leaseDurationSeconds": round(after)} if after else {**kept, "holderIdentity": heir}
                await self._api.patch(self._path, _replacing(found, left, answered=heir))
        except (Refused, Unknown) as error:
            log.warning("the lease could not be released: %s", error)

    def _is_ours(self, spec: dict[str, Any]) -> bool:
        """Whether a Lease is what this very process wrote; another one may call itself the same."""
        return spec.get("holderIdentity") == self._identity and spec.get("leaseTransitions") == self.epoch

    async def _try(self) -> bool:
        try:
            found = await self._api.get(self._path)
        except Refused as error:
            if error.status != 404:
                raise
            return await self._create()
        spec = _spec_of(found)
        self._highest = max(self._highest, _whole(spec.get("leaseTransitions")))
        stood = self._stood(str(found["metadata"].get("resourceVersion")))
        unanswered = spec.get("holderIdentity") == self._identity and spec.get("leaseTransitions") == self._unanswered
        heirs = ("", self._identity) if self._asks else ("",)
        # As `release` leaves it, and no hand does.
        free = spec.get("holderIdentity") in heirs and "renewTime" not in spec
        free = free or (self._is_ours(spec) and self.epoch > 0) or (unanswered and self._unanswered > 0)
        if not free and stood < self._wait(spec):
            if self._asks and not (self._has_asked and _asker(found)):
                await self._ask(found)
            return False
        patch = partial(_replacing, found, answered=self._identity)
        return await self._take(self._next_epoch(), lambda body: self._api.patch(self._path, patch(body)))

    async def _ask(self, found: Object) -> None:
        """Two that ask overwrite each other once: each write lets the Lease of a dead holder stand anew."""
        annotations = {**_annotations(found), ASKED_BY: self._identity}
        with contextlib.suppress(Conflict):
            await self._api.patch(
                self._path, [*_tests(found), {"op": "add", "path": "/metadata/annotations", "value": annotations}]
            )
            self._has_asked = True

    async def _create(self) -> bool:
        if self._seen is None:
            self._highest = max(self._highest, await self._remembered())
        may_be_held = self._seen is not None or self._highest > 0
        if may_be_held and self._stood(_NOWHERE) < self._duration:
            return False
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
        }
        return await self._take(
            self._next_epoch(), lambda spec: self._api.post(self._collection, {**body, "spec": spec})
        )

    async def _take(self, epoch: int, write: Callable[[dict[str, Any]], Awaitable[Object]]) -> bool:
        """Writes us into the Lease; False when somebody was faster."""
        self._unanswered = epoch
        try:
            await write(self._spec(epoch))
        except Conflict:
            self._unanswered = 0
            return False
        self.epoch, self._unanswered = epoch, 0
        return True

    def _stood(self, version: str) -> float:
        """Seconds for which this version has stood before our eyes."""
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, self._clock())
        return self._clock() - self._seen[1]

    def _wait(self, spec: dict[str, Any]) -> float:
        """How long a holder may still believe; never shorter than our own duration, whatever was written by hand."""
        found = spec.get("leaseDurationSeconds")
        theirs = float(found) if isinstance(found, int) else 0.0
        return min(max(theirs, self._duration), max(DURATION_MAX, self._duration))

    def _next_epoch(self) -> int:
        return max(self._highest, self.epoch, int(self._wall()) - EPOCH_ZERO) + 1

    def _spec(self, epoch: int, acquired: Any = None) -> dict[str, Any]:
        """Times are for people and other tools; the fraction keeps two renewals in a second from being equal."""
        now = f"{format_timestamp(self._wall())[:-1]}.{int(self._clock() * 1e6) % 1_000_000:06d}Z"
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._duration)),
            "acquireTime": acquired or now,
            "renewTime": now,
            "leaseTransitions": epoch,
        }


def _replacing(found: Object, spec: dict[str, Any], answered: str = "") -> JsonPatch:
    """A Lease with another spec, and without the wish of who is `answered`."""
    patch = _tests(found)
    if answered and _asker(found) == answered:
        patch.append({"op": "remove", "path": f"/metadata/annotations/{escape(ASKED_BY)}"})
    return [*patch, {"op": "add", "path": "/spec", "value": spec}]


def _tests(found: Object) -> JsonPatch:
    return [
        {"op": "test", "path": "/metadata/uid", "value": found["metadata"]["uid"]},
        {"op": "test", "path": "/metadata/resourceVersion", "value": found["metadata"]["resourceVersion"]},
    ]


def _annotations(found: Object) -> dict[str, Any]:
    return dict(found["metadata"].get("annotations") or {})


def _asker(found: Object) -> str:
    """Who asks for a Lease; nobody where what stands there can't be an identity."""
    text = str(_annotations(found).get(ASKED_BY) or "")
    return text if len(text) <= IDENTITY_MAX and text.isprintable() else ""


def _spec_of(found: Object) -> dict[str, Any]:
    spec = found.get("spec")
    return spec if isinstance(spec, dict) else {}


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= EPOCH_MAX else 0
