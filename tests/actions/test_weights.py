"""An HTTPRoute's traffic goes to a fallback Service by weights, in every rule that has both, or not at all."""

import pytest

from actions.scene import TARGET, fields, obj, problem, translated
from stepdown.api.policy import PolicySpec

ROUTE = {"route": {"httpRoute": "web", "to": {"service": "static"}}}


def service(name, ports=(80,), **spec):
    return obj("Service", name, {"selector": {"app": name}, "ports": [{"port": port} for port in ports], **spec})


def backend(name, weight=None, **more):
    return {"name": name, "port": 80, **({} if weight is None else {"weight": weight}), **more}


def rule(name, *backends, **more):
    return {"name": name, "backendRefs": list(backends), **more}


def http_route(*rules):
    return obj("HTTPRoute", "web", {"rules": list(rules)}, metadata={"namespace": "shops"})


def pod(app, ready="True"):
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    return obj("Pod", f"{app}-1", {"containers": [{}]}, metadata={"labels": {"app": app}}, status=status)


WORLD = (service("shop"), service("static"), pod("shop"), pod("static"))


def moved(*rules):
    found = translated(ROUTE, http_route(*rules), *WORLD)
    assert found.unready is None
    return {path.removeprefix("HTTPRoute/web /spec/rules#"): weight for path, weight in fields(found).items()}


def test_the_fallback_gets_all_and_the_others_nothing():
    assert moved(rule("all", backend("shop", 90), backend("canary", 10), backend("static", 0))) == {
        "/all/shop:80/weight": 0,
        "/all/canary:80/weight": 0,
        "/all/static:80/weight": 1,
    }


def test_every_rule_that_has_both_is_moved_and_the_others_are_left():
    rules = (
        rule("shop", backend("shop", 2), backend("static", 0)),
        rule("cart", backend("cart", 1), backend("static", 0)),
        rule("old", filters=[{"type": "RequestRedirect"}]),
        rule("api", backend("shop", 3), backend("static", 0)),
    )
    assert moved(*rules) == {
        "/shop/shop:80/weight": 0,
        "/shop/static:80/weight": 1,
        "/api/shop:80/weight": 0,
        "/api/static:80/weight": 1,
    }


def test_backends_of_other_namespaces_keep_their_weight_and_their_share():
    own, far = backend("static", 0, namespace="shops"), backend("shop", 40, namespace="far")
    assert moved(rule("all", backend("shop", 60), own, far)) == {
        "/all/shop:80/weight": 0,
        "/all/shops~1static:80/weight": 60,
    }


def test_of_a_fallback_at_two_ports_the_first_one_takes_over():
    both = translated(
        ROUTE,
        http_route(rule("all", backend("shop"), backend("static", 0), backend("static", 0, port=81))),
        *(service("shop"), service("static", (80, 81)), pod("static")),
    )
    assert list(fields(both).values()) == [0, 1, 0]


@pytest.mark.parametrize(
    ("weight", "becomes"), [(None, 2), (0, 1), (700_000, 1_000_000)], ids=["not said", "none", "too much"]
)
def test_beside_other_namespaces_the_weight_of_the_fallback_is_one_that_the_api_takes(weight, becomes):
    far = backend("shop", 40, namespace="far")
    found = moved(rule("all", backend("shop", weight), backend("canary", weight), backend("static", 0), far))
    assert found["/all/static:80/weight"] == becomes


def test_a_rule_without_the_fallback_is_named_with_the_line_to_add_and_the_others_still_move():
    bare = {"matches": [{"path": {"value": "/api"}}, {"path": {"value": "/v2"}}], "backendRefs": [backend("shop")]}
    found = translated(ROUTE, http_route(rule("all", backend("shop"), backend("static", 0)), bare), *WORLD)

    assert [change.path for change in found.changes] == [
        "/spec/rules#/all/shop:80/weight",
        "/spec/rules#/all/static:80/weight",
    ]
    assert [(str(issue.problem), issue.message) for issue in found.issues] == [
        (
            "TargetNotFound",
            "route: the rule for /api, /v2 of HTTPRoute web has Service shop and not static; add to its backendRefs"
            " {name: static, port: 80, weight: 0}",
        )
    ]


def test_an_http_route_without_the_service_is_named():
    assert problem(translated(ROUTE, http_route(rule("all", backend("cart"), backend("static"))), *WORLD)) == (
        "TargetNotFound",
        "route: HTTPRoute web has no rule with Service shop; add it to a rule's backendRefs",
    )


def test_rules_that_cannot_be_told_apart_are_not_moved():
    twice = {"matches": [{"path": {"value": "/"}}], "backendRefs": [backend("shop"), backend("static", 0)]}
    assert problem(translated(ROUTE, http_route(twice, twice), *WORLD)) == (
        "ActionUnsupported",
        "route: rule matches=ca156ff2accb is there twice in HTTPRoute web, so neither is known for itself;"
        " name its rules, keep one",
    )


