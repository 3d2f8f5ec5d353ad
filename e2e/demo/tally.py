"""What a shop's users got: the same figures, whether its pods are real or not."""

from collections.abc import Mapping
from dataclasses import dataclass

ERROR = "error"
"""The kind of a page that is none."""


@dataclass(frozen=True, slots=True)
class Tally:
    """One shop at one moment: what it answers with now, pages and error pages per second, and all since the start.

    `pages` has every kind of page from the start on, the best first; error pages are of the kind `ERROR`.
    """

    page: str
    pages_per_second: float
    errors_per_second: float
    pages: Mapping[str, float]

    @property
    def errors(self) -> int:
        """Error pages since the start."""
        return round(self.pages[ERROR])

    @property
    def total(self) -> int:
        """All pages since the start."""
        return round(sum(self.pages.values()))

    @property
    def error_share(self) -> float:
        """Error pages among the pages of now, 0 to 1."""
        both = self.errors_per_second + self.pages_per_second
        return self.errors_per_second / both if self.errors_per_second else 0.0
