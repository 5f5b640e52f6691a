"""Leverage and margin type of a contract can be chosen, as Binance lets them be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ccxt
import pytest

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.binance.accounts import ACCOUNTS, PERPETUAL, RISKS, keys, with_round_numbers
from tests.simulator.clients import FOR_EVER, exchange_of, signed
from tests.universe import small_simulator

SYMBOL = "ETH/USDT:USDT"


@pytest.fixture
def sim() -> Iterator[BinanceSimulator]:
    """A small one whose prices stand still, with brackets and prices that are easy to reckon with."""
    with small_simulator(canary_interval=FOR_EVER) as sim:
        yield with_round_numbers(sim)


@pytest.fixture
def exchange(sim: BinanceSimulator) -> Iterator[Any]:
    config = {"enableRateLimit": False, "options": {"defaultType": "swap"}}
    with exchange_of(sim, ccxt.binance, **keys(sim), **config) as exchange:
        exchange.load_markets()
        yield exchange


def row(sim: BinanceSimulator, id: str = "ETHUSDT", path: str = RISKS[1]) -> dict[str, Any]:
    """What positionRisk has about a contract."""
    found: dict[str, Any] = next(each for each in signed(sim, path).json() if each["symbol"] == id)
    return found


def test_ccxt_sets_the_leverage(sim: BinanceSimulator, exchange: Any) -> None:
    """The answer has the leverage, and the notional up to which it may be used; the account shows it from then on."""
    answer = exchange.set_leverage(25, SYMBOL)
    assert ("ETHUSDT", 25, "50000") == tuple(answer[name] for name in ("symbol", "leverage", "maxNotionalValue"))
    assert ("25", "50000") == (row(sim)["leverage"], row(sim)["maxNotionalValue"])


def test_the_leverage_of_coin_m_has_a_limit_in_coins(sim: BinanceSimulator, exchange: Any) -> None:
    """COIN-M's answer counts in coins."""
    assert "20" == exchange.set_leverage(25, "BTC/USD:BTC")["maxQty"]
    assert "25" == row(sim, PERPETUAL, RISKS[2])["leverage"]


def test_an_open_position_gets_the_leverage(sim: BinanceSimulator, exchange: Any) -> None:
    """A position has another initial margin with it; one that is too large for it is an error."""
    sim.open_position("ETHUSDT", 10, leverage=10)
    exchange.set_leverage(25, SYMBOL)
    (position,) = exchange.fetch_positions([SYMBOL])
    assert 10 * 2_000 / 25 == position["initialMargin"]
    with pytest.raises(ccxt.ExchangeError, match="-2027"):
        exchange.set_leverage(50, SYMBOL)
    assert "25" == row(sim)["leverage"]


@pytest.mark.parametrize("leverage", [51, 125])
def test_a_leverage_beyond_the_brackets_is_refused(exchange: Any, leverage: int) -> None:
    """The first bracket has the highest."""
    with pytest.raises(ccxt.ExchangeError, match="-4028"):
        exchange.set_leverage(leverage, SYMBOL)


def test_ccxt_sets_the_margin_type(sim: BinanceSimulator, exchange: Any) -> None:
    """The account shows the type for the next position; ccxt has an error for a type that is set already."""
    assert "success" == exchange.set_margin_mode("isolated", SYMBOL)["msg"]
    assert ("isolated", True) == (row(sim)["marginType"], row(sim)["isolated"])
    with pytest.raises(ccxt.MarginModeAlreadySet):
        exchange.set_margin_mode("isolated", SYMBOL)
    exchange.set_margin_mode("cross", SYMBOL)
    assert "cross" == row(sim)["marginType"]


def test_the_margin_type_stays_while_a_position_is_open(sim: BinanceSimulator, exchange: Any) -> None:
    """It cannot be changed then, and another word is no type."""
    sim.open_position("ETHUSDT", 1)
    with pytest.raises(ccxt.ExchangeError, match="-4048"):
        exchange.fapiPrivatePostMarginType({"symbol": "ETHUSDT", "marginType": "ISOLATED"})
    with pytest.raises(ccxt.ExchangeError, match="-1102"):
        exchange.fapiPrivatePostMarginType({"symbol": "ETHUSDT", "marginType": "LOOSE"})


def test_the_account_is_in_single_asset_mode(exchange: Any) -> None:
    """Only one asset is margin of a contract."""
    assert {"multiAssetsMargin": False} == exchange.fapiPrivateGetMultiAssetsMargin()


def test_a_balance_is_fetched(sim: BinanceSimulator, exchange: Any) -> None:
    """ccxt's balance of swaps has what is in the futures wallet."""
    sim.set_balance("USDT", 1_234)
    assert 1_234 == exchange.fetch_balance()["USDT"]["total"]
    assert "1234.00000000" == signed(sim, ACCOUNTS[0]).json()["totalWalletBalance"]
