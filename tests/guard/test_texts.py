"""What the guard says: orders, reasons, and flags that look misspelt."""

from __future__ import annotations

from typing import Any

import pytest

from ccxt_contractinfo.guard.texts import misspelt, order_in_words
from ccxt_contractinfo.venues.binance.orders import ORDERS


@pytest.mark.parametrize(
    ("params", "hint"),
    [
        ({}, ""),
        ({"reduceOnly": True, "positionSide": "LONG", "hedged": False, "timeInForce": "GTC"}, ""),
        ({"reduceOnly": "yes"}, "; reduceOnly is 'yes', which is neither True nor False"),
        ({"reduceonly": True}, "did you mean 'reduceOnly'?"),
        ({"reduce-only": True}, "did you mean 'reduceOnly'?"),
        ({"reduceOnyl": True}, "did you mean 'reduceOnly'?"),
        ({"position_side": "LONG"}, "did you mean 'positionSide'?"),
        ({"stopLossPrice": 5, "clientOrderId": "reduce"}, ""),
    ],
)
def test_misspelt_flags(params: dict[Any, Any], hint: str) -> None:
    """A parameter that looks like a flag, and a flag with an odd value, are named; others are not."""
    found = misspelt(params, ORDERS.flags)
    assert hint in found
    assert bool(hint) == bool(found)


def test_orders_in_words() -> None:
    """An order is told with what distinguishes it from others of a batch."""
    facts = {"symbol": "ETH/USDT:USDT", "side": "sell", "amount": 0.25, "price": 1e6}
    assert "sell 0.25 of ETH/USDT:USDT at 1000000 (mine)" == order_in_words(facts, "mine")
    assert "sell ETH/USDT:USDT" == order_in_words({**facts, "amount": None, "price": None})
    assert "the leverage of ETH/USDT:USDT" == order_in_words({"symbol": "ETH/USDT:USDT"})
