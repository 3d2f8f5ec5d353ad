"""A mutant is told by what it changes, and one may survive for a reason only."""

import pytest
from torture.mutants.difference import function_of, line_of
from torture.mutants.known import survivors

DIFF = """\
--- src/stepdown/engine/ledger.py
+++ src/stepdown/engine/ledger.py
@@ -1,4 +1,4 @@
 def short(text: str | None) -> str:
     if text is None:
-        return "absent"
+        return None
     return text
"""


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("stepdown.engine.ledger.x_short__mutmut_2", "ledger.short"),
        ("stepdown.engine.ledger.x__keep__mutmut_45", "ledger._keep"),
        ("stepdown.engine.turn.xǁTurnǁdwell_left__mutmut_1", "turn.Turn.dwell_left"),
    ],
)
def test_a_mutant_belongs_to_a_function(name, function):
    assert function_of(name) == function


def test_a_mutant_is_the_line_that_it_changes():
    assert line_of("stepdown.engine.ledger.x_short__mutmut_2", DIFF) == 'ledger.short: return "absent" => return None'


def test_every_survivor_has_a_reason():
    assert [line for line, why in survivors().items() if len(why) < 20 or " => " not in line] == []
