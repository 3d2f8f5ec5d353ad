"""What a tick brings along: the policy made ready, what is known of other policies, and what may be forgotten."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stepdown.actions.status_page import pages
from stepdown.api.policy import PolicySpec
from stepdown.api.status import HISTORY_MAX, EngineState, Entry, Transition
from stepdown.engine.ladder import Ladder, build_ladder
from stepdown.engine.questions import (
    PresetQuestion,
    ProbeQuestion,
    PromqlQuestion,
    Question,
    budget_questions,
    probe_question,
    signal_questions,
)
from stepdown.engine.reasons import Problem
from stepdown.ports import Event, Policy

Problems = tuple[tuple[Problem, str], ...]
"""What keeps a policy from doing its job, each with a sentence and its cure."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A valid spec made ready, once per edit; `problems` leave it running with some signals missing.

    `pages` are the places of the levels that show a status page, by the name of its Deployment.
    """

    spec: PolicySpec
    ladder: Ladder
    questions: Mapping[str, Question]
    problems: Problems = ()
    pages: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, namespace: str, spec: PolicySpec, problems: Problems = ()) -> "Prepared":
        """Of a valid spec."""
        places = {name: place for name, (place, _) in pages(spec).items()}
        return cls(spec, build_ladder(spec), signal_questions(namespace, spec), problems, places)

    @property
    def needs_endpoint(self) -> bool:
        """Whether anything is asked of Prometheus; the state of pods isn't."""
        return bool(self.spec.objectives) or any(
            isinstance(question, PromqlQuestion | PresetQuestion) for question in self.questions.values()
        )

    def probe_intervals(self, namespace: str) -> dict[ProbeQuestion, float]:
        """Seconds between two of each probe; the shortest where several levels ask the same."""
        intervals: dict[ProbeQuestion, float] = {}
        for level in self.spec.levels:
            if level.recover is not None and level.recover.probe is not None:
                for question in probe_question(namespace, self.spec, level).values():
                    if isinstance(question, ProbeQuestion):
                        seconds = level.recover.probe.interval
                        intervals[question] = min(seconds, intervals.get(question, seconds))
        return intervals


@dataclass(frozen=True, slots=True)
class Touches:
    """What pods were told of: fields held in ConfigMaps (name, path, applied, state), and those that were wanted."""

    held: frozenset[tuple[str, str, str | None, str]]
    wanted: frozenset[str]


VERIFY_SECONDS = 300.0
"""How often a policy at rest looks whether everything it names is still there."""

NO_TOUCHES = Touches(frozenset(), frozenset())
"""Of a policy without our finalizer: no pod carries our annotation for it."""


@dataclass(slots=True)
class Memory:
    """What may be forgotten on a restart: when we last looked, since when data is missing, what was wrong.

    `seen` is the engine's memory as last stored, and as it was after the last look, should that not be stored.
    `issues` and `rejected` are (problem, sentence, place of the level). `untold` are steps whose Event waits for the
    step to be stored. `touched` is None where it isn't known what pods carry, as `missing_since` is; `delays` say whose
    pods see flags late, as of a generation and a time, `untouchable` what was refused. `withheld` are restarts that
    didn't begin with the last step, `unrestarted` those that wait too, with why.
    """

    looked_at: float | None = None
    verified_at: float | None = None
    verified_generation: int = -1
    restoring_since: float | None = None
    is_claiming: bool = False
    seen: tuple[EngineState | None, EngineState] | None = None
    missing_since: dict[str, float] | None = None
    issues: list[tuple[Problem, str, int]] = field(default_factory=list)
    rejected: list[tuple[Problem, str, int]] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    untold: tuple[tuple[Transition, Event], ...] = ()
    touched: Touches | None = None
    untouchable: str = ""
    withheld: tuple[str, ...] = ()
    unrestarted: tuple[str, ...] = ()
    delays: tuple[str, ...] = ()
    delays_of: tuple[int, float] = (-1, float("-inf"))

    def latest(self, stored: EngineState | None) -> EngineState | None:
        """The engine's memory after the last look, which there may have been no way to store."""
        return self.seen[1] if self.seen is not None and self.seen[0] == stored else stored

    def tell_later(self, history: Sequence[Transition], event: Event) -> None:
        """Has the newest step told once it is stored, as those before it that may have been stored unheard."""
        others = [one for one in self.untold if one[0] != history[-1]]
        self.untold = (*others, (history[-1], event))[-HISTORY_MAX:]

    def must_verify(self, policy: Policy, now: float) -> bool:
        """Whether a policy at rest is to look whether everything that it names is still there."""
        return (
            self.verified_at is None
            or self.verified_generation != policy.generation
            or bool(self.issues)
            or now - self.verified_at >= VERIFY_SECONDS
        )


class Claims:
    """Which policy holds which field, over all policies: the second one gets Conflict."""

    def __init__(self) -> None:
        self._holders: dict[tuple[str, str], str] = {}
        self._held: dict[str, set[tuple[str, str]]] = {}

    def note(self, policy: str, entries: Iterable[Entry]) -> None:
        """Remembers what a policy (namespace/name) holds now, or is about to; nothing of one that holds nothing."""
        fields = {(entry.target.uid, entry.path) for entry in entries}
        for key in self._held.get(policy, set()) - fields:
            if self._holders.get(key) == policy:
                del self._holders[key]
        for key in fields:
            self._holders.setdefault(key, policy)
        if fields:
            self._held[policy] = fields
        else:
            self._held.pop(policy, None)

    def holder(self, uid: str, path: str) -> str | None:
        """The policy that holds a field."""
        return self._holders.get((uid, path))


def _place(policy: Policy) -> int:
    """The place on the ladder in a stored status, which another version may have written in another shape."""
    state = (policy.raw.get("status") or {}).get("state")
    place = state.get("index") if isinstance(state, dict) else None
    return place if isinstance(place, int) else 0


def questions(policy: Policy, prepared: Prepared, *, with_budgets: bool) -> dict[str, Question]:
    """Everything that a tick wants to know, by name: signals, the probes of the levels entered, error budgets."""
    asked = dict(prepared.questions)
    for level in prepared.spec.levels[1 : _place(policy) + 1]:
        asked.update(probe_question(policy.namespace, prepared.spec, level))
    if with_budgets:
        asked.update(budget_questions(policy.namespace, prepared.spec))
    return asked
