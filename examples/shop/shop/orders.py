"""An order as customers send it: JSON, or a page's form."""

import uuid
from dataclasses import dataclass
from urllib.parse import parse_qs

from shop.answers import Refused, Request

MOST = 100


@dataclass(frozen=True)
class Order:
    """So many of one product."""

    id: str
    product: int
    quantity: int


def read_order(request: Request) -> Order:
    """An order with a new id. Raises Refused with what is wrong."""
    found = request.json() if request.body.lstrip().startswith(b"{") else _form(request.body)
    product, quantity = found.get("product"), found.get("quantity", 1)
    if type(product) is not int:
        raise Refused(400, f"product is the number of one, not {product!r}")
    if type(quantity) is not int or not 1 <= quantity <= MOST:
        raise Refused(400, f"quantity is a number from 1 to {MOST}, not {quantity!r}")
    return Order(str(uuid.uuid4()), product, quantity)


def _form(body: bytes) -> dict[str, object]:
    fields = parse_qs(body.decode("utf-8", "replace"))
    return {name: int(text) if text.isdecimal() else text for name, (text, *_) in fields.items()}
