"""Customers of examples/shop who order at a steady rate, whether or not those before them were answered."""

import json
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from node.tea_shop import Reply, ask

PATIENCE = 20.0
"""Seconds that a customer waits for an order: longer than the shop does (shop.calls)."""
_MOST = 400
"""Customers who can wait at once."""


@dataclass(frozen=True)
class Order:
    """One try to buy something. `at` is the wall clock's time of arrival."""

    at: float
    reply: Reply

    @property
    def id(self) -> str:
        """The order's id; empty where the shop took none."""
        return str(self.reply.json()["order"]) if self.reply.code == 200 else ""


class Customers:
    """`rate` orders a second at each of some addresses, by name; `with Customers({"shop": address}, 4.0)`."""

    def __init__(self, addresses: Mapping[str, str], rate: float) -> None:
        self._addresses, self._rate = addresses, rate
        self._pool = ThreadPoolExecutor(_MOST)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._arrive, daemon=True)
        self.orders: dict[str, list[Order]] = {name: [] for name in addresses}
        """Those who were answered, or have no patience left."""

    def __enter__(self) -> "Customers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Nobody comes any more, and everybody has an answer."""
        self._stop.set()
        self._thread.join()
        self._pool.shutdown()

    def _arrive(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            for name in self._addresses:
                self._pool.submit(self._buy, name)
            due += 1 / self._rate

    def _buy(self, name: str) -> None:
        came = time.time()
        reply = ask(self._addresses[name], "POST", "/checkout", json.dumps({"product": 3}), PATIENCE)
        self.orders[name].append(Order(came, reply))
