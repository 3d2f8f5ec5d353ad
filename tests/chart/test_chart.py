"""What an installation brings: objects, configuration, and errors for values that it does not know."""

import itertools
import json
import re
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from stepdown.adapters.metrics import Metrics
from stepdown.api.endpoint import EndpointSpec
from stepdown.engine.promql import check

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "stepdown"
REASONS = (ROOT / "docs/reasons.md").read_text()

EVERYTHING = {
    "image": {"digest": "sha256:" + "0" * 64, "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "registry"}],
    "replicas": 2,
    "metricsEndpoint": {
        "url": "https://prometheus.monitoring:9090",
        "allowedCIDRs": ["10.0.0.0/8"],
        "namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]},
        "auth": {"secretName": "prometheus-token"},
        "ca": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "timeout": "3s",
        "limits": {"series": 100},
        "extraSecrets": ["mimir-token", "prometheus-token"],
    },
    "serviceAccount": {"annotations": {"example.com/identity": "stepdown"}},
    "metrics": {
        "service": {"annotations": {"example.com/scrape": "true"}},
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    },
    "podDisruptionBudget": {"enabled": True},
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "egress": [{"ports": [{"port": 443}]}],
    },
    "priorityClassName": "system-cluster-critical",
    "podLabels": {"team": "platform"},
    "podAnnotations": {"example.com/owner": "platform"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
}
PROMETHEUS_OPERATOR = [
    f"--api-versions=monitoring.coreos.com/v1/{kind}" for kind in ("ServiceMonitor", "PrometheusRule")
]


class Yaml(SingleFileSnapshotExtension):
    """One readable file for each render; `pytest tests/chart --snapshot-update` writes them anew."""

    _write_mode = WriteMode.TEXT
    file_extension = "yaml"


def of_kind(objects, kind):
    return [obj for obj in objects if obj["kind"] == kind]


def config_of(objects):
    (config_map,) = of_kind(objects, "ConfigMap")
    return json.loads(config_map["data"]["config.json"])


def pod_of(objects):
    (deployment,) = of_kind(objects, "Deployment")
    return deployment["spec"]["template"]["spec"]


def leaves(values, at=""):
    """Paths of values that have no values below them."""
    for name, value in values.items():
        path = f"{at}{name}"
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{path}.")
        else:
            yield path


def values_by_default():
    return YAML(typ="safe").load(CHART / "values.yaml")


def test_lint_finds_nothing(helm):
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("values", "arguments"),
    [
        pytest.param({}, [], id="default"),
        pytest.param({"namespaces": ["shop", "payments"], "watchOthers": False}, [], id="namespaced"),
        pytest.param(EVERYTHING, PROMETHEUS_OPERATOR, id="everything"),
    ],
)
def test_a_render_is_the_reviewed_one(template, snapshot, values, arguments):
    documents = template(values, *arguments).split("---\n")
    assert "---\n".join(doc for doc in documents if "\nkind: " in doc) == snapshot(extension_class=Yaml)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"replica": 2}, "additional properties 'replica' not allowed"),
        ({"features": {"sclae": False}}, "additional properties 'sclae' not allowed"),
        ({"metricsEndpoint": {"ulr": "http://prometheus"}}, "additional properties 'ulr' not allowed"),
        ({"metricsEndpoint": {"limits": {"bytes": 1}}}, "additional properties 'bytes' not allowed"),
        ({"metricsEndpoint": {"url": "prometheus:9090"}}, "does not match pattern"),
        ({"massGuard": {"maxNewlyDegraded": "150%"}}, "does not match pattern"),
        ({"namespaces": "shop"}, "got string, want array"),
        ({"watchOthers": False}, "list some in namespaces"),
        ({"watchOthers": False, "namespaces": ["shop"], "allNamespaces": True}, "leave allNamespaces off"),
        ({"logLevel": "loud"}, "value must be one of 'debug', 'info', 'warning', 'error'"),
        ({"lease": {"durationSeconds": 10, "renewSeconds": 10}}, "make renewSeconds smaller"),
        ({"lease": {"durationSeconds": 300, "renewSeconds": 61}}, "maximum: got 61, want 60"),
        ({"metricsEndpoint": {"timeout": "31s"}}, "does not match pattern"),
        ({"metricsEndpoint": {"timeout": "99ms"}}, "does not match pattern"),
        ({"metricsEndpoint": {"timeout": "30001ms"}}, "does not match pattern"),
        ({"metricsEndpoint": {"timeout": "1m"}}, "does not match pattern"),
    ],
)
def test_a_value_that_cannot_be_meant_fails_the_install(helm, values, complaint):
    done = helm("template", "stepdown", str(CHART), values=values)
    assert done.returncode != 0
    assert complaint in done.stderr


