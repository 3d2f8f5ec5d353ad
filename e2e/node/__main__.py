"""`python -m node up` starts a control plane with a real node and waits for Ctrl-C; `python -m node down` ends it.

`down` also takes away what a node that was killed has left. `python -m node build` only builds what `up` needs, and
where the machine can't have a node it just says why, unless in CI.
"""

import signal
import sys
import tempfile
from pathlib import Path
from threading import Event

from node.cluster import Cluster
from node.images import operator, plain, shop
from node.keeper import end_other
from node.real_node import CannotRun
from node.requirements import in_ci, missing
from plane.binaries import PLANE, CannotBuild, build_all, kubectl
from plane.caching import say


def main(command: str) -> int:
    """Exit code 0, or 1 with one clear sentence."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background would have it ignored
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        match command:
            case "build" if (lacking := missing()) and not in_ci():
                say(f"nothing is built: {lacking}")
            case "build":
                build()
            case "up":
                build()
                up()
            case "down":
                end_other()
            case _:
                say(__doc__ or "")
                return 1
    except (CannotBuild, CannotRun, TimeoutError) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def build() -> None:
    """Programs and images. Raises CannotRun, plane.binaries.CannotBuild."""
    if lacking := missing():
        raise CannotRun(lacking)
    build_all((*PLANE, "kubernetes-node", "traefik", "vegeta", "metrics-server"))
    say(f"images: {plain()}, {operator()}, {', '.join(map(str, shop()))}")


def up() -> None:
    """Everything until Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="stepdown-node-") as folder, Cluster(Path(folder)) as cluster:
        kubeconfig = cluster.plane.kubeconfig()
        say(f"export KUBECONFIG={kubeconfig}\n{kubectl()} get nodes\nPrometheus: {cluster.prometheus.url}")
        Event().wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or [""]))
