"""Prometheus as an observer: a whole batch of questions in as few requests as possible, and no trust in answers.

Presets of the same kind become one grouped query; free-form ones are joined fifty to a query, each row marked
with its number, and a query that spoils its batch is found by halving and then asked alone, rarely. Every
question gets an observation; none of it raises.
"""

import asyncio
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from prometheus_api_client import PrometheusApiClientException, PrometheusConnect

from stepdown.adapters.prometheus_session import GuardedSession, Untrusted
from stepdown.api.endpoint import EndpointSpec
from stepdown.engine import promql
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.presets import grouped
from stepdown.engine.questions import PresetQuestion, PromqlQuestion

PrometheusQuestion = PromqlQuestion | PresetQuestion
JOIN_MAX = 50
TARGETS_MAX = 100
FUTURE_SECONDS = 30.0
QUARANTINE_SECONDS = 300.0
MARK = "stepdown_query"


class Failed(Exception):
    """A query without a usable answer. `bad_query` says that another query could fare better."""

    def __init__(self, message: str, *, bad_query: bool = False) -> None:
        super().__init__("".join(c if c.isprintable() else " " for c in message)[:200])
        self.bad_query = bad_query


class Answer:
    """Rows of (labels, value) with whether Prometheus warned about them."""

    def __init__(self, rows: list[tuple[dict[str, str], float]], *, warned: bool) -> None:
        self.rows = rows
        self.warned = warned


class Connection(PrometheusConnect):  # type: ignore[misc]
    """The client where it hides what we need: warnings and the type of the result."""

    def __init__(self, endpoint: EndpointSpec, session: GuardedSession, on_request: Callable[[], None]) -> None:
        super().__init__(url=endpoint.url.rstrip("/"), session=session)
        self._limit = endpoint.limits.series
        self._seconds = endpoint.timeout
        self._on_request = on_request
        self._payload: Any = None

    def ask(self, query: str, at: float | None = None) -> Answer:
        """An instant query. Raises Failed."""
        params = {"timeout": f"{self._seconds:g}s", "limit": str(self._limit)}
        if at is not None:
            params["time"] = f"{at:.3f}"
        return self.read(self.payload("query", {**params, "query": query}), "vector")

    def payload(self, kind: str, params: dict[str, str]) -> Any:
        """The JSON of an answer, whatever it says. Raises Failed."""
        self._on_request()
        try:
            response = self._session.request(
                "GET", f"{self.url}/api/v1/{kind}", params=params, headers=dict(self.headers or {})
            )
        except Untrusted as error:
            raise Failed(str(error)) from None
        except requests.Timeout:
            raise Failed(f"no answer within {self._seconds:g} s") from None
        except (requests.RequestException, OSError, PrometheusApiClientException) as error:
            raise Failed(f"no connection ({type(error).__name__})") from None
        try:
            payload = response.json()
        except ValueError:
            raise Failed(f"its answer ({response.status_code}) isn't JSON: is the URL a Prometheus?") from None
        if not isinstance(payload, dict) or payload.get("status") != "success" or response.status_code != 200:
            error = payload.get("error") if isinstance(payload, dict) else None
            kind_of = payload.get("errorType") if isinstance(payload, dict) else None
            bad = response.status_code in (400, 422) and kind_of in ("bad_data", "execution")
            raise Failed(f"{response.status_code}: {error or 'an error without a message'}", bad_query=bad)
        return payload

    @staticmethod
    def read(payload: Any, wanted: str) -> Answer:
        """The rows of an instant answer. Raises Failed for any other shape."""
        data = payload.get("data")
        if not isinstance(data, dict) or data.get("resultType") != wanted or not isinstance(data.get("result"), list):
            raise Failed("its answer has another type than asked for", bad_query=True)
        rows = []
        for row in data["result"]:
            try:
                labels = {str(k): str(v) for k, v in row["metric"].items()}
                rows.append((labels, float(row["value"][1])))
            except (KeyError, TypeError, ValueError, IndexError, AttributeError):
                raise Failed("its answer has rows of an unknown shape") from None
        return Answer(rows, warned=bool(payload.get("warnings")))


