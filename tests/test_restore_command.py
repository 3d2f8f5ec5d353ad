"""`stepdown restore` before the first write: which policies it finds, and what it makes of those that it can't."""

import asyncio
from typing import Any

import pytest

from stepdown.adapters.api import Api
from stepdown.ports import Object, Policy, Refused, Unknown
from stepdown.restore.access import Access
from stepdown.restore.command import Request, restore
from stepdown.restore.leading import Place
from stepdown.restore.restorer import Outcome
from stepdown.restore.rounds import Rounds

NAMED = Place("ops", "stepdown")
POLICIES = "/apis/stepdown.dev/v1alpha1{}/degradationpolicies"
NO_RIGHT = Refused(403, 'degradationpolicies is forbidden: User "op" cannot list resource')


class Server:
    """Answers by path: an object, or what is raised."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    async def get(self, path: str, **_: str) -> Object:
        found = self.answers.get(path, Refused(404, "not found"))
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, Exception):
            raise found
        return dict(found)

    async def close(self) -> None:
        pass


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch):
    """Runs the command as the chart's hook does, in some namespaces; gives the exit code."""

    def run(
        answers: dict[str, Any],
        *namespaces: str,
        uninstalls: bool = True,
        deadline: float = 3.0,
        place: Place = NAMED,
    ) -> int:
        async def connect() -> Server:
            return Server(**answers)

        monkeypatch.setattr(Api, "connect", connect)
        return restore(Request(None, namespaces, False, uninstalls, deadline, place))

    return run


def test_where_the_crd_is_gone_an_uninstall_goes_on_and_is_told_where_to_look(asked, capsys) -> None:
    assert asked({}) == 0
    assert "stepdown restore --print reads what is marked on targets" in capsys.readouterr().err


def test_where_the_crd_is_gone_a_restore_by_hand_fails(asked) -> None:
    assert asked({}, uninstalls=False) == 1


def test_a_namespace_of_the_operators_that_is_gone_does_not_hold_an_uninstall_up(asked, capsys) -> None:
    assert asked({POLICIES.format("/namespaces/gone"): NO_RIGHT}, "gone") == 0
    assert capsys.readouterr().out == "there is no policy: nothing to restore\n"


def test_a_namespace_that_is_there_and_can_not_be_listed_ends_an_uninstall(asked, capsys) -> None:
    answers = {POLICIES.format("/namespaces/shop"): NO_RIGHT, "/api/v1/namespaces/shop": {"metadata": {}}}

    assert asked(answers, "shop") == 1
    assert "cannot list" in capsys.readouterr().err


def test_an_uninstall_asks_again_where_the_api_server_does_not_answer_at_first(asked, capsys) -> None:
    nothing: Object = {"items": [], "metadata": {}}

    assert asked({POLICIES.format(""): [Unknown("no answer within 5 s"), nothing]}) == 0
    assert capsys.readouterr().out == "there is no policy: nothing to restore\n"


def test_what_is_restored_is_listed_under_the_lease_and_not_before(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """A policy that stepped down while the Lease was waited for would be left behind."""
    listed = [Policy({"metadata": {"name": "late", "namespace": "shop", "uid": "u", "resourceVersion": "1"}})]
    tried: list[str] = []

    async def now() -> Any:
        return listed

    async def one(_restorer: Any, found: Any) -> Outcome:
        tried.append(found.name)
        return Outcome(found)

    monkeypatch.setattr("stepdown.restore.rounds._one", one)

    async def run() -> int:
        rounds = Rounds(Access(Server()), now, ends=float("inf"), uninstalls=True)  # type: ignore[arg-type]
        return await rounds.run("me", 7, asyncio.create_task(asyncio.sleep(60)))

    assert (asyncio.run(run()), tried) == (0, ["late"])
    assert capsys.readouterr().out == "nothing is held any more (1 policy)\n"


POLICY: Object = {"metadata": {"name": "late", "namespace": "shop", "uid": "u", "resourceVersion": "1"}}
LEASES = "/apis/coordination.k8s.io/v1"


@pytest.mark.parametrize(
    ("namespace", "leases", "where"),
    [
        (None, {f"{LEASES}/leases": {"items": [], "metadata": {}}}, "anywhere"),
        ("ops", {}, "in ops"),
    ],
)
def test_a_lease_that_nobody_named_must_be_there_for_an_operator_of_another_name_would_go_on_writing(
    asked, capsys, namespace: str | None, leases: dict[str, Any], where: str
) -> None:
    answers = {**leases, POLICIES.format(""): {"items": [POLICY], "metadata": {}}}

    assert asked(answers, uninstalls=False, place=Place(namespace, "stepdown", is_guess=True)) == 1
    assert capsys.readouterr().err == (
        f"stepdown: no Lease stepdown {where}: name the operator's with --lease-name"
        " (kubectl get leases --all-namespaces shows it), or, where no operator is left, any name\n"
    )
