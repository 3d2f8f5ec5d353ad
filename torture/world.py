"""A world to be tortured: a server, two replicas, a clock, what is measured, and a schedule of faults.

Everything that happens is decided by the schedule, so a schedule run twice gives the same.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from stepdown.engine.observation import Missing, Observation
from stepdown.ports import Object
from torture import oracles
from torture.faults import ACTS, OF_POLICIES, WRITES, Call, Fault, Kind, Schedule
from torture.process import Process, Turn
from torture.server import POLICIES, Server
from torture.shop import DOWN, GOOD, INTERVAL, POLICY, SIGNALS, TARGETS, set_label, without_a_target

TURNS_MAX = 90
"""Bound on the turns of an episode, whatever strikes; without faults it takes about a dozen."""

SETTLED_TURNS_MAX = 300
"""Bound on the turns after nothing strikes any more: a budget of transitions may be spent, and trials have doubled."""

RELIST_TURNS = 12
"""How often everything is listed again, which finds what a watch has missed."""

REST_TURNS = 1
"""For how many turns a world at rest is watched, after one in which nothing was written."""

WAKE_SECONDS = 60.0
"""How long a frozen process stands still at most: a server works on no request for longer."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What an oracle found; `oracle` is the name of its function."""

    oracle: str
    text: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A process that stands still in a turn, since when and for how long."""

    process: Process
    turn: Turn
    kind: Kind
    since: float


class World:
    """`place` counts turns and calls; `calls` are those made so far, as long as `noting` is on."""

    def __init__(self, spec: dict[str, Any] | None = None) -> None:
        self.server = Server(spec)
        self.now = 100_000_000.0 + 1_704_067_200.0
        self.values: Mapping[str, float | Missing] = GOOD
        self.schedule: Schedule = ()
        self.place = 0
        self.turns = 0
        self.stage = -1
        self.quiet = 0
        self.ticked = False
        self.met = 0
        self.noting = True
        self.calls: list[Call] = []
        self.told: list[str] = []
        self.violations: list[Violation] = []
        self.hearing: Kind | None = None
        self.stopped: Stopped | None = None
        self.put_back = False
        self.judged = (0, 0)
        self.rested = (0, 0)
        self.suspended: dict[str, float] = {}
        self.goes_its_own_way = False
        self.turns_max = TURNS_MAX
        self.highest: dict[str, int] = {}
        self.processes = [Process(self, "a"), Process(self, "b")]

    def fork(self) -> Self:
        """The same world at the same moment, to take another course from here; nobody may stand still in it."""
        assert self.stopped is None
        other = copy.copy(self)
        other.server = self.server.fork()
        other.calls, other.told, other.violations = list(self.calls), list(self.told), list(self.violations)
        other.suspended = dict(self.suspended)
        other.processes = [process.fork(other) for process in self.processes]
        return other

    def turn(self) -> None:
        """An interval passes, and each replica has its turn."""
        self.turns += 1
        self.now += INTERVAL
        self.hearing = None
        self.ticked = False
        for fault in self.meet("turn", ()):
            self.hearing = fault.kind
        for process in self.processes:
            if self.turns % RELIST_TURNS == 0 and process.cycle is not None and not self._stands(process):
                process.list()
            if not self._stands(process):
                process.turn()
        self._wake_in_time()
        oracles.judge_turn(self)

    def observations(self) -> dict[str, Observation]:
        """What Prometheus says now."""
        return {
            name: Observation(missing=value) if isinstance(value, Missing) else Observation(value=value)
            for name, value in self.values.items()
        }

    def look(self, by: Process | None = None) -> None:
        """Takes down what the last call has changed: a process's write, or something of others."""
        self.server.look(self.now, self.values if by is None else by.measured, ours=by is not None)

    def meet(self, verb: str, touched: Sequence[str]) -> Sequence[Fault]:
        """Passes a place: others act, and what strikes the call itself is given."""
        place = self.place
        self.place += 1
        if self.noting:
            self.calls.append(self._call(place, verb, touched))
        if self.met >= len(self.schedule) or self.schedule[self.met].place > place:
            return ()
        here = [fault for fault in self.schedule[self.met :] if fault.place <= place]
        self.met += len(here)  # before anybody acts: who is woken passes places of its own
        self.quiet = 0
        for fault in here:
            if fault.kind in ACTS:
                self.act(fault)
        return [fault for fault in here if fault.kind not in ACTS]

    def _call(self, place: int, verb: str, touched: Sequence[str]) -> Call:
        targets = tuple(name for name in touched if name in TARGETS)
        older = tuple(n for n in targets if verb == "read" and len(self.server.versions[TARGETS[n].place]) > 1)
        heard = any(p.cycle is not None and p.heard < len(self.server.news) for p in self.processes)
        return Call(
            place,
            verb,
            targets,
            older,
            follows_write=bool(self.calls) and self.calls[-1].verb in WRITES,
            heard=heard and verb == "turn",
            stopped=self.stopped is not None,
            versions=sum(1 for stored in self.server.stored if stored.ours),
        )

    def act(self, fault: Fault) -> None:
        """Somebody else does something."""
        server = self.server
        server.edited |= fault.kind in OF_POLICIES
        match fault.kind:
            case Kind.EDIT:
                server.edit(fault.about, TARGETS[fault.about].set_field)
            case Kind.OTHER:
                server.edit(fault.about, set_label)
            case Kind.ANEW:
                server.make_anew(fault.about)
            case Kind.REVERT:
                server.edit(fault.about, TARGETS[fault.about].revert)
            case Kind.DELETE:
                server.delete(fault.about)
            case Kind.NEW_POLICY:
                if self.policy is None:
                    self.suspended.clear()
                server.make_policy()
            case Kind.EDIT_POLICY:
                server.edit_policy(without_a_target)
            case Kind.SUSPEND | Kind.RESUME:
                self._suspend(suspended=fault.kind is Kind.SUSPEND)
            case Kind.OBSERVE | Kind.ENFORCE:
                server.edit_policy(lambda obj: obj["spec"].update(mode=str(fault.kind).capitalize()))
            case Kind.DELETE_POLICY:
                if (POLICIES, POLICY) in server.sandbox:
                    server.sandbox.delete(POLICIES, POLICY)
            case Kind.BACKUP:
                self.put_back = True
                server.put_back(POLICY, int(fault.about))
            case Kind.LEASE_GONE | Kind.LEASE_GARBLED | Kind.LEASE_GRABBED:
                server.lay_hands_on_the_lease(fault.kind)
            case Kind.WAKE:
                self.wake()
            case Kind.KILL:
                self._kill(fault.about)
            case Kind.SIGNALS:
                self.goes_its_own_way = True
                self.values = SIGNALS[fault.about]
            case Kind.SETTLE:
                self._settle()
            case _:
                raise AssertionError(fault)
        self.look()

    def _suspend(self, *, suspended: bool) -> None:
        self.server.edit_policy(lambda obj: obj["spec"].update(suspend=suspended))
        if suspended:
            self.suspended.setdefault(POLICY, self.now)
        else:
            self.suspended.pop(POLICY, None)

    def _kill(self, name: str) -> None:
        process = next(process for process in self.processes if process.name == name)
        if self.stopped is not None and self.stopped.process is process:
            self.stopped.turn.close()
            self.stopped = None
        process.begin()

    def _settle(self) -> None:
        self.wake()
        self._suspend(suspended=False)
        self.server.edit_policy(lambda obj: obj["spec"].update(mode="Enforce"))
        self.values = GOOD
        self.turns_max = self.turns + SETTLED_TURNS_MAX

    def stop(self, process: Process, turn: Turn, kind: Kind) -> None:
        """A process stands still in its turn; who stood still before goes on."""
        self.wake()
        self.stopped = Stopped(process, turn, kind, self.now)

    def wake(self) -> None:
        """Who stands still goes on."""
        stopped, self.stopped = self.stopped, None
        if stopped is not None:
            stopped.process.go(stopped.turn)

    def _stands(self, process: Process) -> bool:
        return self.stopped is not None and self.stopped.process is process

    def _wake_in_time(self) -> None:
        stopped = self.stopped
        if stopped is None:
            return
        succeeded = any(p.cycle is not None and p is not stopped.process for p in self.processes)
        if stopped.kind is Kind.FREEZE:
            if self.now - stopped.since >= WAKE_SECONDS - INTERVAL:
                self.wake()
        elif succeeded:
            self.wake()

    def violated(self, oracle: str, text: str) -> None:
        """Takes a violation down."""
        self.violations.append(Violation(oracle, text))

    @property
    def policy(self) -> Object | None:
        """The policy as it is stored."""
        return self.server.policies.get(POLICY)

    @property
    def index(self) -> int | None:
        """The place of the level that is decided on; None before the first decision, and without a policy."""
        state = ((self.policy or {}).get("status") or {}).get("state")
        return int(state.get("index", 0)) if state else None

    @property
    def at_rest(self) -> bool:
        """Whether nothing is left to do: full service and nothing held, or no policy any more."""
        if self.stopped is not None or any(process.is_blind or process.is_deaf for process in self.processes):
            return False
        policy = self.policy
        if policy is None:
            return True
        status = policy.get("status") or {}
        return self.index == 0 and not status.get("ledger") and not policy["metadata"].get("finalizers")

    def advance(self) -> bool:
        """Goes on with the episode when its stage is reached; False once it is over.

        A schedule that goes its own way has no stages: it is over at rest, once everything in it was met.
        """
        if self.goes_its_own_way:
            self.stage = len(DOWN)
            if self.met < len(self.schedule):
                self.quiet = 0
                return True
        if self.policy is None or "deletionTimestamp" in self.policy["metadata"]:
            self.stage = len(DOWN)
            self.values = self.values if self.goes_its_own_way else GOOD
        elif self.stage < len(DOWN) and self.index == self.stage + 1:
            self.stage += 1
            self.values = DOWN[self.stage] if self.stage < len(DOWN) else GOOD
        if self.stage < len(DOWN) or not self.at_rest:
            self.quiet = 0
            self.rested = (0, 0)
            return self.turns < self.turns_max
        counts = len(self.server.writes), len(self.server.stored)
        if self.quiet == 0 and (counts != self.rested or (self.policy is not None and not self.ticked)):
            self.rested = counts
            return self.turns < self.turns_max
        self.quiet += 1
        return self.quiet <= REST_TURNS
