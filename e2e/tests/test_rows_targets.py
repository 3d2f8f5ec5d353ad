"""Rows 38, 39 and 41 of the fault table: targets that vanish, that a person edits, and that a tool sets back."""

import copy
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from plane.api import Api, Object
from plane.ladders import BREACHED, ladder, level, recover, route, scale, settings, switch
from plane.operator import Operator
from plane.record import Record, wait_quiet
from plane.shop import POLICY, Shop


def replace(shop: Shop, kind: str, name: str, **spec_or_data: Any) -> None:
    """Deletes an object and creates it anew with other values, as a person would: it has another uid then."""
    old = shop.api.get(kind, name, shop.namespace)
    new = copy.deepcopy(old)
    new["metadata"] = {key: old["metadata"][key] for key in ("name", "labels") if key in old["metadata"]}
    new.pop("status", None)
    new["spec" if "spec" in new else "data"].update(spec_or_data)
    shop.api.delete(kind, name, shop.namespace)
    shop.wait(f"{kind} {name} is gone", lambda: shop.api.find(kind, name, shop.namespace) is None, timeout=60)
    new.update(apiVersion=old["apiVersion"], kind=kind)
    shop.api.create(new, shop.namespace)


# Row 38


@pytest.fixture
def untouched(shop: Shop) -> dict[str, Object]:
    """A shop with a flag, before there is a policy: what is there."""
    shop.apply_workloads("shop", "shop-static")
    shop.apply(settings("flags", reviews="on"))
    return shop.snapshot()


@pytest.fixture
def degraded(shop: Shop, operator: Operator, untouched: dict[str, Object]) -> Shop:
    """The shop when its policy `shop` holds replicas (2 before, 4 now), a flag (on, off) and a selector."""
    shop.load(BREACHED, "shop")
    actions = (route("shop", "shop-static"), switch("flags", reviews="off"), scale("shop", 4))
    shop.apply(ladder("shop", shop.namespace, level("low", *actions, trial=True)))
    shop.wait_level("shop", "low", timeout=60)
    return shop


@pytest.mark.row(38)
def test_row_38_a_target_that_is_gone_is_orphaned_and_the_others_are_restored(
    degraded: Shop, operator: Operator
) -> None:
    degraded.api.delete("ConfigMap", "flags", degraded.namespace)
    event = degraded.wait_event("Orphaned", timeout=60)
    ready = degraded.wait_condition("shop", "Ready", "False", "TargetNotFound", timeout=60)
    recover(degraded, operator, "shop")

    assert event["message"] == "ConfigMap flags is gone: its /data/reviews needs no restore"
    assert "ConfigMap flags isn't there" in ready["message"]
    assert (degraded.replicas("shop"), degraded.selector("shop")) == (2, {"app": "shop"})
    assert degraded.api.find("ConfigMap", "flags", degraded.namespace) is None


@pytest.mark.row(38)
def test_row_38_a_target_created_anew_gets_its_own_values_back_and_never_the_old_ones(
    degraded: Shop, operator: Operator
) -> None:
    replace(degraded, "ConfigMap", "flags", reviews="beta")
    replace(degraded, "Deployment", "shop", replicas=3)
    degraded.wait("the new ones are held", lambda: held_now(degraded) == {"reviews": "off", "replicas": 4}, timeout=60)
    degraded.wait("both are told", lambda: len(degraded.events("Orphaned")) == 2, timeout=60)
    recover(degraded, operator, "shop")
    flags = degraded.api.get("ConfigMap", "flags", degraded.namespace)

    assert (flags["data"], degraded.replicas("shop"), degraded.selector("shop")) == (
        {"reviews": "beta"},
        3,
        {"app": "shop"},
    )
    assert "annotations" not in flags["metadata"]


def held_now(shop: Shop) -> Object:
    return {
        "reviews": shop.api.get("ConfigMap", "flags", shop.namespace)["data"]["reviews"],
        "replicas": shop.replicas("shop"),
    }


# Row 39


def edit_as_a_person(shop: Shop) -> None:
    """The flag, the replicas and the selector of `degraded`, each set to something that nobody had before."""
    shop.api.merge("ConfigMap", "flags", shop.namespace, {"data": {"reviews": "mine"}})
    shop.scale("shop", 7)
    shop.api.merge("Service", "shop", shop.namespace, {"spec": {"selector": {"app": "shop", "mine": "yes"}}})


def with_a_persons_values(before: dict[str, Object]) -> dict[str, Object]:
    """What was there before, with those three values."""
    found = copy.deepcopy(before)
    found["ConfigMap/flags"]["data"]["reviews"] = "mine"
    found["Deployment/shop"]["spec"]["replicas"] = 7
    found["Service/shop"]["spec"]["selector"] = {"app": "shop", "mine": "yes"}
    return found


