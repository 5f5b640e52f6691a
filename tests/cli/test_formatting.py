"""Numbers and times are written for people."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ccxt_contractinfo.cli import formatting
from ccxt_contractinfo.contracts.tier_changes import TierChange


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0 s"),
        (0.9, "0 s"),
        (59.9, "59 s"),
        (60, "1 min 0 s"),
        (6725, "1 h 52 min"),
        (86400, "1 d 0 h"),
        (100 * 86400 + 7200, "100 d 2 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, expected: str) -> None:
    """A countdown or an age is as exact as its size."""
    assert expected == formatting.duration(seconds)


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("BTC/USDT:USDT", "USDT"),
        ("BTC/USD:BTC", "BTC"),
        ("BTC/USDT:USDT-261225", "USDT"),
        (None, "the margin's currency"),
    ],
)
def test_the_currency_of_notionals_is_that_of_the_margin(symbol: str | None, expected: str) -> None:
    """It is told by the symbol; without one, it is not known."""
    assert expected == formatting.currency(symbol)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, "0"), (0.25, "0.25"), (50000.0, "50,000"), (1e12, "1,000,000,000,000"), (0.00001, "0.00001")],
)
def test_an_amount_has_no_exponent(value: float, expected: str) -> None:
    """However large or small, an amount is written out."""
    assert expected == formatting.amount(value)


@pytest.mark.parametrize(
    ("time", "expected"),
    [(None, "none"), (1790000000000, "2026-09-21 14:13 UTC"), (10**17, "100000000000000000 ms")],
)
def test_a_date_is_utc(time: int | None, expected: str) -> None:
    """A time is written as UTC; one beyond the calendar as it came."""
    assert expected == formatting.date(time)


def change(leverage: tuple[float | None, float | None], rate: tuple[float | None, float | None]) -> TierChange:
    return {
        "minNotional": 0.0,
        "maxNotional": 5000.0,
        "maxLeverage": leverage[1],
        "previousMaxLeverage": leverage[0],
        "maxLeverageChange": None,
        "maintenanceMarginRate": rate[1],
        "previousMaintenanceMarginRate": rate[0],
        "maintenanceMarginRateChange": None,
    }


@pytest.mark.parametrize(
    ("leverage", "rate", "expected"),
    [
        ((50.0, 25.0), (0.01, 0.01), ("50x", "25x")),
        ((50.0, 50.0), (0.01, 0.02), ("margin 1.0 %", "margin 2.0 %")),
        ((50.0, 25.0), (0.01, 0.02), ("50x, margin 1.0 %", "25x, margin 2.0 %")),
        ((50.0, None), (0.01, None), ("50x, margin 1.0 %", "not allowed")),
    ],
)
def test_terms_name_what_differs(
    leverage: tuple[float | None, float | None], rate: tuple[float | None, float | None], expected: tuple[str, str]
) -> None:
    """Of a range in which tiers changed, only what is different is written."""
    assert expected == formatting.terms(change(leverage, rate))


def test_a_range_that_begins_at_nothing_has_only_an_end() -> None:
    """The first range is 'up to'; another one has both ends."""
    first = change((50.0, 25.0), (0.01, 0.01))
    ranges = [formatting.notional_range(each, "USDT") for each in (first, {**first, "minNotional": 100.0})]  # type: ignore[typeddict-item]
    assert ["up to 5,000 USDT", "100 to 5,000 USDT"] == ranges


def test_numbers_of_any_type_read_alike() -> None:
    """Leverages, rates, amounts and ranges are written the same, be they float, str or Decimal."""
    for number in (float, str, Decimal):
        change: TierChange = {
            "minNotional": number("0"),
            "maxNotional": number("5000"),
            "maxLeverage": number("25"),
            "previousMaxLeverage": number("50"),
            "maxLeverageChange": number("-25"),
            "maintenanceMarginRate": number("0.0125"),
            "previousMaintenanceMarginRate": number("0.01"),
            "maintenanceMarginRateChange": number("0.0025"),
        }
        assert "up to 5,000 USDT" == formatting.notional_range(change, "USDT")
        assert ("50x, margin 1.0 %", "25x, margin 1.25 %") == formatting.terms(change)
