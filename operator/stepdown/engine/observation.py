"""What was seen of one signal: a number, or the reason why there is none.

Missing is never a value. The kinds are told apart because their cures differ.
"""

import math
from dataclasses import dataclass
from enum import StrEnum


class Missing(StrEnum):
    """Why there is no number."""

    EMPTY = "Empty"  # the query answers with no series
    NOT_SCALAR = "NotScalar"  # several series, or a type that is not a number
    NOT_FINITE = "NotFinite"  # NaN or infinite
    STALE = "Stale"  # the newest sample is older than staleAfter
    PARTIAL = "Partial"  # the answer carries warnings
    TOO_FEW = "TooFew"  # fewer requests than minRate, or none
    ERROR = "Error"  # no answer that can be trusted


@dataclass(frozen=True, slots=True)
class Observation:
    """One signal at one time: exactly one of `value` (base unit, finite) and `missing` is set.

    `sampled` is the time of the newest sample behind it, seconds since the epoch, where it is known; `detail`
    is one bounded line for people. What is given neither or no finite number is missing, whoever made it: a NaN
    that got through would compare as healthy.
    """

    value: float | None = None
    missing: Missing | None = None
    sampled: float | None = None
    detail: str = ""

    def __post_init__(self) -> None:
        if self.value is not None and (self.missing is not None or not math.isfinite(self.value)):
            object.__setattr__(self, "value", None)
            object.__setattr__(self, "missing", self.missing or Missing.NOT_FINITE)
        elif self.value is None and self.missing is None:
            object.__setattr__(self, "missing", Missing.ERROR)
