"""Missing rights: told with their cure, and asked for less and less."""

import asyncio

import pytest

from stepdown.adapters.cluster import KubernetesCluster
from stepdown.adapters.denials import Denials
from stepdown.engine.fields import Ref
from stepdown.ports import Refused

OPT_IN = "kubectl -n $NAMESPACE create rolebinding stepdown --clusterrole=stepdown-workloads"
NO_RIGHT = (
    'services "shop" is forbidden: User "system:serviceaccount:s:s" cannot get resource "services" in API group ""'
)
DENIED_BY_POLICY = "services \"shop\" is forbidden: ValidatingAdmissionPolicy 'fence' denied request: not this field"
PATH = "/api/v1/namespaces/shops/services/shop"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def is_asked(denials: Denials) -> bool:
    try:
        denials.check("get", PATH)
    except Refused:
        return False
    return True


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (403, NO_RIGHT, True),
        (403, DENIED_BY_POLICY, False),
        (403, 'pods "x" is forbidden: exceeded quota: count', False),
        (422, NO_RIGHT, False),
    ],
)
def test_a_missing_right_is_told_apart_from_what_admission_refuses(status: int, message: str, expected: bool):
    assert Refused(status, message).lacks_right is expected


def test_a_missing_right_is_told_with_the_command_for_its_namespace():
    told = Denials(OPT_IN, Clock()).denied("get", PATH, "shops", Refused(403, NO_RIGHT))
    assert told.message == (
        f"{NO_RIGHT}. Let the operator in: kubectl -n shops create rolebinding stepdown"
        " --clusterrole=stepdown-workloads (if it is, the chart's features leave that right out)"
    )
    assert told.lacks_right


def test_a_missing_right_is_asked_for_less_and_less_and_at_least_every_15_seconds():
    clock = Clock()
    denials = Denials(OPT_IN, clock)
    asked = []
    for tenth in range(600):
        clock.now = 100.0 + tenth / 10
        if is_asked(denials):
            asked.append(tenth / 10)
            denials.denied("get", PATH, "shops", Refused(403, NO_RIGHT))
    assert asked == [0.0, 1.0, 3.0, 7.0, 15.0, 30.0, 45.0]


def test_a_right_that_was_given_is_believed_at_once():
    denials = Denials(OPT_IN, Clock())
    denials.denied("get", PATH, "shops", Refused(403, NO_RIGHT))
    denials.granted("get", PATH)
    assert is_asked(denials)


def test_what_admission_refuses_is_not_remembered():
    denials = Denials(OPT_IN, Clock())
    error = Refused(403, DENIED_BY_POLICY)
    assert denials.denied("get", PATH, "shops", error) is error
    assert is_asked(denials)


class PowerlessApi:
    """Refuses every read for want of a right, and counts."""

    def __init__(self) -> None:
        self.asked = 0

    async def get(self, path: str) -> None:
        self.asked += 1
        raise Refused(403, NO_RIGHT)


def test_a_loop_of_reads_without_a_right_sends_one_request():
    api = PowerlessApi()
    cluster = KubernetesCluster(api, OPT_IN)  # type: ignore[arg-type]

    async def read_often() -> set[str]:
        said = set()
        for _ in range(50):
            try:
                await cluster.read("shops", [Ref("Service", "shop")])
            except Refused as error:
                said.add(error.message)
        return said

    said = asyncio.run(read_often())
    assert api.asked == 1
    assert len(said) == 1
