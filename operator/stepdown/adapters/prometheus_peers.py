"""Which addresses may be asked for metrics: not the machine's own, not a cloud's metadata, not the API server.

A policy's author must not reach through the operator what they can't reach themselves, and an endpoint's name may
be made to mean such an address. An administrator who means one lists it in allowedCIDRs.
"""

import ipaddress
from collections.abc import Iterable, Iterator

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = (
    "169.254.169.254",  # AWS, Azure, Google and most others
    "fd00:ec2::/32",  # AWS: metadata, credentials of pods
    "fd20:ce::254",  # Google
    "fd00:42::42",  # Scaleway
    "100.100.100.200",  # Alibaba
    "168.63.129.16",  # Azure's host
    "192.0.0.192",  # Oracle
)
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")
_EMBEDDING = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "64:ff9b::/96",  # NAT64
            "64:ff9b:1::/48",  # NAT64 of one's own, in its usual form
            "::/96",  # IPv4-compatible
            "::ffff:0:0:0/96",  # IPv4-translated
        ),
    )
)
"""Networks whose addresses end in the IPv4 address that they lead to."""


class RefusedPeer(Exception):
    """An address that is not connected to; the message is one line with the cure."""


class Peers:
    """Judges addresses. `allowed` and `refused` are addresses or networks; allowed wins.

    Raises ValueError for text that is neither.
    """

    def __init__(self, allowed: Iterable[str] = (), refused: Iterable[str] = ()) -> None:
        self._allowed = [ipaddress.ip_network(text, strict=False) for text in allowed]
        self._refused = [ipaddress.ip_network(text, strict=False) for text in (*METADATA, *refused)]

    def check(self, text: str) -> None:
        """Raises RefusedPeer for an address that is not to be connected to."""
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            raise RefusedPeer("its address can't be told") from None
        names = list(_names(address))
        if any(name in network for name in names for network in self._allowed):
            return
        if any(_is_special(name) or any(name in network for network in self._refused) for name in names):
            raise RefusedPeer(f"its address {address} is refused: list it in allowedCIDRs if it is meant")


def _names(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 address that it stands for."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            yield address.ipv4_mapped
        if address.sixtofour is not None:
            yield address.sixtofour
        if any(address in network for network in _EMBEDDING):
            yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


def _is_special(address: Address) -> bool:
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        return True
    return address in _THIS_NETWORK
