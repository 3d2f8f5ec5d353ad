"""The operator's rights: exactly the verbs that it sends, and those of a feature only where it is on."""

import pytest

ALWAYS = {
    "stepdown.dev/degradationpolicies": "get list watch patch",
    "stepdown.dev/degradationpolicies/status": "patch",
    "events": "create patch",
}
CLUSTER_SCOPED = {
    "stepdown.dev/metricsendpoints": "list watch",
    "namespaces": "get list watch",
}
OWN_NAMESPACE = {
    "coordination.k8s.io/leases": "create",
    "coordination.k8s.io/leases [stepdown]": "get patch",
}
WORKLOADS = {"apps/deployments": "get", "apps/statefulsets": "get"}
PODS = {"pods": "list"}
TOUCHED_PODS = {"pods": "list patch"}
SCALE = {
    **WORKLOADS,
    "apps/deployments/scale": "patch",
    "apps/statefulsets/scale": "patch",
    "autoscaling/horizontalpodautoscalers": "get list",
    "keda.sh/scaledobjects": "get list",
}
PAGES = {"apps/deployments": "get create patch delete"}
DEFAULT_FEATURES = {
    **SCALE,
    **PAGES,
    "autoscaling/horizontalpodautoscalers": "get list patch",
    "configmaps": "get patch",
    "services": "get patch",
    **TOUCHED_PODS,
    "pods/eviction": "create",
}
FEATURES = ("scale", "flags", "refreshPods", "route", "gateway", "statusPage", "restart", "hpa", "keda", "probes")


def only(*features):
    return {"features": {name: name in features for name in FEATURES}}


def rights(role):
    """`group/resource [names]` to verbs."""
    found = {}
    for rule in role["rules"]:
        names = f" [{' '.join(rule['resourceNames'])}]" if "resourceNames" in rule else ""
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                key = f"{group}/{resource}{names}".lstrip("/")
                assert key not in found, f"{key} is granted twice"
                found[key] = " ".join(rule["verbs"])
    return found


def roles(objects):
    """Rights by `kind namespace/name` of each role."""
    return {
        f"{obj['kind']} {obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}": rights(obj)
        for obj in objects
        if obj["kind"] in ("Role", "ClusterRole")
    }


def subjects(objects):
    """Who is bound to what, by `kind namespace/name` of each binding."""
    return {
        f"{obj['kind']} {obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}": (
            f"{obj['roleRef']['kind']} {obj['roleRef']['name']}",
            [f"{subject['kind']} {subject['namespace']}/{subject['name']}" for subject in obj["subjects"]],
        )
        for obj in objects
        if obj["kind"] in ("RoleBinding", "ClusterRoleBinding")
    }


PEOPLE = {
    "ClusterRole /stepdown-view": {"stepdown.dev/degradationpolicies": "get list watch"},
    "ClusterRole /stepdown-edit": {"stepdown.dev/degradationpolicies": "create update patch delete deletecollection"},
}


ACCOUNT = ["ServiceAccount stepdown-system/stepdown"]
BOUND_ALWAYS = {
    "ClusterRoleBinding /stepdown": ("ClusterRole stepdown", ACCOUNT),
    "RoleBinding stepdown-system/stepdown-own": ("Role stepdown-own", ACCOUNT),
}
POLICIES, WORKLOADS_ROLE = ("ClusterRole stepdown-policies", ACCOUNT), ("ClusterRole stepdown-workloads", ACCOUNT)


def test_the_roles_hold_exactly_the_rights_of_what_is_on(render):
    assert roles(render()) == {
        "ClusterRole /stepdown": CLUSTER_SCOPED,
        "ClusterRole /stepdown-policies": ALWAYS,
        "ClusterRole /stepdown-workloads": DEFAULT_FEATURES,
        "Role stepdown-system/stepdown-own": OWN_NAMESPACE,
        **PEOPLE,
    }


def test_by_default_no_namespace_has_let_the_operator_in_and_it_sees_policies_everywhere(render):
    assert subjects(render()) == {**BOUND_ALWAYS, "ClusterRoleBinding /stepdown-policies": POLICIES}


def test_rights_on_workloads_are_bound_in_the_namespaces_that_let_it_in(render):
    assert subjects(render({"namespaces": ["shop", "payments"]})) == {
        **BOUND_ALWAYS,
        "ClusterRoleBinding /stepdown-policies": POLICIES,
        "RoleBinding shop/stepdown-workloads": WORKLOADS_ROLE,
        "RoleBinding payments/stepdown-workloads": WORKLOADS_ROLE,
    }


