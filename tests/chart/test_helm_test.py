"""`helm test`: a pod that asks the operator whether it is ready, and may do nothing else."""

import http.server
import subprocess
import sys
import threading
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "helm" / "stepdown" / "files" / "ready.py"


def pod_of(objects):
    (pod,) = [obj for obj in objects if obj["kind"] == "Pod"]
    return pod


def test_it_is_a_test_hook_that_stays_when_it_fails(render):
    assert pod_of(render())["metadata"]["annotations"] == {
        "helm.sh/hook": "test",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    }


def test_it_has_no_token_and_is_as_restricted_as_the_operator(render):
    objects = render()
    (deployment,) = [obj for obj in objects if obj["kind"] == "Deployment"]
    operator, test = deployment["spec"]["template"]["spec"], pod_of(objects)["spec"]
    assert test["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in test
    assert "volumes" not in test
    assert test["securityContext"] == operator["securityContext"]
    for key in ("image", "securityContext"):
        assert test["containers"][0][key] == operator["containers"][0][key]


def test_it_asks_the_service_that_the_chart_makes(render):
    objects = render({"fullnameOverride": "my-own"})
    assert "my-own-metrics" in [obj["metadata"]["name"] for obj in objects if obj["kind"] == "Service"]
    assert pod_of(objects)["spec"]["containers"][0]["args"] == ["$(MY_OWN_METRICS_SERVICE_HOST)", "8080"]


def test_it_is_let_through_where_the_port_is_closed_to_others(render):
    others = {"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}
    objects = render({"networkPolicy": {"enabled": True, "metricsFrom": [others]}})
    (policy,) = [obj for obj in objects if obj["kind"] == "NetworkPolicy"]
    labels = pod_of(objects)["metadata"]["labels"]
    assert policy["spec"]["ingress"][0]["from"] == [others, {"podSelector": {"matchLabels": labels}}]


def test_no_service_and_no_budget_takes_it_for_the_operator(render):
    labels = pod_of(render())["metadata"]["labels"]
    for obj in render({"podDisruptionBudget": {"enabled": True}}):
        if obj["kind"] in ("Service", "PodDisruptionBudget"):
            selector = obj["spec"]["selector"]
            assert labels["app.kubernetes.io/name"] != selector.get("matchLabels", selector)["app.kubernetes.io/name"]


@pytest.fixture
def port():
    class Ready(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(b"ready\n")

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Ready) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield str(server.server_port)
        server.shutdown()


def test_an_operator_that_is_ready_passes(port):
    done = subprocess.run([sys.executable, SCRIPT, "127.0.0.1", port], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"127.0.0.1 port {port}: ready\n")


def test_an_operator_that_is_not_ready_fails_with_the_reason(port):
    hurried = SCRIPT.read_text().replace("SECONDS = 60", "SECONDS = 0").replace("/readyz", "/elsewhere")
    done = subprocess.run(
        [sys.executable, "-c", hurried, "127.0.0.1", port], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no replica is ready" in done.stderr
    assert "404" in done.stderr
