"""Binance's orders: what closes, in what unit an amount is, what sends them, and why one is refused. Pure.

The flags are those of https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/New-Order
(`reduceOnly`, `closePosition`, `positionSide`), which the endpoints of COIN-M, of conditional orders and of portfolio
margin share, and the orders in their answers, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from ...contracts.events import SubType
from ..orders import Order, Orders, Request, Side

_BY_POSITION_SIDE = {
    ("sell", "LONG"): False,
    ("buy", "SHORT"): False,
    ("buy", "LONG"): True,
    ("sell", "SHORT"): True,
}
"""Whether an order of this side opens, by the position side, in hedge mode."""

_SHORT = {"S": "side", "ps": "positionSide", "R": "reduceOnly", "cp": "closePosition"}
"""The names in an order that is pushed (ORDER_TRADE_UPDATE, ALGO_UPDATE), and those in an answer."""

_PATHS = frozenset(
    {"order", "batchOrders", "algoOrder", "um/order", "um/algo/order", "um/conditional/order"}
    | {"cm/order", "cm/conditional/order"}
)

_METHODS = frozenset({"order.place", "order.modify", "algoOrder.place"})
"""Of the WebSocket API."""

_PRICES = ("price", "triggerPrice", "stopPrice")

_CLIENT_IDS = ("newClientOrderId", "clientAlgoId", "newClientStrategyId", "origClientOrderId")

_CCXTS = "x-"
"""How the ids begin that ccxt makes for its orders."""


def contract_id(request: Request) -> str:
    """The id of the contract of a request. Binance takes it in small letters, too."""
    return str(request.get("symbol")).upper()


def read(request: Request, sub_type: SubType) -> Order:
    """What a request says of its order: see `Orders.read`."""
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


def opens(order: Mapping[str, Any]) -> bool | None:
    """Whether an order may open a position: see `Orders.opens`. An answer says so only if it has a position side."""
    if "ps" in order:
        order = {name: order[short] for short, name in _SHORT.items() if short in order}
    if read(order, "linear").opens is False:
        return False
    return True if "positionSide" in order else None


def client_id(request: Request) -> str | None:
    """The user's own id of an order: see `Orders.client_id`."""
    given = (str(request[name]) for name in _CLIENT_IDS if request.get(name))
    return next((id for id in given if not id.startswith(_CCXTS)), None)


def rough(contract_id: str, side: Any, params: Mapping[str, Any]) -> Request:
    """As much of a request as is known of an order: see `Orders.rough`."""
    return {**params, "symbol": contract_id, "side": side}


def sent(path: Any, api: Any, method: Any, params: Any) -> Sequence[Request]:
    """The requests for orders in one by REST: see `Orders.sent`."""
    if path not in _PATHS or method not in ("POST", "PUT") or not isinstance(params, dict):
        return ()
    if not (api if isinstance(api, str) else api[0]).startswith(("fapi", "dapi", "papi")):
        return ()
    if path != "batchOrders":
        return (params,)
    batch = params.get("batchOrders")
    return [each for each in batch if isinstance(each, dict)] if isinstance(batch, list) else ()


def sent_by_websocket(url: Any, message: Any, urls: Any) -> Sequence[Request]:
    """The request for an order in a message: see `Orders.sent_by_websocket`."""
    if not isinstance(message, dict) or message.get("method") not in _METHODS:
        return ()
    params = message.get("params")
    is_spots = url == urls["api"].get("ws", {}).get("ws-api", {}).get("spot")
    return (params,) if isinstance(params, dict) and not is_spots else ()


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
    contract_id=contract_id,
    read=read,
    opens=opens,
    flags=("reduceOnly", "closePosition", "positionSide", "hedged"),
    ids=("orderId", "origClientOrderId"),
    client_id=client_id,
    rough=rough,
    sent=sent,
    sent_by_websocket=sent_by_websocket,
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
