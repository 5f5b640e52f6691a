"""Pure: USD-M's public endpoints about prices. They need no key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from . import candles, tickers
from .api_error import ApiError, limit, named, whole
from .contract import Contract

Answer = object
"""What is sent as JSON."""

Params = Mapping[str, str]


def answer(path: str, contracts: Sequence[Contract], params: Params, now: int) -> Answer:
    """The answer of an endpoint.

    :param path: one of `PATHS`
    :param contracts: those that REST knows
    :param now: server time, ms
    :raises ApiError: for parameters that Binance refuses
    """
    return PATHS[path](contracts, params, now)


def _klines(contracts: Sequence[Contract], params: Params, now: int) -> Answer:
    return _candles(contracts, params, now, mark=False)


def _mark_price_klines(contracts: Sequence[Contract], params: Params, now: int) -> Answer:
    return _candles(contracts, params, now, mark=True)


def _candles(contracts: Sequence[Contract], params: Params, now: int, *, mark: bool) -> Answer:
    contract, interval = named(contracts, params.get("symbol")), params.get("interval", "")
    if interval not in candles.LENGTHS:
        raise ApiError(400, -1120, "Invalid interval.")
    times = whole(params, "startTime"), whole(params, "endTime")
    return candles.candles(contract, interval, *times, limit(params, 500, 1500), now, mark=mark)


def _funding_rates(contracts: Sequence[Contract], params: Params, now: int) -> Answer:
    contract = named(contracts, params.get("symbol"))
    times = whole(params, "startTime"), whole(params, "endTime")
    return tickers.funding_rates(contract, *times, limit(params, 100, 1000), now)


def _depth(contracts: Sequence[Contract], params: Params, now: int) -> Answer:
    contract, levels = named(contracts, params.get("symbol")), whole(params, "limit")
    if levels is not None and levels not in tickers.DEPTHS:
        raise ApiError(400, -4021, f"{levels} is not valid depth limit.")
    return tickers.book(contract, 500 if levels is None else levels, now)


def _of_each(row: Callable[[Contract, int], tickers.Row]) -> Callable[[Sequence[Contract], Params, int], Answer]:
    """An endpoint that has a row for each contract, or is that row if the request names a contract."""

    def rows(contracts: Sequence[Contract], params: Params, now: int) -> Answer:
        if "symbol" in params:
            return row(named(contracts, params["symbol"]), now)
        return [row(contract, now) for contract in contracts if contract.entry["onboardDate"] <= now]

    return rows


PATHS: dict[str, Callable[[Sequence[Contract], Params, int], Answer]] = {
    "/fapi/v1/klines": _klines,
    "/fapi/v1/markPriceKlines": _mark_price_klines,
    "/fapi/v1/fundingRate": _funding_rates,
    "/fapi/v1/depth": _depth,
    "/fapi/v1/premiumIndex": _of_each(tickers.premium),
    "/fapi/v1/ticker/24hr": _of_each(tickers.day_ticker),
    "/fapi/v1/ticker/bookTicker": _of_each(tickers.book_ticker),
    "/fapi/v1/ticker/price": _of_each(tickers.last_price),
    "/fapi/v2/ticker/price": _of_each(tickers.last_price),
}
"""The endpoints by path."""
