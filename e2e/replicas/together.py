"""Scenes that are played side by side, each by a pair of its own: nearly all of their time is waiting for Leases."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from plane.shop import Shop

Scene = Callable[[Shop], Any]
OpenShop = Callable[[str], contextlib.AbstractContextManager[Shop]]


@contextlib.contextmanager
def played_together(open_shop: OpenShop, scenes: Mapping[str, Scene]) -> Iterator[Mapping[str, Future[Any]]]:
    """Begins all scenes, each in a namespace of its own; what one comes to is its Future's result."""
    with contextlib.ExitStack() as opened, ThreadPoolExecutor(len(scenes)) as at_once:
        shops = {name: opened.enter_context(open_shop(name)) for name in scenes}
        yield {name: at_once.submit(scene, shops[name]) for name, scene in scenes.items()}
