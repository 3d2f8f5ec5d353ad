"""SEC1: nobody writes a policy that does what they could not do by hand, on the real API server.

Each user may write policies in the namespace, and has some rights on workloads. What the API server says to a policy
of theirs is compared with a table, and with what the same user is told by `kubectl auth can-i`.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plane.api import Api, ApiError, Object
from plane.processes import wait_for
from plane.release import Release
from plane.tools import Tool

POLICIES = "/apis/stepdown.dev/v1alpha1/namespaces/{}/degradationpolicies"
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

Right = tuple[str, str, str]
"""Verb, group, resource with its subresource."""

SCALE: Right = ("patch", "apps", "deployments/scale")
STATEFUL: Right = ("patch", "apps", "statefulsets/scale")
HPA: Right = ("patch", "autoscaling", "horizontalpodautoscalers")
KEDA: Right = ("patch", "keda.sh", "scaledobjects")
FLAGS: Right = ("patch", "", "configmaps")
TOUCH: Right = ("patch", "", "pods")
ROUTE: Right = ("patch", "", "services")
WEIGHTS: Right = ("patch", "gateway.networking.k8s.io", "httproutes")
MAKE: Right = ("create", "apps", "deployments")
EVICT: Right = ("create", "", "pods/eviction")
PODS: Right = ("list", "", "pods")
PROXY: Right = ("get", "", "pods/proxy")

OWNERS = [HPA, KEDA]
USERS: dict[str, list[Right]] = {
    "scaler": [SCALE, *OWNERS],
    "scaler-not-of-hpas": [SCALE, KEDA],
    "scaler-not-of-keda": [SCALE, HPA],
    "owner-of-autoscalers": OWNERS,
    "stateful-scaler": [STATEFUL, *OWNERS],
    "flagger": [FLAGS, TOUCH, PODS],
    "flagger-not-of-pods": [FLAGS, PODS],
    "flagger-not-of-lists": [FLAGS, TOUCH],
    "flag-reader": [("get", "", "configmaps"), ("list", "", "configmaps")],
    "flag-replacer": [("update", "", "configmaps")],
    "router": [ROUTE],
    "weigher": [WEIGHTS],
    "pager": [MAKE, ROUTE, PODS],
    "pager-not-of-services": [MAKE, PODS],
    "pager-not-of-deployments": [ROUTE, PODS],
    "restarter": [EVICT, PODS],
    "watcher": [PODS],
    "prober": [PODS, PROXY],
    "prober-not-of-lists": [PROXY],
    "all-but-routes": [SCALE, STATEFUL, *OWNERS, FLAGS, TOUCH, WEIGHTS, EVICT, PODS, PROXY],
    "nothing-more": [],
}
"""What users may do in the namespace besides writing policies, by Roles of their own."""

BOUND = {"admin": "admin", "admin-with-keda": "admin", "editor": "edit", "viewer": "view"}
"""Users who are bound to roles of the cluster there."""

SCALING = {"scale": {"to": 3}}
LEVELS: dict[str, Object] = {
    "plain": {},
    "scale": {"actions": [SCALING]},
    "named": {"actions": [{"scale": {"deployment": "other", "by": "50%"}}]},
    "stateful": {"actions": [{"scale": {"statefulSet": "other", "to": 0}}]},
    "flags": {"actions": [{"flags": {"enable": ["calm"], "in": {"flagd": {"configMap": "flags"}}}}]},
    "keys": {"actions": [{"flags": {"set": {"a": "x"}, "in": {"configMap": {"name": "settings"}}, "refresh": "None"}}]},
    "route": {"actions": [{"route": {"to": {"deployment": "static"}}}], "recover": {"trial": {"after": "5m"}}},
    "weights": {
        "actions": [{"route": {"httpRoute": "shop", "to": {"service": "static"}}}],
        "recover": {"trial": {"after": "5m"}},
    },
    "page": {"actions": [{"statusPage": {"message": "Back soon."}}]},
    "restart": {"actions": [{"restart": {"atMost": 1}}]},
    "pods": {"enter": {"any": [{"signal": "ready", "below": "50%"}]}},
    "probe": {"recover": {"probe": {"http": {"deployment": "shop", "path": "/"}, "successes": 3}}},
}
"""The deeper level of a policy that asks for something. The target is a Deployment."""

TABLE = """
                          plain  scale  named  stateful  flags  keys  route  weights  page  restart  pods  probe
