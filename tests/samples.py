"""Contracts for tests, as REST and as the stream tell of them."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import ccxt
import orjson

from ccxt_contractinfo.contracts.changes import Market, complete, keep_name
from ccxt_contractinfo.contracts.events import Arrival, ContractInfoEvent, SubType
from ccxt_contractinfo.venues.binance.pushes import parse_event, salvage_event
from ccxt_contractinfo.venues.binance.snapshot import ExchangeInfo
from ccxt_contractinfo.venues.binance.words import WORDS

from .universe import is_inverse

NEVER = 4133404800000
ONBOARD = 1569398400000
SCHEDULED = 1790000000000  # 2026-09-21T14:13:20Z
SERVER_TIME = 1700000000000

FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.0001", "maxPrice": "200000", "tickSize": "0.0001"},
    {"filterType": "LOT_SIZE", "minQty": "0.1", "maxQty": "10000000", "stepSize": "0.1"},
]
PUSHED = [
    {"bs": 1, "bnf": 0, "bnc": 5000, "mmr": 0.01, "cf": 0, "mi": 21, "ma": 50},
    {"bs": 2, "bnf": 5000, "bnc": 25000, "mmr": 0.025, "cf": 75, "mi": 11, "ma": 20},
]
"""Brackets by the names of the stream."""
CUT = [{**PUSHED[0], "ma": 25, "mi": 11}, {**PUSHED[1], "ma": 10, "mi": 1}]
"""The same with half the leverage."""
IOTA: dict[str, Any] = {
    "e": "contractInfo",
    "E": 1669356423908,
    "s": "IOTAUSDT",
    "ps": "IOTAUSDT",
    "ct": "PERPETUAL",
    "dt": NEVER,
    "ot": ONBOARD,
    "cs": "TRADING",
    "bks": PUSHED,
}
"""The push that Binance documents."""
DOCUMENTED_STATUSES = [
    "PENDING_TRADING",
    "TRADING",
    "PRE_DELIVERING",
    "DELIVERING",
    "DELIVERED",
    "PRE_SETTLE",
    "SETTLING",
    "CLOSE",
    "TRADING_HALT",
    "TRADING_CANCEL_ONLY",
]
"""The statuses that Binance documents."""
_EXCHANGES = {"linear": ccxt.binanceusdm(), "inverse": ccxt.binancecoinm()}


def entry(id: str = "IOTAUSDT", **changes: Any) -> dict[str, Any]:
    """An entry of exchangeInfo; of COIN-M where the id is one of its."""
    inverse = is_inverse(id)
    base = id.partition("USD")[0]
    return {
        "symbol": id,
        "pair": id.partition("_")[0],
        "contractType": "PERPETUAL",
        "deliveryDate": NEVER,
        "onboardDate": ONBOARD,
        "contractStatus" if inverse else "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": "USD" if inverse else "USDT",
        "marginAsset": base if inverse else "USDT",
        "pricePrecision": 4,
        "quantityPrecision": 1,
        **({"contractSize": 10} if inverse else {}),
        "filters": FILTERS,
        **changes,
    }


def market_of(entry: dict[str, Any]) -> Market:
    """What ccxt makes of an entry, complete, under the name that users know."""
    exchange = _EXCHANGES["inverse" if "contractSize" in entry else "linear"]
    return complete(keep_name(exchange.parse_market(copy.deepcopy(entry)), None, WORDS), WORDS)


def spot_market(id: str = "IOTAUSDT") -> Market:
    """A spot market, which may have the id of a contract."""
    base = id.removesuffix("USDT")
    return {"id": id, "symbol": f"{base}/USDT", "spot": True, "swap": False, "future": False, "info": {"symbol": id}}


def push(id: str = "IOTAUSDT", time: int = SERVER_TIME, **changes: Any) -> ContractInfoEvent:
    """A push that says what `entry` says, but for some fields."""
    fields = {"s": id, "ps": id.partition("_")[0], "ct": "PERPETUAL", "dt": NEVER, "ot": ONBOARD, "cs": "TRADING"}
    return parse_event({"e": "contractInfo", "E": time, **fields, **changes})


def arrival(id: str = "IOTAUSDT", time: int = SERVER_TIME, received: float = 100.0, **changes: Any) -> Arrival:
    """The same, as it came."""
    return Arrival(push(id, time, **changes), received)


def part(time: int, without: str, received: float = 100.0, **changes: Any) -> Arrival:
    """What is whole in a push that lacks a field."""
    raw = {name: value for name, value in push(time=time, **changes).raw.items() if name != without}
    event = salvage_event(raw)
    assert event is not None
    return Arrival(event, received)


def exchange_info(entries: Iterable[Any], time: int = SERVER_TIME) -> str:
    """The text of an answer of exchangeInfo."""
    return orjson.dumps({"timezone": "UTC", "serverTime": time, "symbols": list(entries)}).decode()


def snapshot(
    *entries: dict[str, Any], asked: float = 100.0, time: int = SERVER_TIME, sub_type: SubType = "linear"
) -> ExchangeInfo:
    """An answer of exchangeInfo, asked for at `asked`."""
    return ExchangeInfo(exchange_info(entries, time), sub_type, asked, 0)


def told_by_rest(brackets: Iterable[dict[str, Any]], sub_type: SubType = "linear") -> list[dict[str, Any]]:
    """Pushed brackets by the names of leverageBracket."""
    kind = "qty" if sub_type == "inverse" else "notional"
    return [
        {
            "bracket": each["bs"],
            "initialLeverage": each["ma"],
            f"{kind}Cap": each["bnc"],
            f"{kind}Floor": each["bnf"],
            "maintMarginRatio": each["mmr"],
            "cum": each["cf"],
        }
        for each in brackets
    ]


def raw(id: str, time: int = 5_000_000_000_000, **changes: Any) -> dict[str, Any]:
    """A push as Binance documents it; its event time is later than the simulator's own unless told otherwise."""
    push = {"e": "contractInfo", "E": time, "s": id, "ps": id, "ct": "PERPETUAL", "dt": NEVER, "ot": 1569398400000}
    return {**push, "cs": "TRADING", "bks": [], **changes}
