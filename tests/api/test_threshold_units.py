"""A threshold's unit must fit what its signal measures, also where a preset says what that is."""

import pytest

from stepdown.api.validation import InvalidSpec, parse_policy

WRONG = (
    "spec.levels[1].enter.any[0].above: a threshold's unit does not fit its signal's unit. Ratios take %, seconds"
    " take us, ms, s, bytes take k, M, Ki, Mi, Gi, perSecond takes /s"
)


def parsed(signal: dict, above: str) -> None:
    levels = [
        {"name": "full"},
        {"name": "less", "enter": {"any": [{"signal": "seen", "above": above}]}},
    ]
    parse_policy({"spec": {"target": {"service": "shop"}, "signals": [{"name": "seen", **signal}], "levels": levels}})


@pytest.mark.parametrize(
    ("signal", "above"),
    [
        ({"preset": "http-error-ratio"}, "250ms"),
        ({"preset": "http-latency"}, "2%"),
        ({"pods": {"deployment": "shop"}}, "3/s"),
        ({"query": "up", "unit": "seconds"}, "2%"),
    ],
)
def test_a_unit_that_does_not_fit_is_refused(signal: dict, above: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        parsed(signal, above)

    assert str(refused.value) == WRONG


@pytest.mark.parametrize(
    ("signal", "above"),
    [
        ({"preset": "http-error-ratio"}, "2%"),
        ({"preset": "http-latency"}, "250ms"),
        ({"pods": {"deployment": "shop"}}, "50%"),
        ({"query": "up"}, "2%"),
    ],
)
def test_a_unit_that_fits_is_taken(signal: dict, above: str) -> None:
    parsed(signal, above)
