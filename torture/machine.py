"""A state machine that does to a world whatever comes to Hypothesis' mind, and asks every oracle at the end.

All that it does are faults at places, so that a failing run is one line too, and is replayed by it.
"""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from torture.ending import judge_end
from torture.explore import Violation
from torture.faults import Fault, Kind, line_of
from torture.shop import SIGNALS, TARGETS
from torture.world import World

targets = st.sampled_from(sorted(TARGETS))
signals = st.sampled_from(sorted(SIGNALS))
replicas = st.sampled_from(["a", "b"])
edits_of_policies = st.sampled_from(
    [Kind.EDIT_POLICY, Kind.SUSPEND, Kind.RESUME, Kind.OBSERVE, Kind.ENFORCE, Kind.NEW_POLICY]
)
edits_of_targets = st.sampled_from([Kind.EDIT, Kind.OTHER, Kind.REVERT])
"""`edit` of the Deployment is what an autoscaler does, `revert` what a tool does that sets back what it finds."""

errors = st.sampled_from([Kind.NO_ANSWER, Kind.BUSY, Kind.CONFLICT, Kind.LOST])
deaths = st.sampled_from([Kind.CRASH, Kind.CRASH_AFTER, Kind.STOP])
stops = st.sampled_from([Kind.PAUSE, Kind.FREEZE])
news = st.sampled_from([Kind.TWICE, Kind.BACKWARDS, Kind.UNHEARD])
leases = st.sampled_from([Kind.LEASE_GONE, Kind.LEASE_GARBLED, Kind.LEASE_GRABBED])
calls = st.integers(1, 9)


class Unkept(AssertionError):
    """An oracle has found something; the message has the line that replays it."""


class Torture(RuleBasedStateMachine):
    """A world and two replicas; `runs` counts the machines that came to their end."""

    runs = 0

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.noting = False

    @initialize()
    def begin(self) -> None:
        """All is well at first."""
        self._strike(Kind.SIGNALS, "good")
        self.world.turn()

    @rule(count=st.integers(1, 4))
    def tick(self, count: int) -> None:
        """Time passes."""
        for _ in range(count):
            self.world.turn()

    @rule(name=signals, count=st.integers(1, 3))
    def measure(self, name: str, count: int) -> None:
        """Something good, bad or missing is measured for some intervals."""
        self._strike(Kind.SIGNALS, name)
        self.tick(count)

    @rule(kind=edits_of_targets, about=targets, call=calls)
    def edit(self, kind: Kind, about: str, call: int) -> None:
        """A person, an autoscaler or a tool edits a target."""
        self._strike(kind, about, call)

    @rule(about=targets, call=calls)
    def delete(self, about: str, call: int) -> None:
        """A target is deleted."""
        self._strike(Kind.DELETE, about, call)

    @rule(about=targets, call=calls)
    def make_anew(self, about: str, call: int) -> None:
        """A target is made, or made again."""
        self._strike(Kind.ANEW, about, call)

    @rule(kind=edits_of_policies, call=calls)
    def edit_policy(self, kind: Kind, call: int) -> None:
        """The policy is edited."""
        self._strike(kind, call=call)

    @rule(call=calls)
    def delete_policy(self, call: int) -> None:
        """The policy is deleted."""
        self._strike(Kind.DELETE_POLICY, call=call)

    @rule(kind=errors, call=calls)
    def fail(self, kind: Kind, call: int) -> None:
        """One of the next calls fails."""
        self._strike(kind, call=call)

    @rule(kind=deaths, call=calls)
    def die(self, kind: Kind, call: int) -> None:
        """A replica dies, or is told to end, at one of the next calls; it starts again."""
        self._strike(kind, call=call)

    @rule(name=replicas)
    def kill(self, name: str) -> None:
        """A replica dies between two turns, and starts again."""
        self._strike(Kind.KILL, name)

    @rule(kind=stops, call=calls)
    def pause(self, kind: Kind, call: int) -> None:
        """A replica is stopped at one of the next calls."""
        self._strike(kind, call=call)

    @rule(call=calls)
    def wake(self, call: int) -> None:
        """Who is stopped goes on."""
        self._strike(Kind.WAKE, call=call)

    @rule(kind=leases)
    def take_the_lease(self, kind: Kind) -> None:
        """Somebody lays hands on the Lease."""
        self._strike(kind)

    @rule(kind=news)
    def garble_news(self, kind: Kind) -> None:
        """What a watch brings in the next turn is lost, comes twice, or in the wrong order."""
        self._strike(kind)

    @rule(about=targets, call=calls)
    def read_stale(self, about: str, call: int) -> None:
        """One of the next reads gives an older version."""
        self._strike(Kind.STALE, about, call)

    def teardown(self) -> None:
        """Nothing strikes any more: all must come to rest as others have left it."""
        world = self.world
        while world.met < len(world.schedule):
            world.turn()
        self._strike(Kind.SETTLE)
        while world.advance():
            world.turn()
        judge_end(world)
        Torture.runs += 1
        found = [Violation(v.oracle, line_of(world.schedule), v.text) for v in world.violations]
        if found:
            raise Unkept(str(found[0]))

    def _strike(self, kind: Kind, about: str = "", call: int = 0) -> None:
        """Puts a fault at a place from now on; those of one place keep their order."""
        world = self.world
        met, due = world.schedule[: world.met], world.schedule[world.met :]
        fault = Fault(world.place + call, kind, about)
        world.schedule = (*met, *sorted((*due, fault), key=lambda found: found.place))
