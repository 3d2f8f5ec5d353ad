"""What is done to a pair at a random moment: to the process that leads, to the Lease, or to the clocks."""

import random
import time
from collections.abc import Callable, Mapping

from plane.api import ApiError, Object
from replicas.pair import LEASE, Pair

SHORT_PAUSE = (0.2, 2.2)
"""Seconds of a pause that may end before, at, or after the Lease's duration."""

HIGHEST = 2**31 - 1
"""What a Lease can count to."""

GARBAGE: Mapping[str, Object | None] = {
    "nothing in it": None,
    "no holder": {"holderIdentity": None},
    "an empty holder": {"holderIdentity": ""},
    "a holder that is no name": {"holderIdentity": "\u202e\n../'\"{}" + "x" * 300},
    "no epoch": {"leaseTransitions": None},
    "an epoch of zero": {"leaseTransitions": 0},
    "the highest epoch that there is": {"leaseTransitions": HIGHEST},
    "the last epoch but one": {"leaseTransitions": HIGHEST - 1},
    "a time that is long gone": {
        "acquireTime": "1970-01-01T00:00:00.000000Z",
        "renewTime": "1970-01-01T00:00:00.000000Z",
    },
    "a time to come": {"renewTime": "9999-12-31T23:59:59.000000Z"},
    "no duration": {"leaseDurationSeconds": None},
    "a short duration": {"leaseDurationSeconds": 1},
}
"""What a Lease's spec may be made by hand, as a merge patch."""

Disruption = Callable[[Pair, random.Random], None]


def pause_until_replaced(pair: Pair, chance: random.Random) -> None:
    """The leader stands still until the other one leads, and for a moment more."""
    leader = pair.leader()
    pair.pause(leader)
    try:
        pair.wait("the other one leads", pair.other(leader).is_leader)
        wait_a_moment(chance, 0.5)
    finally:
        pair.resume(leader)


def pause_shortly(pair: Pair, chance: random.Random) -> None:
    """The leader stands still for about as long as it may."""
    leader = pair.leader()
    pair.pause(leader)
    time.sleep(chance.uniform(*SHORT_PAUSE))
    pair.resume(leader)


def kill(pair: Pair, _chance: random.Random) -> None:
    """The leader is killed; a new process stands by in its place."""
    leader = pair.leader()
    leader.kill()
    pair.replace(leader)


def end(pair: Pair, _chance: random.Random) -> None:
    """The leader is told to end; a new process stands by in its place."""
    leader = pair.leader()
    leader.stop()
    pair.replace(leader)


def delete_lease(pair: Pair, _chance: random.Random) -> None:
    """The Lease is deleted."""
    pair.api.delete("Lease", LEASE, pair.namespace)


def garble_lease(pair: Pair, chance: random.Random) -> None:
    """The Lease is made something that no operator would write."""
    write_lease(pair, GARBAGE[chance.choice(list(GARBAGE))])


def grab_lease(pair: Pair, chance: random.Random) -> None:
    """A person writes a name of their own into the Lease, with or without counting."""
    epoch = min(pair.epoch() + chance.randint(0, 1), HIGHEST)
    write_lease(pair, {"holderIdentity": "a-person", "leaseTransitions": epoch})


def write_lease(pair: Pair, spec: Object | None) -> None:
    """A merge patch of the Lease's spec; where there is no Lease now, nothing."""
    try:
        pair.api.merge("Lease", LEASE, pair.namespace, {"spec": spec})
    except ApiError as error:
        if error.status != 404:
            raise


def wait_a_moment(chance: random.Random, most: float) -> None:
    """A random time in seconds: what follows shall meet the operators at any point of their work."""
    time.sleep(chance.uniform(0, most))


WEIGHTS: Mapping[Disruption, int] = {
    pause_until_replaced: 5,
    pause_shortly: 4,
    delete_lease: 4,
    garble_lease: 4,
    grab_lease: 3,
    kill: 2,
    end: 1,
}
"""How often each is done; a new process costs two seconds of a processor."""


def choose(chance: random.Random, among: Mapping[Disruption, int] = WEIGHTS) -> Disruption:
    """One of them."""
    return chance.choices(list(among), weights=list(among.values()))[0]
