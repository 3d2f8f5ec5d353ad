"""The Deployments of status pages: made up front, kept up to date, taken away when no level names them any more.

They are ours alone, so they are never in the ledger. Their names are, before they are made, in the policy's status,
by which they are found again; they belong to the policy, so Kubernetes takes them away with it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from stepdown.actions.page_deployment import DIGEST, Owner, PageImage, is_owned, page_deployment
from stepdown.actions.route import service_of
from stepdown.actions.status_page import pages, ports_of
from stepdown.api.policy import PolicySpec
from stepdown.api.status import PolicyStatus
from stepdown.engine.fields import Ref, Target
from stepdown.engine.pointer import escape
from stepdown.engine.reasons import Problem
from stepdown.ports import Cluster, Conflict, Journal, JsonPatch, Object, Pages, Policy, Refused, Unknown
from stepdown.tick import Tick
from stepdown.writer import problem_of

OFF = "the operator may make no pages (chart value features.statusPage); switch it on, or use route"

PageProblems = list[tuple[Problem, str, int]]
"""What keeps pages from being as they should be: problem, sentence, place of the level."""


async def keep_pages(keeper: "PageKeeper | None", tick: Tick, snapshot: dict[Ref, Any]) -> PageProblems:
    """Brings a policy's pages to what its levels say, where it acts; `snapshot` then shows them as they are."""
    if not tick.is_acting or tick.is_suspended or not (tick.prepared.pages or tick.status.pages):
        return []
    if keeper is None:
        places = tick.prepared.pages
        return [(Problem.NOT_AUTHORIZED, _sentence(tick, name, OFF), places[name]) for name in places]
    return await keeper.keep(tick, snapshot)


@dataclass(frozen=True, slots=True)
class PageKeeper:
    """Keeps the pages of policies. Raises Conflict, Refused and Unknown of the journal; others are problems."""

    cluster: Cluster
    journal: Journal
    port: Pages
    image: PageImage

    async def keep(self, tick: Tick, snapshot: dict[Ref, Any]) -> PageProblems:
        """See keep_pages. A Deployment that isn't the policy's own is left alone, and taken out of the snapshot."""
        problems: PageProblems = []
        wanted = self._wanted(tick.policy, tick.prepared.spec, snapshot)
        names = [*tick.status.pages, *(name for name in wanted if name not in tick.status.pages)]
        if names != tick.status.pages:
            tick.status = tick.status.model_copy(update={"pages": names})
            tick.policy = await self.journal.store(tick.policy, tick.status)
        for name, deployment in wanted.items():
            ref = Ref("Deployment", name)
            try:
                snapshot[ref] = await self._made(tick.policy, deployment, snapshot.get(ref))
            except _Foreign as error:
                snapshot[ref] = None
                problems.append((Problem.CONFLICT, _sentence(tick, name, str(error)), tick.prepared.pages[name]))
            except (Conflict, Unknown):
                continue  # somebody was faster, or nothing is known: the next look tells
            except Refused as error:
                text = _sentence(tick, name, f"Deployment {name}: {error.message}")
                problems.append((problem_of(error), text, tick.prepared.pages[name]))
        unused = [name for name in names if name not in tick.prepared.pages]
        tick.status, _ = await remove_pages(self.cluster, self.port, tick.policy, tick.status, unused)
        return problems

    def _wanted(self, policy: Policy, spec: PolicySpec, snapshot: dict[Ref, Any]) -> dict[str, Object]:
        """The Deployments by name; none for a Service that no page can serve."""
        owner = Owner(policy.name, policy.uid)
        wanted: dict[str, Object] = {}
        for name, (_, action) in pages(spec).items():
            service = snapshot.get(Ref("Service", service_of(action, spec)))
            ports = ports_of(service) if isinstance(service, dict) else []
            if ports:
                wanted[name] = page_deployment(name, action, ports, owner, self.image)
        return wanted

    async def _made(self, policy: Policy, wanted: Object, found: Object | None) -> Object:
        """A page's Deployment as it is then. Raises _Foreign, and what the ports raise."""
        if found is None:
            return await self.port.make(policy.namespace, wanted)
        name = str(found["metadata"]["name"])
        if not is_owned(found, Owner(policy.name, policy.uid)):
            raise _Foreign(f"Deployment {name} is there and isn't this policy's page; delete it, or rename the level")
        before = (found["metadata"].get("annotations") or {}).get(DIGEST)
        if before == wanted["metadata"]["annotations"][DIGEST]:
            return found
        target = Target("Deployment", name, str(found["metadata"]["uid"]))
        return await self.cluster.patch(policy.namespace, target, _update(target, before, wanted))


async def remove_pages(
    cluster: Cluster, port: Pages, policy: Policy, status: PolicyStatus, names: Collection[str]
) -> tuple[PolicyStatus, dict[str, Refused | Unknown]]:
    """Takes some pages of a policy away; gives the status without those that are gone, and what kept others by name.

    What traffic is at stays, and so does what can't go now: it is tried again by who calls.
    """
    gone: set[str] = set()
    kept: dict[str, Refused | Unknown] = {}
    for name in names:
        if any(f'"{name}"' in (entry.applied or "") for entry in status.ledger):
            continue
        ref = Ref("Deployment", name)
        try:
            found = (await cluster.read(policy.namespace, [ref])).get(ref)
            if isinstance(found, dict) and is_owned(found, Owner(policy.name, policy.uid)):
                await port.remove(policy.namespace, name, str(found["metadata"]["uid"]))
            gone.add(name)
        except (Refused, Unknown) as error:
            kept[name] = error
    return status.model_copy(update={"pages": [name for name in status.pages if name not in gone]}), kept


class _Foreign(Exception):
    """There is a Deployment of a page's name that belongs to somebody else."""


def _sentence(tick: Tick, name: str, text: str) -> str:
    return f"level {tick.name(tick.prepared.pages[name])}: statusPage: {text}"


def _update(target: Target, before: str | None, wanted: Object) -> JsonPatch:
    """The patch of a page's template; how many replicas it has is anybody's to change."""
    path = f"/metadata/annotations/{escape(DIGEST)}"
    return [
        {"op": "test", "path": "/metadata/uid", "value": target.uid},
        {"op": "test", "path": path, "value": before},
        {"op": "add", "path": path, "value": wanted["metadata"]["annotations"][DIGEST]},
        {"op": "replace", "path": "/spec/template", "value": wanted["spec"]["template"]},
    ]
