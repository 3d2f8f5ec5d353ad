"""Status pages when policies are put back: gone before an uninstall, left where they are by hand."""

import asyncio

import pytest

from cycle.world import World
from stepdown.ports import Policy, Refused, Unknown
from stepdown.restore.restorer import Outcome, Restorer

DENIED = 'deployments is forbidden: User "operator" cannot delete resource'


def restored(world: World, *, leaves: bool = True) -> Outcome:
    """The policy put back; `leaves` says that the operator won't be there any more."""

    async def suspend(policy: Policy) -> Policy:
        world.sandbox.edit("DegradationPolicy", policy.name, lambda obj: obj["spec"].update(suspend=True))
        return world.sandbox.policy(policy.name)

    sandbox = world.sandbox
    restorer = Restorer(sandbox, sandbox, None if leaves else suspend, 2, sandbox if leaves else None)
    return asyncio.run(restorer.restore(sandbox.policy("shop"), 2_000_000.0))


def paged() -> tuple[World, str]:
    """A world whose policy has had a status page made, with its name."""
    world = World()
    name = "stepdown-page-shop-1a2b3c4d"
    owner = {"kind": "DegradationPolicy", "name": "shop", "uid": world.sandbox.policy("shop").uid}
    page = {"kind": "Deployment", "metadata": {"name": name, "ownerReferences": [owner]}, "spec": {"replicas": 2}}
    world.sandbox.create(page)
    world.sandbox.edit("DegradationPolicy", "shop", lambda p: p.update(status={"pages": [name]}))
    return world, name


def test_an_uninstall_takes_the_status_pages_away() -> None:
    world, name = paged()

    outcome = restored(world)

    assert outcome.is_complete
    assert ("Deployment", name) not in world.sandbox
    assert world.status["pages"] == []


def test_a_status_page_that_cannot_go_is_left_and_said() -> None:
    world, name = paged()

    def refuse(_when: str, what: str) -> None:
        if what == f"remove {name}":
            raise Unknown("no answer")

    world.sandbox.on_call = refuse
    outcome = restored(world)

    assert outcome.left == [f"default/shop: Deployment {name}, a status page, is not deleted yet: no answer"]
    assert world.status["pages"] == [name]


@pytest.mark.parametrize("denied", ["read", "remove stepdown-page-shop-1a2b3c4d"])
def test_a_status_page_in_a_namespace_that_was_closed_to_us_keeps_no_uninstall_waiting(denied: str) -> None:
    world, name = paged()

    def refuse(when: str, what: str) -> None:
        if (when, what) == ("before", denied):
            raise Refused(403, DENIED)

    world.sandbox.on_call = refuse
    outcome = restored(world)

    assert outcome.is_complete
    assert outcome.done == [
        f"default/shop: Deployment {name}, a status page, stays until the policy is deleted: {DENIED}"
    ]


def test_a_restore_by_hand_leaves_status_pages_where_they_are() -> None:
    world, name = paged()

    assert restored(world, leaves=False).is_complete
    assert ("Deployment", name) in world.sandbox
