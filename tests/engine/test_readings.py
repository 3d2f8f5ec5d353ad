import math

import pytest

from stepdown.api.signals import Preset
from stepdown.engine.observation import Missing, Observation
from stepdown.engine.questions import PresetQuestion, PromqlQuestion
from stepdown.engine.readings import Evidence, Reading, judge

NOW = 1000.0
LOAD = PromqlQuestion("default", "shop", "load", stale_after=60)
ERRORS = PresetQuestion("default", "shop", Preset.HTTP_ERROR_RATIO, "cart", "1m", stale_after=60, min_rate=2)
FRESH = (Reading((990.0,)),)


def of(*values: float) -> Reading:
    return Reading(values)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (Evidence(of(0.5), FRESH), Observation(0.5, sampled=990)),
        (Evidence(of(0.5)), Observation(0.5)),
        (Evidence(of(), FRESH), Observation(missing=Missing.EMPTY, sampled=990, detail="no series")),
        (Evidence(of(), (of(),)), Observation(missing=Missing.EMPTY, detail="no series")),
        (
            Evidence(of(1, 2), FRESH),
            Observation(missing=Missing.NOT_SCALAR, sampled=990, detail="several series, one is needed"),
        ),
        (Evidence(of(math.nan), FRESH), Observation(missing=Missing.NOT_FINITE, sampled=990, detail="nan")),
        (Evidence(of(-math.inf), FRESH), Observation(missing=Missing.NOT_FINITE, sampled=990, detail="-inf")),
        (Evidence(of(0.5), (of(940),)), Observation(0.5, sampled=940)),
        (
            Evidence(of(0.5), (of(990), of(939))),
            Observation(missing=Missing.STALE, sampled=939, detail="newest sample 61s old"),
        ),
        (
            Evidence(of(), (of(900),)),
            Observation(missing=Missing.STALE, sampled=900, detail="newest sample 100s old"),
        ),
        (
            Evidence(of(0.5), (of(),), vanished="load"),
            Observation(missing=Missing.STALE, detail="load is no longer there"),
        ),
        (
            Evidence(of(0.5), FRESH, vanished="load"),
            Observation(missing=Missing.STALE, sampled=990, detail="load is no longer there"),
        ),
        (Evidence(of(0.5), (of(1030),)), Observation(0.5, sampled=1030)),
        (
            Evidence(of(0.5), (of(1031), of(990))),
            Observation(missing=Missing.ERROR, detail="its newest sample is 31s in the future"),
        ),
        *(
            (
                Evidence(of(0.5), (of(990), newest)),
                Observation(missing=Missing.ERROR, detail="the time of its newest sample is no number"),
            )
            for newest in (of(math.nan), of(math.inf), of(-math.inf), of(990, math.nan))
        ),
        (
            Evidence(Reading((0.5,), warning="half of it"), FRESH),
            Observation(missing=Missing.PARTIAL, detail="half of it"),
        ),
        (
            Evidence(of(0.5), (Reading(failure=Missing.ERROR, detail="refused"),)),
            Observation(missing=Missing.ERROR, detail="refused"),
        ),
        (
            Evidence(Reading(failure=Missing.NOT_SCALAR, detail="a matrix")),
            Observation(missing=Missing.NOT_SCALAR, detail="a matrix"),
        ),
        (Evidence(of(0.5), FRESH, volume=of(0.0)), Observation(0.5, sampled=990)),
    ],
)
def test_a_reading_is_one_finite_fresh_number_or_one_kind_of_missing(evidence: Evidence, expected: Observation) -> None:
    assert judge(LOAD, evidence, NOW) == expected


def test_a_partial_answer_is_taken_where_the_policy_says_so() -> None:
    question = PromqlQuestion("default", "shop", "load", stale_after=60, allow_partial=True)
    evidence = Evidence(Reading((0.5,), warning="half of it"), FRESH)
    assert judge(question, evidence, NOW) == Observation(0.5, sampled=990)


@pytest.mark.row(25)
@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        (of(2.0), Observation(0.5, sampled=990)),
        (of(0.0), Observation(missing=Missing.TOO_FEW, sampled=990, detail="no requests")),
        (of(1.5), Observation(missing=Missing.TOO_FEW, sampled=990, detail="1.5 requests/s, minRate is 2")),
        (of(), Observation(missing=Missing.EMPTY, sampled=990, detail="no series of requests")),
        (of(math.nan), Observation(missing=Missing.NOT_FINITE, sampled=990, detail="nan requests/s")),
        (
            of(5.0, 6.0),
            Observation(missing=Missing.NOT_SCALAR, sampled=990, detail="several series of requests, one is needed"),
        ),
        (Reading(failure=Missing.STALE, detail="gone"), Observation(missing=Missing.STALE, detail="gone")),
    ],
)
def test_a_ratio_of_too_few_requests_says_nothing(volume: Reading, expected: Observation) -> None:
    assert judge(ERRORS, Evidence(of(0.5), FRESH, volume), NOW) == expected


def test_without_requests_it_is_too_few_although_the_percentile_is_not_a_number() -> None:
    seen = judge(ERRORS, Evidence(of(math.nan), FRESH, of(0.0)), NOW)
    assert seen.missing is Missing.TOO_FEW


def test_less_than_a_request_a_second_is_enough_where_no_least_rate_is_asked() -> None:
    question = PresetQuestion("default", "shop", Preset.HTTP_ERROR_RATIO, "cart", "1m", stale_after=60, min_rate=None)
    assert judge(question, Evidence(of(0.5), FRESH, of(0.5)), NOW) == Observation(0.5, sampled=990)


def test_a_preset_that_counts_no_requests_needs_none() -> None:
    assert judge(ERRORS, Evidence(of(0.5), FRESH), NOW) == Observation(0.5, sampled=990)
