"""Bugs of taking for a number what is none."""

from torture.zoo.bug import Bug, Edit

_READINGS = "stepdown.engine.readings"

BUGS = (
    Bug(
        "empty-read-as-zero",
        "An absent series is read as 0, as an autoscaler was measured to: a scaled-out service goes to its minimum.",
        (
            Edit(
                _READINGS,
                'return Observation(missing=Missing.EMPTY, sampled=sampled, detail="no series")',
                "return Observation(value=0.0, sampled=sampled)",
            ),
        ),
        (
            "tests/engine/test_readings.py::test_a_reading_is_one_finite_fresh_number_or_one_kind_of_missing",
            "tests/adapters/test_prometheus.py::test_every_way_of_not_being_one_number_is_told_apart",
        ),
    ),
    Bug(
        "last-series-wins",
        "Of several series for one signal the last one is taken, whichever it is.",
        (
            Edit(
                _READINGS,
                "return Observation(missing=Missing.NOT_SCALAR, sampled=sampled, "
                'detail="several series, one is needed")',
                "return Observation(value=value.values[-1], sampled=sampled)",
            ),
        ),
        (
            "tests/engine/test_readings.py::test_a_reading_is_one_finite_fresh_number_or_one_kind_of_missing",
            "tests/adapters/test_prometheus.py::test_every_way_of_not_being_one_number_is_told_apart",
        ),
    ),
    Bug(
        "no-finite-check",
        "NaN and infinity go on as numbers: NaN compares as healthy, infinity as a breach.",
        (
            Edit(_READINGS, "if not math.isfinite(value.values[0]):", "if value.values[0] is None:"),
            Edit("stepdown.engine.observation", "or not math.isfinite(self.value)", ""),
        ),
        (
            "tests/engine/test_readings.py::test_a_reading_is_one_finite_fresh_number_or_one_kind_of_missing",
            "tests/adapters/test_prometheus.py::test_every_way_of_not_being_one_number_is_told_apart",
            "tests/engine/test_step_down.py::test_a_number_that_is_none_is_missing_and_no_value",
        ),
    ),
    Bug(
        "stale-sample-alive",
        "The last sample of a dead target is believed for as long as the server looks back: five minutes.",
        (Edit(_READINGS, "at - sampled > question.stale_after:", "at - sampled > 300:"),),
        (
            "tests/engine/test_readings.py::test_a_reading_is_one_finite_fresh_number_or_one_kind_of_missing",
            "tests/adapters/test_prometheus.py::test_a_sample_that_only_the_lookback_keeps_alive_is_stale",
        ),
    ),
    Bug(
        "vanished-series-alive",
        "A rate outlives the series that it is made of by its whole window.",
        (Edit(_READINGS, "    if evidence.vanished:\n", "    if evidence.vanished and not value.values:\n"),),
        (
            "tests/engine/test_readings.py::test_a_reading_is_one_finite_fresh_number_or_one_kind_of_missing",
            "tests/adapters/test_prometheus.py::test_a_rate_whose_series_have_ended_is_stale_even_beside_a_fresh_one",
        ),
    ),
    Bug(
        "sample-from-the-future",
        "Samples of a source whose clock is ahead stay fresh long after it has stopped.",
        (Edit(_READINGS, "max(times) - at > FUTURE_SECONDS", "max(times) - at > 1e9"),),
        (
            "tests/engine/test_readings.py::test_a_reading_is_one_finite_fresh_number_or_one_kind_of_missing",
            "tests/adapters/test_prometheus.py::test_a_sample_from_the_future_is_refused",
        ),
    ),
    Bug(
        "warnings-dropped",
        "The warnings beside an answer are dropped, as a client library does it: part of the data counts as all.",
        (Edit(_READINGS, "if warning and not question.allow_partial:", "if warning and not value.values:"),),
        (
            "tests/engine/test_readings.py::test_a_reading_is_one_finite_fresh_number_or_one_kind_of_missing",
            "tests/adapters/test_prometheus.py::test_warnings_make_an_answer_partial_and_infos_do_not",
        ),
    ),
    Bug(
        "ratio-of-nothing",
        "A ratio is believed whatever it is a ratio of: one failed request in a quiet night is 100 %.",
        (
            Edit(
                _READINGS,
                "    if min_rate is not None and rate < min_rate:\n",
                "    if min_rate is not None and rate < 0:\n",
            ),
        ),
        ("tests/engine/test_readings.py::test_a_ratio_of_too_few_requests_says_nothing",),
    ),
    Bug(
        "failure-read-as-no-series",
        "A source that can't be asked is not told from a source that has nothing: a trial steps up while nobody sees.",
        (
            Edit(
                _READINGS,
                "return Observation(missing=failed.failure, detail=failed.detail)",
                "return Observation(missing=Missing.EMPTY, detail=failed.detail)",
            ),
        ),
        (
            "tests/engine/test_readings.py::test_a_reading_is_one_finite_fresh_number_or_one_kind_of_missing",
            "tests/adapters/test_prometheus.py::test_every_question_gets_an_observation_whatever_fails",
        ),
    ),
    Bug(
        "freshness-without-a-number",
        "A sample whose age is no number is believed whatever its age: NaN is older than nothing. Found by generated"
        " answers.",
        (Edit(_READINGS, "if not all(math.isfinite(time) for", "if not all(time is not None for"),),
        ("tests/engine/test_readings.py::test_a_reading_is_one_finite_fresh_number_or_one_kind_of_missing",),
    ),
)
