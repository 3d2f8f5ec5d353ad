"""The operator as one process: it stands by until it leads, and then watches, evaluates and writes.

Ending it changes nothing in the cluster. A leadership has a number (the epoch), an evaluator and a feeder of its
own; when it is lost all of them end, nothing more is written, and the process stands by again.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import uuid4

from stepdown import __version__
from stepdown.adapters.api import Api
from stepdown.adapters.cluster import KubernetesCluster
from stepdown.adapters.journal import KubernetesJournal
from stepdown.adapters.metrics import Metrics
from stepdown.adapters.paths import endpoints_path, object_path, policies_path
from stepdown.adapters.pods import PodsObserver
from stepdown.adapters.server_addresses import server_addresses
from stepdown.controller.config import Config
from stepdown.controller.endpoints import Endpoints
from stepdown.controller.evaluator import Evaluator
from stepdown.controller.feeder import Feeder
from stepdown.controller.keeping import page_keeper
from stepdown.controller.lease import Lease
from stepdown.controller.listing import Page, pages, remembered_epoch
from stepdown.controller.memory import give_back_long_blocks
from stepdown.controller.server import Server
from stepdown.cycle import Cycle
from stepdown.mass_guard import MassGuard
from stepdown.ports import Refused, Unknown
from stepdown.prepared import Claims

log = logging.getLogger("stepdown.app")

See = Callable[[str, Mapping[str, Any], bool], None]
"""Told the plural of a kind, an object, and whether it is gone."""

Known = Callable[[str, str | None], list[Mapping[str, Any]]]
"""The objects of a kind, in a namespace or in all, that were seen and not seen to be gone."""

RETRY_SECONDS = 3.0
"""Pause before something that is needed at the start is looked for again."""

RELIST_SECONDS = 300.0
"""How often everything is listed again. A watch may miss an end or an edit: kopf emits no end of what was gone when
it lists anew, and stays away for as long as a busy server says, be it a day."""

REST_MAX = 60.0
"""Longest pause after a leadership that ended by an error of ours; the first is RETRY_SECONDS."""

RELEASE_SECONDS = 0.9
"""Longest time for letting the lease go; with the evaluator's patience it is less than two seconds."""

STARVED_SECONDS = 30.0
"""The loop is dead when nothing of it has run for so long."""


async def run(config: Config, lease_namespace: str) -> int:
    """Runs until SIGTERM or SIGINT; gives the exit code. Raises NoCluster, and OSError for a taken port."""
    give_back_long_blocks()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    api, lease_api = await Api.connect(), await Api.connect(pauses=())
    try:
        await Operator(config, lease_namespace, api, lease_api, stop).run()
    finally:
        await api.close()
        await lease_api.close()
    return 0


