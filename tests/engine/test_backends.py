"""A weight is found by what its rule and its backend are, wherever they stand."""

from typing import Any

import pytest

from stepdown.engine.backends import raw, weight_path, with_raw
from stepdown.engine.document import NotADocument
from stepdown.engine.fields import at, text_at
from stepdown.engine.patch import build_patch, with_texts


def backend(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": 80, **more}


SHOP, STATIC = backend("shop", weight=3), backend("static", weight=0)
ROOT = {"matches": [{"path": {"value": "/"}}], "backendRefs": [backend("shop"), STATIC]}
API = {"name": "api", "matches": [{"path": {"value": "/api"}}], "backendRefs": [SHOP, STATIC]}


def route(*rules: Any) -> dict[str, Any]:
    return {"metadata": {"name": "shop", "uid": "u1", "annotations": {}}, "spec": {"rules": list(rules)}}


@pytest.mark.parametrize(
    ("other", "path"),
    [
        ({"name": "shop", "port": 80}, "/spec/rules#/api/shop:80/weight"),
        ({"name": "shop", "port": 80, "kind": "Service", "group": ""}, "/spec/rules#/api/shop:80/weight"),
        ({"name": "shop"}, "/spec/rules#/api/shop/weight"),
        ({"name": "shop", "port": 80, "namespace": "far"}, "/spec/rules#/api/far~1shop:80/weight"),
        ({"name": "shop", "kind": "Pool", "group": "x.io"}, "/spec/rules#/api/Pool shop/weight"),
    ],
    ids=["service", "said", "portless", "other namespace", "other kind"],
)
def test_a_backend_is_known_by_all_that_tells_it_from_another(other: dict[str, Any], path: str) -> None:
    assert weight_path(API, other) == path


def test_a_rule_without_a_name_is_known_by_its_matches_whatever_else_of_it_changes() -> None:
    path = weight_path(ROOT, SHOP)

    assert path == "/spec/rules#/matches=ca156ff2accb/shop:80/weight"
    assert weight_path({"matches": ROOT["matches"], "timeouts": {"request": "1s"}}, SHOP) == path


@pytest.mark.parametrize("rules", [(API, ROOT), (ROOT, API)], ids=["as it was", "the other way round"])
def test_a_weight_is_found_wherever_its_rule_stands(rules: Any) -> None:
    assert text_at(route(*rules), "/spec/rules#/api/shop:80/weight") == "3"
    assert text_at(route(*rules), weight_path(ROOT, SHOP)) is None


@pytest.mark.parametrize(
    "pointer", ["/none/shop:80/weight", "/api/none/weight", "/api/shop:80/port", "/api/shop:80", "/api", "", "/a/b/c/d"]
)
def test_what_is_not_there_has_no_weight(pointer: str) -> None:
    assert raw([API, ROOT, "no rule"], pointer) is None


def test_setting_one_weight_leaves_all_else_as_it_was() -> None:
    after = with_texts(route(ROOT, API), {"/spec/rules#/api/shop:80/weight": "0"})

    assert after == route(ROOT, {**API, "backendRefs": [{**SHOP, "weight": 0}, STATIC]})


def test_a_weight_that_was_not_said_is_not_said_again_after_it_was_set_and_taken_away() -> None:
    path = weight_path(ROOT, SHOP)
    held = with_texts(route(ROOT, API), {path: "0"})

    assert held["spec"]["rules"][0]["backendRefs"][0] == {"name": "shop", "port": 80, "weight": 0}
    assert with_texts(held, {path: None}) == route(ROOT, API)


def test_a_backend_that_is_gone_takes_no_weight_and_has_none_to_be_taken_away() -> None:
    with pytest.raises(KeyError, match="/api/none/weight"):
        with_raw([API], "/api/none/weight", "1")
    assert with_raw([API], "/api/none/weight", None) == [API]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([ROOT, API, ROOT], "rule matches=ca156ff2accb is there twice"),
        ([{**ROOT, "backendRefs": [SHOP, SHOP]}], "backend shop:80 is there twice"),
    ],
    ids=["rule", "backend"],
)
def test_what_is_there_twice_is_neither_read_nor_written(rules: list[Any], message: str) -> None:
    pointer = "/matches=ca156ff2accb/shop:80/weight"
    with pytest.raises(NotADocument, match=message):
        raw(rules, pointer)
    with pytest.raises(NotADocument, match=message):
        with_raw(rules, pointer, "1")


def test_a_patch_tests_all_rules_as_they_were_read_so_that_no_other_backends_weight_can_be_met() -> None:
    obj = route(ROOT, API)
    patch = build_patch(obj, {"/spec/rules#/api/shop:80/weight": "0"}, None)

    assert {"op": "test", "path": "/spec/rules", "value": at(obj, "/spec/rules")} in patch
