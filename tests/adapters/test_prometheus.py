"""What an observer says of Prometheus' answers, over HTTP."""

import asyncio
from typing import Any

import pytest

from adapters.hostile import NOW, Request, asking, document, error, items, oracle, vector
from stepdown.adapters.prometheus import PrometheusObserver
from stepdown.api.signals import Preset
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.questions import PresetQuestion, PromqlQuestion


def promql(text: str, **options: Any) -> PromqlQuestion:
    return PromqlQuestion("default", "shop", text, options.pop("stale_after", 60), **options)


def errors(service: str, namespace: str = "shop", **options: Any) -> PresetQuestion:
    return PresetQuestion("default", namespace, Preset.HTTP_ERROR_RATIO, service, "1m", 60, **options)


def observe(observer: PrometheusObserver, *questions: PromqlQuestion | PresetQuestion) -> list[Observation]:
    seen = asyncio.run(observer.observe(questions, NOW))
    return [seen[question] for question in questions]


def test_a_number_comes_with_the_time_of_its_newest_sample() -> None:
    with asking(oracle({"avg(load)": [0.25]})) as (observer, _):
        assert observe(observer, promql("avg(load)")) == [Observation(0.25, sampled=NOW - 5)]


@pytest.mark.row(25)
@pytest.mark.row(26)
@pytest.mark.row(27)
def test_every_way_of_not_being_one_number_is_told_apart() -> None:
    values = {"nothing": [], "many": [1, 2], "none": ["NaN"], "plus": ["+Inf"], "minus": ["-Inf"]}
    with asking(oracle({f"sum({name})": rows for name, rows in values.items()})) as (observer, _):
        questions = [promql(f"sum({name})") for name in values]
        seen = observe(observer, *questions, promql('"text"'), promql("x[5m]"), promql("sum(x"))
    assert [observation.missing for observation in seen] == [
        Missing.EMPTY,
        Missing.NOT_SCALAR,
        Missing.NOT_FINITE,
        Missing.NOT_FINITE,
        Missing.NOT_FINITE,
        Missing.NOT_SCALAR,
        Missing.NOT_SCALAR,
        Missing.ERROR,
    ]
    assert seen[-1].detail == "1:4: unclosed left parenthesis"


@pytest.mark.row(31)
def test_a_sample_that_only_the_lookback_keeps_alive_is_stale() -> None:
    with asking(oracle({}, newest=NOW - 61)) as (observer, _):
        assert observe(observer, promql("load"), promql("load", stale_after=90)) == [
            Observation(missing=Missing.STALE, sampled=NOW - 61, detail="newest sample 61s old"),
            Observation(1.0, sampled=NOW - 61),
        ]


@pytest.mark.row(31)
def test_a_rate_whose_series_have_ended_is_stale_even_beside_a_fresh_one() -> None:
    values = {"timestamp(gone": [], "present_over_time(gone": [1]}
    with asking(oracle(values)) as (observer, _):
        seen = observe(observer, promql("rate(gone[1m])"), promql("rate(here[1m]) / rate(gone[1m])"))
    assert seen == [
        Observation(missing=Missing.STALE, detail="gone is no longer there"),
        Observation(missing=Missing.STALE, sampled=NOW - 5, detail="gone is no longer there"),
    ]


def test_a_default_in_the_query_is_taken_at_its_word_where_there_never_were_series() -> None:
    with asking(oracle({"timestamp(": []})) as (observer, _):
        seen = observe(observer, promql("sum(rate(never[1m])) or vector(0)"), promql("absent(never)"))
    assert seen == [Observation(1.0), Observation(1.0)]


def test_errors_that_have_ended_with_their_pod_are_no_end_of_the_metric() -> None:
    values = {'timestamp(x{code=~"5.."})': [], "present_over_time": [1]}
    query = 'sum(rate(x{code=~"5.."}[1m])) / sum(rate(x[1m]))'
    with asking(oracle(values)) as (observer, server):
        assert observe(observer, promql(query)) == [Observation(1.0, sampled=NOW - 5)]
        assert len(server.requests) == 1


@pytest.mark.row(33)
def test_a_sample_from_the_future_is_refused() -> None:
    with asking(oracle({}, newest=NOW + 31)) as (observer, _):
        assert observe(observer, promql("load")) == [
            Observation(missing=Missing.ERROR, detail="its newest sample is 31s in the future")
        ]


@pytest.mark.row(29)
def test_warnings_make_an_answer_partial_and_infos_do_not() -> None:
    def answer(request: Request) -> bytes:
        (text,) = [text for text in items(request.query).values() if "topk" in text]
        rows: list[Any] = [
            ({"stepdown_query": mark}, 1 if "topk" in t else NOW) for mark, t in items(request.query).items()
        ]
        if "noted" in text:
            return vector(rows, infos=["PromQL info: odd name"], warnings=["PromQL info: of an old server"])
        return vector(rows, warnings=["no answer from store 2\n\x1b[31m"])

    with asking(answer) as (observer, _):
        assert observe(observer, promql("noted")) == [Observation(1.0, sampled=NOW)]
        assert observe(observer, promql("partial")) == [
            Observation(missing=Missing.PARTIAL, detail="no answer from store 2  [31m")
        ]
        assert observe(observer, promql("partial", allow_partial=True)) == [Observation(1.0, sampled=NOW)]


@pytest.mark.row(29)
@pytest.mark.parametrize("warning", ["", " ", "\u202e\n"])
def test_a_warning_without_words_is_one_too(warning: str) -> None:
    with asking(lambda _: vector([({"stepdown_query": "0"}, 1)], warnings=[warning])) as (observer, _):
        assert observe(observer, promql("load")) == [
            Observation(missing=Missing.PARTIAL, detail="a warning without words")
        ]


