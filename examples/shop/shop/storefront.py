"""What users see: one page made of what the other services say, and the till.

There is no fallback in here. A part that fails or is slow takes the page along, as in most shops.
"""

from collections.abc import Callable

from shop.answers import Answer, Request, Routes, json_answer, page
from shop.calls import ORDER_SECONDS, SECONDS, ask, call
from shop.flags import Flags
from shop.pages import shop_page
from shop.settings import Settings

_SERVED_BY = "X-Served-By"


def routes(settings: Settings) -> Routes:
    """GET / and /catalogue, POST /checkout, and /healthz, which asks the services that the core needs."""
    flags = Flags(settings.flags)

    def home(_: Request) -> Answer:
        products = ask(settings.catalogue, "/catalogue")
        if not flags.recommendations:
            return _marked(page(shop_page(products, None)), "core")
        return _marked(page(shop_page(products, ask(settings.recommendations, "/recommendations"))), settings.served_by)

    def passed_on(base: str, seconds: float) -> Callable[[Request], Answer]:
        def pass_on(request: Request) -> Answer:
            answer = call(base, request.method, request.path, request.body, seconds)
            return _marked(answer, settings.served_by if flags.recommendations else "core")

        return pass_on

    def health(_: Request) -> Answer:
        return json_answer([ask(base, "/healthz") for base in (settings.catalogue, settings.checkout)])

    return {
        ("GET", "/"): home,
        ("GET", "/catalogue"): passed_on(settings.catalogue, SECONDS),
        ("POST", "/checkout"): passed_on(settings.checkout, ORDER_SECONDS),
        ("GET", "/healthz"): health,
    }


def _marked(answer: Answer, level: str) -> Answer:
    return Answer(answer.code, answer.body, answer.kind, {_SERVED_BY: level})
