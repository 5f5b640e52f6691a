"""Pure: tickers, order books and funding rates of USD-M, in the shape that Binance gives them.

All times are ms since the epoch.
"""

from __future__ import annotations

import math

from .account import mark_price
from .contract import Contract
from .prices import FUNDING_INTERVAL, FUNDING_RATE, next_funding, price_at, turnover
from .times import DAY, HOUR

Row = dict[str, object]

DEPTHS = (5, 10, 20, 50, 100, 500, 1000)
"""How many levels of an order book can be asked for."""


def day_ticker(contract: Contract, now: int) -> Row:
    """/fapi/v1/ticker/24hr."""
    began = max(now - DAY, int(contract.entry["onboardDate"]))
    past = [price_at(contract, time) for time in range(began, now, HOUR)] or [contract.price]
    opened, last, traded = past[0], contract.price, turnover(contract, began, now)
    mean = sum(past) / len(past)
    return {
        "symbol": contract.id,
        "priceChange": _price(contract, last - opened),
        "priceChangePercent": f"{(last / opened - 1) * 100:.3f}",
        "weightedAvgPrice": _price(contract, mean),
        "lastPrice": _price(contract, last),
        "lastQty": _quantity(contract, 100 / last),
        "openPrice": _price(contract, opened),
        "highPrice": _price(contract, max(*past, last)),
        "lowPrice": _price(contract, min(*past, last)),
        "volume": _quantity(contract, traded / mean),
        "quoteVolume": f"{traded:.2f}",
        "openTime": began,
        "closeTime": now,
        "firstId": began // 100,
        "lastId": now // 100,
        "count": (now - began) // 100,
    }


def book_ticker(contract: Contract, now: int) -> Row:
    """/fapi/v1/ticker/bookTicker."""
    bid, ask = _levels(contract, 1)
    return {
        "symbol": contract.id,
        "bidPrice": bid[0][0],
        "bidQty": bid[0][1],
        "askPrice": ask[0][0],
        "askQty": ask[0][1],
        "time": now,
        "lastUpdateId": now,
    }


def last_price(contract: Contract, now: int) -> Row:
    """/fapi/v2/ticker/price."""
    return {"symbol": contract.id, "price": _price(contract, contract.price), "time": now}


def book(contract: Contract, limit: int, now: int) -> Row:
    """/fapi/v1/depth.

    :param limit: how many levels of each side; one of `DEPTHS`
    """
    bids, asks = _levels(contract, limit)
    return {"lastUpdateId": now, "E": now, "T": now, "bids": bids, "asks": asks}


def premium(contract: Contract, now: int) -> Row:
    """/fapi/v1/premiumIndex."""
    mark = f"{mark_price(contract):f}"
    return {
        "symbol": contract.id,
        "markPrice": mark,
        "indexPrice": mark,
        "estimatedSettlePrice": mark,
        "lastFundingRate": "" if contract.dated else FUNDING_RATE,
        "interestRate": "" if contract.dated else FUNDING_RATE,
        "nextFundingTime": next_funding(contract, now),
        "time": now,
    }


def funding_rates(contract: Contract, begin: int | None, end: int | None, limit: int, now: int) -> list[Row]:
    """/fapi/v1/fundingRate: what was paid from `begin` to `end`, ascending.

    :param begin: None: as late as `limit` allows
    :param end: None: `now`
    :param limit: at most so many: the first ones from `begin` on, without a `begin` the last ones
    """
    if contract.dated:
        return []
    last = min(now, end if end is not None else now, int(contract.entry["deliveryDate"])) // FUNDING_INTERVAL
    first = math.ceil(max(begin or 0, int(contract.entry["onboardDate"])) / FUNDING_INTERVAL)
    numbers = range(first, last + 1)
    return [
        {
            "symbol": contract.id,
            "fundingTime": number * FUNDING_INTERVAL,
            "fundingRate": FUNDING_RATE,
            "markPrice": f"{price_at(contract, number * FUNDING_INTERVAL):.8f}",
        }
        for number in (numbers[-limit:] if begin is None else numbers[:limit])
    ]


def _levels(contract: Contract, count: int) -> tuple[list[list[str]], list[list[str]]]:
    """Bids and asks around the mark price, the best first: a tick apart, each worth some thousands of the quote."""
    decimals = int(contract.entry["pricePrecision"])
    tick = 10**-decimals
    best = math.floor(contract.price / tick)

    def level(number: int, ticks: int) -> list[str]:
        price = max(ticks, 1) * tick
        return [f"{price:.{decimals}f}", _quantity(contract, 5_000 * (1 + number % 7) / price)]

    return (
        [level(number, best - number) for number in range(min(count, best))],
        [level(number, best + 1 + number) for number in range(count)],
    )


def _price(contract: Contract, price: float) -> str:
    return f"{price:.{contract.entry['pricePrecision']}f}"


def _quantity(contract: Contract, quantity: float) -> str:
    """An amount on the contract's step, and at least one step."""
    decimals = int(contract.entry["quantityPrecision"])
    return f"{max(quantity, 10**-decimals):.{decimals}f}"
