"""Faults, each at a place, and the line that names a schedule of them: `12:crash 31:edit=Service/shop`.

Places are numbers: every turn of the world and every call of a process counts one, in the order in which they come.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from torture.shop import TARGETS


class Kind(StrEnum):
    """What may go wrong at a place."""

    CRASH = "crash"
    """The process dies before the call; another replica takes over."""
    CRASH_AFTER = "crash-after"
    """It dies right after the call's effect."""
    NO_ANSWER = "500"
    """No effect, and no answer that says so."""
    BUSY = "429"
    """Refused without effect."""
    CONFLICT = "409"
    """Refused without effect, as if somebody had been faster."""
    LOST = "lost"
    """The effect, but the reply is lost."""
    STALE = "stale"
    """A read gives an older version of an object."""
    PAUSE = "pause"
    """The process is stopped with the call in flight, and goes on after its successor's first turn."""
    FREEZE = "freeze"
    """The same, until everything is over."""
    WAKE = "wake"
    """Who is stopped goes on right now."""
    STOP = "stop"
    """SIGTERM: the turn is cancelled at this call, and the lease is released."""
    EDIT = "edit"
    """Somebody sets the field of a target that we hold or are about to."""
    OTHER = "other"
    """Somebody sets another field of a target."""
    ANEW = "anew"
    """A target is deleted and made again."""
    EDIT_POLICY = "edit-policy"
    """A level is renamed, and a target taken out of it."""
    DELETE_POLICY = "delete-policy"
    """The policy is deleted."""
    BACKUP = "backup"
    """The policy is put back from a backup: its status is as it was some versions ago."""
    LEASE_GONE = "lease-gone"
    """The Lease is deleted."""
    LEASE_GARBLED = "lease-garbled"
    """The Lease's spec is rubbish."""
    LEASE_GRABBED = "lease-grabbed"
    """Somebody writes another holder into the Lease by hand."""
    UNHEARD = "unheard"
    """The events of a watch are lost."""
    TWICE = "twice"
    """They come twice, older ones after newer ones."""
    BACKWARDS = "backwards"
    """They come in the wrong order."""
    SIGNALS = "signals"
    """From now on something else is measured; with it a schedule leaves the episode, and goes its own way."""
    REVERT = "revert"
    """A tool sets the field of a target back to what its manifest says."""
    DELETE = "delete"
    """A target is deleted."""
    NEW_POLICY = "new-policy"
    """The policy is made, where there is none."""
    SUSPEND = "suspend"
    """A person suspends the policy."""
    RESUME = "resume"
    """And lets it go on."""
    OBSERVE = "observe"
    """The policy only observes."""
    ENFORCE = "enforce"
    """And acts again."""
    KILL = "kill"
    """A replica dies between two turns."""
    SETTLE = "settle"
    """Nothing more strikes: all that is measured is well, nobody is stopped, no policy is held back."""


_STRIKING = frozenset(
    {
        Kind.CRASH,
        Kind.CRASH_AFTER,
        Kind.NO_ANSWER,
        Kind.BUSY,
        Kind.CONFLICT,
        Kind.LOST,
        Kind.STALE,
        Kind.PAUSE,
        Kind.FREEZE,
        Kind.STOP,
        Kind.UNHEARD,
        Kind.TWICE,
        Kind.BACKWARDS,
    }
)
"""What strikes the call or the turn itself."""

ACTS = frozenset(Kind) - _STRIKING
"""What others do right before a call, which then goes on as it would."""


OF_POLICIES = frozenset(
    {
        Kind.EDIT_POLICY,
        Kind.DELETE_POLICY,
        Kind.NEW_POLICY,
        Kind.BACKUP,
        Kind.SUSPEND,
        Kind.OBSERVE,
    }
)
"""What makes a policy another one than the episode's."""