@pytest.mark.parametrize("timeout", ["100ms", "10000ms", "30000ms", "1s", "05s", "30s", "1s500ms", "0s500ms"])
def test_a_timeout_that_the_operator_takes_is_taken(helm, timeout):
    assert helm("template", "stepdown", str(CHART), values={"metricsEndpoint": {"timeout": timeout}}).returncode == 0
    assert EndpointSpec.model_validate({"url": "http://prometheus", "timeout": timeout}).timeout <= 30


def test_an_older_kubernetes_than_1_30_is_refused(helm):
    done = helm("template", "stepdown", str(CHART), "--kube-version=1.29.9")
    assert "requires kubeVersion: >=1.30.0-0" in done.stderr


def test_the_schema_knows_each_value_and_no_other():
    def paths(schema, at=""):
        for name, below in schema["properties"].items():
            if below.get("properties") and name != "namespaceSelector":
                yield from paths(below, f"{at}{name}.")
            else:
                yield f"{at}{name}"

    schema = json.loads((CHART / "values.schema.json").read_text())
    known = set(paths(schema)) - {"global", "resources.claims"}
    defaults = values_by_default()
    defaults["resources"] = dict.fromkeys(defaults["resources"])  # what is below is Kubernetes' own
    assert set(leaves(defaults)) == known


def test_each_value_has_a_comment():
    lines = (CHART / "values.yaml").read_text().splitlines()
    bare = [
        line
        for before, line in itertools.pairwise(lines)
        if ":" in line
        and not line.lstrip().startswith("#")
        and not line.endswith(":")
        and not before.lstrip().startswith("#")
    ]
    assert bare == ["    cpu: 50m", "    memory: 128Mi", "    memory: 512Mi"]


def test_the_installation_guide_lists_each_value_with_its_default():
    table = (ROOT / "docs" / "install.md").read_text().partition("\n## Values\n")[2]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    defaults = values_by_default()

    def default(path):
        value = defaults
        for name in path.split("."):
            value = value[name]
        return value if isinstance(value, str) else json.dumps(value)

    assert {row[1].strip(" `"): row[2].strip(" `") for row in rows} == {
        path: default(path) for path in leaves(defaults)
    }


def test_chart_and_package_have_one_version():
    chart = YAML(typ="safe").load(CHART / "Chart.yaml")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_without_a_url_there_is_no_default_endpoint(render):
    assert config_of(render()) == {
        "namespaces": [],
        "optIn": "kubectl -n $NAMESPACE create rolebinding stepdown --clusterrole=stepdown-workloads"
        " --serviceaccount=stepdown-system:stepdown",
        "leaseNamespace": "stepdown-system",
        "metricsEndpoint": None,
        "statusPage": {"image": "ghcr.io/stepdown-dev/stepdown:0.1.0", "pullPolicy": "IfNotPresent"},
        "logLevel": "info",
        "logFormat": "json",
        "metricsAddress": "0.0.0.0:8080",
        "massGuard": {"maxNewlyDegraded": "50%", "window": "5m"},
        "lease": {"name": "stepdown", "durationSeconds": 15, "renewSeconds": 2},
    }


