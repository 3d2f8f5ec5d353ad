"""The timers of conditions: pending for `for`, then firing until `clear`.

A timer holds times of change only. While its data is missing it stands still: a missing sample counts neither
for a breach nor against it.
"""

from collections.abc import Callable, Mapping

from stepdown.api.status import Breach
from stepdown.engine.ladder import Ladder, Watch
from stepdown.engine.observation import Missing, Observation

BLINDED = frozenset({Missing.EMPTY, Missing.TOO_FEW, Missing.NOT_FINITE})
"""How a signal is missing when its traffic was moved away: there is an answer, but nothing in it."""

_NOT_ASKED = Observation(missing=Missing.ERROR, detail="not observed")


def value_of(watch: Watch, observations: Mapping[str, Observation]) -> float | Missing:
    """The value that a condition compares, or why there is none; a burn rate is the smallest of its windows."""
    if len(watch.names) == 1:
        seen = observations.get(watch.names[0], _NOT_ASKED)
        return seen.missing or (seen.value or 0.0) * watch.scale
    values = []
    for name in watch.names:
        seen = observations.get(name, _NOT_ASKED)
        if seen.missing is not None:
            return seen.missing
        values.append(seen.value or 0.0)
    return min(values) * watch.scale


def advance(
    ladder: Ladder, breaches: dict[str, Breach], observations: Mapping[str, Observation], now: float
) -> dict[str, Breach]:
    """The timers after this tick; the very same dict when none has changed."""
    changed: dict[str, Breach | None] = {}
    for watch in ladder.watches:
        value = value_of(watch, observations)
        before = breaches.get(watch.key)
        if isinstance(value, Missing):
            if before is not None and watch.ignore_missing:
                changed[watch.key] = None
            elif before is not None and before.paused is None:
                changed[watch.key] = before.model_copy(update={"paused": now})
            continue
        beyond = value > watch.threshold.value if watch.sign > 0 else value < watch.threshold.value
        if before is None:
            if beyond:
                changed[watch.key] = Breach(since=now, firing=watch.hold <= 0)
            continue
        after = _next(watch, before, value, beyond=beyond, now=now)
        if after is not before:
            changed[watch.key] = after
    if not changed and not breaches:
        return breaches
    known = {watch.key for watch in ladder.watches}
    if not changed and known.issuperset(breaches):
        return breaches
    merged = {key: breach for key, breach in breaches.items() if key in known} | changed
    return {key: breach for key, breach in merged.items() if breach is not None}


def _next(watch: Watch, before: Breach, value: float, *, beyond: bool, now: float) -> Breach | None:
    since = before.since
    if before.paused is not None:
        since += max(0.0, now - before.paused)
    if before.firing:
        cleared = value <= watch.clear if watch.sign > 0 else value >= watch.clear
        if cleared and not beyond:
            return None
        return before if before.paused is None else Breach(since=since, firing=True)
    if not beyond:
        return None
    firing = now - since >= watch.hold
    if before.paused is None and not firing:
        return before
    return Breach(since=since, firing=firing)


def deepest_called(ladder: Ladder, breaches: dict[str, Breach], observations: Mapping[str, Observation]) -> int:
    """The deepest level that is called for, 0 for none: its conditions fire, and a value of now is beyond each.

    A breach that merely has not cleared, or whose data is missing, holds a level but never enters a deeper one.
    """

    def calls(watch: Watch, breach: Breach) -> bool:
        value = value_of(watch, observations)
        return breach.firing and not isinstance(value, Missing) and watch.is_beyond(value)

    return _deepest(ladder, breaches, calls)


def deepest_breached(ladder: Ladder, breaches: dict[str, Breach], ignored: frozenset[str] = frozenset()) -> int:
    """The deepest level that isn't healthy, 0 for none: a condition fires, or is beyond its threshold for a while.

    `ignored` are keys of conditions that are taken as healthy.
    """
    return _deepest(ladder, breaches, lambda watch, _breach: watch.key not in ignored)


def _deepest(ladder: Ladder, breaches: dict[str, Breach], counts: Callable[[Watch, Breach], bool]) -> int:
    if not breaches:
        return 0
    for place in range(len(ladder.steps) - 1, 0, -1):
        step = ladder.steps[place]
        found = []
        for number in step.watches:
            watch = ladder.watches[number]
            breach = breaches.get(watch.key)
            found.append(breach is not None and counts(watch, breach))
        if found and (all(found) if step.all_of else any(found)):
            return place
    return 0
