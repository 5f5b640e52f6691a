"""Binance's orders: what closes, in what unit an amount is, and why one is refused. Pure.

The flags are those of https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/New-Order
(`reduceOnly`, `closePosition`, `positionSide`), which the endpoints of COIN-M, of conditional orders and of portfolio
margin share, and the orders in their answers, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from ...contracts.events import SubType
from ..orders import Order, Orders, Side

_BY_POSITION_SIDE = {
    ("sell", "LONG"): False,
    ("buy", "SHORT"): False,
    ("buy", "LONG"): True,
    ("sell", "SHORT"): True,
}
"""Whether an order of this side opens, by the position side, in hedge mode."""

_PATHS = frozenset(
    {"order", "batchOrders", "algoOrder", "um/order", "um/algo/order", "um/conditional/order"}
    | {"cm/order", "cm/conditional/order"}
)

_PRICES = ("price", "triggerPrice", "stopPrice")


def read(request: Mapping[str, Any], sub_type: SubType) -> Order:
    """What a built request says of its order: see `Orders.read`."""
    side: Side = "sell" if str(request.get("side")).upper() == "SELL" else "buy"
    opens = None
    if "positionSide" in request:
        opens = _BY_POSITION_SIDE.get((side, str(request["positionSide"]).upper()))
    if ("reduceOnly" in request and _is_true(request["reduceOnly"])) or (
        "closePosition" in request and _is_true(request["closePosition"])
    ):
        opens = False
    price = None
    for name in _PRICES:
        if name in request and (price := _number(request[name])):
            break
    amount = _number(request.get("quantity"))
    return Order(side, opens, amount, "contracts" if sub_type == "inverse" else "base", price or None)


def is_sent_by(path: Any, api: Any, method: Any) -> bool:
    """Whether a request creates or edits orders: see `Orders.is_sent_by`."""
    if path not in _PATHS or method not in ("POST", "PUT"):
        return False
    return str(api if isinstance(api, str) else api[0]).startswith(("fapi", "dapi", "papi"))


def requests_in(params: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The requests for single orders in what is sent: see `Orders.requests_in`."""
    batch = params.get("batchOrders")
    return [each for each in batch if isinstance(each, Mapping)] if isinstance(batch, list) and batch else [params]


def _is_true(value: Any) -> bool:
    """Whether a flag is sent as true: ccxt passes on a bool, or the text that Binance's documentation has."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _number(value: Any) -> float | None:
    """An amount or a price as ccxt puts it into a request; None where there is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) else None


ORDERS = Orders(
    read=read,
    flags=("reduceOnly", "closePosition", "positionSide", "hedged"),
    ids=("orderId", "origClientOrderId"),
    is_sent_by=is_sent_by,
    requests_in=requests_in,
    refusals=frozenset(
        {
            -1122,  # invalid symbol status
            -2027,  # beyond the maximum position at the current leverage
            -4140,  # invalid symbol status for opening a position
            -4141,  # the symbol is closed
            -4400,  # only orders that reduce are taken
        }
    ),
)
