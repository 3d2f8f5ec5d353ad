"""The command `stepdown restore`: what was asked for, which policies that are, and the way to do it.

Exit code 1 with the list of what is left when not everything is back by the deadline.
"""

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stepdown.adapters.api import Api, NoCluster
from stepdown.adapters.cluster import KubernetesCluster
from stepdown.adapters.context import current_namespace
from stepdown.controller.logs import Quiet
from stepdown.ports import Policy, Refused, Unknown
from stepdown.restore.access import Access, NoKind
from stepdown.restore.leading import CannotRestore, Place, under_lease
from stepdown.restore.page import say
from stepdown.restore.printing import print_all
from stepdown.restore.rounds import RETRY_SECONDS, Rounds

GONE = (
    "this cluster has no DegradationPolicy (its CRD isn't installed);"
    " stepdown restore --print reads what is marked on targets"
)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for: one policy by name, or with None all of some namespaces; of none named: of the cluster.

    `uninstalls` is for what runs right before the operator is taken away. `deadline` in seconds.
    """

    name: str | None
    namespaces: tuple[str, ...]
    prints: bool
    uninstalls: bool
    deadline: float
    place: Place


def restore(request: Request) -> int:
    """Does it; gives the exit code."""
    try:
        with _one_voice():
            return asyncio.run(_restore(request))
    except (CannotRestore, NoCluster, Refused, Unknown) as error:
        text = error.message if isinstance(error, Refused) else str(error)
        say(f"stepdown: {text}")
        return 1
    except NoKind:
        say(f"stepdown: {GONE}")
        return 0 if request.uninstalls else 1  # an uninstall must not wait for a ledger that is gone


@contextlib.contextmanager
def _one_voice() -> Iterator[None]:
    """Of all logs only the elector's are for who waits, each sentence once in a while."""
    elector, root = logging.getLogger("stepdown.lease"), logging.getLogger()
    voice, silence = logging.StreamHandler(sys.stderr), logging.NullHandler()
    voice.setFormatter(logging.Formatter("stepdown: %(message)s"))
    voice.addFilter(Quiet())
    elector.addHandler(voice)
    root.addHandler(silence)  # without any handler Python prints warnings by itself
    try:
        yield
    finally:
        elector.removeHandler(voice)
        root.removeHandler(silence)


async def _restore(request: Request) -> int:
    ends = time.monotonic() + request.deadline
    api = await Api.connect()
    try:
        access = Access(api)
        wanted = _Wanted(access, request, _namespaces(request))
        if request.prints:
            return await _print(wanted, KubernetesCluster(api))
        found = await _until(ends, wanted)
        if not found:
            print("there is no policy: nothing to restore")
            return 0
        rounds = Rounds(access, wanted.policies, ends, uninstalls=request.uninstalls)
        return await under_lease(access, request.place, found, ends, rounds)
    finally:
        await api.close()


def _namespaces(request: Request) -> list[str | None]:
    if request.name is not None and not request.namespaces:
        return [current_namespace()]
    return list(request.namespaces) or [None]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The policies that were asked for, as they are whenever they are looked at."""

    access: Access
    request: Request
    namespaces: list[str | None]

    async def policies(self) -> list[Policy]:
        """Raises NoKind, CannotRestore (none of the name), Refused and Unknown."""
        there = [policy for namespace in self.namespaces for policy in await self._of(namespace)]
        return _named(there, self.request.name) or _none_of(there, self.request.name, self.namespaces[0])

    async def _of(self, namespace: str | None) -> list[Policy]:
        """A namespace that the operator's file names may be gone, and the operator's role in it too."""
        try:
            return await self.access.policies(namespace)
        except Refused as error:
            is_gone = namespace is not None and error.lacks_right and await self.access.is_gone(namespace)
            if not is_gone:
                raise
            return []


def _named(there: Sequence[Policy], name: str | None) -> list[Policy]:
    return [policy for policy in there if name in (None, policy.name)]


def _none_of(there: Sequence[Policy], name: str | None, namespace: str | None) -> list[Policy]:
    """Where no policy was chosen: fine when all were asked for."""
    if name is None:
        return []
    names = ", ".join(policy.name for policy in there)
    others = f"it has {names}" if names else "it has none; name another one with -n"
    raise CannotRestore(f"namespace {namespace} has no policy {name}: {others}")


async def _until(ends: float, wanted: _Wanted) -> list[Policy]:
    """The policies; before an uninstall, however often the API server has to be asked before the deadline."""
    while True:
        try:
            return await wanted.policies()
        except (Unknown, Refused) as error:
            may_heal = isinstance(error, Unknown) or error.is_busy
            if not may_heal or not wanted.request.uninstalls or time.monotonic() + RETRY_SECONDS >= ends:
                raise
        await asyncio.sleep(RETRY_SECONDS)


async def _print(wanted: _Wanted, cluster: KubernetesCluster) -> int:
    lines: list[str] = []
    unseen: list[str] = []
    name = wanted.request.name
    for namespace in wanted.namespaces:
        there: list[Policy] | None = None
        with contextlib.suppress(NoKind):
            there = await wanted.access.policies(namespace)
        chosen = _named(there or [], name)
        found = await print_all(wanted.access, cluster, chosen, namespace, name)
        if name is not None and not chosen and not found.lines:
            if there is None:
                raise NoKind
            _none_of(there, name, namespace)
        lines += found.lines
        unseen += found.unseen
    for line in lines or ["# nothing is held"]:
        print(line)
    for text in unseen:
        say(f"stepdown: {text}")
    return 1 if unseen and not lines else 0
