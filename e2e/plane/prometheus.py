"""A real Prometheus, scraping what tests tell it to."""

import json
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from plane.binaries import program
from plane.processes import Process, free_port


class Prometheus:
    """One server in one folder. Targets may be added while it runs.

    `config` goes over ours, key by key at the top; paths in it are relative to `folder`. It listens on `address`.
    """

    def __init__(
        self,
        folder: Path,
        scrape_interval: str = "1s",
        config: Mapping[str, Any] | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        self.folder = folder
        self.scrape_interval = scrape_interval
        self.port = free_port()
        self.url = f"http://{address}:{self.port}"
        self._targets: list[dict[str, Any]] = []
        self._targets_file = folder / "targets.json"
        self.process: Process | None = None
        self._config = config or {}
        self._jobs: list[dict[str, Any]] = []

    def start(self) -> "Prometheus":
        """Starts the server and waits until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._targets_file.exists():
            self._targets_file.write_text("[]")
        self._configure()
        self.process = Process(
            "prometheus",
            [
                str(program("prometheus")),
                f"--config.file={self.folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.folder / 'data'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--log.level=warn",
            ],
            self.folder / "prometheus.log",
        ).start()
        self.process.wait_ready(self._ready, 60)
        return self

    def stop(self) -> None:
        """Stops the server; its data stay."""
        if self.process is not None:
            self.process.stop()

    def forget(self) -> None:
        """Deletes the data of a stopped server."""
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def pause(self) -> None:
        """Stops answering without closing anything."""
        assert self.process is not None
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Goes on after a pause."""
        assert self.process is not None
        self.process.signal(signal.SIGCONT)

    def find_pods(self, kubeconfig: Path) -> None:
        """Scrapes pods annotated with `prometheus.io/scrape: "true"` and `prometheus.io/port` from now on.

        Their series carry `namespace`, `pod` and `app`, the pod's label.
        """
        pod = "__meta_kubernetes_pod_"
        address = [f"{pod}ip", f"{pod}annotation_prometheus_io_port"]
        relabelings: list[dict[str, Any]] = [
            {"source_labels": [f"{pod}annotation_prometheus_io_scrape"], "regex": "true", "action": "keep"},
            {"source_labels": [f"{pod}phase"], "regex": "Running", "action": "keep"},
            {"source_labels": address, "separator": ":", "target_label": "__address__"},
        ]
        relabelings += [
            {"source_labels": [source], "target_label": label}
            for label, source in (
                ("namespace", "__meta_kubernetes_namespace"),
                ("pod", f"{pod}name"),
                ("app", f"{pod}label_app"),
            )
        ]
        found = {"role": "pod", "kubeconfig_file": str(kubeconfig)}
        self._jobs.append({"job_name": "pods", "kubernetes_sd_configs": [found], "relabel_configs": relabelings})
        self._configure()
        assert self.process is not None
        self.process.signal(signal.SIGHUP)

    def add_target(self, address: str) -> None:
        """Scrapes host:port from now on."""
        self._targets.append({"targets": [address]})
        self._write()

    def remove_target(self, address: str) -> None:
        """Scrapes host:port no more."""
        self._targets = [t for t in self._targets if t["targets"] != [address]]
        self._write()

    def query(self, promql: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": promql}, timeout=10).json()
        return list(answer["data"]["result"])

    def _configure(self) -> None:
        config = {
            "global": {"scrape_interval": self.scrape_interval, "scrape_timeout": "500ms", "evaluation_interval": "1s"},
            "scrape_configs": [
                {
                    "job_name": "tests",
                    "honor_labels": True,
                    "file_sd_configs": [{"files": [str(self._targets_file)], "refresh_interval": "1s"}],
                },
                *self._jobs,
            ],
        }
        (self.folder / "prometheus.yml").write_text(json.dumps({**config, **self._config}))

    def _write(self) -> None:
        path = self._targets_file
        path.with_suffix(".new").write_text(json.dumps(self._targets))
        path.with_suffix(".new").rename(path)

    def _ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/-/ready", timeout=1).status_code == 200
        except requests.RequestException:
            return False
