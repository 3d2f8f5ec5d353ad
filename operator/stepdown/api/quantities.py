"""Thresholds with units: `2%`, `250ms`, `0.02`, `80`, as one float and the way it is shown.

Everything is compared in the base unit of the signal: ratios as 0..1, times in seconds, sizes in bytes, rates
per second. `m` is not a unit, because it is a thousandth to Kubernetes and a minute to everybody else.
"""

import re
from dataclasses import dataclass

FACTORS = {
    "": 1.0,
    "%": 0.01,
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "/s": 1.0,
    "k": 1e3,
    "M": 1e6,
    "Ki": 1024.0,
    "Mi": 1024.0**2,
    "Gi": 1024.0**3,
}
MOST = 10**12
QUANTITY_PATTERN = r"^-?[0-9]{1,12}([.][0-9]{1,9})?(%|us|ms|s|/s|k|M|Ki|Mi|Gi)?$"
UNITS_OF = {
    "ratio": ("", "%"),
    "seconds": ("", "us", "ms", "s"),
    "bytes": ("", "k", "M", "Ki", "Mi", "Gi"),
    "perSecond": ("", "/s", "k", "M"),
    "count": ("", "k", "M"),
}
"""The units that a threshold may have beside a signal's declared `unit`."""

_PARTS = re.compile(r"(-?[0-9.]+)(.*)")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A threshold: its value in the signal's base unit, and the unit it was written in."""

    value: float
    unit: str

    def show(self, value: float) -> str:
        """Another value in this quantity's unit, three significant digits: 0.412 beside 250ms is `412ms`."""
        return f"{compact(value / FACTORS[self.unit])}{self.unit}"

    def __str__(self) -> str:
        return self.show(self.value)


def parse_quantity(text: int | str) -> Quantity:
    """A quantity of an int (`80`) or a string (`2%`, `250ms`, `0.02`).

    Raises ValueError for anything else; a YAML float is refused because the API server would refuse it.
    """
    if isinstance(text, int) and not isinstance(text, bool) and abs(text) < MOST:
        return Quantity(float(text), "")
    if isinstance(text, float):
        raise ValueError(f'{text} is a bare decimal: put it in quotes, "{text}"')
    if not isinstance(text, str) or not re.fullmatch(QUANTITY_PATTERN, text):
        raise ValueError(
            f"{text!r} is not a quantity: write a number with %, us, ms, s, /s, k, M, Ki, Mi or Gi, like 2% or 250ms"
        )
    match = _PARTS.fullmatch(text)
    assert match is not None
    number, unit = match.groups()
    return Quantity(float(number) * FACTORS[unit], unit)


def compact(value: float) -> str:
    """A float with three significant digits and no exponent where people would not write one."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e15 or size < 1e-6:
        return f"{value:.2e}"
    if size >= 100:
        return f"{value:.0f}"
    text = f"{value:.2f}" if size >= 1 else f"{value:.3g}"
    return text.rstrip("0").rstrip(".") if "." in text else text