admin                     yes    no     no     no        yes    yes   yes    no       yes   yes      yes   yes
admin-with-keda           yes    yes    yes    yes       yes    yes   yes    no       yes   yes      yes   yes
editor                    yes    no     no     no        yes    yes   yes    no       yes   yes      yes   yes
viewer                    yes    no     no     no        no     no    no     no       no    no       yes   no
scaler                    yes    yes    yes    no        no     no    no     no       no    no       no    no
scaler-not-of-hpas        yes    no     no     no        no     no    no     no       no    no       no    no
scaler-not-of-keda        yes    no     no     no        no     no    no     no       no    no       no    no
owner-of-autoscalers      yes    no     no     no        no     no    no     no       no    no       no    no
stateful-scaler           yes    no     no     yes       no     no    no     no       no    no       no    no
flagger                   yes    no     no     no        yes    yes   no     no       no    no       yes   no
flagger-not-of-pods       yes    no     no     no        no     yes   no     no       no    no       yes   no
flagger-not-of-lists      yes    no     no     no        no     yes   no     no       no    no       no    no
flag-reader               yes    no     no     no        no     no    no     no       no    no       no    no
flag-replacer             yes    no     no     no        no     no    no     no       no    no       no    no
router                    yes    no     no     no        no     no    yes    no       no    no       no    no
weigher                   yes    no     no     no        no     no    no     yes      no    no       no    no
pager                     yes    no     no     no        no     no    yes    no       yes   no       yes   no
pager-not-of-services     yes    no     no     no        no     no    no     no       no    no       yes   no
pager-not-of-deployments  yes    no     no     no        no     no    yes    no       no    no       yes   no
restarter                 yes    no     no     no        no     no    no     no       no    yes      yes   no
watcher                   yes    no     no     no        no     no    no     no       no    no       yes   no
prober                    yes    no     no     no        no     no    no     no       no    no       yes   yes
prober-not-of-lists       yes    no     no     no        no     no    no     no       no    no       no    no
all-but-routes            yes    yes    yes    yes       yes    yes   no     yes      no    yes      yes   yes
nothing-more              yes    no     no     no        no     no    no     no       no    no       no    no
of-one-name               yes    no     no     no        no     no    no     no       no    no       no    no
elsewhere                 yes    no     no     no        no     no    no     no       no    no       no    no
"""
NEEDS: dict[str, list[Right]] = {
    "plain": [],
    "scale": [SCALE, *OWNERS],
    "named": [SCALE, *OWNERS],
    "stateful": [STATEFUL, *OWNERS],
    "flags": [FLAGS, TOUCH, PODS],
    "keys": [FLAGS],
    "route": [ROUTE],
    "weights": [WEIGHTS],
    "page": [MAKE, ROUTE, PODS],
    "restart": [EVICT, PODS],
    "pods": [PODS],
    "probe": [PODS, PROXY],
}
"""What a person needs to do the same by hand."""


def expected() -> dict[tuple[str, str], bool]:
    head, *rows = [line.split() for line in TABLE.strip().splitlines()]
    return {(row[0], asked): word == "yes" for row in rows for asked, word in zip(head, row[1:], strict=True)}


def policy(asked: str, name: str = "mine") -> Object:
    """A policy whose second level, or whose signals, ask for something."""
    level = {"name": "down", "enter": {"any": [{"signal": "errors", "above": "5%"}]}, **LEVELS[asked]}
    signals = [{"name": "errors", "preset": "http-error-ratio"}]
    if asked == "pods":
        signals.append({"name": "ready", "pods": {"deployment": "shop"}})  # type: ignore[dict-item]
    return {
        "apiVersion": "stepdown.dev/v1alpha1",
        "kind": "DegradationPolicy",
        "metadata": {"name": name},
        "spec": {
            "target": {"service": "shop", "deployment": "shop"},
            "signals": signals,
            "levels": [{"name": "full"}, level],
        },
    }


def rule(verb: str, group: str, resource: str) -> Object:
    return {"apiGroups": [group], "resources": [resource], "verbs": [verb]}


def role(user: str, rules: list[Object], namespace: str) -> list[Object]:
    """A Role of a user's own, and its binding."""
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user}
    return [
        {"kind": "Role", "metadata": {"name": user, "namespace": namespace}, "rules": rules},
        binding(user, reference, namespace),
    ]


