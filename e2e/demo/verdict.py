"""Whether the demo has shown what it promises. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FEWER = 5
"""Error pages without a policy must be so many times as many as with one."""

LADDER = ("full", "core-only", "read-only", "static")
"""The levels of examples/four-levels.yaml; from the third on they move traffic."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and whether it was kept."""

    text: str
    holds: bool


def judge(
    visited: Sequence[str], level: str, held: int, compared: int, different: Sequence[str], errors: tuple[int, int]
) -> list[Check]:
    """The promises: `visited` are the levels entered in order, `level` is the last one, `held` counts the fields
    that the operator still holds, `compared` and `different` the objects of the restore, `errors` the error pages
    with a policy and without.
    """
    deepest = max((LADDER.index(name) for name in visited), default=0)
    if deepest >= 2:
        moved = f"traffic was moved: at {LADDER[deepest]} the Service led to other pods"
    else:
        moved = f"traffic was never moved: the deepest level was {LADDER[deepest]}"
    up = "back at full" if level == "full" else f"still at {level}"
    kept = f"{held} fields still held" if held else "nothing held any more"
    with_policy, without = errors
    if with_policy:
        fewer = f"{without / with_policy:,.0f} times fewer error pages: {with_policy:,} instead of {without:,}"
    else:
        fewer = f"no error page instead of {without:,}"
    same = f"all {compared} objects of the shop are what they were, byte for byte (spec, data, labels, annotations)"
    changed = f"{len(different)} of {compared} objects of the shop were not restored: {', '.join(different)}"
    return [
        Check(f"the ladder was walked: {' → '.join(['full', *visited])}", "core-only" in visited),
        Check(moved, deepest >= 2),
        Check(f"{up}, {kept}", level == "full" and held == 0),
        Check(changed if different else same, compared > 0 and not different),
        Check(fewer, without > 0 and with_policy * FEWER <= without),
    ]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Where two snapshots (objects by "Kind/name") differ, as `Kind/name path`; objects that came or went too."""
    found = []
    for key in sorted({*before, *after}):
        if key not in after:
            found.append(f"{key} is gone")
        elif key not in before:
            found.append(f"{key} is new")
        else:
            found += [f"{key} {path}" for path in _paths(before[key], after[key], "")]
    return found


def _paths(before: Any, after: Any, path: str) -> list[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for key in sorted({*before, *after}):
            inner = f"{path}/{key}"
            if key in before and key in after:
                found += _paths(before[key], after[key], inner)
            else:
                found.append(inner)
        return found
    return [] if _bytes(before) == _bytes(after) else [path]


def _bytes(value: Any) -> str:
    """JSON text: unlike `==`, it tells 1 from true."""
    return json.dumps(value, ensure_ascii=False)
