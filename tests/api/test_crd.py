"""The generated CRDs are structural, bounded and explained, and follow the models."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML

from stepdown.api import crd
from stepdown.api.policy import PolicySpec

ROOT = Path(__file__).parents[2]
EXAMPLE = "Something. Example: x"


def schema(document: dict[str, Any], part: str = "spec") -> dict[str, Any]:
    found: dict[str, Any] = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part]
    return found


def nodes(found: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, found
    for name, inner in found.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for key, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        if key in found:
            yield from nodes(found[key], path + suffix)


def all_nodes() -> list[tuple[str, dict[str, Any]]]:
    policy, endpoint = crd.crds()
    parts = [(schema(policy), "spec"), (schema(policy, "status"), "status"), (schema(endpoint), "spec")]
    return [node for found, path in parts for node in nodes(found, path)]


def test_nothing_is_left_that_a_structural_schema_does_not_know() -> None:
    known = {
        "type",
        "format",
        "enum",
        "description",
        "default",
        "pattern",
        "required",
        "properties",
        "items",
        "additionalProperties",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "maxProperties",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-validations",
    }

    assert {key for _, node in all_nodes() for key in node} - known == set()


def test_every_field_is_explained_with_an_example() -> None:
    for path, node in all_nodes():
        for name, field in node.get("properties", {}).items():
            assert "Example: " in field["description"], f"{path}.{name}"


def test_every_list_map_and_string_is_bounded() -> None:
    for path, node in all_nodes():
        if node.get("type") == "array":
            assert "maxItems" in node, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path
        if node.get("type") == "string" or "x-kubernetes-int-or-string" in node:
            assert {"maxLength", "enum", "format"} & set(node), path


def test_lists_with_names_merge_by_name() -> None:
    spec, status = schema(crd.policy_crd()), schema(crd.policy_crd(), "status")

    for key in ("signals", "objectives", "levels"):
        assert spec["properties"][key]["x-kubernetes-list-type"] == "map"
        assert spec["properties"][key]["x-kubernetes-list-map-keys"] == ["name"]
    assert status["properties"]["conditions"]["x-kubernetes-list-map-keys"] == ["type"]


def test_defaults_are_written_as_users_write_them() -> None:
    spec = schema(crd.policy_crd())["properties"]

    assert spec["interval"]["default"] == "15s"
    assert spec["mode"]["default"] == "Enforce"
    assert spec["stabilization"]["properties"]["up"]["default"] == "5m"


def test_defaults_inside_lists_are_only_described_because_gitops_tools_would_see_a_difference_for_ever() -> None:
    window = schema(crd.policy_crd())["properties"]["signals"]["items"]["properties"]["window"]

    assert "default" not in window
    assert window["description"] == "Window of a preset's rates, a PromQL duration. Default: 1m. Example: 1m"


def test_status_has_no_defaults_and_no_rules_because_only_we_write_it() -> None:
    for path, node in nodes(schema(crd.policy_crd(), "status"), "status"):
        assert "default" not in node, path
        assert "x-kubernetes-validations" not in node, path


def test_rules_without_cel_are_left_to_python() -> None:
    rules = [rule["message"] for rule in schema(crd.policy_crd())["x-kubernetes-validations"]]

    assert "interval must be from 1s to 1h" in rules
    assert "names must be unique within signals, objectives and levels: rename one" not in rules
    assert len(rules) == len([rule for rule in PolicySpec.rules if rule.cel])


def test_the_policy_is_namespaced_with_short_name_categories_and_status() -> None:
    spec = crd.policy_crd()["spec"]

    assert (spec["group"], spec["scope"]) == ("stepdown.dev", "Namespaced")
    assert spec["names"] == {
        "kind": "DegradationPolicy",
        "listKind": "DegradationPolicyList",
        "plural": "degradationpolicies",
        "singular": "degradationpolicy",
        "shortNames": ["dgp"],
        "categories": ["stepdown", "all"],
    }
    assert spec["versions"][0]["subresources"] == {"status": {}}
    assert spec["versions"][0]["schema"]["openAPIV3Schema"]["required"] == ["spec"]


def test_kubectl_get_shows_level_state_since_why_ready_age() -> None:
    columns = crd.policy_crd()["spec"]["versions"][0]["additionalPrinterColumns"]

    assert [(column["name"], column["jsonPath"]) for column in columns if "priority" not in column] == [
        ("LEVEL", ".status.summary.level"),
        ("STATE", ".status.summary.state"),
        ("SINCE", ".status.since"),
        ("WHY", ".status.summary.why"),
        ("READY", '.status.conditions[?(@.type=="Ready")].status'),
        ("AGE", ".metadata.creationTimestamp"),
    ]
    assert [column["name"] for column in columns if column.get("priority") == 1] == ["MODE", "MESSAGE"]


def test_the_endpoint_is_cluster_scoped() -> None:
    spec = crd.endpoint_crd()["spec"]

    assert (spec["scope"], spec["names"]["shortNames"]) == ("Cluster", ["mep"])
    assert [column["name"] for column in spec["versions"][0]["additionalPrinterColumns"]] == ["URL", "AGE"]


def test_the_yaml_means_the_same_to_yaml_1_1_and_1_2() -> None:
    for document in crd.crds():
        text = crd.to_yaml(document)
        assert yaml.safe_load(text) == document
        assert YAML(typ="safe", pure=True).load(text) == document


def test_the_charts_copy_is_the_same_crd_behind_two_switches() -> None:
    document = crd.policy_crd()
    template = crd.chart_template(document)

    assert template.startswith("{{- if .Values.crds.enabled }}\n")
    assert (
        "  {{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n  {{- end }}\n" in template
    )
    assert re.findall(r"{{.*?}}", template) == [
        "{{- if .Values.crds.enabled }}",
        "{{- if .Values.crds.keep }}",
        "{{- end }}",
        "{{- end }}",
    ]
    plain = yaml.safe_load(re.sub(r" *{{.*}}\n", "", template))
    assert plain.pop("metadata") == {
        "name": "degradationpolicies.stepdown.dev",
        "annotations": {"helm.sh/resource-policy": "keep"},
    }
    assert plain["spec"] == document["spec"]


def test_braces_in_a_description_do_not_become_template_code() -> None:
    document = {"metadata": {"name": "x"}, "description": "like {{a: 1}}"}

    assert "description: 'like {{ \"{{\" }}a: 1}}'" in crd.chart_template(document)


def test_what_is_committed_is_what_the_models_say() -> None:
    assert crd.drift(ROOT) == []


def test_drift_names_each_file_that_differs(tmp_path: Path) -> None:
    written = crd.write(tmp_path)
    assert crd.drift(tmp_path) == []
    assert crd.write(tmp_path) == []

    (tmp_path / "docs/reference.md").write_text("old", encoding="utf-8")
    (tmp_path / "crds/stepdown.dev_metricsendpoints.yaml").unlink()

    assert sorted(written) == [
        "crds/stepdown.dev_degradationpolicies.yaml",
        "crds/stepdown.dev_metricsendpoints.yaml",
        "docs/reference.md",
        "helm/stepdown/templates/crds/stepdown.dev_degradationpolicies.yaml",
        "helm/stepdown/templates/crds/stepdown.dev_metricsendpoints.yaml",
    ]
    assert crd.drift(tmp_path) == ["crds/stepdown.dev_metricsendpoints.yaml", "docs/reference.md"]
