"""`python -m plane build` builds the programs; `python -m plane up` starts everything and waits for Ctrl-C."""

import sys
import tempfile
from pathlib import Path
from threading import Event

from plane.binaries import CannotBuild, build_all, kubectl
from plane.caching import say
from plane.control_plane import ControlPlane
from plane.prometheus import Prometheus


def main() -> int:
    """Exit code 0, or 1 with one clear sentence."""
    try:
        build_all()
        if sys.argv[1:] == ["up"]:
            up()
    except CannotBuild as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def up() -> None:
    """Starts the plane and a Prometheus until Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="stepdown-plane-") as folder:
        plane = ControlPlane(Path(folder) / "plane").start()
        prometheus = Prometheus(Path(folder) / "prometheus").start()
        say(f"export KUBECONFIG={plane.kubeconfig()}\n{kubectl()} get nodes\nPrometheus: {prometheus.url}")
        try:
            Event().wait()
        finally:
            prometheus.stop()
            plane.stop()


if __name__ == "__main__":
    sys.exit(main())
