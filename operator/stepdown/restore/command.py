"""The command `stepdown restore`: under the operator's own Lease, so that nobody writes at the same time.

What keeps the operator from stepping down again afterwards is `spec.suspend`, set on every policy that was chosen.
Exit code 1 with the list of what is left when not everything is back by the deadline.
"""

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stepdown.adapters.api import Api, NoCluster
from stepdown.adapters.cluster import KubernetesCluster
from stepdown.adapters.context import current_namespace, in_pod
from stepdown.adapters.journal import KubernetesJournal
from stepdown.controller.lease import Lease
from stepdown.controller.logs import Quiet
from stepdown.cycle import label
from stepdown.ports import Conflict, Policy, Refused, Unknown
from stepdown.restore.access import Access, NoKind
from stepdown.restore.printing import print_all, suspend_line
from stepdown.restore.restorer import Outcome, Restorer

RETRY_SECONDS = 1.0


class CannotRestore(Exception):
    """Why nothing is restored, in one line."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for: one policy by name, or with None all of a namespace, or of all. `deadline` in seconds."""

    name: str | None
    namespace: str | None
    prints: bool
    deadline: float
    lease_namespace: str | None
    lease_name: str


def restore(request: Request) -> int:
    """Does it; gives the exit code."""
    try:
        with _one_voice():
            return asyncio.run(_restore(request))
    except (CannotRestore, NoCluster, Refused, Unknown) as error:
        text = error.message if isinstance(error, Refused) else str(error)
        _say(f"stepdown: {text}")
        return 1


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
    api = await Api.connect()
    try:
        namespace = request.namespace
        if namespace is None and request.name is not None:
            namespace = current_namespace()
        access = Access(api)
        policies = await _policies(access, namespace)
        if request.prints:
            return await _print(request, access, KubernetesCluster(api), policies, namespace)
        chosen = _chosen(policies, request.name, namespace)
        if not chosen:
            print("there is no policy: nothing to restore")
            return 0
        return await _under_lease(request, access, chosen)
    finally:
        await api.close()


async def _policies(access: Access, namespace: str | None) -> list[Policy] | None:
    """None where the cluster doesn't know the kind."""
    try:
        return await access.policies(namespace)
    except NoKind:
        return None


def _chosen(policies: Sequence[Policy] | None, name: str | None, namespace: str | None) -> list[Policy]:
    if policies is None:
        raise CannotRestore(
            "this cluster has no DegradationPolicy (its CRD isn't installed);"
            " stepdown restore --print reads what is marked on targets"
        )
    chosen = [policy for policy in policies if name in (None, policy.name)]
    if name is not None and not chosen:
        names = ", ".join(policy.name for policy in policies)
        there = f"it has {names}" if names else "it has none; name another one with -n"
        raise CannotRestore(f"namespace {namespace} has no policy {name}: {there}")
    return chosen


async def _print(
    request: Request,
    access: Access,
    cluster: KubernetesCluster,
    policies: Sequence[Policy] | None,
    namespace: str | None,
) -> int:
    chosen = [policy for policy in policies or [] if request.name in (None, policy.name)]
    found = await print_all(access, cluster, chosen, namespace, request.name)
    if request.name is not None and not chosen and not found.lines:
        _chosen(policies, request.name, namespace)
    for line in found.lines or ["# nothing is held"]:
        print(line)
    for text in found.unseen:
        _say(f"stepdown: {text}")
    return 1 if found.unseen and not found.lines else 0


async def _under_lease(request: Request, access: Access, policies: Sequence[Policy]) -> int:
    """Restores while we lead. The Lease has an Api of its own, as in the operator."""
    ends = time.monotonic() + request.deadline
    namespace = await _lease_namespace(request, access, policies[0].namespace)
    lease_api = await Api.connect()
    identity = f"stepdown-restore_{socket.gethostname()[:80]}_{os.getpid()}"
    lease = Lease(lease_api, namespace, request.lease_name, identity)
    suspended: list[Policy] = []

    async def suspend(policy: Policy) -> Policy:
        result = await access.suspend(policy)
        suspended.append(result)
        return result

    try:
        epoch = await _lead(lease, access, namespace, request)
        access.api.guard = lease.guard
        holding = asyncio.create_task(lease.hold())
        try:
            journal = KubernetesJournal(access.api, identity)
            restorer = Restorer(KubernetesCluster(access.api), journal, suspend, epoch)
            return await _all(restorer, policies, ends, holding)
        finally:
            _tell_how_to_go_on(suspended)
            holding.cancel()
            await lease.release()
    finally:
        await lease_api.close()


