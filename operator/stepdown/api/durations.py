"""Durations in the two dialects that users already know, as seconds.

Timers (`interval`, `for`, `dwell`, …) are Gateway API durations (GEP-2257); windows of queries and objectives
are PromQL durations. They differ: `30d` is only PromQL, `1h30m` is both. An error says which one is wanted.
"""

import re

GATEWAY_PATTERN = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
PROMQL_PATTERN = r"^([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"
MAX_LENGTH = 28
"""Characters of the longest duration."""

_PART = re.compile(r"([0-9]+)(ms|[smhdwy])")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}


def parse_gateway(text: str) -> float:
    """Seconds of a Gateway API duration such as `30s`, `5m` or `1h30m`.

    Raises ValueError for anything else.
    """
    if not isinstance(text, str) or not re.fullmatch(GATEWAY_PATTERN, text):
        raise ValueError(f"{text!r} is not a duration: write hours, minutes, seconds like 30s, 5m or 1h30m")
    return _sum(text)


def parse_promql(text: str) -> float:
    """Seconds of a PromQL duration such as `5m`, `1h` or `30d`.

    Raises ValueError for anything else, and for nothing at all.
    """
    if not isinstance(text, str) or not 0 < len(text) <= MAX_LENGTH or not re.fullmatch(PROMQL_PATTERN, text):
        raise ValueError(f"{text!r} is not a window: write a PromQL duration like 5m, 1h or 30d")
    return _sum(text)


def format_seconds(seconds: float) -> str:
    """The shortest Gateway API duration of a time, to the second above one second, else to the millisecond."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))}ms" if seconds > 0 else "0s"
    rest = round(seconds)
    parts = []
    for unit, size in (("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def _sum(text: str) -> float:
    return float(sum(int(count) * _SECONDS[unit] for count, unit in _PART.findall(text)))