def _uncounted() -> None:
    return None


class PrometheusObserver:
    """Answers PromqlQuestion and PresetQuestion of one endpoint."""

    def __init__(
        self,
        endpoint: EndpointSpec,
        *,
        token: str | None = None,
        basic: tuple[str, str] | None = None,
        refused: Sequence[str] = (),
        on_request: Callable[[], None] = _uncounted,
    ) -> None:
        session = GuardedSession(endpoint, token=token, basic=basic, refused=refused)
        self._connection = Connection(endpoint, session, on_request)
        self._threads = ThreadPoolExecutor(endpoint.limits.concurrent_queries, thread_name_prefix="prometheus")
        self._session = session
        self._seconds = endpoint.timeout
        self._quarantined: dict[str, tuple[float, str]] = {}

    def close(self) -> None:
        """Lets go of connections and threads; what is under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    async def observe(
        self, questions: Collection[PrometheusQuestion], at: float
    ) -> Mapping[PrometheusQuestion, Observation]:
        """One observation per question; `at` is now, in seconds since the epoch."""
        presets: dict[tuple[Any, ...], list[PresetQuestion]] = {}
        free: list[PromqlQuestion] = []
        for question in dict.fromkeys(questions):
            if isinstance(question, PresetQuestion):
                key = (question.preset, question.window, question.quantile)
                presets.setdefault(key, []).append(question)
            else:
                free.append(question)
        groups = [g[i : i + TARGETS_MAX] for g in presets.values() for i in range(0, len(g), TARGETS_MAX)]
        parts = await asyncio.gather(
            *(self._presets(group, at) for group in groups),
            *(self._free(free[i : i + JOIN_MAX // 2], at) for i in range(0, len(free), JOIN_MAX // 2)),
        )
        return {question: seen for part in parts for question, seen in part.items()}

    async def _ask(self, query: str) -> Answer | Failed:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(2 * self._seconds + 1):
                return await loop.run_in_executor(self._threads, self._connection.ask, query)
        except Failed as error:
            return error
        except TimeoutError:
            return Failed(f"no answer within {self._seconds:g} s")

    async def _presets(self, group: list[PresetQuestion], at: float) -> dict[PrometheusQuestion, Observation]:
        first = group[0]
        queries = grouped(first.preset, [(q.namespace, q.target) for q in group], first.window, first.quantile)
        asked = [queries.value, queries.freshness, *([queries.volume] if queries.volume else [])]
        answers = await asyncio.gather(*(self._ask(query) for query in asked))
        value, freshness = answers[0], answers[1]
        volume = answers[2] if len(answers) > 2 else None
        result: dict[PrometheusQuestion, Observation] = {}
        for question in group:
            pick = _picker(queries.labels, (question.namespace, question.target))
            sampled = _newest(freshness, pick)
            seen = judge(value, pick, sampled, question, at)
            if isinstance(volume, Failed):
                seen = Observation(missing=Missing.ERROR, detail=str(volume))
            elif volume is not None and sampled is not None:
                seen = _with_volume(seen, volume, pick, question)
            result[question] = seen
        return result

    async def _free(self, batch: list[PromqlQuestion], at: float) -> dict[PrometheusQuestion, Observation]:
        result: dict[PrometheusQuestion, Observation] = {}
        now = time.monotonic()
        asked = []
        for question in batch:
            wrong = promql.check(question.promql)
            kept = self._quarantined.get(question.promql)
            if wrong is not None:
                result[question] = Observation(missing=Missing.ERROR, detail=wrong[:200])
            elif kept is not None and now < kept[0]:
                result[question] = Observation(missing=Missing.ERROR, detail=kept[1])
            else:
                asked.append(question)
        if asked:
            result |= await self._joined(asked, at)
        return result

    async def _joined(self, batch: list[PromqlQuestion], at: float) -> dict[PrometheusQuestion, Observation]:
        answer = await self._ask(join(batch))
        if isinstance(answer, Failed) and answer.bad_query:
            if len(batch) == 1:
                until = time.monotonic() + QUARANTINE_SECONDS
                self._quarantined[batch[0].promql] = (until, str(answer))
                return {batch[0]: Observation(missing=Missing.ERROR, detail=str(answer))}
            half = len(batch) // 2
            parts = await asyncio.gather(self._joined(batch[:half], at), self._joined(batch[half:], at))
            return parts[0] | parts[1]
        result: dict[PrometheusQuestion, Observation] = {}
        for number, question in enumerate(batch):
            fresh = [_newest(answer, _picker((MARK,), (mark,))) for mark in freshness_marks(number, question)]
            known = [seconds for seconds in fresh if seconds is not None]
            result[question] = judge(answer, _picker((MARK,), (str(number),)), min(known, default=None), question, at)
        return result


def join(batch: Sequence[PromqlQuestion]) -> str:
    """One query for a batch: each value marked with its number, each selector's newest sample with number and place."""
    parts = []
    for number, question in enumerate(batch):
        text = f"vector({question.promql})" if promql.is_scalar(question.promql) else question.promql
        parts.append(_marked(text, str(number)))
        for mark, selector in zip(freshness_marks(number, question), promql.selectors(question.promql), strict=True):
            parts.append(_marked(f"max(timestamp({selector}))", mark))
    return " or ".join(parts)


