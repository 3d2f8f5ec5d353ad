"""A status page over the whole cycle: made before it is needed, routed to when ready, gone when not named."""

import copy
from typing import Any

import pytest

from cycle.world import SPEC, World, pod
from stepdown.actions.page_deployment import DIGEST, PageImage
from stepdown.page_keeper import PageKeeper
from stepdown.ports import Refused

NAME = "stepdown-page-shop-c52ba181"
OFF = (
    "level static: statusPage: the operator may make no pages (chart value features.statusPage);"
    " switch it on, or use route"
)


def spec(**changes: Any) -> dict[str, Any]:
    """The shop's ladder, with a status page in place of the static deployment."""
    found = copy.deepcopy(SPEC)
    found["levels"][2]["actions"] = [{"statusPage": {"message": "Back soon."}}]
    del found["levels"][2]["recover"]
    return {**found, **changes}


class Shop(World):
    """The world with a keeper of pages; `with_page` also plays the kubelet."""

    keeps = True

    def start(self, epoch: int = 1) -> None:
        super().start(epoch)
        keeper = PageKeeper(self.sandbox, self.sandbox, self.sandbox, PageImage("stepdown:1"))
        self.cycle = type(self.cycle)(self.sandbox, self.sandbox, self.cycle.claims, epoch, keeper=keeper)

    def run_page(self, ready: str = "True") -> None:
        """A pod of the page, as its Deployment has it."""
        deployment = self.sandbox.get("Deployment", NAME)
        assert deployment is not None
        made = pod("page-1", "x", ready)
        made["metadata"]["labels"] = deployment["spec"]["template"]["metadata"]["labels"]
        made["spec"]["containers"][0]["ports"] = deployment["spec"]["template"]["spec"]["containers"][0]["ports"]
        self.sandbox.create(made)

    def with_page(self) -> "Shop":
        self.tick()
        self.run_page()
        self.tick()
        return self

    def edit(self, **changes: Any) -> None:
        self.sandbox.edit("DegradationPolicy", "shop", lambda p: p["spec"].update(changes))

    @property
    def has_page(self) -> bool:
        return ("Deployment", NAME) in self.sandbox

    @property
    def ready(self) -> tuple[str, str, str]:
        found = next(c for c in self.status["conditions"] if c["type"] == "Ready")
        return found["status"], found["reason"], found["message"]


def test_a_page_is_made_before_it_is_needed_and_belongs_to_the_policy() -> None:
    shop = Shop(spec())
    shop.tick()

    made = shop.sandbox.get("Deployment", NAME)
    assert made is not None
    assert made["metadata"]["ownerReferences"][0]["uid"] == shop.sandbox.policy("shop").uid
    assert shop.status["pages"] == [NAME]
    assert shop.status["ledger"] == []
    assert shop.level == "full"
    assert shop.ready[:2] == ("False", "FallbackNotReady")
    assert "it is being started" in shop.ready[2]


def test_a_name_is_in_the_status_before_its_deployment_is_made() -> None:
    shop = Shop(spec())
    seen: list[Any] = []
    shop.sandbox.on_call = lambda when, what: (
        seen.append(shop.status.get("pages")) if (when, what) == ("before", f"make {NAME}") else None
    )
    shop.tick()

    assert seen == [[NAME]]


def test_a_policy_with_a_warm_page_is_ready_and_writes_nothing_more() -> None:
    shop = Shop(spec()).with_page()
    shop.tick()
    writes, version = len(shop.sandbox.writes), shop.sandbox.policy("shop").resource_version
    shop.ticks(40)

    assert shop.ready[:2] == ("True", "Watching")
    assert (len(shop.sandbox.writes), shop.sandbox.policy("shop").resource_version) == (writes, version)


def test_traffic_goes_to_the_page_and_comes_back_to_the_byte() -> None:
    shop = Shop(spec()).with_page()
    shop.values["errors"] = 0.4
    shop.ticks(2)
    assert shop.level == "static"
    assert shop.selector() == {"app.kubernetes.io/name": "stepdown-page", "stepdown.dev/page": NAME}

    shop.values |= {"errors": 0.0, "probe:static": 1.0}
    shop.ticks(30)

    assert shop.level == "full"
    assert shop.at_rest()
    assert shop.has_page