ALONE = frozenset(
    {
        Kind.BUSY,
        Kind.FREEZE,
        Kind.STOP,
        Kind.BACKUP,
        Kind.LEASE_GONE,
        Kind.LEASE_GARBLED,
        Kind.LEASE_GRABBED,
        Kind.UNHEARD,
        Kind.BACKWARDS,
    }
)
"""In CI these are explored by themselves: what they do to one leadership a crash or a pause does too, to what is heard
what an event that comes twice does, and a 429 does what a 500 does. `make torture` puts them with others as well."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault at one place; `about` names an object or a number of versions."""

    place: int
    kind: Kind
    about: str = ""

    def __str__(self) -> str:
        return f"{self.place}:{self.kind}" + (f"={self.about}" if self.about else "")


Schedule = tuple[Fault, ...]


def line_of(schedule: Schedule) -> str:
    """The one line that replays a schedule."""
    return " ".join(map(str, schedule)) or "none"


def parse(line: str) -> Schedule:
    """The schedule of a line. Raises ValueError."""
    faults = []
    for word in line.split() if line.strip() != "none" else []:
        place, _, rest = word.partition(":")
        kind, _, about = rest.partition("=")
        faults.append(Fault(int(place), Kind(kind), about))
    return tuple(faults)


@dataclass(frozen=True, slots=True)
class Call:
    """A place that was passed: `verb` is turn, read, patch, store, finalizer or load.

    `touched` are the targets that the call is about, `older` those of which an older version could be read. `heard`
    says that news of a policy wait in the turn, `stopped` that a process stands still, `versions` how often we had
    written a policy by that turn.
    """

    place: int
    verb: str
    touched: tuple[str, ...] = ()
    older: tuple[str, ...] = ()
    follows_write: bool = False
    heard: bool = False
    stopped: bool = False
    versions: int = 0


WRITES = ("patch", "store", "finalizer")
_STRIKES = {
    "read": (Kind.CRASH, Kind.NO_ANSWER, Kind.BUSY),
    "load": (Kind.CRASH, Kind.NO_ANSWER),
    **dict.fromkeys(
        WRITES,
        (
            Kind.CRASH,
            Kind.CRASH_AFTER,
            Kind.NO_ANSWER,
            Kind.BUSY,
            Kind.CONFLICT,
            Kind.LOST,
            Kind.PAUSE,
            Kind.STOP,
        ),
    ),
}
_OF_A_TURN = (Kind.LEASE_GONE, Kind.LEASE_GARBLED, Kind.LEASE_GRABBED)
_OF_NEWS = (Kind.UNHEARD, Kind.TWICE, Kind.BACKWARDS)
_BACKUPS = (1, 3)
"""How many versions ago the backups were made."""


def faults_at(call: Call) -> Iterator[Fault]:
    """Every fault that can strike at a place.

    What others do to an object is put right before each call about that very object: anywhere else it would change
    nothing that anybody sees before then. A crash before a call is the crash after the write before it,
    and another field's edit before a read is as if it had been so for ever.
    """
    for kind in _STRIKES.get(call.verb, ()):
        if kind is not Kind.CRASH or not call.follows_write:
            yield Fault(call.place, kind)
    if call.verb == "patch":
        yield Fault(call.place, Kind.FREEZE)
    for about in call.older:
        yield Fault(call.place, Kind.STALE, about)
    for about in call.touched:
        if about in TARGETS:
            for kind in (Kind.EDIT, Kind.ANEW, *((Kind.OTHER,) if call.verb == "patch" else ())):
                yield Fault(call.place, kind, about)
    if call.verb in ("turn", "store", "finalizer"):
        yield Fault(call.place, Kind.EDIT_POLICY)
        yield Fault(call.place, Kind.DELETE_POLICY)
    if call.verb == "turn":
        for kind in _OF_A_TURN:
            yield Fault(call.place, kind)
        for back in _BACKUPS:
            if call.versions >= back:
                yield Fault(call.place, Kind.BACKUP, str(back))
        if call.heard:
            for kind in _OF_NEWS:
                yield Fault(call.place, kind)
    if call.stopped and call.verb != "load":
        yield Fault(call.place, Kind.WAKE)
