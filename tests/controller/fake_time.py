"""Time for contenders of a Lease: nobody waits, and every pause, hang and lost answer is to the second."""

import copy
import heapq
import itertools
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import jsonpatch

from stepdown.controller.lease import Lease
from stepdown.ports import Conflict, JsonPatch, Object, Refused, Unknown

PATH = "/apis/coordination.k8s.io/v1/namespaces/ops/leases/stepdown"


class Sleep:
    """What a task yields to be woken some seconds later."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Generator["Sleep", None, None]:
        yield self


async def sleep(seconds: float) -> None:
    await Sleep(seconds)


class Time:
    """Runs tasks in the order of their times. `look` is called after each step of any of them."""

    def __init__(self) -> None:
        self.now = 100.0
        self.look: Callable[[], None] = lambda: None
        self.paused: dict[str, float] = {}
        self._heap: list[tuple[float, int, str, Coroutine[Sleep, None, Any]]] = []
        self._numbers = itertools.count()

    def start(self, name: str, work: Coroutine[Sleep, None, Any], after: float = 0.0) -> None:
        self._push(after, name, work)

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        """Does something at a time from the start."""

        async def acting() -> None:
            act()

        self._push(100.0 + seconds - self.now, "", acting())

    def run(self, until: float) -> None:
        """Until some seconds from the start; a paused task goes on when its pause is over."""
        while self._heap and self._heap[0][0] <= 100.0 + until:
            when, _, name, work = heapq.heappop(self._heap)
            self.now = max(self.now, when)
            wakes = self.paused.get(name, 0.0)
            if wakes > self.now:
                self._push(wakes - self.now, name, work)
                continue
            try:
                yielded = work.send(None)
            except StopIteration:
                pass
            else:
                self._push(yielded.seconds, name, work)
            self.look()
        self.now = 100.0 + until
        self.look()

    def pause(self, name: str, seconds: float) -> None:
        self.paused[name] = self.now + seconds

    def kill(self, name: str) -> None:
        self._heap = [item for item in self._heap if item[2] != name]
        heapq.heapify(self._heap)

    def _push(self, seconds: float, name: str, work: Coroutine[Sleep, None, Any]) -> None:
        heapq.heappush(self._heap, (self.now + seconds, next(self._numbers), name, work))


class Server:
    """The API server's one Lease. Every call takes `latency` before and after its effect."""

    def __init__(self, latency: Callable[[], float] = lambda: 0.01) -> None:
        self.lease: Object | None = None
        self.latency = latency
        self.calls: list[str] = []
        self._versions = itertools.count(1)

    def edit(self, change: Callable[[Object], None]) -> None:
        """Somebody's hand."""
        assert self.lease is not None
        changed = copy.deepcopy(self.lease)
        change(changed)
        self.put(changed)

    def put(self, lease: Object) -> Object:
        version = str(next(self._versions))
        self.lease = {**lease, "metadata": {"uid": "u1", **lease["metadata"], "resourceVersion": version}}
        return self.lease


class Client:
    """One contender's way to the server. `fate` says of each call: ok, before, after (its effect) or hang."""

    def __init__(self, server: Server, fate: Callable[[str], str] = lambda _: "ok") -> None:
        self.server = server
        self.fate = fate

    async def get(self, path: str) -> Object:
        return await self._call("get", self._found)

    async def patch(self, path: str, patch: JsonPatch) -> Object:
        def effect() -> Object:
            try:
                return self.server.put(jsonpatch.apply_patch(self._found(), patch))
            except jsonpatch.JsonPatchTestFailed:
                raise Conflict(422, "test failed") from None

        return await self._call("patch", effect)

    async def post(self, path: str, body: Object) -> Object:
        def effect() -> Object:
            if self.server.lease is not None:
                raise Conflict(409, "already exists")
            return self.server.put(body)

        return await self._call("post", effect)

    def _found(self) -> Object:
        if self.server.lease is None:
            raise Refused(404, "not found")
        return self.server.lease

    async def _call(self, verb: str, effect: Callable[[], Object]) -> Object:
        self.server.calls.append(verb)
        fate = self.fate(verb)
        if fate == "hang":
            await sleep(5.0)
            raise Unknown("no answer within 5 s")
        await sleep(self.server.latency())
        if fate == "before":
            raise Unknown("connection refused")
        if fate == "refused":
            raise Refused(500, "etcdserver: request timed out")
        result = effect()
        await sleep(self.server.latency())
        if fate == "after":
            raise Unknown("the answer was lost")
        return copy.deepcopy(result)


class Contender:
    """One replica: acquires, holds, lets go, and acquires again."""

    def __init__(self, time: Time, server: Server, name: str, **settings: Any) -> None:
        self.time, self.name = time, name
        self.client = Client(server)
        self.lease = Lease(
            self.client,
            "ops",
            "stepdown",
            settings.pop("identity", name),
            clock=lambda: time.now,
            sleep=sleep,
            wall=lambda: 1_790_000_000 + time.now,
            **settings,
        )
        self.epochs: list[int] = []
        self.led: list[tuple[float, float]] = []

    def start(self, after: float = 0.0) -> "Contender":
        self.time.start(self.name, self._live(), after)
        return self

    async def _live(self) -> None:
        while True:
            self.epochs.append(await self.lease.acquire())
            await self.lease.hold()
            await self.lease.release()

    @property
    def leads(self) -> bool:
        return self.lease.is_leader()
