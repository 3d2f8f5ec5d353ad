"""Files of policies and objects, judged before anything is asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from simulate.remembering import policy
from stepdown.simulate.files import BadFiles, Contents, read_files


def read(tmp_path: Path, *objects: Any, **options: Any) -> Contents:
    file = tmp_path / "a.yaml"
    file.write_text("\n---\n".join(json.dumps(obj) for obj in objects), encoding="utf-8")
    return read_files([str(file)], options.pop("namespace", "default"), **options)


def refusal(tmp_path: Path, *objects: Any, **options: Any) -> list[str]:
    with pytest.raises(BadFiles) as caught:
        read(tmp_path, *objects, **options)
    return [str(finding).removeprefix(f"{tmp_path}/") for finding in caught.value.findings]


def deployment(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": spec}


def test_objects_without_a_namespace_get_the_one_that_is_named(tmp_path: Path) -> None:
    found = read(tmp_path, policy(), deployment(), namespace="shops")

    assert [p["metadata"] for p in found.policies] == [{"name": "shop", "namespace": "shops"}]
    assert [o["metadata"] for o in found.objects] == [{"name": "shop", "namespace": "shops"}]


def test_a_list_holds_objects_too(tmp_path: Path) -> None:
    found = read(tmp_path, {"apiVersion": "v1", "kind": "List", "items": [policy(), deployment()]})

    assert (len(found.policies), len(found.objects)) == (1, 1)


def test_of_two_equal_names_the_last_one_counts_as_with_kubectl(tmp_path: Path) -> None:
    found = read(tmp_path, policy(), deployment(replicas=1), deployment(replicas=3))

    assert [obj["spec"] for obj in found.objects] == [{"replicas": 3}]


def test_what_is_null_is_not_there(tmp_path: Path) -> None:
    found = read(tmp_path, policy(), deployment(replicas=None))

    assert [obj["spec"] for obj in found.objects] == [{}]


def test_a_file_without_a_policy_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, deployment()) == ["a.yaml:1: no DegradationPolicy in it; give a file that has one"]


def test_a_policy_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    assert refusal(tmp_path, policy("shop"), policy("cart"), policy="card") == [
        "a.yaml:1: no policy card in it, it has shop, cart"
    ]


@pytest.mark.parametrize(
    ("obj", "sentence"),
    [
        (deployment(replicas="2"), "Deployment shop: spec.replicas is not a whole number"),
        (
            deployment(selector={"matchLabels": ["shop"]}),
            "Deployment shop: spec.selector.matchLabels is not a map of texts",
        ),
        (
            deployment(template={"spec": {"containers": {"name": "main"}}}),
            "Deployment shop: spec.template.spec.containers is not a list of containers",
        ),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags"}, "data": {"reviews": True}},
            "ConfigMap flags: data is not a map of texts; put values in quotes",
        ),
        (
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}, "spec": {"ports": [80]}},
            "Service shop: spec.ports is not a list of ports",
        ),
        (
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "shop"},
                "spec": {"scaleTargetRef": {"name": "shop"}},
            },
            "HorizontalPodAutoscaler shop: spec.maxReplicas is not a whole number",
        ),
    ],
)
def test_an_object_that_actions_could_not_read_is_named_with_its_line(
    tmp_path: Path, obj: dict[str, Any], sentence: str
) -> None:
    assert refusal(tmp_path, policy(), obj) == [f"a.yaml:3: {sentence}"]


def test_a_file_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    with pytest.raises(BadFiles) as caught:
        read_files([str(tmp_path / "none.yaml")], "default")
    (finding,) = caught.value.findings
    assert str(finding) == f"{tmp_path}/none.yaml:1: can't be read: No such file or directory. Check the path"
