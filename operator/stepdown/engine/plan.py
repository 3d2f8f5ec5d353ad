"""The order in which kinds are written."""

ORDER = {"Service": 0, "HTTPRoute": 0, "ConfigMap": 1}
"""Down: traffic first, flags next, replicas last; up is the reverse. A selector swap reaches users in tens of
milliseconds, but up to a second later when other endpoints changed just before it."""


def rank(kind: str) -> int:
    """The place of a kind in a step down."""
    return ORDER.get(kind, 2)
