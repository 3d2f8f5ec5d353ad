"""The operator's own Lease, for `stepdown restore`: asked for, waited for, held, and let go of.

An operator at work ends what it does and hands the Lease over. What happens after the restore differs: policies that
are suspended can be left to the operator at once; before an uninstall they are not, and the Lease keeps standing for
LEAVE_SECONDS, by when Helm has taken the operator and its rights away. Where it hasn't, the operator goes on.
"""

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol
from uuid import uuid4

from stepdown.adapters.api import Api
from stepdown.adapters.context import current_namespace, in_pod
from stepdown.controller.lease import Lease
from stepdown.cycle import status_of
from stepdown.ports import Policy, Refused
from stepdown.restore.access import Access
from stepdown.restore.page import say

LEAVE_SECONDS = 30.0

_NAME_IT = (
    "name the operator's with --lease-name (kubectl get leases --all-namespaces shows it), or, where no operator is"
    " left, any name"
)


class CannotRestore(Exception):
    """Why nothing is restored, in one line."""


@dataclass(frozen=True, slots=True)
class Place:
    """The Lease; its namespace is looked for where it is None.

    `is_guess` says that nobody has named it. Then it must be there: an operator of another name would not be asked.
    """

    namespace: str | None
    name: str
    is_guess: bool = False


class Work(Protocol):
    """What is done under the Lease."""

    async def run(self, identity: str, epoch: int, holding: "asyncio.Task[None]") -> int:
        """Works until it is done or `holding` is, for the Lease is lost then; gives the exit code."""

    @property
    def leaves(self) -> bool:
        """Whether nobody shall lead for a while afterwards."""


async def under_lease(access: Access, place: Place, policies: Sequence[Policy], ends: float, work: Work) -> int:
    """Does some work on policies as the one who may write, until `ends` (monotonic seconds).

    The Lease has an Api of its own, as in the operator. Raises CannotRestore, Refused and Unknown.
    """
    namespace = await _namespace(access, place, fallback=policies[0].namespace)
    lease_api = await Api.connect(pauses=())
    identity = f"stepdown-restore_{socket.gethostname()[:80]}_{os.getpid()}_{uuid4()}"

    async def remembered() -> int:
        statuses = [status for policy in policies if (status := status_of(policy)) is not None]
        return max((status.epoch for status in statuses), default=0)

    lease = Lease(lease_api, namespace, place.name, identity, asks=True, remembered=remembered)
    try:
        epoch = await _lead(lease, access, namespace, place.name, ends)
        access.api.guard = lease.guard
        holding = asyncio.create_task(lease.hold())
        leave = 0.0
        try:
            code = await work.run(identity, epoch, holding)
            leave = LEAVE_SECONDS if code == 0 and work.leaves else 0.0
            return code
        finally:
            holding.cancel()
            await lease.release(leave)
    finally:
        await lease_api.close()


async def _namespace(access: Access, place: Place, fallback: str) -> str:
    """Where the operator's Lease is: as named, the pod's own, or where one of that name is found."""
    named = place.namespace or (current_namespace() if in_pod() else None)
    if named is not None:
        if place.is_guess and not await access.has_lease(named, place.name):
            raise CannotRestore(f"no Lease {place.name} in {named}: {_NAME_IT}")
        return named
    try:
        found = await access.lease_namespaces(place.name)
    except Refused as error:
        raise CannotRestore(f"name the operator's namespace with --lease-namespace ({error.message})") from None
    if len(found) > 1:
        several = f"Leases {place.name} are in {', '.join(found)}"
        raise CannotRestore(f"{several}: name the operator's namespace with --lease-namespace")
    if not found and place.is_guess:
        raise CannotRestore(f"no Lease {place.name} anywhere: {_NAME_IT}")
    if not found:
        say(f"no Lease {place.name} anywhere, so no operator is at work: taking one in namespace {fallback}")
    return found[0] if found else fallback


async def _lead(lease: Lease, access: Access, namespace: str, name: str, ends: float) -> int:
    holder = await access.holder(namespace, name)
    held = f"Lease {lease.name} is held by {holder}"
    if holder:
        say(f"{held}: asking for it")
    try:
        async with asyncio.timeout(max(0.0, ends - monotonic())):
            return await lease.acquire()
    except TimeoutError:
        stop = f"kubectl -n {namespace} scale deployment {name} --replicas=0"
        reason = f"{held} all the time. Stop the operator: {stop}" if holder else f"Lease {lease.name} can't be taken"
        raise CannotRestore(f"nothing was restored: {reason}") from None
