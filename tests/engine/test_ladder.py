"""What a policy's conditions become: keys that outlive an edit elsewhere, and texts in the units people wrote."""

from typing import Any

import pytest

from engine.play import condition, ladder_of, level
from stepdown.api.quantities import Quantity
from stepdown.engine.ladder import Ladder, Watch

LOAD = {"name": "load", "query": "load"}

OBJECTIVE = {
    "name": "availability",
    "target": "99.9%",
    "window": "30d",
    "errors": "rate(errors[$window])",
    "total": "rate(all[$window])",
}


def of_one(signal: dict[str, Any], **fields: Any) -> Watch:
    """The watch of one condition on one signal."""
    found = ladder_of(level("low", {"signal": signal["name"], **fields}), signals=[signal])
    return found.watches[0]


def burning(*windows: str) -> Ladder:
    burn_rate = {"above": 14.4, "windows": list(windows)}
    return ladder_of(
        level("low", {"objective": "availability", "burnRate": burn_rate, "for": "2m"}), objectives=[OBJECTIVE]
    )


def test_a_condition_is_known_by_its_level_signal_direction_and_threshold():
    above = ladder_of(level("low", condition("load", above="80%"))).watches[0]
    below = ladder_of(level("low", condition("load", below="20%"))).watches[0]
    assert (above.key, above.sign) == ("low/load>0.8", 1)
    assert (below.key, below.sign) == ("low/load<0.2", -1)


def test_conditions_that_compare_the_same_are_numbered_from_the_second_on():
    same = [condition("load", **{"for": time}) for time in ("1m", "2m", "3m")]
    keys = [watch.key for watch in ladder_of(level("low", *same)).watches]
    assert keys == ["low/load>0.8", "low/load>0.8 (2)", "low/load>0.8 (3)"]


def test_a_burn_rate_reads_each_window_and_is_the_smallest_over_the_error_budget():
    (watch,) = burning("1h", "5m").watches
    assert watch.key == "low/availability[1h,5m]>14.4"
    assert watch.names == ("availability[1h]", "availability[5m]")
    assert (watch.label, watch.level, watch.sign, watch.hold) == ("availability burn rate", 1, 1, 120.0)
    assert (watch.threshold, watch.clear, watch.ignore_missing) == (Quantity(14.4, ""), 14.4, False)
    assert watch.scale == pytest.approx(1000)
    assert watch.text(20.0) == "availability burn rate 20>14.4"


@pytest.mark.parametrize(
    ("signal", "fields", "value", "text"),
    [
        ({"name": "load", "query": "load"}, {"above": "80%"}, 0.92, "load 92%>80%"),
        ({"name": "load", "query": "load"}, {"above": 80}, 92.0, "load 92>80"),
        ({"name": "load", "query": "load", "unit": "ratio"}, {"above": "0.8"}, 0.92, "load 92%>80%"),
        ({"name": "db", "query": "db", "unit": "seconds"}, {"above": "0.25"}, 0.412, "db 412ms>250ms"),
        ({"name": "db", "query": "db", "unit": "seconds"}, {"above": "2s"}, 3.0, "db 3s>2s"),
        ({"name": "errors", "preset": "http-error-ratio"}, {"above": "0.02"}, 0.03, "errors 3%>2%"),
        ({"name": "ready", "pods": {"deployment": "shop"}}, {"below": "0.5"}, 0.25, "ready 25%<50%"),
        ({"name": "load", "query": "load"}, {"above": "80%", "clear": "60%"}, 0.7, "load 70%>60%"),
    ],
)
def test_a_value_is_shown_beside_its_threshold_in_the_unit_that_was_written_or_is_known(signal, fields, value, text):
    assert of_one(signal, **fields).text(value) == text


@pytest.mark.parametrize(("when", "ignored"), [("Hold", False), ("Ignore", True)])
def test_a_signal_that_may_be_missing_is_needed_by_nobody(when, ignored):
    signals = [{"name": "load", "query": "load", "whenMissing": when}, {"name": "errors", "query": "errors"}]
    ladder = ladder_of(level("low", condition("load")), signals=signals)
    assert ladder.watches[0].ignore_missing is ignored
    assert ladder.needed == (("errors",) if ignored else ("load", "errors"))


def test_without_an_override_none_is_in_force():
    ladder = ladder_of(level("low", condition("load")))
    assert (ladder.override, ladder.override_until, ladder.override_reason) == (None, 0.0, "")


def test_a_level_without_a_probe_waits_for_none():
    probed = level("low", condition("load"), recover={"probe": {"http": {"deployment": "shop"}}})
    deeper = level("lower", condition("errors", above="25%"))
    assert [step.probe_name for step in ladder_of(probed, deeper).steps] == ["", "probe:low", "probe:low"]


def test_the_threshold_itself_is_not_beyond_it():
    above, below = of_one(LOAD, above="80%"), of_one(LOAD, below="20%")
    assert (above.is_beyond(0.8), above.is_beyond(0.81)) == (False, True)
    assert (below.is_beyond(0.2), below.is_beyond(0.19)) == (False, True)


@pytest.mark.parametrize(
    "signal",
    [
        {"name": "load", "query": "load"},
        {"name": "load", "query": "vector(1)"},
        {"name": "load", "pods": {"deployment": "shop"}},
        {"name": "load", "query": "rate(load[5m])", "whenMissing": "Ignore"},
    ],
    ids=["plain", "no series", "pods", "ignored"],
)
def test_what_looks_at_now_only_has_no_window(signal):
    assert ladder_of(level("low", condition("load")), signals=[signal]).window == 0.0


def test_a_query_that_is_none_has_no_window():
    assert ladder_of(level("low", condition("load")), signals=[{"name": "load", "query": "rate(("}]).window == 0.0


def test_a_unit_without_a_way_of_its_own_is_shown_as_the_threshold_is_written():
    watch = of_one({"name": "queue", "query": "queue", "unit": "count"}, above=100)
    assert watch.text(412.0) == "queue 412>100"
