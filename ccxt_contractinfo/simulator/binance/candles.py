"""Pure: candles as Binance's klines endpoints answer them. All times are ms since the epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone

from .contract import Contract
from .prices import price_at, turnover
from .times import DAY, HOUR, to_ms

Candle = list[object]

_MINUTE = HOUR // 60
_MONDAY = 4 * DAY
"""The first Monday since the epoch."""
_MONTH = "1M"

LENGTHS = {
    **{f"{count}m": count * _MINUTE for count in (1, 3, 5, 15, 30)},
    **{f"{count}h": count * HOUR for count in (1, 2, 4, 6, 8, 12)},
    **{"1d": DAY, "3d": 3 * DAY, "1w": 7 * DAY, _MONTH: 31 * DAY},
}
"""The intervals, and how long their candles are; a month is at most as long."""

_LOOKS = 4
"""How many prices within a candle its high and low are the extremes of."""


def candles(
    contract: Contract, interval: str, begin: int | None, end: int | None, limit: int, now: int, *, mark: bool
) -> list[Candle]:
    """The candles of a contract that open from `begin` to `end`, ascending, the one that is open at `now` included.

    :param interval: one of `LENGTHS`
    :param begin: None: as late as `limit` allows
    :param end: None: `now`
    :param limit: at most so many: the first ones from `begin` on, without a `begin` the last ones
    :param mark: whether these are candles of the mark price, which have no volumes
    """
    last = min(now, end if end is not None else now, int(contract.entry["deliveryDate"]) - 1)
    first = int(contract.entry["onboardDate"])
    make = _mark_candle if mark else _candle
    opens = _last_opens(interval, first, last, limit) if begin is None else _opens(interval, begin, first, last, limit)
    return [make(contract, opened, _next(opened, interval), now) for opened in opens]


def _opens(interval: str, begin: int, first: int, last: int, limit: int) -> list[int]:
    """When the first `limit` candles open from `begin` to `last`; the first of all is the one that has `first`."""
    opens: list[int] = []
    time = _open_of(max(begin, first), interval)
    time = time if time >= begin else _next(time, interval)
    while len(opens) < limit and time <= last and first <= last:
        opens.append(time)
        time = _next(time, interval)
    return opens


def _last_opens(interval: str, first: int, last: int, limit: int) -> list[int]:
    """When the last `limit` candles open until `last`; the first of all is the one that has `first`."""
    opens: list[int] = []
    time, earliest = _open_of(last, interval), _open_of(first, interval)
    while len(opens) < limit and earliest <= time and first <= last:
        opens.append(time)
        time = _open_of(time - 1, interval)
    return opens[::-1]


def _candle(contract: Contract, opened: int, closes: int, now: int) -> Candle:
    prices = list(_prices(contract, opened, closes, now))
    traded = turnover(contract, opened, min(closes, max(now, opened + 1)))
    volume = traded / prices[-1]
    lots, shown = int(contract.entry["quantityPrecision"]), _shown(contract)
    return [
        opened,
        *(shown(price) for price in (prices[0], max(prices), min(prices), prices[-1])),
        f"{volume:.{lots}f}",
        closes - 1,
        f"{traded:.5f}",
        round(traded / 500),
        f"{volume / 2:.{lots}f}",
        f"{traded / 2:.5f}",
        "0",
    ]


def _mark_candle(contract: Contract, opened: int, closes: int, now: int) -> Candle:
    prices = list(_prices(contract, opened, closes, now))
    shown = [f"{price:.8f}" for price in (prices[0], max(prices), min(prices), prices[-1])]
    seconds = (min(closes, max(now, opened + 1)) - opened) // 1000
    return [opened, *shown, "0", closes - 1, "0", seconds, "0", "0", "0"]


def _prices(contract: Contract, opened: int, closes: int, now: int) -> Iterator[float]:
    """Prices within a candle, in their order; the one of now is the mark price."""
    step = (closes - opened) / _LOOKS
    for number in range(_LOOKS + 1):
        time = round(opened + number * step)
        if time > now:
            break
        yield price_at(contract, time)
    if closes > now:
        yield contract.price


def _shown(contract: Contract) -> Callable[[float], str]:
    decimals = int(contract.entry["pricePrecision"])
    return lambda price: f"{price:.{decimals}f}"


def _open_of(time: int, interval: str) -> int:
    """When the candle of a time opened."""
    if interval == _MONTH:
        moment = datetime.fromtimestamp(time / 1000, timezone.utc)
        return to_ms(datetime(moment.year, moment.month, 1, tzinfo=timezone.utc))
    shift = _MONDAY if interval == "1w" else 0
    return (time - shift) // LENGTHS[interval] * LENGTHS[interval] + shift


def _next(opened: int, interval: str) -> int:
    """When the candle after this one opens."""
    return _open_of(opened + LENGTHS[interval], interval)
