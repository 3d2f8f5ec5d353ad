"""Lists read page by page: a namespace with thousands of pods is no hundred megabytes at once."""

from collections.abc import AsyncIterator

from stepdown.adapters.api import Api
from stepdown.ports import Object, Refused, Unknown

PAGE = "500"
"""Objects in one page of a list."""


async def pages(api: Api, path: str, **query: str) -> AsyncIterator[Object]:
    """The pages of a list as the API server gives them, all of one version. Raises Refused and Unknown."""
    after: dict[str, str] = {}
    while True:
        try:
            page = await api.get(path, limit=PAGE, **query, **after)
        except Refused as error:
            if after and error.status == 410:
                raise Unknown(f"list {path}: its version is gone before its last page was read") from None
            raise
        yield page
        token = (page.get("metadata") or {}).get("continue")
        if not token:
            return
        after = {"continue": str(token)}
