"""Row 17: what hands do to a Lease, one thing after the other, while a policy is made to step."""

from plane.operator import Operator
from replicas.disruptions import GARBAGE, write_lease
from replicas.pair import LEASE, Pair


def garble_in_every_way(pair: Pair) -> list[Operator]:
    """All garbage, a deletion, and a person's grab; gives the operators that it was begun with and that run still."""
    pair.leader(timeout=180)
    begun = list(pair.operators)
    for number, spec in enumerate(GARBAGE.values()):
        write_lease(pair, spec)
        pair.wait_obeyed(pair.pin("low" if number % 2 else "full"))
    pair.api.delete("Lease", LEASE, pair.namespace)
    pair.wait("the Lease is there again", lambda: bool(pair.lease()))
    pair.wait_obeyed(pair.pin("low"))
    write_lease(pair, {"holderIdentity": "a-person"})
    pair.wait("it is taken back", lambda: pair.lease().get("holderIdentity") != "a-person")
    pair.finish()
    return [operator for operator in begun if operator.running]


def start_together(pair: Pair, rounds: int) -> list[list[bool]]:
    """Both are started at once, also where there is no Lease; gives who leads when both run, round by round."""
    found = []
    for _ in range(rounds):
        pair.start()
        pair.leader(timeout=180)
        pair.wait("both run", lambda: all(o.health("/readyz") == 200 for o in pair.operators), timeout=180)
        pair.wait_obeyed(pair.pin("low"))
        pair.reach("full")
        found.append(sorted(operator.is_leader() for operator in pair.operators))
        pair.stop()
        pair.api.delete("Lease", LEASE, pair.namespace)
    return found