class Operator:
    """One replica. The lease has an Api of its own, so that it never queues behind other calls."""

    def __init__(self, config: Config, lease_namespace: str, api: Api, lease_api: Api, stop: asyncio.Event) -> None:
        self._config = config
        self._namespace = lease_namespace
        self._api = api
        self._stop = stop
        self._identity = f"{socket.gethostname()[:80]}_{uuid4()}"
        self._lease = Lease(
            lease_api,
            lease_namespace,
            config.lease.name,
            self._identity,
            duration=config.lease.duration_seconds,
            renew_every=config.lease.renew_seconds,
            remembered=partial(remembered_epoch, api, config.namespaces),
        )
        self._metrics = Metrics()
        self._beat = time.monotonic()
        self._evaluator: Evaluator | None = None
        self._failures = 0
        api.guard = self._lease.guard
        api.on_write = lambda resource: self._metrics.writes.labels(resource).inc()

    async def run(self) -> None:
        """Stands by and leads in turn, until it is told to stop."""
        where = ", ".join(self._config.namespaces) or "all namespaces"
        log.info("stepdown %s: %s of %s, lease %s", __version__, where, self._api.host, self._lease.name)
        server = Server(self._config.metrics_address, self._metrics.registry, self._is_alive, self._is_ready)
        beating = asyncio.create_task(self._keep_beating())
        try:
            while not self._stop.is_set():
                acquiring = asyncio.create_task(self._lease.acquire())
                await self._first(acquiring)
                if not acquiring.cancelled() and acquiring.done():
                    await self._lead(acquiring.result())
        finally:
            beating.cancel()
            server.stop()

    async def _lead(self, epoch: int) -> None:
        log.info("leading, epoch %d", epoch)
        holding = asyncio.create_task(self._lease.hold())
        working = asyncio.create_task(self._work(epoch))
        self._metrics.leader.set(1)
        started = time.monotonic()
        try:
            await self._first(holding, working)
        finally:
            self._metrics.stand_by()
            await self._release()
            log.info("not leading any more")
        errors = [error for task in (holding, working) if (error := _error_of(task)) is not None]
        for error in errors:
            log.error("the leadership ended by an error", exc_info=error)
        if errors:
            self._failures = self._failures + 1 if time.monotonic() - started < REST_MAX else 1
            await self._rest(min(REST_MAX, RETRY_SECONDS * 2.0 ** (self._failures - 1)))

    async def _release(self) -> None:
        """The next one leads at once; where the API server doesn't answer, after the lease's duration."""
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._lease.release()
        except TimeoutError:
            log.warning("the lease could not be released within %g s", RELEASE_SECONDS)

    async def _rest(self, seconds: float) -> None:
        """Leaves the lead to others for a while, so that what fails at once isn't begun at once again."""
        log.warning("the lead is left to others for %g s", seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    async def _work(self, epoch: int) -> None:
        """Watches, evaluates and tells, until it is cancelled."""
        cluster, journal = (
            KubernetesCluster(self._api, self._config.opt_in),
            KubernetesJournal(self._api, self._identity),
        )
        refused = await server_addresses(self._api)
        endpoints = Endpoints(
            self._api,
            PodsObserver(cluster, refused),
            default=self._config.metrics_endpoint,
            namespace=self._namespace,
            refused=refused,
            on_request=self._metrics.queries.inc,
        )
        keeper = page_keeper(self._config, self._api, cluster, journal)
        cycle = Cycle(cluster, journal, Claims(), epoch, MassGuard(self._config.mass_guard.limit), keeper)
        evaluator = Evaluator(cycle, endpoints, self._metrics, endpoints.problems)
        see = partial(_see, evaluator, endpoints)
        known = partial(_known, evaluator, endpoints)
        await self._fill(see, known)
        feeder = Feeder(self._config.namespaces, partial(_hand_over, asyncio.get_running_loop(), see))
        aside = [asyncio.create_task(journal.run()), asyncio.create_task(self._fill_again(see, known))]
        self._evaluator = evaluator
        feeder.start()
        try:
            await evaluator.run()
        finally:
            feeder.stop()
            self._evaluator = None
            await evaluator.stop()
            for task in aside:
                task.cancel()
            endpoints.close()

    async def _fill_again(self, see: See, known: Known) -> None:
        while True:
            await asyncio.sleep(RELIST_SECONDS)
            try:
                await self._fill(see, known)
            except Exception:
                log.exception("what there is could not be listed again")

    async def _fill(self, see: See, known: Known) -> None:
        """Everything is seen once before anything is evaluated: which fields are held is known only from all.

        What was known before the list was asked for, and isn't in it, is gone.
        """
        namespaces: list[str] | list[None] = self._config.namespaces or [None]
        lists: list[tuple[str, str | None, str]]
        lists = [("namespaces", None, object_path("", "Namespace")), ("metricsendpoints", None, endpoints_path())]
        lists += [("degradationpolicies", namespace, policies_path(namespace)) for namespace in namespaces]
        for plural, namespace, path in lists:
            before = known(plural, namespace)
            there, page = await self._list(plural, path, see)
            for obj in before:
                if obj["metadata"].get("uid") not in there and page.is_newer_than(obj):
                    see(plural, obj, True)

    async def _list(self, plural: str, path: str, see: See) -> tuple[set[str], Page]:
        """Sees everything of a list; gives the uids, and its last page."""
        while True:
            try:
                uids: set[str] = set()
                page = Page([], None)
                async for page in pages(self._api, path):
                    for obj in page.items:
                        uids.add(str(obj["metadata"]["uid"]))
                        see(plural, obj, False)
                return uids, page
            except Refused as error:
                log.warning("%s can't be listed: %s; %s", plural, error.message, _cure(error.status))
            except Unknown as error:
                log.warning("%s can't be listed: %s", plural, error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _first(self, *tasks: asyncio.Task[Any]) -> None:
        """Waits for the first of some tasks or for being told to stop, and cancels the others."""
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, stopping):
            task.cancel()
        await asyncio.wait([*tasks, stopping])

    async def _keep_beating(self) -> None:
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(1.0)

    def _is_alive(self) -> bool:
        evaluator = self._evaluator
        return self._is_ready() and (evaluator is None or evaluator.is_moving)

    def _is_ready(self) -> bool:
        return time.monotonic() - self._beat < STARVED_SECONDS


def _see(evaluator: Evaluator, endpoints: Endpoints, plural: str, obj: Mapping[str, Any], gone: bool) -> None:
    """Never raises: an object that our code fails at must not keep the others from being seen."""
    try:
        match plural:
            case "namespaces":
                endpoints.see_namespace(obj, gone=gone)
            case "metricsendpoints":
                endpoints.see_endpoint(obj, gone=gone)
            case _:
                evaluator.feed(obj, gone=gone)
    except Exception:
        log.exception("one of %s could not be taken in", plural)


def _known(evaluator: Evaluator, endpoints: Endpoints, plural: str, namespace: str | None) -> list[Mapping[str, Any]]:
    if plural == "degradationpolicies":
        return evaluator.known(namespace)
    return endpoints.known(plural)


def _error_of(task: asyncio.Task[Any]) -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None


def _hand_over(loop: asyncio.AbstractEventLoop, see: See, plural: str, obj: Mapping[str, Any], gone: bool) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended, and so has everything that could be told
        loop.call_soon_threadsafe(see, plural, obj, gone)


def _cure(status: int) -> str:
    if status == 404:
        return "install the CRDs: helm install, or stepdown crd | kubectl apply -f -"
    if status in (401, 403):
        return "give the operator's ServiceAccount the chart's roles"
    return "it is tried again"