def test_the_default_endpoint_is_open_to_all_namespaces_and_has_the_models_limits(render):
    config = config_of(render({"metricsEndpoint": {"url": "http://prometheus.monitoring:9090"}}))
    endpoint = EndpointSpec.model_validate(config["metricsEndpoint"])
    assert endpoint == EndpointSpec.model_validate(
        {"url": "http://prometheus.monitoring:9090", "namespaceSelector": {}}
    )


def test_each_field_of_the_default_endpoint_reaches_the_operator(render):
    config = config_of(render(EVERYTHING))
    assert EndpointSpec.model_validate(config["metricsEndpoint"]) == EndpointSpec.model_validate(
        {
            "url": "https://prometheus.monitoring:9090",
            "allowedCIDRs": ["10.0.0.0/8"],
            "namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]},
            "auth": {"secretRef": {"name": "prometheus-token"}},
            "ca": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            "timeout": "3s",
            "limits": {"series": 100},
        }
    )


def test_a_changed_configuration_restarts_the_pod(render):
    def checksum(values):
        (deployment,) = of_kind(render(values), "Deployment")
        return deployment["spec"]["template"]["metadata"]["annotations"]["stepdown.dev/config-checksum"]

    assert checksum({}) != checksum({"logLevel": "debug"})


def test_the_pod_keeps_the_restricted_standard(render):
    pod = pod_of(render())
    (container,) = pod["containers"]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_platform_may_choose_the_user(render):
    assert "runAsUser" not in pod_of(render({"runAsUser": None}))["securityContext"]


def test_a_digest_wins_over_the_tag(render):
    image = {"tag": "1.0.0", "digest": "sha256:" + "a" * 64}
    assert pod_of(render({"image": image}))["containers"][0]["image"] == (
        "ghcr.io/stepdown-dev/stepdown@sha256:" + "a" * 64
    )


def test_names_come_from_the_release_and_never_repeat_the_charts(helm):
    done = helm("template", "platform", str(CHART), "--show-only=templates/serviceaccount.yaml")
    assert "name: platform-stepdown\n" in done.stdout


@pytest.mark.parametrize(
    ("value", "kind"), [("serviceMonitor", "ServiceMonitor"), ("prometheusRule", "PrometheusRule")]
)
def test_what_the_prometheus_operator_reads_is_left_out_where_its_kind_is_unknown(render, value, kind):
    values = {"metrics": {value: {"enabled": True}}}
    assert of_kind(render(values), kind) == []
    assert len(of_kind(render(values, *PROMETHEUS_OPERATOR), kind)) == 1


def test_every_alert_asks_for_a_metric_that_there_is_and_is_documented(render):
    (rule,) = of_kind(render(EVERYTHING, *PROMETHEUS_OPERATOR), "PrometheusRule")
    alerts = {each["alert"]: each["expr"] for group in rule["spec"]["groups"] for each in group["rules"]}
    named = {name for expr in alerts.values() for name in re.findall(r"stepdown_\w+", expr)}
    assert [problem for problem in map(check, alerts.values()) if problem] == []
    assert named - {family.name for family in Metrics().registry.collect()} == set()
    assert set(re.findall(r"^\| `(Stepdown\w+)`", REASONS, re.MULTILINE)) == set(alerts)


def test_the_crds_come_with_the_release_and_stay_when_it_goes(render):
    crds = of_kind(render({"crds": {"enabled": True}}), "CustomResourceDefinition")
    assert {crd["metadata"]["name"]: crd["metadata"]["annotations"].get("helm.sh/resource-policy") for crd in crds} == {
        "degradationpolicies.stepdown.dev": "keep",
        "metricsendpoints.stepdown.dev": "keep",
    }


def test_the_crds_go_with_the_release_when_keep_is_off(render):
    crds = of_kind(render({"crds": {"enabled": True, "keep": False}}), "CustomResourceDefinition")
    assert len(crds) == 2
    assert not any("helm.sh/resource-policy" in crd["metadata"].get("annotations", {}) for crd in crds)


def test_the_crds_can_be_left_to_others(render):
    assert of_kind(render({"crds": {"enabled": False}}), "CustomResourceDefinition") == []