def _tell_how_to_go_on(suspended: Sequence[Policy]) -> None:
    if suspended:
        print("suspended, so that nothing steps down again. To let the operator go on:")
    for policy in suspended:
        print(f"  {suspend_line(policy, suspend=False)}")


async def _lease_namespace(request: Request, access: Access, fallback: str) -> str:
    """Where the operator's Lease is: as named, the pod's own, or where one of that name is found."""
    if request.lease_namespace is not None:
        return request.lease_namespace
    if in_pod():
        return current_namespace()
    try:
        found = await access.lease_namespaces(request.lease_name)
    except Refused as error:
        raise CannotRestore(f"name the operator's namespace with --lease-namespace ({error.message})") from None
    if len(found) > 1:
        several = f"Leases {request.lease_name} are in {', '.join(found)}"
        raise CannotRestore(f"{several}: name the operator's namespace with --lease-namespace")
    if not found:
        _say(f"no Lease {request.lease_name} anywhere, so no operator is at work: taking one in namespace {fallback}")
    return found[0] if found else fallback


async def _lead(lease: Lease, access: Access, namespace: str, request: Request) -> int:
    holder = await access.holder(namespace, request.lease_name)
    held = f"Lease {lease.name} is held by {holder}"
    stop = f"kubectl -n {namespace} scale deployment {request.lease_name} --replicas=0"
    if holder:
        _say(f"{held}: waiting. If that is an operator at work, stop it: {stop}")
    try:
        async with asyncio.timeout(request.deadline):
            return await lease.acquire()
    except TimeoutError:
        reason = f"{held} all the time. Stop the operator: {stop}" if holder else f"Lease {lease.name} can't be taken"
        raise CannotRestore(f"nothing was restored: {reason}") from None


async def _all(restorer: Restorer, policies: Sequence[Policy], ends: float, holding: "asyncio.Task[None]") -> int:
    """Tries each policy until it holds nothing; gives the exit code."""
    waiting = {policy.uid: Outcome(policy) for policy in policies}
    while True:
        for uid, before in list(waiting.items()):
            waiting[uid] = await _one(restorer, before.policy)
            for sentence in waiting[uid].done:
                print(sentence)
        waiting = {uid: outcome for uid, outcome in waiting.items() if not outcome.is_complete}
        over = time.monotonic() + RETRY_SECONDS >= ends or holding.done()
        if over or all(outcome.hopeless for outcome in waiting.values()):
            break
        await asyncio.sleep(RETRY_SECONDS)
    if holding.done():
        _say("the lease was lost: nothing more is written")
    for outcome in waiting.values():
        for sentence in outcome.left:
            _say(sentence)
        for line in outcome.commands:
            print(line, file=sys.stderr)
    if not waiting:
        many = "1 policy" if len(policies) == 1 else f"{len(policies)} policies"
        print(f"nothing is held any more ({many})")
    return 1 if waiting else 0


async def _one(restorer: Restorer, policy: Policy) -> Outcome:
    """One try with one policy, as it is now."""
    try:
        current = await restorer.journal.load(policy)
        if current is None:
            return Outcome(policy)
        return await restorer.restore(current, time.time())
    except Conflict as error:
        return Outcome(policy, left=[f"{label(policy)}: somebody else has just written it ({error.message})"])
    except Refused as error:
        return Outcome(policy, left=[f"{label(policy)}: {error.message}"], hopeless=error.status == 403)
    except Unknown as error:
        return Outcome(policy, left=[f"{label(policy)}: {error}"])


def _say(text: str) -> None:
    print("".join(c if c.isprintable() else " " for c in text), file=sys.stderr)
