"""Prometheus as an observer: a whole batch of questions in as few requests as possible, and no trust in answers.

Presets of the same kind become one grouped query; free expressions are joined, each with its selectors' newest
samples beside it, for a value without its age may be five minutes old. The server's own present is asked for, not
ours: a clock that differs would shift every window. Every question gets an observation; nothing is raised.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from stepdown.adapters.prometheus_batches import Batches, Outcome
from stepdown.adapters.prometheus_client import Client
from stepdown.api.endpoint import EndpointSpec
from stepdown.engine import promql
from stepdown.engine.forms import (
    Form,
    Grouped,
    Item,
    Joined,
    Part,
    newest_of,
    presence_of,
    value_of,
)
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.presets import Target
from stepdown.engine.questions import PresetQuestion, PromqlQuestion
from stepdown.engine.readings import Evidence, Reading, judge

PrometheusQuestion = PromqlQuestion | PresetQuestion

TURN_TIMEOUTS = 2
"""How many of the endpoint's time-outs a whole batch may take."""

VANISHED_SECONDS = 300.0
"""How long a series that has ended is missed while other selectors of its query go on."""

JOINED = Joined()

_log = logging.getLogger(__name__)

Get = Callable[[Form, Item], Reading]
"""What was read for an item, at the time in question."""


@dataclass(slots=True)
class Asked:
    """What a batch of questions comes down to: items to read by form, and questions that are refused unasked."""

    questions: list[PrometheusQuestion] = field(default_factory=list)
    items: dict[Form, list[Item]] = field(default_factory=dict)
    refused: dict[PrometheusQuestion, Observation] = field(default_factory=dict)

    @classmethod
    def of(cls, questions: Collection[PrometheusQuestion], joined: Joined = JOINED) -> "Asked":
        """Of questions. Neighbours in a batch are of one namespace where possible: what fails, fails at home."""
        asked = cls()
        free: list[Item] = []
        targets: dict[tuple[Form, ...], list[Item]] = {}
        for question in sorted(dict.fromkeys(questions), key=_home):
            wrong = _refusal(question) if isinstance(question, PromqlQuestion) else None
            if wrong is not None:
                asked.refused[question] = wrong
                continue
            asked.questions.append(question)
            if isinstance(question, PromqlQuestion):
                free += [value_of(question.promql), *map(newest_of, _selectors(question))]
            else:
                targets.setdefault(_forms(question), []).append(_target(question))
        if free:
            asked.items[joined] = free
        for forms, named in targets.items():
            asked.items |= dict.fromkeys(forms, named)
        return asked

    def suspects(self, get: Get, joined: Joined = JOINED) -> list[Item]:
        """Items that tell whether selectors of the past without a present have ended, to be read next."""
        found: dict[Item, None] = {}
        for question in self.questions:
            if isinstance(question, PromqlQuestion) and get(joined, value_of(question.promql)).values:
                found |= dict.fromkeys(presence for _, presence in _suspects(question, get, joined))
        return list(found)

    def observe(self, question: PrometheusQuestion, at: float, get: Get, joined: Joined = JOINED) -> Observation:
        """The observation of one of the questions."""
        if question in self.refused:
            return self.refused[question]
        if isinstance(question, PromqlQuestion):
            value = get(joined, value_of(question.promql))
            newest = tuple(get(joined, newest_of(selector)) for selector in _selectors(question))
            vanished = ""
            if value.values:
                ended = [s for s, presence in _suspects(question, get, joined) if get(joined, presence).values]
                vanished = ended[0].metric if ended else ""
            return judge(question, Evidence(value, newest, vanished=vanished), at)
        target = _target(question)
        value, freshness, *volume = (get(form, target) for form in _forms(question))
        vanished = "its metric" if value.values and not freshness.values else ""
        return judge(question, Evidence(value, (freshness,), volume[0] if volume else None, vanished), at)