def binding(user: str, reference: Object, namespace: str, name: str = "") -> Object:
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]
    metadata = {"name": name or user, "namespace": namespace}
    return {"kind": "RoleBinding", "metadata": metadata, "roleRef": reference, "subjects": subjects}


@pytest.fixture(scope="module")
def crowd(release: Release, api: Api, kubectl: Tool, open_namespace: Any) -> Iterator[tuple[str, dict[str, Api]]]:
    """The namespace, and a client of each user; the check is at work and every right is given."""
    writing = {"apiGroups": ["stepdown.dev"], "resources": ["degradationpolicies"], "verbs": ["*"]}
    cluster_role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
    with open_namespace("authors") as here, open_namespace("elsewhere") as elsewhere:
        objects: list[Object] = []
        for user, rights in USERS.items():
            objects += role(user, [writing, *(rule(*right) for right in rights)], here)
        for user, name in BOUND.items():
            objects.append(binding(user, {**cluster_role, "name": name}, here, f"{user}-bound"))
            objects += role(user, [writing, *([rule(*KEDA)] if user == "admin-with-keda" else [])], here)
        objects += role("of-one-name", [writing, {**rule(*FLAGS), "resourceNames": ["flags"]}], here)
        objects += role("elsewhere", [writing], here)
        objects.append(binding("elsewhere", {**cluster_role, "name": "admin"}, elsewhere, "elsewhere-bound"))
        listed = [{"apiVersion": "rbac.authorization.k8s.io/v1", **obj} for obj in objects]
        kubectl("apply", "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": listed}))
        users = {user: api.acting_as(user) for user in [*USERS, *BOUND, "of-one-name", "elsewhere"]}
        wait_for("the last right is given", lambda: may(users["elsewhere"], ("create", "", "services"), elsewhere))
        wait_for("the check is at work", lambda: not is_created(users["nothing-more"], here, "route"))
        for asked in LEVELS:
            api.create(policy("plain", f"of-{asked}"), here)
        yield here, users


def may(user: Api, right: Right, namespace: str) -> bool:
    """What `kubectl auth can-i` asks and prints."""
    verb, group, resource = right
    resource, _, sub = resource.partition("/")
    about = {"namespace": namespace, "verb": verb, "group": group, "resource": resource, "subresource": sub}
    body = {"spec": {"resourceAttributes": about}, "apiVersion": "authorization.k8s.io/v1"}
    answer = user.call("POST", REVIEW, {**body, "kind": "SelfSubjectAccessReview"})
    return bool(answer["status"]["allowed"])


def is_taken(call: Callable[[], Any]) -> bool:
    """Whether the API server takes a write. Raises ApiError for a refusal that isn't the check's."""
    try:
        call()
    except ApiError as error:
        if "403: " not in str(error) or "a policy does only what its author may do by hand" not in error.message:
            raise
        return False
    return True


def is_created(user: Api, here: str, asked: str) -> bool:
    return is_taken(lambda: user.create(policy(asked), here, dryRun="All"))


def is_patched(user: Api, here: str, asked: str) -> bool:
    path, body = f"{POLICIES.format(here)}/of-{asked}", {"spec": {**policy(asked)["spec"], "interval": "20s"}}
    return is_taken(lambda: user.call("PATCH", path, body, "application/merge-patch+json", dryRun="All"))


def is_applied(user: Api, here: str, asked: str) -> bool:
    path, content = f"{POLICIES.format(here)}/new", "application/apply-patch+yaml"
    query = {"dryRun": "All", "fieldManager": "a-person", "force": "true"}
    return is_taken(lambda: user.call("PATCH", path, policy(asked, "new"), content, **query))


@pytest.mark.parametrize("write", [is_created, is_patched, is_applied])
def test_who_may_write_which_policy_is_what_the_table_says(crowd: Any, write: Callable[[Api, str, str], bool]) -> None:
    here, users = crowd

    answers = {(user, asked): write(users[user], here, asked) for user, asked in expected()}

    assert answers == expected()


def test_the_table_is_what_each_user_is_told_by_auth_can_i(crowd: Any, figure: Callable[..., None]) -> None:
    here, users = crowd
    rights = {right for needed in NEEDS.values() for right in needed}
    told = {(user, right): may(client, right, here) for user, client in users.items() for right in rights}

    by_hand = {(user, asked): all(told[user, right] for right in NEEDS[asked]) for user, asked in expected()}

    assert by_hand == expected()
    figure("authorizer cases", 3 * len(expected()))