@pytest.mark.row(39)
def test_row_39_what_a_person_set_while_nobody_looked_is_not_put_back_when_the_policy_is_deleted(
    degraded: Shop, untouched: dict[str, Object], operator: Operator
) -> None:
    operator.pause()
    edit_as_a_person(degraded)
    degraded.api.delete(POLICY, "shop", degraded.namespace)
    operator.resume()
    degraded.wait("the policy is gone", lambda: not degraded.api.list(POLICY, degraded.namespace), timeout=60)
    degraded.wait("each is told", lambda: len(degraded.events("Contested")) == 3, timeout=60)
    wait_quiet(degraded, operator)

    assert degraded.snapshot() == with_a_persons_values(untouched)


@pytest.mark.row(39)
def test_row_39_a_persons_values_stay_at_once_and_after_recovery_and_the_rest_is_restored(
    shop: Shop, operator: Operator
) -> None:
    shop.apply_workloads("shop", "shop-static", "recommendations")
    shop.apply(settings("flags", reviews="on"), settings("other-flags", reviews="on"))
    before = shop.snapshot()
    shop.load(BREACHED, "shop")
    actions = [switch(name, reviews="off") for name in ("flags", "other-flags")]
    actions += [scale(name, 4) for name in ("shop", "recommendations")]
    shop.apply(ladder("shop", shop.namespace, level("low", route("shop", "shop-static"), *actions, trial=True)))
    shop.wait_level("shop", "low", timeout=60)
    edit_as_a_person(shop)
    shop.wait("each is told", lambda: len(shop.events("Contested")) == 3, timeout=60)
    told = shop.wait_condition("shop", "Contested", "True", timeout=60)
    wait_quiet(shop, operator)
    recover(shop, operator, "shop")

    assert shop.snapshot() == with_a_persons_values(before)
    assert told["message"].count("Written by a-person.") == 3


# Row 41

RIVALS = {
    "argocd-controller": "spec.ignoreDifferences",
    "kustomize-controller": "kustomize.toolkit.fluxcd.io/ssa: IfNotPresent",
    "deploy-script": "change /data/reviews of ConfigMap deploy-script only through one of the two",
}
"""Each rival, and what its cure says."""


class Rival:
    """Sets its ConfigMap (of the same name) back every second, as GitOps does: by a forced server-side apply."""

    def __init__(self, api: Api, namespace: str, manager: str) -> None:
        self._api, self._namespace, self.manager = api, namespace, manager
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def apply(self) -> None:
        path = self._api.path("ConfigMap", self.manager, self._namespace)
        body = settings(self.manager, reviews="on")
        self._api.call("PATCH", path, body, "application/apply-patch+yaml", fieldManager=self.manager, force="true")

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(1.0):
            self.apply()

    def stop(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()


@dataclass
class Fights:
    """Three fights at once: the values that each field had, what was told, and the end."""

    before: dict[str, Object]
    values: dict[str, list[str]]
    told: dict[str, Object]
    reapplied: dict[str, int]
    end: dict[str, Object]


@pytest.fixture(scope="module")
def fights(lead: Callable[[], Operator], open_shop: Any) -> Iterator[Fights]:
    operator = lead()
    with open_shop("row-41") as shop:
        rivals = [Rival(shop.api, shop.namespace, manager) for manager in RIVALS]
        for rival in rivals:
            rival.apply()
        before = shop.snapshot()
        try:
            with Record(shop.api, shop.namespace, "ConfigMap") as record:
                for name in RIVALS:
                    shop.load(BREACHED, name)
                shop.apply(
                    *(ladder(n, shop.namespace, level("low", switch(n, reviews="off"))) for n in RIVALS),
                )
                for name in RIVALS:
                    shop.wait_level(name, "low", timeout=60)
                for rival in rivals:
                    rival.start()
                told = {name: shop.wait_condition(name, "Contested", "True", timeout=90) for name in RIVALS}
                wait_quiet(shop, operator)
                values = {name: record.values("ConfigMap", name, lambda obj: obj["data"]["reviews"]) for name in RIVALS}
                reapplied = {
                    name: len([e for e in shop.events("Reapplied") if e["involvedObject"]["name"] == name])
                    for name in RIVALS
                }
                recover(shop, operator, *RIVALS)
            yield Fights(before, values, told, reapplied, shop.snapshot())
        finally:
            for rival in rivals:
                rival.stop()


@pytest.fixture(params=RIVALS)
def rival(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.row(41)
def test_row_41_what_is_set_back_every_second_is_applied_again_three_times_and_then_left(
    fights: Fights, rival: str
) -> None:
    assert fights.values[rival] == ["off", "on", "off", "on", "off", "on", "off", "on"]


@pytest.mark.row(41)
def test_row_41_each_time_is_told(fights: Fights, rival: str) -> None:
    assert fights.reapplied[rival] == 3


@pytest.mark.row(41)
def test_row_41_contested_names_the_rival_and_the_cure(fights: Fights, rival: str) -> None:
    assert f"Written by {rival}." in fights.told[rival]["message"]
    assert RIVALS[rival] in fights.told[rival]["message"]


@pytest.mark.row(41)
def test_row_41_in_the_end_the_rivals_object_has_no_mark_of_ours(fights: Fights, rival: str) -> None:
    assert fights.end[f"ConfigMap/{rival}"] == fights.before[f"ConfigMap/{rival}"]
