import pytest

from stepdown.api.durations import format_seconds, parse_gateway, parse_promql


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("1h1m1s1ms", 3661.001),
        ("99999h", 359_996_400),
    ],
)
def test_a_timer_is_a_gateway_api_duration(text: str, seconds: float) -> None:
    assert parse_gateway(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "5", "5 minutes", "1.5h", "30d", "-5s", "5M", "1h 30m", "100000s", "1h1m1s1ms1h", "5m\n", 5, None, True],
)
def test_anything_else_is_refused_with_how_a_timer_is_written(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration: write hours, minutes, seconds like 30s, 5m or 1h30m"):
        parse_gateway(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("30d", 2_592_000), ("1w2d", 777_600), ("1y", 31_536_000), ("1h5m10s20ms", 3910.02)],
)
def test_a_window_is_a_promql_duration(text: str, seconds: float) -> None:
    assert parse_promql(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "1.5h", "5m1h", "1h 5m", "-1d", "d", "1" * 28 + "s", 5, None])
def test_anything_else_is_refused_with_how_a_window_is_written(text: object) -> None:
    with pytest.raises(ValueError, match="is not a window: write a PromQL duration like 5m, 1h or 30d"):
        parse_promql(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "250ms"), (1, "1s"), (90, "1m30s"), (3600, "1h"), (5400, "1h30m"), (86400, "24h"), (59.6, "1m")],
)
def test_a_time_is_shown_as_the_shortest_duration(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
