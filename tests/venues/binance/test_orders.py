"""Binance's orders: what closes, amounts and prices, and which requests send orders."""

from __future__ import annotations

from typing import Any

import pytest

from ccxt_contractinfo.venues.binance.orders import ORDERS


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
    """New and edited orders in contracts; no cancels, no spot orders."""
    for path, api, method in (
        ("order", ["fapiPrivate"], "POST"),
        ("order", "dapiPrivate", "PUT"),
        ("batchOrders", ["fapiPrivate", 5], "POST"),
        ("algoOrder", ["dapiPrivate"], "POST"),
        ("um/algo/order", ["papi"], "POST"),
    ):
        assert ORDERS.is_sent_by(path, api, method)
    for path, api, method in (
        ("order", ["fapiPrivate"], "DELETE"),
        ("order", ["fapiPrivate"], "GET"),
        ("order", ["private"], "POST"),
        ("leverage", ["fapiPrivate"], "POST"),
    ):
        assert not ORDERS.is_sent_by(path, api, method)


def test_the_orders_of_a_batch() -> None:
    """A batch has several requests; anything else is one."""
    assert [{"side": "BUY"}, {"side": "SELL"}] == ORDERS.requests_in(
        {"batchOrders": [{"side": "BUY"}, {"side": "SELL"}]}
    )
    for params in ({"side": "BUY"}, {"batchOrders": []}, {"batchOrders": "[]"}):
        assert [params] == ORDERS.requests_in(params)
