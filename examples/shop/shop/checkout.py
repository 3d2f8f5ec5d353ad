"""Taking orders."""

import json
import logging
import threading

from shop.answers import Answer, Refused, Request, Routes, json_answer
from shop.calls import call
from shop.catalogue import health
from shop.database import Database
from shop.flags import Flags
from shop.orders import Order, read_order
from shop.payments import Payments
from shop.settings import Settings

SETTLE_SECONDS = 1.0


def routes(settings: Settings) -> Routes:
    """POST /checkout, and /healthz. Beside them a thread settles what is open or queued."""
    database, flags = Database(settings), Flags(settings.flags)
    payments = Payments(database, {"primary": settings.payments_primary, "secondary": settings.payments_secondary})
    threading.Thread(target=_settle, args=(payments, flags), daemon=True).start()

    def take(request: Request) -> Answer:
        order = read_order(request)
        payment = payments.take(order, flags.payments)
        return json_answer({"order": order.id, "payment": payment, "told": _tell(settings.notifications, order)})

    return {("POST", "/checkout"): take, ("GET", "/healthz"): lambda _: health(database)}


def _tell(notifications: str, order: Order) -> str | None:
    """How the customer was told; None where that failed, because an order is one all the same."""
    try:
        text = f"Thank you for order {order.id}."
        told = call(notifications, "POST", "/messages", json.dumps({"order": order.id, "text": text}).encode())
    except Refused:
        return None
    return str(json.loads(told.body)["channel"]) if told.code == 200 else None


def _settle(payments: Payments, flags: Flags) -> None:
    waiting = threading.Event()
    while not waiting.wait(SETTLE_SECONDS):
        try:
            payments.settle(flags.payments)
        except Refused as refusal:
            logging.warning("nothing is settled: %s", refusal)