class PrometheusObserver:
    """Answers the PromqlQuestions and PresetQuestions of one endpoint.

    `token` or `basic` (user, password) are sent to it; `refused` are addresses that are never connected to (the API
    server's). `on_request` is called, in some thread, for each HTTP request. Raises ValueError for an endpoint
    whose addresses, certificates or credentials can't be used.
    """

    def __init__(
        self,
        endpoint: EndpointSpec,
        *,
        token: str | None = None,
        basic: tuple[str, str] | None = None,
        refused: Sequence[str] = (),
        on_request: Callable[[], None] = lambda: None,
    ) -> None:
        self.endpoint = endpoint
        self.client = Client(endpoint, on_request, token=token, basic=basic, refused=refused)
        self._batches = Batches(self.client.instant, endpoint.limits.concurrent_queries, endpoint.timeout)

    def close(self) -> None:
        """Lets go of connections and threads; what is under way is not waited for."""
        self._batches.close()
        self.client.close()

    async def observe(
        self, questions: Collection[PrometheusQuestion], at: float
    ) -> Mapping[PrometheusQuestion, Observation]:
        """One observation per question; `at` is now, in seconds since the epoch."""
        try:
            return await self._observe(questions, at)
        except Exception as error:
            _log.exception("observing failed")
            unexpected = Observation(missing=Missing.ERROR, detail=f"unexpected {type(error).__name__}, see the log")
            return dict.fromkeys(questions, unexpected)

    async def _observe(
        self, questions: Collection[PrometheusQuestion], at: float
    ) -> dict[PrometheusQuestion, Observation]:
        asked = Asked.of(questions)
        turn = self._batches.turn(TURN_TIMEOUTS * self.endpoint.timeout)
        outcomes: dict[Form, Mapping[Item, Outcome]] = {}

        def get(form: Form, item: Item) -> Reading:
            outcome = outcomes[form][item]
            values = tuple(value for row in outcome.rows for _, value in row)
            return Reading(values, outcome.failure, outcome.detail, outcome.warning)

        reads = (self._batches.read(form, items, turn) for form, items in asked.items.items())
        outcomes |= zip(asked.items, await asyncio.gather(*reads), strict=True)
        if suspects := asked.suspects(get):
            outcomes[JOINED] = {**outcomes[JOINED], **await self._batches.read(JOINED, suspects, turn)}
        return {question: asked.observe(question, at, get) for question in dict.fromkeys(questions)}


def _home(question: PrometheusQuestion) -> tuple[str, str]:
    return question.namespace, question.target if isinstance(question, PresetQuestion) else ""


def _refusal(question: PromqlQuestion) -> Observation | None:
    """The observation of a query that isn't asked: wrong, or with an answer that can't be a number."""
    wrong = promql.check(question.promql)
    if wrong is None:
        return None
    try:
        promql.analyse(question.promql)
    except promql.Malformed:
        return Observation(missing=Missing.ERROR, detail=wrong)
    return Observation(missing=Missing.NOT_SCALAR, detail=wrong)


def _selectors(question: PromqlQuestion) -> tuple[promql.Selector, ...]:
    return promql.analyse(question.promql).selectors


def _suspects(question: PromqlQuestion, get: Get, joined: Joined) -> list[tuple[promql.Selector, str]]:
    """Selectors of the past that have no present, each with the item that tells whether they have ended.

    A selector that never had series is not suspect: `… or vector(0)` means what it says. Nor is one whose metric
    goes on in another selector of the query: a restarted pod has no 5xx until the first one.
    """
    alive: list[promql.Selector] = []
    absent: list[promql.Selector] = []
    for selector in _selectors(question):
        (alive if get(joined, newest_of(selector)).values else absent).append(selector)
    metrics = {selector.metric for selector in alive}
    longest = VANISHED_SECONDS if alive else float("inf")
    return [
        (selector, presence_of(selector, longest))
        for selector in absent
        if selector.window is not None and selector.metric not in metrics
    ]


def _forms(question: PresetQuestion) -> tuple[Form, ...]:
    """Value, freshness and, where there is one, volume."""
    parts: list[Part] = ["value", "freshness"]
    if question.preset.value.startswith("http-"):
        parts.append("volume")
    return tuple(Grouped(question.preset, question.window, question.quantile, part) for part in parts)


def _target(question: PresetQuestion) -> Target:
    return question.namespace, question.target
