"""What the guard remembers of orders."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from ccxt_contractinfo.exchange.guard_memory import LIMIT, GuardMemory, may_open
from ccxt_contractinfo.venues.binance.orders import ORDERS

SYMBOL = "ETH/USDT:USDT"


def order(id: str = "1", **fields: Any) -> dict[str, Any]:
    return {"id": id, "symbol": SYMBOL, "clientOrderId": None, "reduceOnly": False, "info": {}, **fields}


CLOSES = {"reduceOnly": True}
OPENS = {"info": {"side": "BUY", "positionSide": "BOTH", "reduceOnly": False}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (CLOSES, False),
        ({"info": {"side": "SELL", "positionSide": "LONG", "reduceOnly": False}}, False),
        ({"info": {"S": "SELL", "ps": "LONG", "R": False, "cp": False}}, False),
        ({"info": {"S": "SELL", "ps": "BOTH", "R": False, "cp": True}}, False),
        (OPENS, True),
        ({"info": {"S": "BUY", "ps": "LONG", "R": False, "cp": False}}, True),
        ({"info": {"orderId": 1, "side": "SELL"}}, None),
        ({"info": None}, None),
    ],
)
def test_what_an_order_says(fields: dict[str, Any], expected: bool | None) -> None:
    """An order closes, or it may open; one without a position side, such as a short answer, does not say."""
    assert expected is may_open(order(**fields), ORDERS)


def test_an_order_is_remembered_by_both_ids() -> None:
    """By the venue's id and the client's, in its contract; an answer that says nothing changes nothing."""
    memory = GuardMemory()
    memory.note(order("1", clientOrderId="mine", **CLOSES), ORDERS)
    memory.note(order("2", **OPENS), ORDERS)
    memory.note(order("1", clientOrderId="mine"), ORDERS)
    memory.note(order("3", symbol=None, **CLOSES), ORDERS)
    for ids, expected in ((["1"], False), (["mine"], False), (["2", "mine"], False), (["2"], True), (["3"], None)):
        assert expected is memory.opens(SYMBOL, ids)
    assert memory.opens("BTC/USDT:USDT", ["1"]) is None
    memory.note(order("4", clientOrderId="mine", **OPENS), ORDERS)  # the id is used again
    assert memory.opens(SYMBOL, ["4", "mine"])


def test_what_was_seen_last_stays() -> None:
    """Beyond the limit, the orders that were not seen for longest are forgotten."""
    memory = GuardMemory()
    memory.note(order("kept", **CLOSES), ORDERS)
    memory.note(order("old", **CLOSES), ORDERS)
    for number in range(LIMIT - 1):
        if number == LIMIT // 2:
            memory.note(order("kept", **CLOSES), ORDERS)
        memory.note(order(f"other {number}", **CLOSES), ORDERS)
    assert memory.opens(SYMBOL, ["old"]) is None
    assert memory.opens(SYMBOL, ["kept"]) is False


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_a_copy_remembers_the_same(copied: Any) -> None:
    """A copy has all of it, and goes its own way."""
    memory = GuardMemory()
    memory.note(order("1", **CLOSES), ORDERS)
    memory.leverages["ETHUSDT"] = 5.0
    other = copied(memory)
    assert (other.opens(SYMBOL, ["1"]), {"ETHUSDT": 5.0}) == (False, other.leverages)
    other.note(order("2", **CLOSES), ORDERS)
    assert memory.opens(SYMBOL, ["2"]) is None
