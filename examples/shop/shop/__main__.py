"""`python -m shop PART` serves one part of the shop."""

import importlib
import sys

from shop.server import Service, serve
from shop.settings import Settings

PARTS = {
    "storefront": "full",
    "catalogue": "catalogue",
    "checkout": "checkout",
    "recommendations": "recommendations",
    "notifications": "notifications",
    "outside": "outside",
    "read-only": "read-only",
    "static": "static",
}
"""What is served, each by the module of its name, and what its answers say in X-Served-By."""


def main(part: str) -> None:
    """Never returns. Only the part's own modules are imported, because pods are to start soon."""
    if part not in PARTS:
        sys.exit(f"{part!r} is no part of the shop: {', '.join(PARTS)}")
    settings = Settings()
    module = importlib.import_module(f"shop.{part.replace('-', '_')}")
    serve(Service(settings.service or part, PARTS[part], module.routes(settings), settings.workers, settings.line))


if __name__ == "__main__":
    main(*sys.argv[1:2] or [""])
