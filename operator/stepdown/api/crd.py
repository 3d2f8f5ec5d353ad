"""The CustomResourceDefinitions, made from the models, so that what is documented is what is checked.

Three things come out: the CRDs themselves, the chart's copies of them (templates, because Helm never upgrades
what lies in a chart's crds/), and the reference. All are committed, and `stepdown crd --check` finds drift.
"""

from collections.abc import Mapping
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stepdown.api.endpoint import EndpointSpec
from stepdown.api.model import Model
from stepdown.api.policy import GROUP, VERSION, PolicySpec
from stepdown.api.reference import render_reference
from stepdown.api.status import PolicyStatus
from stepdown.api.structural import Defaults, Schema, structural

REFERENCE = "docs/reference.md"

_NOTE = "# Generated from the models in operator/stepdown/api by `make generate`.\n"
_METADATA: Schema = {
    "apiVersion": {"type": "string", "description": f"API version. Example: {GROUP}/{VERSION}"},
    "kind": {"type": "string", "description": "Kind of the object. Example: DegradationPolicy"},
    "metadata": {"type": "object"},
}
_POLICY_COLUMNS = (
    {"name": "LEVEL", "type": "string", "jsonPath": ".status.summary.level"},
    {"name": "STATE", "type": "string", "jsonPath": ".status.summary.state"},
    {"name": "SINCE", "type": "date", "jsonPath": ".status.since"},
    {"name": "WHY", "type": "string", "jsonPath": ".status.summary.why"},
    {"name": "READY", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
    {"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    {"name": "MODE", "type": "string", "jsonPath": ".spec.mode", "priority": 1},
    {
        "name": "MESSAGE",
        "type": "string",
        "jsonPath": '.status.conditions[?(@.type=="Ready")].message',
        "priority": 1,
    },
)
_ENDPOINT_COLUMNS = (
    {"name": "URL", "type": "string", "jsonPath": ".spec.url"},
    {"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
)


def policy_crd() -> dict[str, Any]:
    """The CRD of DegradationPolicy, as the API server takes it."""
    return _crd(
        names={
            "kind": "DegradationPolicy",
            "listKind": "DegradationPolicyList",
            "plural": "degradationpolicies",
            "singular": "degradationpolicy",
            "shortNames": ["dgp"],
            "categories": ["stepdown", "all"],
        },
        scope="Namespaced",
        description="A service, what is watched, and the ladder of levels that it steps down and back up.",
        columns=_POLICY_COLUMNS,
        spec=PolicySpec,
        status=PolicyStatus,
    )


def endpoint_crd() -> dict[str, Any]:
    """The CRD of MetricsEndpoint, as the API server takes it."""
    return _crd(
        names={
            "kind": "MetricsEndpoint",
            "listKind": "MetricsEndpointList",
            "plural": "metricsendpoints",
            "singular": "metricsendpoint",
            "shortNames": ["mep"],
            "categories": ["stepdown"],
        },
        scope="Cluster",
        description="A Prometheus that policies may ask, declared by an administrator.",
        columns=_ENDPOINT_COLUMNS,
        spec=EndpointSpec,
        status=None,
    )


def crds() -> list[dict[str, Any]]:
    """All our CRDs."""
    return [policy_crd(), endpoint_crd()]


@cache  # the models don't change while we run, and printing YAML is slow
def render() -> Mapping[str, str]:
    """Every generated file: path from the root of the repository → text."""
    files = {}
    for crd in crds():
        name = f"{GROUP}_{crd['spec']['names']['plural']}.yaml"
        files[f"crds/{name}"] = _NOTE + to_yaml(crd)
        files[f"helm/stepdown/templates/crds/{name}"] = _NOTE + chart_template(crd)
    files[REFERENCE] = render_reference(crds())
    return files


def write(directory: Path) -> list[str]:
    """Writes every generated file under a directory; gives the paths of those that changed."""
    changed = {path: text for path, text in render().items() if _read(directory / path) != text}
    for path, text in changed.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return list(changed)


def drift(directory: Path) -> list[str]:
    """The paths of generated files that are missing under a directory, or are not what the models say."""
    return [path for path, text in render().items() if _read(directory / path) != text]


def to_yaml(document: dict[str, Any]) -> str:
    """YAML without line folding, so that a change of one word is a change of one line."""
    yaml = YAML()
    yaml.width = 1_000_000
    yaml.representer.ignore_aliases = lambda _: True
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def chart_template(crd: dict[str, Any]) -> str:
    """A CRD as a template of the chart: left out by `crds.enabled`, kept on uninstall by `crds.keep`."""
    text = to_yaml(crd).replace("{{", '{{ "{{" }}')
    name = f"  name: {crd['metadata']['name']}\n"
    assert text.count(name) == 1
    keep = "  {{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n  {{- end }}\n"
    return "{{- if .Values.crds.enabled }}\n" + text.replace(name, name + keep) + "{{- end }}\n"


def _crd(
    *,
    names: dict[str, Any],
    scope: str,
    description: str,
    columns: tuple[dict[str, Any], ...],
    spec: type[Model],
    status: type[Model] | None,
) -> dict[str, Any]:
    properties = {**_METADATA, "spec": _part(spec, "spec", "What is wanted.", Defaults.APPLIED)}
    if status is not None:
        properties["status"] = _part(status, "status", "What the operator knows and has done.", Defaults.OMITTED)
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": list(columns),
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": description,
                "required": ["spec"],
                "properties": properties,
            }
        },
        **({"subresources": {"status": {}}} if status is not None else {}),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": scope, "versions": [version]},
    }


def _part(model: type[Model], path: str, description: str, defaults: Defaults) -> Schema:
    return {**structural(model.model_json_schema(), path, defaults), "description": description}


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