def test_of_a_rule_with_a_backend_that_is_there_twice_nothing_is_moved():
    found = translated(ROUTE, http_route(rule("all", backend("shop"), backend("static"), backend("static"))), *WORLD)

    assert problem(found)[1].startswith("route: backend static:80 is there twice in HTTPRoute web")


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (
            "HTTPRoute",
            "route: HTTPRoute web isn't there; create it, correct the action's name, or install the CRDs of the"
            " Gateway API",
        ),
        ("Service", "route: Service static isn't there; create it or set the level's route to one that is ready"),
    ],
)
def test_what_is_not_there_is_named(missing, message):
    there = [http_route(rule("all", backend("shop"), backend("static"))), service("shop"), service("static")]
    kept = [o for o in there if o["kind"] != missing]
    assert problem(translated(ROUTE, *kept, pod("static"))) == ("TargetNotFound", message)


def test_a_fallback_without_a_selector_has_no_pods_that_could_be_looked_at():
    found = translated(
        ROUTE, http_route(rule("all", backend("shop"), backend("static"))), service("static", selector={})
    )
    assert problem(found) == (
        "ActionUnsupported",
        "route: Service static has no selector, so nobody can tell whether it has a ready pod; give it one",
    )


BOTH = rule("all", backend("shop", 1), backend("static", 0))


@pytest.mark.parametrize("primary", [True, False], ids=["a ready primary", "no ready primary"])
def test_without_a_ready_pod_it_is_unready_and_traffic_goes_back_where_that_can_answer(primary):
    pods = (pod("static", "False"), *([pod("shop")] if primary else []))
    found = translated(ROUTE, http_route(BOTH), service("shop"), service("static"), *pods)

    assert found.unready is not None
    assert found.unready.message == (
        "route: Service static has 0 ready pods (needs 1); scale it up, or set the level's route to one that is ready"
    )
    assert found.may_go_back is primary


@pytest.mark.parametrize("there", [False, True], ids=["no Service", "no selector"])
def test_traffic_does_not_go_back_to_a_service_that_has_nobody(there):
    before = [service("shop", selector=None)] if there else []
    found = translated(ROUTE, http_route(BOTH), *before, service("static"), pod("shop"))

    assert (found.unready is not None, found.may_go_back) == (True, False)


def test_a_fallback_that_has_not_the_port_of_the_rule_is_unready():
    found = translated(ROUTE, http_route(BOTH), service("static", (8080,)), pod("static"))

    assert found.unready is not None
    assert found.unready.message == (
        "route: Service static has no port 80, which the HTTPRoute names; give it that port"
    )


def test_ports_of_the_fallback_that_no_rule_names_need_no_pod():
    kept = service("static", ports=())
    kept["spec"]["ports"] = [{"port": 80, "targetPort": 8080}, {"port": 81, "targetPort": "admin"}]
    assert translated(ROUTE, http_route(BOTH), kept, pod("static")).unready is None


TRICKLE = PolicySpec.model_validate(
    {
        **TARGET.model_dump(include={"target", "signals"}, exclude_none=True),
        "levels": [
            {"name": "full"},
            {
                "name": "low",
                "enter": {"any": [{"signal": "load", "above": 1}]},
                "actions": [ROUTE],
                "recover": {"trickle": {"weight": 5}},
            },
        ],
    }
)


@pytest.mark.parametrize(
    ("backends", "weights"),
    [
        ([backend("shop"), backend("static", 0)], [5, 95]),
        ([backend("shop", 150), backend("canary", 50), backend("static", 0)], [5, 0, 95]),
        ([backend("shop", 60), backend("static", 0), backend("shop", 40, namespace="far")], [3, 57]),
        ([backend("shop", 6), backend("static", 0), backend("shop", 4, namespace="far")], [0, 6]),
        ([backend("shop"), backend("shop", port=81), backend("static", 0)], [5, 0, 95]),
    ],
    ids=["of one", "of two", "beside another namespace", "too little beside another namespace", "of two ports"],
)
def test_under_a_trickle_the_target_keeps_its_percentage(backends, weights):
    found = translated(ROUTE, http_route(rule("all", *backends)), *WORLD, spec=TRICKLE)

    assert list(fields(found).values()) == weights


def test_under_a_trickle_nobody_is_sent_to_a_target_without_a_ready_pod():
    unready = (service("shop"), service("static"), pod("shop", "False"), pod("static"))

    assert list(fields(translated(ROUTE, http_route(BOTH), *unready, spec=TRICKLE)).values()) == [0, 1]
