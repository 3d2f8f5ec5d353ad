"""What is bought together: worth having, and the most work of all pages."""

from shop.answers import Answer, Request, Routes, json_answer
from shop.catalogue import health
from shop.database import Database
from shop.settings import Settings

_TOGETHER = """
SELECT one.product, other.product AS goes_with, count(*) AS times
FROM baskets one JOIN baskets other ON other.basket = one.basket AND other.product > one.product
GROUP BY 1, 2 ORDER BY times DESC, 1, 2 LIMIT 3
"""


def routes(settings: Settings) -> Routes:
    """GET /recommendations, and /healthz."""
    database = Database(settings)

    def together(_: Request) -> Answer:
        return json_answer(database.rows(_TOGETHER))

    return {("GET", "/recommendations"): together, ("GET", "/healthz"): lambda _: health(database)}
