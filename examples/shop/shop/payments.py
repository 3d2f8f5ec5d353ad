"""Getting paid exactly once: who is asked is written down before asking, and stays the one who is asked again.

An order is `asking` while the answer isn't known, then `paid` or `refused`; `queued` where nobody was to be asked. The
provider does a thing once for a key, and the key is the order's id: so asking one provider twice is safe, and asking
two never happens, because the second is only chosen when the first was surely not asked.
"""

import logging
from collections.abc import Mapping

from shop.answers import Refused
from shop.asking import Outcome, ask_outside
from shop.database import Database, Row
from shop.orders import Order

QUEUE = "queue"
"""The variant of the flag `payments` that asks nobody."""
_INSERT = """
INSERT INTO orders (id, product, quantity, cents, payment, provider)
SELECT %s::uuid, id, %s, cents * %s, %s, %s FROM products WHERE id = %s RETURNING id::text, cents, provider, at
"""
_CLAIM = """
WITH due AS (
    SELECT id, payment FROM orders
    WHERE payment = 'queued' AND %s OR payment = 'asking' AND at < now() - interval '10 s'
    ORDER BY at LIMIT 50 FOR UPDATE SKIP LOCKED
)
UPDATE orders SET at = now(), payment = 'asking', provider = coalesce(provider, %s) FROM due WHERE orders.id = due.id
RETURNING orders.id::text, cents, provider, at, due.payment AS was
"""
_ENDED = "UPDATE orders SET payment = %s WHERE id = %s AND payment = 'asking'"
_NOT_ASKED = "UPDATE orders SET payment = %s, provider = NULL WHERE id = %s AND payment = 'asking' AND at = %s"


class Payments:
    """The orders' money. `providers` are addresses, by the flag's variants."""

    def __init__(self, database: Database, providers: Mapping[str, str]) -> None:
        self._database, self._providers = database, providers

    def take(self, order: Order, choice: str) -> str:
        """Writes an order down and asks for its money, unless the choice is to queue it.

        Gives what is known of the payment: paid, asking, queued. Raises Refused.
        """
        provider = None if choice == QUEUE else choice
        state = "asking" if provider else "queued"
        values = (order.id, order.quantity, order.quantity, state, provider, order.product)
        found = self._database.rows(_INSERT, *values)
        if not found:
            raise Refused(404, f"there is no product {order.product}")
        if provider is None:
            return "queued"
        match self._ask(found[0]):
            case Outcome.DONE:
                return "paid"
            case Outcome.UNKNOWN:
                return "asking"
            case Outcome.REFUSED:
                raise Refused(402, "the payment was refused")
            case Outcome.UNREACHED:
                self._database.rows(_NOT_ASKED, "refused", order.id, found[0]["at"])
                raise Refused(503, f"the {provider} payment provider doesn't answer; nothing was paid, try again")

    def settle(self, choice: str) -> None:
        """Asks again for orders whose answer isn't known, and for queued ones unless the choice is to queue."""
        claimed = self._database.rows(_CLAIM, choice != QUEUE, None if choice == QUEUE else choice)
        for order in claimed:
            if self._ask(order) is Outcome.UNREACHED and order["was"] == "queued":
                self._database.rows(_NOT_ASKED, "queued", order["id"], order["at"])

    def _ask(self, order: Row) -> Outcome:
        """Asks the provider that is written down, and writes down an end.

        Where the database fails after the answer, the answer is true all the same: the order is settled later.
        """
        outcome = ask_outside(self._providers[order["provider"]], order["id"], str(order["cents"]))
        if outcome in (Outcome.DONE, Outcome.REFUSED):
            try:
                self._database.rows(_ENDED, "paid" if outcome is Outcome.DONE else "refused", order["id"])
            except Refused as refusal:
                logging.warning("order %s is settled later: %s", order["id"], refusal)
        return outcome
