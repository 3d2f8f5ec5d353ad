"""What there is to buy."""

from shop.answers import Answer, Request, Routes, json_answer
from shop.database import Database
from shop.settings import Settings


def routes(settings: Settings) -> Routes:
    """GET /catalogue, and /healthz."""
    database = Database(settings)

    def products(_: Request) -> Answer:
        return json_answer(read_products(database))

    return {("GET", "/catalogue"): products, ("GET", "/healthz"): lambda _: health(database)}


def read_products(database: Database) -> list[dict[str, object]]:
    """All products: id, name, cents."""
    return database.rows("SELECT id, name, cents FROM products ORDER BY id")


def health(database: Database) -> Answer:
    """200 where the database answers. Raises Refused."""
    database.rows("SELECT 1")
    return json_answer({"ok": True})