def freshness_marks(number: int, question: PromqlQuestion) -> list[str]:
    """The marks of a question's selectors."""
    return [f"{number}/{place}" for place in range(len(promql.selectors(question.promql)))]


def _marked(text: str, mark: str) -> str:
    return f'label_replace(({text}\n), "{MARK}", "{mark}", "", "")'


Pick = Callable[[dict[str, str]], bool]


def _picker(names: tuple[str, ...], values: tuple[str, ...]) -> Pick:
    return lambda labels: all(labels.get(n) == v for n, v in zip(names, values, strict=True))


def _newest(answer: Answer | Failed, pick: Pick) -> float | None:
    if isinstance(answer, Failed):
        return None
    times = [value for labels, value in answer.rows if pick(labels) and math.isfinite(value)]
    return max(times, default=None)


def judge(
    answer: Answer | Failed, pick: Pick, sampled: float | None, question: PrometheusQuestion, at: float
) -> Observation:
    """What an answer says about one question: one finite, fresh number, or why there is none."""
    if isinstance(answer, Failed):
        return Observation(missing=Missing.ERROR, detail=str(answer))
    values = [value for labels, value in answer.rows if pick(labels)]
    if answer.warned and not question.allow_partial:
        return Observation(missing=Missing.PARTIAL, detail="Prometheus warns that its answer is partial")
    if sampled is not None and sampled - at > FUTURE_SECONDS:
        return Observation(missing=Missing.ERROR, detail=f"its newest sample is {sampled - at:.0f} s in the future")
    if sampled is not None and at - sampled > question.stale_after:
        return Observation(missing=Missing.STALE, detail=f"newest sample {at - sampled:.0f} s old")
    if not values:
        return Observation(missing=Missing.EMPTY, sampled=sampled, detail="no series")
    if len(values) > 1:
        return Observation(missing=Missing.NOT_SCALAR, sampled=sampled, detail=f"{len(values)} series, needs 1")
    if not math.isfinite(values[0]):
        return Observation(missing=Missing.NOT_FINITE, sampled=sampled, detail=str(values[0]))
    return Observation(value=values[0], sampled=sampled)


def _with_volume(seen: Observation, volume: Answer | Failed, pick: Pick, question: PresetQuestion) -> Observation:
    """An HTTP preset without requests is missing because there are too few, whatever its ratio came to."""
    if seen.missing not in (None, Missing.NOT_FINITE) or isinstance(volume, Failed):
        return seen
    rates = [value for labels, value in volume.rows if pick(labels) and math.isfinite(value)]
    rate = rates[0] if len(rates) == 1 else 0.0
    if rate <= 0 or rate < (question.min_rate or 0):
        need = f"needs {question.min_rate:g}" if question.min_rate else "needs some"
        return Observation(missing=Missing.TOO_FEW, sampled=seen.sampled, detail=f"{rate:.3g} requests/s, {need}")
    return seen
