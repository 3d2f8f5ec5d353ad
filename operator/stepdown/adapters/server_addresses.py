"""The API server's own addresses: no metrics endpoint may lead to it, whatever it is called.

It has several: that of its URL, that of its Service, and those that its instances are really at. The last ones only
it can tell, and each instance tells its own; the chart's NetworkPolicy is for what isn't told.
"""

import asyncio
import contextlib
import os
import socket
from typing import Any
from urllib.parse import urlsplit

from stepdown.adapters.api import Api
from stepdown.ports import Refused, Unknown


async def server_addresses(api: Api) -> list[str]:
    """Every address that is known; never raises."""
    names = [urlsplit(api.host).hostname, os.environ.get("KUBERNETES_SERVICE_HOST"), *await _told(api)]
    return await asyncio.to_thread(_resolved, [name for name in names if name])


async def _told(api: Api) -> list[str | None]:
    """Hosts that it gives to clients, with a right that everybody has unless an administrator took it away."""
    try:
        found: Any = (await api.get("/api")).get("serverAddressByClientCIDRs")
        return [urlsplit(f"//{each['serverAddress']}").hostname for each in found or []]
    except (Refused, Unknown, KeyError, TypeError, ValueError):
        return []


def _resolved(names: list[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        with contextlib.suppress(OSError, UnicodeError):
            found |= {str(info[4][0]).partition("%")[0]: None for info in socket.getaddrinfo(name, None)}
    return list(found)
