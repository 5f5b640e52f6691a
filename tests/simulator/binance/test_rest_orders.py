"""Orders are filled, kept open, changed, cancelled, and refused as Binance does it."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import ccxt
import ccxt.pro
import pytest
import requests

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.binance.accounts import ACCOUNTS, PERPETUAL, RISKS, assets, risks, table, with_round_numbers
from tests.simulator.clients import exchange_of


@pytest.fixture
def sim(sim: BinanceSimulator) -> BinanceSimulator:
    """One whose prices stand still, with brackets and prices that are easy to reckon with."""
    return with_round_numbers(sim)


@pytest.mark.parametrize("wallet", [None, 1_000])
def test_a_reduce_only_order_closes_a_part(sim: BinanceSimulator, wallet: float | None) -> None:
    """A market order takes its part of amount, profit and isolated wallet out of a position, at the mark price."""
    sim.open_position("ETHUSDT", 10, 1_900, leverage=10, isolated_wallet=wallet)
    with exchange_of(sim, ccxt.binanceusdm, apiKey=sim.api_key, secret=sim.secret) as exchange:
        order = exchange.create_order("ETH/USDT:USDT", "market", "sell", 4, None, {"reduceOnly": True})
    assert ("closed", 4.0, 2_000.0, 8_000.0) == tuple(order[name] for name in ("status", "filled", "average", "cost"))
    left = risks(sim)["ETHUSDT"]
    assert (Decimal(6), Decimal("1900")) == (Decimal(left["positionAmt"]), Decimal(left["entryPrice"]))
    # 10,000 + 4 * (2,000 - 1,900), and four tenths of the wallet.
    assert Decimal(10_400 + (400 if wallet else 0)) == Decimal(assets(sim)["USDT"]["crossWalletBalance"])
    assert Decimal(600 if wallet else 0) == Decimal(left["isolatedWallet"])


def test_a_short_of_coin_m_is_bought_back(sim: BinanceSimulator) -> None:
    """An order beyond the position closes it, and no more; profits of COIN-M are in coins."""
    sim.open_position(PERPETUAL, -1_000, 62_500, leverage=10)
    with exchange_of(sim, ccxt.binancecoinm, apiKey=sim.api_key, secret=sim.secret) as exchange:
        order = exchange.create_order("BTC/USD:BTC", "market", "buy", 5_000, None, {"reduceOnly": True})
    assert (1_000.0, 50_000.0) == (order["filled"], order["average"])
    assert {} == risks(sim, RISKS[2])
    # 1,000 contracts of 100 dollars: 100,000 / 50,000 - 100,000 / 62,500 = 0.4 coins, beside the 10.
    assert Decimal("10.4") == Decimal(assets(sim, ACCOUNTS[2])["BTC"]["crossWalletBalance"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"symbol": "NOSUCHUSDT"}, -1121),
        ({"type": "LIMIT"}, -1102),
        ({"type": "ICEBERG"}, -1116),
        ({"type": "STOP_MARKET"}, -4120),
        ({"quantity": "0"}, -4003),
        ({"side": "HOLD"}, -1117),
        ({"quantity": "much"}, -1102),
        ({"quantity": "0.00001"}, -1111),
        ({"side": "BUY"}, -2022),
        ({"symbol": "BTCUSDT"}, -2022),
    ],
)
def test_invalid_orders_are_refused(sim: BinanceSimulator, changes: dict[str, str], code: int) -> None:
    """An order that Binance does not take, or that reduces no position, is refused, and changes nothing."""
    sim.open_position("ETHUSDT", 10, leverage=10)
    order = {"symbol": "ETHUSDT", "side": "SELL", "type": "MARKET", "quantity": "1", "reduceOnly": "true", **changes}
    form = urlencode({"timestamp": round(time.time() * 1000), **order})
    form += f"&signature={hmac.new(sim.secret.encode(), form.encode(), hashlib.sha256).hexdigest()}"
    answer = requests.post(f"{sim.url}/fapi/v1/order", data=form, headers={"X-MBX-APIKEY": sim.api_key}, timeout=10)
    assert (400, code) == (answer.status_code, answer.json()["code"])
    assert Decimal(10) == Decimal(risks(sim)["ETHUSDT"]["positionAmt"])


@pytest.mark.parametrize(
    ("hedged", "changes", "code"),
    [
        (False, {"positionSide": "LONG"}, -4061),
        (True, {}, -4061),
        (True, {"positionSide": "BOTH"}, -4061),
        (True, {"positionSide": "LONG", "reduceOnly": "true"}, -1106),
        (True, {"positionSide": "SHORT", "side": "BUY"}, -2022),
    ],
)
def test_an_order_has_to_fit_the_position_mode(
    sim: BinanceSimulator, hedged: bool, changes: dict[str, str], code: int
) -> None:
    """As at Binance, hedge mode wants a position side and no reduceOnly, one-way mode no side but BOTH."""
    sim.set_hedge_mode(hedged)
    sim.open_position("ETHUSDT", 10, leverage=10)
    order = {"symbol": "ETHUSDT", "side": "SELL", "type": "MARKET", "quantity": "1", **changes}
    form = urlencode({"timestamp": round(time.time() * 1000), **order})
    form += f"&signature={hmac.new(sim.secret.encode(), form.encode(), hashlib.sha256).hexdigest()}"
    answer = requests.post(f"{sim.url}/fapi/v1/order", data=form, headers={"X-MBX-APIKEY": sim.api_key}, timeout=10)
    assert (400, code) == (answer.status_code, answer.json()["code"])
    assert Decimal(10) == Decimal(risks(sim)["ETHUSDT"]["positionAmt"])


@pytest.mark.parametrize("amount", [10, -10])
def test_hedge_mode_is_seen_and_closed_by_ccxt(sim: BinanceSimulator, amount: float) -> None:
    """ccxt sees the mode and the side of a position, and closes it by its unified parameters."""
    sim.set_hedge_mode()
    sim.open_position("ETHUSDT", amount, leverage=10)
    with pytest.raises(ValueError, match="while positions are open: ETHUSDT"):
        sim.set_hedge_mode(False)
    with exchange_of(sim, ccxt.binanceusdm, apiKey=sim.api_key, secret=sim.secret) as exchange:
        exchange.load_markets()
        assert exchange.fetch_position_mode("ETH/USDT:USDT")["hedged"]
        (position,) = exchange.fetch_positions()
        assert (True, "long" if amount > 0 else "short") == (position["hedged"], position["side"])
        side = "sell" if amount > 0 else "buy"
        exchange.create_order("ETH/USDT:USDT", "market", side, 10, None, {"reduceOnly": True, "hedged": True})
        assert [] == exchange.fetch_positions()
    sim.set_hedge_mode(False)


ETH = "ETH/USDT:USDT"


@pytest.fixture
def keyed(sim: BinanceSimulator) -> Iterator[ccxt.binanceusdm]:
    """ccxt's exchange with a key."""
    with exchange_of(sim, ccxt.binanceusdm, apiKey=sim.api_key, secret=sim.secret) as exchange:
        exchange.load_markets()
        yield exchange


