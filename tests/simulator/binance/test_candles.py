"""Candles are those of Binance's intervals, in the order and the number that were asked for."""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import pairwise
from typing import Any

import pytest

from ccxt_contractinfo.simulator.binance.candles import LENGTHS, candles
from ccxt_contractinfo.simulator.binance.contract import Contract, make_contract
from ccxt_contractinfo.simulator.binance.times import DAY, HOUR, to_ms

MINUTE = HOUR // 60
NOW = to_ms(datetime(2026, 11, 25, 13, 47, 31, tzinfo=timezone.utc))  # a Wednesday
ONBOARD = to_ms(datetime(2020, 1, 1, tzinfo=timezone.utc))


def contract(**settings: Any) -> Contract:
    return make_contract("ETHUSDT", seed=0, **{"onboard": ONBOARD, **settings})


def some(
    interval: str = "5m",
    begin: int | None = None,
    end: int | None = None,
    limit: int = 500,
    *,
    of: Contract | None = None,
    now: int = NOW,
    mark: bool = False,
) -> list[Any]:
    return candles(of or contract(), interval, begin, end, limit, now, mark=mark)


@pytest.mark.parametrize("interval", LENGTHS)
def test_candles_follow_each_other(interval: str) -> None:
    """Each candle opens when the one before it closes, at its price, and the last is the one of now."""
    found = some(interval, limit=20)
    assert 20 == len(found)
    for before, after in pairwise(found):
        assert after[0] == before[6] + 1
        assert after[1] == before[4]
    assert found[-1][0] <= NOW <= found[-1][6]


@pytest.mark.parametrize("interval", LENGTHS)
def test_prices_lie_between_high_and_low(interval: str) -> None:
    """Open and close of each candle are within its high and low."""
    for candle in some(interval, limit=50):
        opened, high, low, closed = map(float, candle[1:5])
        assert 0 < low <= min(opened, closed) <= max(opened, closed) <= high


@pytest.mark.parametrize(
    ("interval", "opened"),
    [
        ("15m", datetime(2026, 11, 25, 13, 45)),
        ("4h", datetime(2026, 11, 25, 12)),
        ("1d", datetime(2026, 11, 25)),
        ("1w", datetime(2026, 11, 23)),  # weeks begin on Monday
        ("1M", datetime(2026, 11, 1)),
    ],
)
def test_intervals_begin_as_calendars_have_it(interval: str, opened: datetime) -> None:
    """The candle of now opened at the last bound of its interval, UTC."""
    assert to_ms(opened.replace(tzinfo=timezone.utc)) == some(interval, limit=1)[0][0]


def test_the_open_candle_has_the_mark_price() -> None:
    """The candle of now closes at the mark price; the past does not move with it."""
    moved = contract()
    before = some(limit=3, of=moved)
    moved.price *= 2
    after = some(limit=3, of=moved)
    assert before[:-1] == after[:-1]
    assert float(after[-1][4]) == float(after[-1][2]) == pytest.approx(moved.price)


def test_a_closed_candle_stays_as_it_is() -> None:
    """A candle that has closed is the same whenever it is asked for, with whatever limit."""
    begin = NOW // DAY * DAY
    early = some(begin=begin, limit=5, now=begin + 25 * MINUTE)
    assert early == some(begin=begin, limit=5)
    assert early[-1] == some(end=begin + 24 * MINUTE, limit=1)[0]


def test_from_a_time_on_it_is_the_first_ones() -> None:
    """With a begin, the answer goes up from there, and leaves out a candle that opened before it."""
    begin = NOW - 10 * HOUR
    found = some("1h", begin=begin, limit=3)
    assert [begin // HOUR * HOUR + (number + 1) * HOUR for number in range(3)] == [candle[0] for candle in found]
    assert 10 == len(some("1h", begin=begin))


def test_without_a_begin_it_is_the_last_ones() -> None:
    """With an end alone, the answer has the candles before it."""
    end = NOW - 5 * HOUR
    found = some("1h", end=end, limit=3)
    assert [end // HOUR * HOUR - number * HOUR for number in (2, 1, 0)] == [candle[0] for candle in found]


@pytest.mark.parametrize("begin", [None, 0])
def test_a_contract_has_candles_from_its_listing_to_its_end(begin: int | None) -> None:
    """There are none before it is onboarded and after it is delivered; before its listing there is none at all."""
    short = contract(onboard=NOW - 2 * DAY + 30 * MINUTE, delivery=NOW - DAY)
    opened = [candle[0] for candle in some("1h", begin=begin, of=short)]
    assert (NOW - 2 * DAY + 30 * MINUTE) // HOUR * HOUR == opened[0]
    assert (NOW - DAY - 1) // HOUR * HOUR == opened[-1]
    assert [] == some("1h", begin=begin, of=contract(onboard=NOW + 10))


def test_a_mark_price_has_no_volumes() -> None:
    """Candles of the mark price have eight decimals and no volume, and count the seconds that they are made of."""
    (candle, last) = some("1h", limit=2, mark=True)
    assert ["0", "0", "0", "0", "0"] == [candle[5], candle[7], *candle[9:]]
    assert 8 == len(candle[1].partition(".")[2])
    assert (3600, NOW % HOUR // 1000) == (candle[8], last[8])


def test_the_well_known_are_traded_most() -> None:
    """Bitcoin's volume is above those of others."""
    volumes = {
        id: float(some("1d", limit=2, of=make_contract(id, seed=0, onboard=ONBOARD))[0][7])
        for id in ("BTCUSDT", "ETHUSDT", "XYZUSDT")
    }
    assert volumes["BTCUSDT"] > volumes["ETHUSDT"] > volumes["XYZUSDT"] > 0
