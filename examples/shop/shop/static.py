"""One page that needs nothing else: for when nothing else works."""

from shop.answers import ANY, Answer, Refused, Request, Routes, page
from shop.pages import CLOSED, static_page
from shop.settings import Settings


def routes(_: Settings) -> Routes:
    """The page, for everything that is looked at; orders are refused."""
    given = page(static_page())

    def refuse(_: Request) -> Answer:
        raise Refused(503, CLOSED)

    return {("GET", ANY): lambda _: given, ("POST", ANY): refuse}
