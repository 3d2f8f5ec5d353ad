"""WHY says what is true of the level that it stands beside, and is written only when it is news."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stepdown.api.status import PolicyStatus
from stepdown.engine.decide import Decision
from stepdown.engine.reasons import Reason
from stepdown.engine.report import Report, render


@pytest.fixture
def why() -> Callable[[str, str], str]:
    """The WHY after a first and a second one at the same state."""

    def run(first: str, second: str) -> str:
        report = Report(
            generation=1,
            now=1772388000.0,
            reached="scaled-out",
            is_full=False,
            decision=_decision(first),
            decided="scaled-out",
            state=None,
            observing=False,
            problems=(),
            missing={},
            ledger=(),
            restoring=False,
            contested=(),
            budgets={},
        )
        before = render(PolicyStatus(), report)
        return render(before, replace(report, decision=_decision(second))).summary.why

    return run


def _decision(why: str) -> Decision:
    return Decision(1, 1, Reason.HELD_BY_BREACH, why, why, {})


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        ("errors 10%>2%", "errors 12%>2%", "errors 10%>2%"),
        ("errors 10%>2%", "errors 60%>25%", "errors 60%>25%"),
        ("free 3<10", "free 2<10", "free 3<10"),
        ("free 3<10", "free 3<20", "free 3<20"),
        ("errors 10%>2%", "load 95%>80%", "load 95%>80%"),
        ("held by a1", "held by a2", "held by a2"),
        ("shop-static-1 fails", "shop-static-2 fails", "shop-static-2 fails"),
        ("up in 1m30s", "up in 1m20s", "up in 1m30s"),
    ],
)
def test_another_reading_is_no_news_and_another_threshold_is(why, first: str, second: str, shown: str) -> None:
    assert why(first, second) == shown


def test_what_people_read_is_one_printable_line(why: Callable[[str, str], str]) -> None:
    assert why("", "override: a\nb\x1b[31m\u202e\ud800 is down") == "override: a b [31m   is down"