def code_of(action: Callable[[], object]) -> int:
    """The code by which Binance refuses what is done."""
    try:
        action()
    except ccxt.BaseError as error:
        return int(re.findall(r'"code":(-?\d+)', str(error))[0])
    finally:
        gc.collect()  # the traceback keeps the connection open
    raise AssertionError("it was not refused")


def test_market_orders_open_add_and_turn(sim: BinanceSimulator, keyed: ccxt.binanceusdm) -> None:
    """A market order opens a position, adds to it at the mean price, and turns it when it is larger."""
    keyed.create_order(ETH, "market", "buy", 2)
    sim.set_price("ETHUSDT", 3_000)
    keyed.create_order(ETH, "market", "buy", 2)
    held = risks(sim)["ETHUSDT"]
    assert (Decimal(4), Decimal(2_500)) == (Decimal(held["positionAmt"]), Decimal(held["entryPrice"]))
    keyed.create_order(ETH, "market", "sell", 5)
    assert Decimal(-1) == Decimal(risks(sim)["ETHUSDT"]["positionAmt"])


def test_limit_orders_stay_open(sim: BinanceSimulator, keyed: ccxt.binanceusdm) -> None:
    """A limit order is open until it is cancelled, and can be changed."""
    order = keyed.create_order(ETH, "limit", "buy", 2, 1_500)
    keyed.edit_order(order["id"], ETH, "limit", "buy", 3, 1_400)
    (found,) = keyed.fetch_open_orders(ETH)
    assert (order["id"], 3.0, 1_400.0, False) == tuple(found[name] for name in ("id", "amount", "price", "reduceOnly"))
    keyed.cancel_order(order["id"], ETH)
    assert [] == keyed.fetch_open_orders(ETH)
    assert -2011 == code_of(lambda: keyed.cancel_order(order["id"], ETH))
    assert ["POST", "PUT", "DELETE", "DELETE"] == [each["what"].partition(" ")[0] for each in sim.orders]
    assert "1400" == sim.orders[1]["params"]["price"]


def test_conditional_orders_wait(sim: BinanceSimulator, keyed: ccxt.binanceusdm) -> None:
    """Conditional orders have endpoints of their own."""
    sim.open_position("ETHUSDT", 10, leverage=10)
    keyed.create_order(ETH, "market", "sell", 2, None, {"stopLossPrice": 1_500, "reduceOnly": True})
    assert [] == keyed.fetch_open_orders(ETH)
    (found,) = keyed.fetch_open_orders(ETH, params={"trigger": True})
    assert (True, 1_500.0) == (found["reduceOnly"], found["triggerPrice"])
    keyed.cancel_order(found["id"], ETH, {"trigger": True})
    assert [] == keyed.fetch_open_orders(ETH, params={"trigger": True})


