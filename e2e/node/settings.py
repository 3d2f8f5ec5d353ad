"""The configuration of the programs that run on the node, each with why it differs from the default."""

import json
from pathlib import Path
from typing import Any

from node.addresses import NODE, PODS
from node.leftovers import CGROUP
from node.requirements import PLUGINS

PAUSE_IMAGE = "stepdown.test/pause:1"


def containerd(folder: Path) -> str:
    """config.toml: everything in memory, and nothing that needs a right that root in a sandbox may lack."""
    return f"""
version = 2
root = "/run/node/containerd" # each image is synced to a disk, which takes longer than to read it
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
address = "{socket(folder)}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
restrict_oom_score_adj = true # lowering it takes CAP_SYS_RESOURCE
disable_apparmor = true
tolerate_missing_hugetlb_controller = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{PLUGINS}"
conf_dir = "{folder / "cni"}"
"""


def socket(folder: Path) -> Path:
    """Where containerd listens."""
    return folder / "containerd.sock"


def pod_network() -> dict[str, Any]:
    """The CNI configuration: a bridge for all pods."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]},
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]}


def kubelet(folder: Path, ca: Path) -> dict[str, Any]:
    """KubeletConfiguration."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(ca)},
        },
        "authorization": {"mode": "AlwaysAllow"},  # for who has a certificate
        "containerRuntimeEndpoint": f"unix://{socket(folder)}",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        # By default a pod that is killed often is gone for minutes.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "20s"},
        "maxOpenFiles": 20000,  # raising the limit takes CAP_SYS_RESOURCE
        "makeIPTablesUtilChains": False,
        "failSwapOn": False,
        "maxPods": 200,
        "imageGCHighThresholdPercent": 100,  # images come from files, and can't be pulled again
        # The machine's disk and memory are not the node's to judge.
        "evictionHard": {"memory.available": "64Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    }


def kube_proxy(kubeconfig: Path) -> dict[str, Any]:
    """KubeProxyConfiguration."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "hostnameOverride": NODE,
        "clusterCIDR": PODS,
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        # The limits of connection tracking are the machine's.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def write(path: Path, value: str | dict[str, Any]) -> Path:
    """Text, or JSON, which is YAML too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=2))
    return path