@pytest.mark.row(28)
@pytest.mark.parametrize(
    ("data", "missing", "detail"),
    [
        ({"resultType": "string", "result": [NOW, "1"]}, Missing.NOT_SCALAR, "its answer is of type string"),
        ({"resultType": "scalar", "result": [NOW, "1"]}, Missing.NOT_SCALAR, "its answer is of type scalar"),
        ({"resultType": "matrix", "result": []}, Missing.NOT_SCALAR, "its answer is of type matrix"),
        ({"resultType": "vector"}, Missing.ERROR, "its answer has no result"),
        ([], Missing.ERROR, "its answer has no result"),
        (None, Missing.ERROR, "its answer has no result"),
    ],
)
def test_an_answer_of_another_type_is_no_number(data: Any, missing: Missing, detail: str) -> None:
    with asking(lambda _: document(data)) as (observer, _):
        assert observe(observer, promql("load")) == [Observation(missing=missing, detail=detail)]


@pytest.mark.row(28)
@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        "row",
        {},
        {"metric": {}},
        {"metric": [], "value": [NOW, "1"]},
        {"metric": {"a": 1}, "value": [NOW, "1"]},
        {"metric": {}, "value": "12"},
        {"metric": {}, "value": [NOW]},
        {"metric": {}, "value": [NOW, 1]},
        {"metric": {}, "value": [NOW, "1_0"]},
        {"metric": {}, "value": [NOW, "0x10"]},
        {"metric": {}, "value": [NOW, ""]},
        {"metric": {}, "value": ["1", "1"]},
        {"metric": {}, "value": [True, "1"]},
        {"metric": {}, "value": [10**400, "1"]},
        {"metric": {}, "histogram": [NOW, {}]},
    ],
)
def test_a_row_of_another_shape_is_an_error(row: Any) -> None:
    with asking(lambda _: document({"resultType": "vector", "result": [row]})) as (observer, _):
        (seen,) = observe(observer, promql("load"))
    assert seen.missing is Missing.ERROR
    assert seen.detail.startswith("its answer has rows of another shape (")


def preset_rows(request: Request, rates: dict[tuple[str, str], tuple[float, float]]) -> bytes:
    """Ratio and rate of requests by namespace and service."""
    freshness, value = "timestamp(" in request.query, " / " in request.query
    rows: list[Any] = []
    for (namespace, service), (ratio, rate) in rates.items():
        number = NOW - 3 if freshness else ratio if value else rate
        rows.append(({"namespace": namespace, "service": service}, number))
    return vector(rows)


@pytest.mark.row(25)
def test_presets_of_many_services_are_asked_together_and_told_apart() -> None:
    rates = {
        ("shop", "cart"): (0.0, 10.0),
        ("shop", "pay"): (0.5, 3.0),
        ("shop", "idle"): (0.0, 0.0),
        ("blog", "cart"): (0.9, 1.0),
        ("other", "pay"): (1.0, 1.0),
    }
    questions = [
        errors("cart"),
        errors("pay"),
        errors("pay", min_rate=4),
        errors("idle"),
        errors("cart", namespace="blog"),
        errors("unknown"),
    ]
    with asking(lambda request: preset_rows(request, rates)) as (observer, server):
        seen = observe(observer, *questions)
        assert len(server.requests) == 3
    assert seen == [
        Observation(0.0, sampled=NOW - 3),
        Observation(0.5, sampled=NOW - 3),
        Observation(missing=Missing.TOO_FEW, sampled=NOW - 3, detail="3 requests/s, minRate is 4"),
        Observation(missing=Missing.TOO_FEW, sampled=NOW - 3, detail="no requests"),
        Observation(0.9, sampled=NOW - 3),
        Observation(missing=Missing.EMPTY, detail="no series"),
    ]


@pytest.mark.row(31)
def test_a_preset_whose_series_have_ended_is_stale_while_its_rate_lives_on() -> None:
    def answer(request: Request) -> bytes:
        if "timestamp(" in request.query:
            return vector([])
        return preset_rows(request, {("shop", "cart"): (0.5, 3.0)})

    with asking(answer) as (observer, _):
        assert observe(observer, errors("cart")) == [
            Observation(missing=Missing.STALE, detail="its metric is no longer there")
        ]


@pytest.mark.row(23)
def test_every_question_gets_an_observation_whatever_fails() -> None:
    questions = [promql("load"), errors("cart"), promql("sum(x"), promql('"s"')]
    with asking(lambda _: error("internal", "out of\nmemory", 500)) as (observer, _):
        seen = observe(observer, *questions)
    assert [s.missing for s in seen] == [Missing.ERROR, Missing.ERROR, Missing.ERROR, Missing.NOT_SCALAR]
    assert seen[0].detail == seen[1].detail == "500: out of memory"


def test_nothing_is_asked_for_no_questions() -> None:
    with asking(oracle({})) as (observer, server):
        assert asyncio.run(observer.observe([], NOW)) == {}
        assert server.requests == []


def test_requests_are_counted_and_say_how_much_they_may_cost() -> None:
    count = []
    with asking(oracle({}), limits={"series": 77}, on_request=lambda: count.append(1)) as (observer, server):
        observe(observer, promql("load"))
        (request,) = server.requests
    assert len(count) == 1
    assert request.path == "/api/v1/query"
    assert request.params["limit"] == "77"
    assert request.params["timeout"] == "1800ms"
    assert "time" not in request.params