def test_a_batch_is_taken_in_part(sim: BinanceSimulator, keyed: ccxt.binanceusdm) -> None:
    """Each order of a batch is taken or refused by itself."""
    orders = [{"symbol": ETH, "type": "limit", "side": "buy", "amount": 1, "price": price} for price in (1_500, 1_600)]
    closing = {**orders[0], "params": {"reduceOnly": True}}
    made = keyed.create_orders([*orders, closing])
    (refused,) = [order["info"]["code"] for order in made if order["id"] is None]
    assert (3, -2022) == (len(made), refused)
    keyed.edit_orders([{**orders[0], "id": made[1]["id"], "amount": 2}])
    assert {1.0, 2.0} == {order["amount"] for order in keyed.fetch_open_orders(ETH)}


@pytest.mark.parametrize(
    ("status", "opening", "closing"),
    [
        ("PENDING_TRADING", -1122, -1122),
        ("TRADING_HALT", -4140, None),
        ("TRADING_CANCEL_ONLY", -4140, None),
        ("SETTLING", -4140, None),
        ("CLOSE", -4141, -4141),
    ],
)
def test_the_status_decides(
    sim: BinanceSimulator, keyed: ccxt.binanceusdm, status: str, opening: int, closing: int | None
) -> None:
    """Where a contract does not trade, orders that open are refused; in most cases, those that close are taken."""
    sim.open_position("ETHUSDT", 10, leverage=10)
    sim.set_status("ETHUSDT", status)
    assert opening == code_of(lambda: keyed.create_order(ETH, "market", "buy", 1))

    def close() -> Any:
        return keyed.create_order(ETH, "market", "sell", 1, None, {"reduceOnly": True})

    assert closing == (None if closing is None else code_of(close))
    if closing is None:
        assert 1 == close()["filled"]


def test_the_end_decides(sim: BinanceSimulator, keyed: ccxt.binanceusdm) -> None:
    """In the last half hour before its end, a contract takes only orders that close."""
    sim.open_position("ETHUSDT", 10, leverage=10)
    now = round(time.time() * 1000)
    sim.schedule_delisting("ETHUSDT", now + 20 * 60_000)
    assert -4400 == code_of(lambda: keyed.create_order(ETH, "market", "buy", 1))
    assert 1 == keyed.create_order(ETH, "market", "sell", 1, None, {"reduceOnly": True})["filled"]
    sim.schedule_delisting("ETHUSDT", now + 40 * 60_000)
    assert 1 == keyed.create_order(ETH, "market", "buy", 1)["filled"]


def test_the_leverage_decides(sim: BinanceSimulator, keyed: ccxt.binanceusdm) -> None:
    """A position must not be larger than the brackets allow at its leverage."""
    sim.set_brackets("ETHUSDT", table((0, 10_000, 0.01, 0, 50), (10_000, 50_000, 0.05, 400, 10)))
    keyed.set_leverage(20, ETH)
    assert 5 == keyed.create_order(ETH, "market", "buy", 5)["filled"]  # at 2,000 each
    assert -2027 == code_of(lambda: keyed.create_order(ETH, "limit", "buy", 1, 2_000))
    assert "NEW" == keyed.create_order(ETH, "limit", "sell", 4, 2_500)["info"]["status"]


def test_orders_by_websocket(sim: BinanceSimulator) -> None:
    """The WebSocket API takes, changes and refuses the same orders, signed in the same way."""

    async def trade() -> None:
        exchange = sim.connect(ccxt.pro.binanceusdm({"apiKey": sim.api_key, "secret": sim.secret}))
        try:
            order = await exchange.create_order_ws(ETH, "limit", "buy", 1, 1_500)
            await exchange.edit_order_ws(order["id"], ETH, "limit", "buy", 2, 1_400)
            await exchange.create_order_ws(ETH, "market", "buy", 1, None, {"stopLossPrice": 2_500})
            with pytest.raises(ccxt.BaseError, match="-2022"):
                await exchange.create_order_ws(ETH, "market", "sell", 1, None, {"reduceOnly": True})
            exchange.secret = "another"
            with pytest.raises(ccxt.AuthenticationError, match="-1022"):
                await exchange.create_order_ws(ETH, "limit", "buy", 1, 1_500)
        finally:
            await exchange.close()

    asyncio.run(trade())
    placed = ["order.place", "order.modify", "algoOrder.place", "order.place", "order.place"]
    assert placed == [order["what"] for order in sim.orders]
    assert "2" == sim.orders[1]["params"]["quantity"]


def test_orders_are_signed(sim: BinanceSimulator) -> None:
    """An order without a signature is refused."""
    answer = requests.post(f"{sim.url}/fapi/v1/order", headers={"X-MBX-APIKEY": sim.api_key}, timeout=10)
    assert (400, -1102) == (answer.status_code, answer.json()["code"])
