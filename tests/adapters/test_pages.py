"""Status pages' Deployments on the API server: made, and this very one taken away."""

import asyncio
from typing import Any

import pytest

from stepdown.adapters.pages import KubernetesPages
from stepdown.ports import Conflict, Object, Refused, Unknown

PAGE: Object = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "stepdown-page-shop-1"}}
PATH = "/apis/apps/v1/namespaces/shop/deployments"
NO_RIGHT = 'deployments.apps is forbidden: User "system:serviceaccount:x:y" cannot create resource "deployments"'


class Server:
    """Keeps what it is sent; `error` is the answer to all of it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.sent: list[tuple[Any, ...]] = []

    async def post(self, path: str, body: Object) -> Object:
        self.sent.append(("POST", path, body))
        if self.error is not None:
            raise self.error
        return {**body, "metadata": {**body["metadata"], "uid": "u-1"}}

    async def delete(self, path: str, uid: str) -> Object:
        self.sent.append(("DELETE", path, uid))
        if self.error is not None:
            raise self.error
        return {}


def pages(server: Server) -> KubernetesPages:
    return KubernetesPages(server, "kubectl -n $NAMESPACE create rolebinding")  # type: ignore[arg-type]


def test_a_page_is_made_in_its_namespace_and_given_as_stored() -> None:
    server = Server()

    assert asyncio.run(pages(server).make("shop", PAGE))["metadata"]["uid"] == "u-1"
    assert server.sent == [("POST", PATH, PAGE)]


def test_a_right_that_is_missing_is_told_with_its_cure_and_not_asked_for_again_at_once() -> None:
    server = Server(Refused(403, NO_RIGHT))
    found = pages(server)

    for _ in range(2):
        with pytest.raises(Refused, match="Let the operator in: kubectl -n shop create rolebinding"):
            asyncio.run(found.make("shop", PAGE))
    assert len(server.sent) == 1


def test_one_that_is_there_is_a_conflict() -> None:
    with pytest.raises(Conflict):
        asyncio.run(pages(Server(Conflict(409, "already exists"))).make("shop", PAGE))


def test_a_page_is_deleted_by_its_uid() -> None:
    server = Server()
    asyncio.run(pages(server).remove("shop", "stepdown-page-shop-1", "u-1"))

    assert server.sent == [("DELETE", f"{PATH}/stepdown-page-shop-1", "u-1")]


@pytest.mark.parametrize("answer", [Refused(404, "not found"), Conflict(409, "the UID in the precondition is another")])
def test_one_that_is_gone_already_is_no_error(answer: Exception) -> None:
    asyncio.run(pages(Server(answer)).remove("shop", "stepdown-page-shop-1", "u-1"))


@pytest.mark.parametrize("answer", [Refused(403, "forbidden"), Unknown("no answer")])
def test_one_that_may_be_there_still_is_an_error(answer: Exception) -> None:
    with pytest.raises(type(answer)):
        asyncio.run(pages(Server(answer)).remove("shop", "stepdown-page-shop-1", "u-1"))
