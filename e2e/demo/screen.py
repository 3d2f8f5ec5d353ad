"""What is seen: a live view on a terminal, plain lines everywhere else.

The plain lines are for logs and pipes: a line every ten seconds, and each step of the ladder as it happens.
Colours are rich's affair, which honours NO_COLOR.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from demo.load import MANY
from demo.tally import Tally
from demo.verdict import LADDER, Check

EVERY = 10.0
"""Seconds between two plain lines."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What there is to see now; `line` is what `kubectl get dgp` printed last."""

    seconds: float
    users: int
    protected: Tally
    bare: Tally
    line: str


@dataclass(frozen=True, slots=True)
class Step:
    """One transition of the policy, from status.history, with what `kubectl get dgp` printed right after it."""

    seconds: float
    left: str
    entered: str
    why: str
    line: str

    def text(self) -> str:
        """`0:24 ▼ core-only  load 92%>80%: down to core-only`."""
        mark = "▼" if _place(self.entered) > _place(self.left) else "▲"
        return f"{clock(self.seconds)} {mark} {self.entered:<10} {self.why}"


class Screen(Protocol):
    """Shows a launch as it goes on."""

    def show(self, moment: Moment) -> None:
        """What is there now; called some times a second."""

    def step(self, step: Step) -> None:
        """A transition."""

    def close(self) -> None:
        """Nothing more comes."""


class PlainScreen:
    """Lines of at most 100 columns."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = 0.0
        self._last: Moment | None = None
        self._print("TIME   USERS             WITH THE POLICY                          WITHOUT")
        self._print("                         pages     error pages            total   error pages            total")

    def show(self, moment: Moment) -> None:
        """See Screen."""
        self._last = moment
        if moment.seconds >= self._next:
            self._next += EVERY
            self._row(moment)

    def step(self, step: Step) -> None:
        """See Screen."""
        self._print(step.text(), style="bold")
        for line in step.line.splitlines():
            self._print(f"       {line.rstrip()}")

    def close(self) -> None:
        """See Screen."""
        if self._last is not None:
            self._row(self._last)
        self._print("")

    def _row(self, moment: Moment) -> None:
        shops = "   ".join(
            f"{tally.errors_per_second:>6,.0f}/s {bar(tally.error_share, 10)} {tally.errors:>7,}"
            for tally in (moment.protected, moment.bare)
        )
        users = f"{clock(moment.seconds)} {moment.users:>7,} {bar(moment.users / MANY, 10)}"
        self._print(f"{users}  {moment.protected.page:<9}{shops}".rstrip())

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, soft_wrap=True)


class LiveScreen:
    """One view that changes in place, and stays when it is closed."""

    def __init__(self, console: Console) -> None:
        self._steps: list[Step] = []
        self._live = Live(console=console, auto_refresh=False)
        self._live.start()

    def show(self, moment: Moment) -> None:
        """See Screen."""
        load = Text.assemble(
            f"{clock(moment.seconds)}  {moment.users:>6,} users ", (bar(moment.users / MANY, 40), "cyan")
        )
        shops = Table(box=None, pad_edge=False)
        for title in ("", "answers with", "pages/s", "error pages/s", "", "in all", ""):
            shops.add_column(title, justify="right" if title in ("pages/s", "error pages/s", "in all") else "left")
        most = max(moment.protected.errors, moment.bare.errors, 1)
        for name, tally in (("with the policy", moment.protected), ("without", moment.bare)):
            shops.add_row(
                name,
                Text(f"{tally.page} pages", style=_STYLES.get(tally.page, "green")),
                f"{tally.pages_per_second:,.0f}",
                f"{tally.errors_per_second:,.0f}",
                Text(bar(tally.error_share, 12), style="red"),
                f"{tally.errors:,}",
                Text(bar(tally.errors / most, 12), style="red"),
            )
        steps = [Text(step.text(), style="bold") for step in self._steps]
        line = Text(f"$ kubectl get dgp\n{moment.line}")
        self._live.update(Group(load, Text(), shops, Text(), line, Text(), *steps), refresh=True)

    def step(self, step: Step) -> None:
        """See Screen."""
        self._steps.append(step)

    def close(self) -> None:
        """See Screen."""
        self._live.stop()
        self._live.console.print("")


def summary(console: Console, protected: Tally, bare: Tally, checks: Sequence[Check]) -> int:
    """Pages by kind for both shops, then what was promised; gives the exit code."""
    lines = [f"{'PAGES':<12}{'WITH THE POLICY':>20}{'WITHOUT':>20}"]
    for page in protected.pages:
        cells = (_cell(tally.pages[page], tally.total) for tally in (protected, bare))
        lines.append(f"{page:<12}{''.join(cells)}")
    lines.append(f"{'in all':<12}{protected.total:>13,}{'':7}{bare.total:>13,}")
    console.print("\n".join(lines), soft_wrap=True)
    console.print("")
    for check in checks:
        mark, style = ("✓", "green") if check.holds else ("✗", "bold red")
        console.print(f"{mark} {check.text}", style=style, soft_wrap=True)
    return 0 if all(check.holds for check in checks) else 1


def clock(seconds: float) -> str:
    """`1:05`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def bar(share: float, width: int) -> str:
    """A bar of full and half blocks, `width` columns at share 1, padded with spaces."""
    halves = min(2 * width, round(2 * width * share))
    return ("█" * (halves // 2) + "▌" * (halves % 2)).ljust(width)


def _cell(count: float, total: int) -> str:
    return f"{count:>13,.0f} {count / max(total, 1):>5.1%}"


def _place(level: str) -> int:
    return LADDER.index(level) if level in LADDER else 0


_STYLES = {"read-only": "yellow", "static": "yellow", "error": "red"}
"""Colours of pages; any other is green."""
