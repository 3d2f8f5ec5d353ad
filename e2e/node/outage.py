"""Deployments of examples/shop that can't run for a while."""

import contextlib
import threading
from collections.abc import Iterator

from node.operator_pods import is_ready, kill
from node.tea_shop import NAMESPACE, TeaShop
from plane.processes import wait_for

_LOOK_SECONDS = 0.1
_BACK_SECONDS = 90.0
"""Longest time until a pod is back: the kubelet waits longer before each try, up to what node.settings says."""


@contextlib.contextmanager
def crashing(shop: TeaShop, deployment: str, *, anew: bool = False) -> Iterator[None]:
    """Kills a Deployment's pods, and again as soon as they run; begins when none is ready, ends when all are.

    They come back with the files that they had. `anew` makes other pods in the end, which don't wait for the kubelet.
    """
    replicas = len(shop.pods(deployment))
    end = threading.Event()

    def go_on_killing() -> None:
        while not end.wait(_LOOK_SECONDS):
            for pod in shop.pods(deployment):
                with contextlib.suppress(StopIteration, ProcessLookupError):  # it is dead
                    kill(pod["metadata"]["name"])

    killer = threading.Thread(target=go_on_killing, daemon=True)
    killer.start()
    try:
        wait_for(f"no pod of {deployment} is ready", lambda: not any(map(is_ready, shop.pods(deployment))), 30)
        yield
    finally:
        end.set()
        killer.join()
    if anew:
        for pod in shop.pods(deployment):
            shop.api.delete("Pod", pod["metadata"]["name"], NAMESPACE)
    wait_for(f"{deployment} is back", lambda: shop.has_ready(deployment, replicas), _BACK_SECONDS)
