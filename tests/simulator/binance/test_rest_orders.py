"""Market orders that close a position are filled, and others refused."""

from __future__ import annotations

import hashlib
import hmac
import time
from decimal import Decimal
from urllib.parse import urlencode

import ccxt
import ccxt.pro
import pytest
import requests

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.binance.accounts import ACCOUNTS, PERPETUAL, RISKS, assets, risks, with_round_numbers
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
        ({"type": "LIMIT"}, -1000),
        ({"reduceOnly": "false"}, -1000),
        ({"side": "HOLD"}, -1117),
        ({"quantity": "much"}, -1102),
        ({"quantity": "0.00001"}, -1111),
        ({"side": "BUY"}, -2022),
        ({"symbol": "BTCUSDT"}, -2022),
    ],
)
def test_other_orders_are_refused(sim: BinanceSimulator, changes: dict[str, str], code: int) -> None:
    """An order that is not a reduce-only market order against an open position is refused, and changes nothing."""
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
        (True, {"positionSide": "LONG", "side": "BUY"}, -1000),
        (True, {"positionSide": "SHORT", "side": "SELL"}, -1000),
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


def test_orders_are_signed(sim: BinanceSimulator) -> None:
    """An order without a signature is refused."""
    answer = requests.post(f"{sim.url}/fapi/v1/order", headers={"X-MBX-APIKEY": sim.api_key}, timeout=10)
    assert (400, -1102) == (answer.status_code, answer.json()["code"])
