import re

import pytest

from stepdown.api.signals import Preset
from stepdown.engine import promql
from stepdown.engine.forms import Grouped, Joined, groups, newest_of, presence_of, value_of
from stepdown.engine.presets import grouped

ALL = 'http_requests_total{namespace=~"shop", service=~"cart|pay"}'


def test_the_error_ratio_of_many_services_is_one_query_and_0_without_errors() -> None:
    found = grouped(Preset.HTTP_ERROR_RATIO, [("shop", "pay"), ("shop", "cart")], "1m", 95)
    requests = f"sum by (namespace, service) (rate({ALL}[1m]))"
    errors = (
        "sum by (namespace, service) "
        '(rate(http_requests_total{namespace=~"shop", service=~"cart|pay", code=~"5.."}[1m]))'
    )
    assert found.value == f"{errors} / {requests} or 0 * {requests}"
    assert found.volume == requests
    assert found.freshness == f"max by (namespace, service) (timestamp({ALL}))"
    assert found.labels == ("namespace", "service")


def test_the_latency_of_a_service_is_a_quantile_of_its_buckets() -> None:
    found = grouped(Preset.HTTP_LATENCY, [("shop", "cart")], "5m", 99)
    where = 'namespace=~"shop", service=~"cart"'
    buckets = f"http_request_duration_seconds_bucket{{{where}}}"
    last = f'http_request_duration_seconds_bucket{{{where}, le="+Inf"}}'
    assert found.value == f"histogram_quantile(0.99, sum by (namespace, service, le) (rate({buckets}[5m])))"
    assert found.volume == f"sum by (namespace, service) (rate({last}[5m]))"
    assert found.freshness == f"max by (namespace, service) (timestamp({last}))"


def test_saturation_is_cpu_used_of_the_limit_and_counts_no_requests() -> None:
    found = grouped(Preset.SATURATION, [("shop", "cart")], "1m", 95)
    where = 'namespace=~"shop", container=~"cart"'
    assert found.value == (
        f"sum by (namespace, container) (rate(container_cpu_usage_seconds_total{{{where}}}[1m])) / "
        f"sum by (namespace, container) (container_spec_cpu_quota{{{where}}} / container_spec_cpu_period{{{where}}})"
    )
    assert found.volume is None
    assert found.labels == ("namespace", "container")


@pytest.mark.row(52)
@pytest.mark.parametrize("preset", list(Preset))
def test_a_hostile_name_stays_one_label_value(preset: Preset) -> None:
    name = 'x"} or vector(1) or {a=~".*|(`[$\\'
    found = grouped(preset, [("n|.*", name)], "1m", 95)
    for text in (found.value, found.freshness, found.volume):
        if text is not None:
            assert promql.check(text) is None
            for selector in promql.selectors(text):
                assert r'namespace=~"n\\|\\.\\*"' in selector
                assert r'=~"x\"\\} or vector\\(1\\) or \\{a=~\"\\.\\*\\|\\(`\\[\\$\\\\"' in selector


def test_rows_of_pairs_that_were_not_asked_for_belong_to_nobody_asked() -> None:
    form = Grouped(Preset.HTTP_ERROR_RATIO, "1m", 95, "value")
    asked = [("a", "x"), ("b", "y")]
    assert form.owner({"namespace": "a", "service": "x"}, asked) == ("a", "x")
    assert form.owner({"namespace": "a", "service": "y"}, asked) not in asked
    assert form.owner({}, asked) not in asked


def test_joined_expressions_are_marked_with_their_place() -> None:
    form = Joined()
    assert form.query([value_of("a # b"), value_of("2")]) == (
        'label_replace(topk(2, (\na # b\n)), "stepdown_query", "0", "", "") or '
        'label_replace(vector((\n2\n)), "stepdown_query", "1", "", "")'
    )
    assert promql.check(form.query([value_of("a # b"), value_of("2")])) is None
    assert [form.owner({"stepdown_query": mark}, ["x", "y"]) for mark in ("0", "1", "2", "", "x", "٣")] == [
        "x", "y", None, None, None, None,
    ]  # fmt: skip


def test_joined_expressions_make_a_balanced_tree_that_is_one_query() -> None:
    query = Joined().query(["a", "b", "c", "d", "e"])
    plain = re.sub(r'label_replace\((\w), "stepdown_query", "\d", "", ""\)', r"\1", query)
    assert plain == "(a or b) or ((c) or (d or e))"
    assert promql.check(query) is None


def test_a_batch_is_bounded_in_number_and_length() -> None:
    assert list(groups(["aa", "bb", "cc"], 2, 100)) == [["aa", "bb"], ["cc"]]
    assert list(groups(["aa", "bbbbb", "cc"], 9, 4)) == [["aa"], ["bbbbb"], ["cc"]]
    assert list(groups([("ab", "c"), ("d", "e")], 9, 4)) == [[("ab", "c")], [("d", "e")]]


def test_freshness_is_the_time_of_the_newest_sample_and_presence_looks_back_a_bounded_time() -> None:
    (selector,) = promql.analyse("rate(a[10m])").selectors
    assert newest_of(selector) == "max(timestamp(a))"
    assert presence_of(selector, 300) == "max(present_over_time(a[300s]))"
    assert presence_of(selector, float("inf")) == "max(present_over_time(a[600s]))"