def test_a_page_that_is_not_ready_is_never_routed_to() -> None:
    shop = Shop(spec())
    shop.values["errors"] = 0.4
    shop.ticks(3)

    assert shop.selector() == {"app": "shop", "tier": "web"}
    assert shop.level == "full"
    assert shop.ready[:2] == ("False", "FallbackNotReady")


def test_a_page_that_cannot_be_made_is_said_with_the_servers_reason_and_tried_again() -> None:
    shop = Shop(spec())

    def refuse(when: str, what: str) -> None:
        if (when, what) == ("before", f"make {NAME}"):
            raise Refused(403, "exceeded quota: count/deployments.apps=1")

    shop.sandbox.on_call = refuse
    shop.tick()
    assert shop.ready[:2] == ("False", "ActionRejected")
    assert f"level static: statusPage: Deployment {NAME}: exceeded quota" in shop.ready[2]

    shop.sandbox.on_call = lambda _when, _what: None
    shop.with_page()
    assert shop.ready[:2] == ("True", "Watching")


def test_an_edited_message_changes_the_page_in_its_place() -> None:
    shop = Shop(spec()).with_page()
    before = shop.sandbox.get("Deployment", NAME)
    levels = spec()["levels"]
    levels[2]["actions"] = [{"statusPage": {"message": "Later."}}]
    shop.edit(levels=levels)
    shop.tick()

    after = shop.sandbox.get("Deployment", NAME)
    assert before is not None
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["annotations"][DIGEST] != before["metadata"]["annotations"][DIGEST]
    assert after["spec"]["template"]["spec"]["containers"][0]["args"][1] == "--message=Later."


def test_replicas_that_somebody_chose_for_a_page_stay() -> None:
    shop = Shop(spec()).with_page()
    shop.sandbox.edit("Deployment", NAME, lambda d: d["spec"].update(replicas=9))
    shop.ticks(40)

    assert shop.replicas(NAME) == 9


def test_a_page_that_no_level_names_any_more_goes() -> None:
    shop = Shop(spec()).with_page()
    shop.edit(levels=SPEC["levels"])
    shop.ticks(2)

    assert not shop.has_page
    assert "pages" not in shop.status or shop.status["pages"] == []


def test_a_page_that_traffic_is_at_goes_only_when_the_traffic_is_back() -> None:
    shop = Shop(spec()).with_page()
    shop.values["errors"] = 0.4
    shop.ticks(2)
    shop.sandbox.on_call = lambda when, what: (
        pytest.fail("the page went first")
        if (when, what) == ("before", f"remove {NAME}") and "stepdown.dev/page" in shop.selector()
        else None
    )
    shop.edit(levels=SPEC["levels"])
    shop.ticks(3)

    assert shop.selector() == {"app": "shop-static"}
    assert not shop.has_page


def test_a_deployment_of_the_pages_name_that_is_somebody_elses_is_left_alone() -> None:
    shop = Shop(spec())
    theirs = {"kind": "Deployment", "metadata": {"name": NAME}, "spec": {"replicas": 1, "template": {}}}
    shop.sandbox.create(theirs)
    before = shop.sandbox.get("Deployment", NAME)
    labels = {"app.kubernetes.io/name": "stepdown-page", "stepdown.dev/page": NAME}
    shop.sandbox.create(pod("theirs-1", "x") | {"metadata": {"name": "theirs-1", "labels": labels}})
    shop.values["errors"] = 0.4
    shop.ticks(3)

    assert shop.sandbox.get("Deployment", NAME) == before
    assert shop.ready[:2] == ("False", "Conflict")
    assert f"Deployment {NAME} is there and isn't this policy's page" in shop.ready[2]


@pytest.mark.parametrize("changes", [{"mode": "Observe"}, {"suspend": True}])
def test_who_observes_or_is_suspended_makes_no_page(changes: dict[str, Any]) -> None:
    shop = Shop(spec(**changes))
    shop.ticks(3)

    assert not shop.has_page
    assert shop.ready[:2] == ("True", "Watching")


def test_without_a_keeper_the_policy_says_which_value_of_the_chart_switches_it_on() -> None:
    world = World(spec())
    world.tick()

    ready = next(c for c in world.status["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "NotAuthorized")
    assert ready["message"].startswith(OFF)
