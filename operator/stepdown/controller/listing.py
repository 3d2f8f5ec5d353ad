"""What there is, read page by page: not a watch, and nothing is kept."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stepdown.adapters import paging
from stepdown.adapters.api import Api
from stepdown.adapters.paths import policies_path
from stepdown.ports import Refused


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a list's objects, and the resourceVersion at which all of the list was so; None where it has none."""

    items: Sequence[Mapping[str, Any]]
    version: int | None

    def is_newer_than(self, obj: Mapping[str, Any]) -> bool:
        """Whether what is not in the list is gone, or may be newer: a server that lags gives an older list."""
        version = str(obj["metadata"].get("resourceVersion") or "")
        return self.version is None or not version.isdecimal() or int(version) <= self.version


async def pages(api: Api, path: str) -> AsyncIterator[Page]:
    """The pages of a list. Raises Refused and Unknown."""
    async for page in paging.pages(api, path):
        version = str(page["metadata"].get("resourceVersion") or "")
        yield Page(page.get("items") or [], int(version) if version.isdecimal() else None)


async def remembered_epoch(api: Api, namespaces: Sequence[str]) -> int:
    """The highest epoch that a policy was written under, in these namespaces or in all where there are none.

    Where it isn't 0 somebody has led, and may do so still, whatever became of the Lease. Raises Refused and Unknown.
    """
    highest = 0
    paths = [policies_path(namespace) for namespace in namespaces] or [policies_path(None)]
    try:
        for path in paths:
            async for page in pages(api, path):
                epochs = [(policy.get("status") or {}).get("epoch") for policy in page.items]
                highest = max([highest, *(epoch for epoch in epochs if isinstance(epoch, int))])
    except Refused as error:
        if error.status != 404:  # the kind isn't there yet: nobody has led
            raise
    return highest
