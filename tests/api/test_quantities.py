import pytest

from stepdown.api.quantities import Quantity, compact, parse_quantity


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        (80, 80.0, ""),
        ("0.02", 0.02, ""),
        ("2%", 0.02, "%"),
        ("250ms", 0.25, "ms"),
        ("250us", 0.00025, "us"),
        ("1.5s", 1.5, "s"),
        ("100/s", 100.0, "/s"),
        ("3k", 3000.0, "k"),
        ("2M", 2_000_000.0, "M"),
        ("1Ki", 1024.0, "Ki"),
        ("1Mi", 1_048_576.0, "Mi"),
        ("1Gi", 1_073_741_824.0, "Gi"),
        ("-5", -5.0, ""),
    ],
)
def test_a_quantity_is_compared_in_the_base_unit(text: int | str, value: float, unit: str) -> None:
    assert parse_quantity(text) == Quantity(pytest.approx(value), unit)


@pytest.mark.parametrize(
    "text",
    ["", "250 mms", "250 ms", "5m", "80 %", "%", "1e3", ".5", "1.", "nan", "1,5", "2%\n", 10**12, True, None, []],
)
def test_anything_else_is_refused_with_the_units_there_are(text: object) -> None:
    with pytest.raises(ValueError, match="is not a quantity: write a number with %, us, ms, s, /s, k, M, Ki, Mi or Gi"):
        parse_quantity(text)  # type: ignore[arg-type]


def test_a_bare_decimal_is_refused_because_the_api_server_refuses_it() -> None:
    with pytest.raises(ValueError, match=r'0.02 is a bare decimal: put it in quotes, "0.02"'):
        parse_quantity(0.02)  # type: ignore[arg-type]


def test_another_value_is_shown_in_the_unit_of_the_threshold() -> None:
    assert parse_quantity("250ms").show(0.4123) == "412ms"
    assert parse_quantity("2%").show(0.0345) == "3.45%"
    assert parse_quantity("1Gi").show(1_610_612_736) == "1.5Gi"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.1, "0.1"),
        (0.02345, "0.0234"),
        (1, "1"),
        (14.4, "14.4"),
        (99.999, "100"),
        (412.3, "412"),
        (123456, "123456"),
        (1e15, "1.00e+15"),
    ],
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert compact(value) == text
