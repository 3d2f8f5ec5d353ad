"""etcd, API server, controller manager and scheduler, on free loopback ports."""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from plane.api import Api
from plane.binaries import program
from plane.certificates import Authority, signing_keys
from plane.fake_node import FakeNode
from plane.pod_runner import PodRunner
from plane.processes import Process, free_port, wait_for

ADMIN = "admin-token"


class ControlPlane:
    """One control plane in one folder. `users` are (token, name, groups) that tests can become.

    `audit` is the audit policy, None for no audit log. What is below is for pods that are no pods; a plane with a
    real node says otherwise (node.routed_plane).
    """

    address = "127.0.0.1"
    """What the API server listens on."""
    apiserver_flags: tuple[str, ...] = ("--endpoint-reconciler-type=none", "--advertise-address=198.51.100.1")
    """It says that it is where nobody is: pods of tests are at this machine's address, and its own is never asked."""
    controllers = "*,-node-lifecycle-controller"
    autoscaler_sync = "2s"
    """How often the autoscaler looks: its default is 15 s."""

    def __init__(
        self,
        folder: Path,
        users: tuple[tuple[str, str, str], ...] = (),
        audit: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.audit_log = folder / "audit.log"
        self._audit = audit
        self.users = ((ADMIN, "admin", "system:masters"), *users)
        self.processes: list[Process] = []
        self.node: FakeNode | None = None

    def start(self) -> "ControlPlane":
        """Starts everything and waits until a pod can run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        certificates = self.folder / "pki"
        certificates.mkdir()
        self.authority = authority = Authority(certificates, "ca")
        proxy = Authority(certificates, "front-proxy-ca")
        self.ca = authority.certificate
        etcd = self._etcd()
        self.port = free_port()
        self.url = f"https://{self.address}:{self.port}"
        self._apiserver(authority, proxy, etcd)
        self.api = self.as_user(ADMIN)
        self._controllers(authority)
        wait_for(
            "the default ServiceAccount", lambda: self.api.find("ServiceAccount", "default", "default") is not None
        )
        self.start_node()
        return self

    def start_node(self) -> None:
        """A fake node, on which every pod runs."""
        admin = self.as_user(ADMIN)
        self.node = FakeNode(admin, PodRunner(admin, self.folder / "pods", self.kubeconfig))
        self.node.start()

    def stop(self) -> None:
        """Stops the API server before etcd; the other way round it hangs.

        Open watches would keep the API server for ten seconds and more, and nothing of it is needed any longer.
        """
        if self.node is not None:
            self.node.stop()
        for process in reversed(self.processes):
            process.stop(timeout=1)
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)

    def as_user(self, token: str) -> Api:
        """A client with a token."""
        return Api(self.url, str(self.ca), token)

    def kubeconfig(self, token: str = ADMIN, name: str = "admin", namespace: str = "default") -> Path:
        """A kubeconfig file for a token."""
        path = self.folder / f"{name}.kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "plane",
            "clusters": [{"name": "plane", "cluster": {"server": self.url, "certificate-authority": str(self.ca)}}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": "plane", "context": {"cluster": "plane", "user": name, "namespace": namespace}}],
        }
        path.write_text(json.dumps(config))
        return path

    def service_account_kubeconfig(self, namespace: str, name: str, title: str = "") -> Path:
        """A kubeconfig of a ServiceAccount, with a token as a pod would get it; `title` names a file of its own."""
        path = self.api.path("ServiceAccount", name, namespace, "token")
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}}
        token = self.api.call("POST", path, body)["status"]["token"]
        return self.kubeconfig(token, title or f"{namespace}-{name}", namespace)

    def logs(self) -> dict[str, str]:
        """The ends of all logs."""
        return {process.name: process.tail() for process in self.processes}

    def _run(self, name: str, *arguments: str) -> Process:
        process = Process(name, [str(program(name)), *arguments], self.folder / f"{name}.log").start()
        self.processes.append(process)
        return process

    def _etcd(self) -> str:
        client, peer = free_port(), free_port()
        url, peer_url = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        process = self._run(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=default={peer_url}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        process.wait_ready(lambda: _answers(f"{url}/health"), 30)
        return url

    def _apiserver(self, authority: Authority, proxy: Authority, etcd: str) -> None:
        certificate, key = authority.issue("kube-apiserver", address=self.address)
        kubelets, kubelets_key = authority.issue("kube-apiserver-kubelet-client")
        proxy_certificate, proxy_key = proxy.issue("front-proxy-client")
        self.sa_private, sa_public = signing_keys(self.folder / "pki")
        tokens = self.folder / "tokens.csv"
        tokens.write_text("".join(f'{token},{name},{name},"{groups}"\n' for token, name, groups in self.users))
        process = self._run(
            "kube-apiserver",
            *self._audit_flags(),
            *self.apiserver_flags,
            f"--etcd-servers={etcd}",
            f"--bind-address={self.address}",
            f"--secure-port={self.port}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--client-ca-file={authority.certificate}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=Node,RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={sa_public}",
            f"--service-account-signing-key-file={self.sa_private}",
            f"--kubelet-client-certificate={kubelets}",
            f"--kubelet-client-key={kubelets_key}",
            f"--requestheader-client-ca-file={proxy.certificate}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={proxy_certificate}",
            f"--proxy-client-key-file={proxy_key}",
            "--enable-aggregator-routing=true",
        )
        process.wait_ready(lambda: _answers(f"{self.url}/readyz", str(self.ca)), 60)

    def _audit_flags(self) -> list[str]:
        if self._audit is None:
            return []
        policy = self.folder / "audit.json"
        policy.write_text(json.dumps(self._audit))
        return [f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}"]

    def _controllers(self, authority: Authority) -> None:
        kubeconfig = self.kubeconfig()
        common = [f"--kubeconfig={kubeconfig}", "--bind-address=127.0.0.1", "--leader-elect=false"]
        self._run(
            "kube-controller-manager",
            *common,
            f"--secure-port={free_port()}",
            f"--service-account-private-key-file={self.sa_private}",
            f"--root-ca-file={authority.certificate}",
            "--use-service-account-credentials=true",
            f"--controllers={self.controllers}",
            f"--horizontal-pod-autoscaler-sync-period={self.autoscaler_sync}",
        )
        self._run("kube-scheduler", *common, f"--secure-port={free_port()}")


def _answers(url: str, ca: str | None = None) -> bool:
    try:
        return requests.get(url, timeout=2, verify=ca if ca else True).status_code == 200
    except requests.RequestException:
        time.sleep(0.05)
        return False
