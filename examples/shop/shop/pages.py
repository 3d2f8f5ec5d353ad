"""The pages that people see."""

from collections.abc import Sequence
from html import escape
from typing import Any

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body><main><h1>{title}</h1>{body}</main></body>
</html>
"""
_BUY = (
    '<form method="post" action="/checkout">'
    '<input type="hidden" name="product" value="{id}"><button>Buy</button></form>'
)
CLOSED = "You can look but not buy right now. We will be back soon; nothing that you ordered is lost."


def shop_page(products: Sequence[dict[str, Any]], together: Sequence[dict[str, Any]] | None) -> str:
    """Everything to buy, and what goes together; without the latter where it is None."""
    names = {product["id"]: product["name"] for product in products}
    body = _list([f"{escape(p['name'])}, {price(p['cents'])} {_BUY.format(id=p['id'])}" for p in products])
    if together is not None:
        pairs = [f"{escape(names[t['product']])} and {escape(names[t['goes_with']])}" for t in together]
        body += "<h2>Often bought together</h2>" + _list(pairs)
    return _PAGE.format(title="The tea shop", body=body)


def reading_page(products: Sequence[dict[str, Any]]) -> str:
    """Everything, and why it can't be bought now."""
    body = f"<p>{CLOSED}</p>" + _list([f"{escape(p['name'])}, {price(p['cents'])}" for p in products])
    return _PAGE.format(title="The tea shop", body=body)


def static_page() -> str:
    """What is left when nothing else works."""
    body = "<p>Our shop is resting for a moment. Your orders are safe. Please look in again in a few minutes.</p>"
    return _PAGE.format(title="The tea shop", body=body)


def price(cents: int) -> str:
    """Money as people read it."""
    return f"€{cents // 100}.{cents % 100:02}"


def _list(items: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"
