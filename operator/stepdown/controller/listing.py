"""What there is, read page by page: not a watch, and nothing is kept."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from stepdown.adapters.api import Api
from stepdown.adapters.paths import policies_path
from stepdown.ports import Refused

PAGE = "500"
"""Objects in one page of a list."""


async def items(api: Api, path: str) -> AsyncIterator[Mapping[str, Any]]:
    """Everything of a list. Raises Refused and Unknown."""
    after = ""
    while True:
        page = await api.get(path, limit=PAGE, **({"continue": after} if after else {}))
        for obj in page.get("items") or []:
            yield obj
        after = str(page["metadata"].get("continue") or "")
        if not after:
            return


async def remembered_epoch(api: Api, namespaces: Sequence[str]) -> int:
    """The highest epoch that a policy was written under, in these namespaces or in all where there are none.

    Where it isn't 0 somebody has led, and may do so still, whatever became of the Lease. Raises Refused and Unknown.
    """
    highest = 0
    paths = [policies_path(namespace) for namespace in namespaces] or [policies_path(None)]
    try:
        for path in paths:
            async for policy in items(api, path):
                epoch = (policy.get("status") or {}).get("epoch")
                highest = max(highest, epoch if isinstance(epoch, int) else 0)
    except Refused as error:
        if error.status != 404:  # the kind isn't there yet: nobody has led
            raise
    return highest
