"""What a simulated policy did: gathered tick by tick from its own status, and given as one stable document.

docs/simulate.md documents the document's fields; a field may be added, none is renamed or dropped.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stepdown.api.model import format_timestamp
from stepdown.api.policy import PolicySpec
from stepdown.engine.fields import ABSENT, decode
from stepdown.engine.observation import Observation
from stepdown.ports import Object

VERSION = 1

FLAP_SECONDS = 600.0
"""A step down into a level that was left less than this before is a flap: it was left too early."""

PROBLEMS_MAX = 20


@dataclass(frozen=True, slots=True)
class Move:
    """One transition, at a time in milliseconds."""

    at: int
    left: str
    entered: str
    reason: str
    why: str


@dataclass(slots=True)
class Record:
    """What happened to one policy. Times are milliseconds, `step` too.

    `data_from` is the first time with data, None for never: nothing is simulated before it.
    """

    namespace: str
    name: str
    spec: PolicySpec
    asked_from: int
    to: int
    step: int
    assumed: list[str]
    data_from: int | None = None
    ticks: int = 0
    moves: list[Move] = field(default_factory=list)
    levels: dict[str, int] = field(default_factory=dict)
    missing: dict[tuple[str, str], int] = field(default_factory=dict)
    changes: dict[tuple[str, str, str, str], dict[str, Any]] = field(default_factory=dict)
    problems: dict[tuple[str, str], int] = field(default_factory=dict)
    budgets: dict[str, str] = field(default_factory=dict)
    _version: int = 0
    _last: Mapping[str, Any] | None = None

    def tick(self, at: int, policy: Object, observations: Mapping[str, Observation]) -> None:
        """Adds one tick: the policy as it was stored after it, and what was seen."""
        status = policy.get("status") or {}
        level = str((status.get("state") or {}).get("level", ""))
        self.ticks += 1
        self.levels[level] = self.levels.get(level, 0) + 1
        for name, seen in observations.items():
            if seen.missing is not None and not name.startswith("budget:"):
                key = name, str(seen.missing)
                self.missing[key] = self.missing.get(key, 0) + 1
        version = int(policy["metadata"]["resourceVersion"])
        if version != self._version:
            self._version = version
            self._note(at, status)

    def _note(self, at: int, status: Mapping[str, Any]) -> None:
        """What a newly stored status says."""
        last = next(reversed(status.get("history") or []), None)
        if last is not None and last != self._last:
            self._last = last
            self.moves.append(Move(at, last["from"], last["to"], last["reason"], last["message"]))
        for entry in status.get("ledger") or []:
            target = entry["target"]
            key = entry["level"], target["kind"], target["name"], entry["path"]
            if key not in self.changes:
                self.changes[key] = _values(entry)
        for condition in status.get("conditions") or []:
            if condition["type"] == "Ready" and condition["status"] == "False" and len(self.problems) < PROBLEMS_MAX:
                self.problems.setdefault((condition["reason"], condition["message"]), at)
        self.budgets = {o["name"]: o["budgetLeft"] for o in status.get("objectives") or []}

    @property
    def flaps(self) -> int:
        """Steps down into a level that had been left shortly before."""
        order = [level.name for level in self.spec.levels]
        left: dict[str, int] = {}
        count = 0
        for move in self.moves:
            is_down = order.index(move.entered) > order.index(move.left)
            if is_down and move.entered in left and move.at - left[move.entered] < 1000 * FLAP_SECONDS:
                count += 1
            left[move.left] = move.at
        return count

    def document(self) -> dict[str, Any]:
        """The record as JSON."""
        order = [level.name for level in self.spec.levels]
        return {
            "namespace": self.namespace,
            "name": self.name,
            "stepSeconds": self.step / 1000,
            "askedFrom": _time(self.asked_from),
            "dataFrom": None if self.data_from is None else _time(self.data_from),
            "to": _time(self.to),
            "ticks": self.ticks,
            "transitions": [
                {"time": _time(m.at), "from": m.left, "to": m.entered, "reason": m.reason, "why": m.why}
                for m in self.moves
            ],
            "flaps": {"count": self.flaps, "withinSeconds": FLAP_SECONDS},
            "levels": [self._level(name) for name in order],
            "missing": [
                {"signal": name, "kind": kind, **self._share(count)} for (name, kind), count in self.missing.items()
            ],
            "changes": [
                {"level": level, "kind": kind, "name": name, "path": path, **values}
                for (level, kind, name, path), values in sorted(
                    self.changes.items(), key=lambda item: order.index(item[0][0])
                )
            ],
            "problems": [
                {"reason": reason, "message": message, "time": _time(at)}
                for (reason, message), at in self.problems.items()
            ],
            "objectives": [{"name": name, "budgetLeft": left} for name, left in self.budgets.items()],
            "assumed": self.assumed,
        }

    def _level(self, name: str) -> dict[str, Any]:
        entered = sum(move.entered == name for move in self.moves)
        return {"name": name, **self._share(self.levels.get(name, 0)), "entered": entered}

    def _share(self, count: int) -> dict[str, float]:
        return {"seconds": count * self.step / 1000, "share": round(count / self.ticks, 4) if self.ticks else 0.0}


def document(url: str, records: Iterable[Record]) -> dict[str, Any]:
    """All records as one JSON document."""
    return {"version": VERSION, "prometheus": url, "policies": [record.document() for record in records]}


def _values(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Before and after; a key is left out where the field wasn't or isn't there."""
    values = {"before": decode(entry.get("original")), "after": decode(entry.get("applied"))}
    return {key: value for key, value in values.items() if value is not ABSENT}


def _time(milliseconds: int) -> str:
    return format_timestamp(milliseconds / 1000)