def test_rights_on_workloads_are_bound_once_where_all_namespaces_let_it_in(render):
    assert subjects(render({"namespaces": ["shop"], "allNamespaces": True})) == {
        **BOUND_ALWAYS,
        "ClusterRoleBinding /stepdown-policies": POLICIES,
        "ClusterRoleBinding /stepdown-workloads": WORKLOADS_ROLE,
    }


def test_with_watch_others_off_no_right_on_policies_reaches_further_than_the_listed_namespaces(render):
    assert subjects(render({"namespaces": ["shop"], "watchOthers": False})) == {
        **BOUND_ALWAYS,
        "RoleBinding shop/stepdown-policies": POLICIES,
        "RoleBinding shop/stepdown-workloads": WORKLOADS_ROLE,
    }


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ([], {}),
        (["scale"], {**SCALE, **PODS}),
        (["scale", "hpa"], {**SCALE, **PODS, "autoscaling/horizontalpodautoscalers": "get list patch"}),
        (["scale", "keda"], {**SCALE, **PODS, "keda.sh/scaledobjects": "get list patch"}),
        (["hpa", "keda"], {}),
        (["flags"], {"configmaps": "get patch"}),
        (["flags", "refreshPods"], {"configmaps": "get patch", **TOUCHED_PODS}),
        (["refreshPods", "probes"], {**WORKLOADS, **PODS}),
        (["route"], {**WORKLOADS, **PODS, "services": "get patch"}),
        (["gateway"], {**PODS, "services": "get", "gateway.networking.k8s.io/httproutes": "get patch"}),
        (["statusPage"], {**WORKLOADS, **PAGES, **PODS, "services": "get patch"}),
        (["probes"], {**WORKLOADS, **PODS}),
        (["restart"], {**WORKLOADS, **PODS, "pods/eviction": "create"}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_a_feature_brings_its_rights_and_takes_them_away(render, features, expected):
    assert roles(render(only(*features)))["ClusterRole /stepdown-workloads"] == expected


def test_the_operator_reads_just_the_secrets_that_are_named(render):
    endpoint = {
        "auth": {"secretName": "prometheus-token"},
        "extraSecrets": ["mimir-token", "prometheus-token"],
    }
    assert roles(render({"metricsEndpoint": endpoint}))["Role stepdown-system/stepdown-own"] == {
        **OWN_NAMESPACE,
        "secrets [mimir-token prometheus-token]": "get",
    }


def test_nobody_is_given_the_status_of_policies_because_it_holds_the_ledger(render):
    people = {name: found for name, found in roles(render()).items() if name in PEOPLE}
    assert not any("degradationpolicies/status" in found for found in people.values())


@pytest.mark.parametrize("right", ["*", "escalate", "bind", "impersonate", "pods/exec", "create pods", "secrets"])
def test_no_right_reaches_further_than_anybody_would_expect(render, right):
    values = {
        "features": {"keda": True, "gateway": True},
        "rbac": {"aggregateTo": {"edit": False, "admin": False, "view": False}},
    }
    granted = " ".join(f"{key} {verbs}" for found in roles(render(values)).values() for key, verbs in found.items())
    assert right not in granted


def test_rights_on_policies_join_the_clusters_own_roles_as_far_as_wanted(render):
    def joined(values):
        return {
            obj["metadata"]["name"]: sorted(
                label.rpartition("-to-")[2] for label in obj["metadata"]["labels"] if "aggregate-to-" in label
            )
            for obj in render(values)
            if obj["kind"] == "ClusterRole" and obj["metadata"]["name"] in ("stepdown-view", "stepdown-edit")
        }

    assert joined({}) == {"stepdown-view": ["admin", "edit", "view"], "stepdown-edit": ["admin", "edit"]}
    assert joined({"rbac": {"aggregateTo": {"edit": False}}}) == {
        "stepdown-view": ["admin", "edit", "view"],
        "stepdown-edit": ["admin"],
    }
    assert joined({"rbac": {"aggregateTo": {"view": False, "edit": False, "admin": False}}}) == {}


def test_rights_can_be_left_to_others(render):
    objects = render({"rbac": {"create": False}})
    assert roles(objects) == {}
    assert subjects(objects) == {}
