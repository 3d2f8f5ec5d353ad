import pytest

from stepdown.engine import promql
from stepdown.engine.promql import Selector, Type


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("avg(load)", None),
        ("time()", None),
        ("sum(rate(a[5m])", "1:4: unclosed left parenthesis"),
        ("sum(rate(a[5m])))", "1:17: unexpected right parenthesis"),
        ("a\nor\n(b", "3:1: unclosed left parenthesis"),
        ('a{b="c}', "1:5: unterminated quoted string"),
        ("a{b=`c}", "1:5: unterminated quoted string"),
        ("rate(a[5m)", "1:10: unexpected right parenthesis"),
        ("foo bar", "1:5: invalid promql query"),
        ("sum(a) by", "1:8: invalid promql query"),
        ("x +\n  foo(a)", "2:3: unknown function with name 'foo'"),
        ('a{b=~"("}', "1:6: illegal regex for ("),
        ("rate(a)", "1:5: expected type matrix in call to function 'rate', got vector"),
        ("", "1:1: no expression found in input"),
        ('"text"', "1:1: the query gives a string: a signal is one number"),
        (
            "a[5m]",
            "1:1: the query gives a range of samples: make it one number, for example with max_over_time()",
        ),
        (
            "rate(a[5m])[1h:1m]",
            "1:1: the query gives a range of samples: make it one number, for example with max_over_time()",
        ),
    ],
)
def test_an_error_says_where_and_what(query: str, expected: str | None) -> None:
    assert promql.check(query) == expected


def test_a_comment_ends_where_prometheus_ends_it_so_that_nothing_hides_behind_it() -> None:
    assert promql.check('up # \r) or label_replace(vector(1), "a", "b", "", "")') == "1:7: unexpected right parenthesis"


def test_a_backslash_in_a_raw_string_is_none_of_our_business() -> None:
    assert promql.check(r"a{b=~`\d+\.x`}") is None
    assert promql.selectors(r"a{b=~`\d+\.x`}") == (r'a{b=~"\\d+\\.x"}',)


@pytest.mark.row(52)
@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("a[1e30]", "1:2"),
        ("a offset NaN", "1:3"),
        ("rate(a[5000000y])", "1:5"),
        ("rate(a[1e15])", "1:5"),
        ("a offset -584542046y", "1:3"),
        ("max_over_time(a[5m:1e30])", "1:14"),
    ],
)
def test_a_duration_that_the_parser_does_not_survive_is_refused_like_any_other_mistake(query: str, place: str) -> None:
    assert promql.check(query) == f"{place}: a duration is out of range"


def test_a_query_that_would_keep_the_parser_busy_for_minutes_is_refused_at_once() -> None:
    assert promql.check("(" * 2000 + "a" + ")" * 2000) == "1:51: more than 50 brackets within each other"
    sentence = "more than 300 operators: record parts of the query with a rule"
    assert promql.check("-" * 4000 + "a") == f"1:301: {sentence}"
    assert promql.check("a+" * 2000 + "a") == f"1:602: {sentence}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("1", Type.SCALAR),
        ("-(1 + time())", Type.SCALAR),
        ("scalar(a)", Type.SCALAR),
        ("1 > bool 2", Type.SCALAR),
        ("1 + a", Type.VECTOR),
        ("vector(1)", Type.VECTOR),
        ("sum(a)", Type.VECTOR),
        ('"a"', Type.STRING),
        ("a[5m]", Type.MATRIX),
        ("a[1h:5m]", Type.MATRIX),
    ],
)
def test_the_type_of_a_query_is_known_before_it_is_asked(query: str, expected: Type) -> None:
    assert promql.analyse(query).type is expected
    assert promql.is_scalar(query) is (expected is Type.SCALAR)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a", (Selector("a", "a", None),)),
        ("rate(a[5m])", (Selector("a", "a", 300.0),)),
        ("max_over_time(rate(a[5m])[1h:])", (Selector("a", "a", 3900.0),)),
        ('a{b="c"} / a{b="c"}', (Selector('a{b="c"}', "a", None),)),
        ('{"x.y", z!~"1"}', (Selector('{__name__="x.y", z!~"1"}', "x.y", None),)),
        ('{__name__=~"a|b", c="d"}', (Selector('a{c="d"}', "a", None), Selector('b{c="d"}', "b", None))),
        ('{__name__=~"a.*"}', ()),
        ('{job="a"}', ()),
        (r'a{b="x\"y\\z"}', (Selector(r'a{b="x\"y\\z"}', "a", None),)),
        ("topk(scalar(k), b)", (Selector("b", "b", None), Selector("k", "k", None))),
        ("a - a offset 1h", (Selector("a", "a", None),)),
        ("rate(a[5m] offset 1h)", ()),
        ("a @ 100", ()),
        ("max_over_time(a[5m:] offset 1h)", ()),
        ("time()", ()),
    ],
)
def test_the_selectors_of_a_query_are_those_that_look_at_now(query: str, expected: tuple[Selector, ...]) -> None:
    assert sorted(promql.analyse(query).selectors, key=str) == sorted(expected, key=str)


def test_any_text_is_quoted_into_one_string() -> None:
    assert promql.quote('a"b\\c\nd\te') == r'"a\"b\\c\x0ad\x09e"'
    hostile = 'x"} or vector(1) # \\" ` \n \x00 é'
    (selector,) = promql.selectors(f"a{{b={promql.quote(hostile)}}}")
    assert selector == f"a{{b={promql.quote(hostile)}}}"
