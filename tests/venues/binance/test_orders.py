"""Binance's orders: what closes, amounts and prices, and what sends them."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from ccxt_contractinfo.venues.binance.orders import ORDERS

METHODS = ("post", "put")


@pytest.mark.parametrize(
    ("side", "flags", "opens"),
    [
        ("BUY", {}, None),
        ("SELL", {"positionSide": "BOTH"}, None),
        ("BUY", {"reduceOnly": True}, False),
        ("BUY", {"reduceOnly": "true"}, False),
        ("BUY", {"reduceOnly": "True"}, False),
        ("BUY", {"reduceOnly": False}, None),
        ("BUY", {"reduceOnly": "false"}, None),
        ("BUY", {"reduceOnly": 1}, None),
        ("SELL", {"closePosition": True}, False),
        ("SELL", {"closePosition": "true"}, False),
        ("SELL", {"positionSide": "LONG"}, False),
        ("BUY", {"positionSide": "SHORT"}, False),
        ("buy", {"positionSide": "short"}, False),
        ("BUY", {"positionSide": "LONG"}, True),
        ("SELL", {"positionSide": "SHORT"}, True),
        ("SELL", {"positionSide": "SHORT", "reduceOnly": "true"}, False),
        ("SELL", {"stopPrice": "5"}, None),
    ],
)
def test_what_closes(side: str, flags: dict[str, Any], opens: bool | None) -> None:
    """The flags, and in hedge mode the sides, say what closes."""
    assert opens is ORDERS.read({"side": side, **flags}, "linear").opens


@pytest.mark.parametrize(
    ("request_", "amount", "price"),
    [
        ({"quantity": "1.5", "price": "2000"}, 1.5, 2000),
        ({"quantity": 2, "stopPrice": "1900"}, 2, 1900),
        ({"quantity": "2", "price": "0", "triggerPrice": "1800"}, 2, 1800),
        ({"quantity": "much", "price": "nan"}, None, None),
        ({"quantity": None}, None, None),
        ({}, None, None),
    ],
)
def test_amounts_and_prices(request_: dict[str, Any], amount: float | None, price: float | None) -> None:
    """Numbers are read as ccxt writes them; what is none is not known."""
    for sub_type, unit in (("linear", "base"), ("inverse", "contracts")):
        order = ORDERS.read(request_, sub_type)  # type: ignore[arg-type]
        assert (amount, price, unit) == (order.amount, order.price, order.unit)


def test_which_requests_send_orders() -> None:
    """All that ccxt knows of Binance's endpoints to create and edit orders in contracts; no others."""
    api, request = ccxt.binance().api, {"symbol": "ETHUSDT"}
    found = {
        (name, method, path)
        for name, methods in api.items()
        for method in ("get", "post", "put", "delete")
        for path in methods.get(method, ())
        if ORDERS.sent(
            path, [name, 5], method.upper(), request if path != "batchOrders" else {"batchOrders": [request]}
        )
    }
    names = ("fapiPrivate", "dapiPrivate")
    plain = {(name, method, path) for name in names for path in ("order", "batchOrders") for method in METHODS}
    algo = {(name, "post", "algoOrder") for name in names}
    margin = {("papi", method, f"{kind}/order") for kind in ("um", "cm") for method in METHODS}
    margin |= {("papi", "post", path) for path in ("um/algo/order", "um/conditional/order", "cm/conditional/order")}
    assert plain | algo | margin == found
    assert ORDERS.sent("order", "fapiPrivate", "POST", request) == (request,)
    assert not ORDERS.sent("order", ["fapiPrivate"], "POST", "symbol=ETHUSDT")


def test_the_orders_of_a_batch() -> None:
    """A batch has several requests."""

    def sent(batch: Any) -> Any:
        return ORDERS.sent("batchOrders", ["fapiPrivate"], "POST", {"batchOrders": batch})

    assert [{"side": "BUY"}, {"side": "SELL"}] == sent([{"side": "BUY"}, {"side": "SELL"}, None])
    assert not sent([])
    assert not sent("[]")


def test_which_messages_send_orders() -> None:
    """A message to the WebSocket API of contracts that places or modifies an order; not one to that of spot markets."""
    urls = {"api": {"ws": {"ws-api": {"spot": "wss://spot", "linear": "wss://linear"}}}}
    params = {"symbol": "ETHUSDT", "side": "BUY"}
    for method, is_order in (("order.place", True), ("order.modify", True), ("algoOrder.place", True)):
        message = {"id": "1", "method": method, "params": params}
        assert is_order == bool(ORDERS.sent_by_websocket("wss://linear", message, urls))
        assert not ORDERS.sent_by_websocket("wss://spot", message, urls)
        assert ORDERS.sent_by_websocket("wss://mine", message, {"api": {}}) == (params,)
    for message in ({"method": "order.cancel", "params": params}, {"method": "order.place"}, "text", None):
        assert not ORDERS.sent_by_websocket("wss://linear", message, urls)


def test_the_users_own_id() -> None:
    """The id that the user has given, and not one that ccxt has made."""
    for request, expected in (
        ({"newClientOrderId": "mine"}, "mine"),
        ({"clientAlgoId": "mine"}, "mine"),
        ({"origClientOrderId": "mine", "orderId": "5"}, "mine"),
        ({"newClientOrderId": "x-cvBPrNm9"}, None),
        ({}, None),
    ):
        assert expected == ORDERS.client_id(request)
