"""The build that only reads, from the replica: for when the primary database is slow or gone."""

from shop.answers import Answer, Refused, Request, Routes, json_answer, page
from shop.catalogue import health, read_products
from shop.database import Database
from shop.pages import CLOSED, reading_page
from shop.settings import Settings


def routes(settings: Settings) -> Routes:
    """GET / and /catalogue; POST /checkout is refused. /healthz is green where the replica answers."""
    replica = Database(settings)

    def refuse(_: Request) -> Answer:
        raise Refused(503, CLOSED)

    return {
        ("GET", "/"): lambda _: page(reading_page(read_products(replica))),
        ("GET", "/catalogue"): lambda _: json_answer(read_products(replica)),
        ("POST", "/checkout"): refuse,
        ("GET", "/healthz"): lambda _: health(replica),
    }
