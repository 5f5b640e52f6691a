"""positionRisk and account have the shape of each version of these endpoints."""

from __future__ import annotations

from typing import Any

import ccxt
import ccxt.pro
import pytest

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.binance.accounts import ACCOUNTS, LINEAR, PERPETUAL, RISKS, future, keys, table, with_round_numbers
from tests.simulator.clients import exchange_of, signed

NOT_TOTALLED = ("asset", "availableBalance", "maxWithdrawAmount", "updateTime")


@pytest.fixture
def sim(sim: BinanceSimulator) -> BinanceSimulator:
    """One whose prices stand still, with brackets and prices that are easy to reckon with."""
    return with_round_numbers(sim)


def test_versions_tell_of_other_contracts(sim: BinanceSimulator) -> None:
    """The third versions list open positions only, the others every contract that REST knows."""
    sim.open_position("ETHUSDT", 1)
    sim.list_contract("LATEUSDT", rest_after=3, push=False)
    contracts = sim.contracts
    linear = {key for key, entry in contracts.items() if "status" in entry} - {"LATEUSDT"}
    inverse = {key for key, entry in contracts.items() if "status" not in entry}
    for path, expected in zip(RISKS, ({"ETHUSDT"}, linear, inverse), strict=True):
        assert expected == {row["symbol"] for row in signed(sim, path).json()}
    for path, expected in zip(ACCOUNTS, ({"ETHUSDT"}, linear, inverse), strict=True):
        assert expected == {row["symbol"] for row in signed(sim, path).json()["positions"]}


def test_usd_m_risk_can_be_narrowed_to_a_symbol(sim: BinanceSimulator) -> None:
    """`symbol` picks one contract, and an unknown one is an invalid symbol."""
    sim.open_position("ETHUSDT", 1)
    for path in RISKS[:2]:
        assert ["ETHUSDT"] == [row["symbol"] for row in signed(sim, path, symbol="ETHUSDT").json()]
        for unknown in ("NONEUSDT", PERPETUAL, ""):
            response = signed(sim, path, symbol=unknown)
            assert (400, -1121) == (response.status_code, response.json()["code"])
    assert [] == signed(sim, RISKS[0], symbol="BTCUSDT").json()
    assert ["BTCUSDT"] == [row["symbol"] for row in signed(sim, RISKS[1], symbol="BTCUSDT").json()]


def test_coin_m_risk_can_be_narrowed_to_a_pair_or_an_asset(sim: BinanceSimulator) -> None:
    """`pair` and `marginAsset` pick all contracts of one coin, not both at a time."""
    expected = {PERPETUAL, future(sim, "CURRENT_QUARTER"), future(sim, "NEXT_QUARTER")}
    for params in ({"pair": "BTCUSD"}, {"marginAsset": "BTC"}):
        assert expected == {row["symbol"] for row in signed(sim, RISKS[2], **params).json()}
    assert [] == signed(sim, RISKS[2], marginAsset="NONE").json()
    for code, wrong in ((-1121, {"pair": "NONEUSD"}), (-1128, {"pair": "BTCUSD", "marginAsset": "BTC"})):
        response = signed(sim, RISKS[2], **wrong)
        assert (400, code) == (response.status_code, response.json()["code"])


def test_the_second_version_of_risk_tells_the_leverage(sim: BinanceSimulator) -> None:
    """USD-M's older positionRisk has leverage, its limit and the margin type, but no margins."""
    sim.open_position("ETHUSDT", 10, 1_900, leverage=25, isolated_wallet=900)
    (row,) = signed(sim, RISKS[1], symbol="ETHUSDT").json()
    assert {
        "symbol": "ETHUSDT",
        "positionAmt": "10.000",
        "entryPrice": "1900.0",
        "breakEvenPrice": "1900.0",
        "markPrice": "2000.00000000",
        "unRealizedProfit": "1000.00000000",
        "liquidationPrice": "1836.73469388",  # (900 + 100 - 19000) / (10 * (2% - 1)) = 18000 / 9.8
        "leverage": "25",
        "maxNotionalValue": "50000",
        "marginType": "isolated",
        "isolatedMargin": "1900.00000000",  # the wallet and the profit
        "isAutoAddMargin": "false",
        "positionSide": "BOTH",
        "notional": "20000.00000000",
        "isolatedWallet": "900.00000000",
        "updateTime": row["updateTime"],
        "isolated": True,
        "adlQuantile": 2,
    } == row
    sim.close_position("ETHUSDT")
    (empty,) = signed(sim, RISKS[1], symbol="ETHUSDT").json()
    assert ("0.000", "0.0", "0", "20", "cross", 0) == tuple(
        empty[name]
        for name in ("positionAmt", "entryPrice", "liquidationPrice", "leverage", "marginType", "updateTime")
    )
    assert ("2000.00000000", "50000") == (empty["markPrice"], empty["maxNotionalValue"])


def test_coin_m_risk_counts_contracts_and_coins(sim: BinanceSimulator) -> None:
    """COIN-M's positionRisk has amounts in contracts, and money and limits in the coin."""
    sim.set_balance("BTC", "0.05")
    sim.open_position(PERPETUAL, -100, 55_000, leverage=5)
    rows = {row["symbol"]: row for row in signed(sim, RISKS[2]).json()}
    row, empty = rows[PERPETUAL], rows["ETHUSD_PERP"]
    assert {
        "symbol": PERPETUAL,
        "positionAmt": "-100",
        "entryPrice": "55000.0",
        "breakEvenPrice": "55000.0",
        "markPrice": "50000.00000000",
        "unRealizedProfit": "0.01818182",  # -10000 * (1 / 55000 - 1 / 50000)
        "liquidationPrice": "75103.44827586",  # 10000 * -0.99 / (0.05 - 10000 / 55000) = 9900 / 0.1318...
        "leverage": "5",
        "maxQty": "1000",
        "marginType": "cross",
        "isolatedMargin": "0.00000000",
        "isAutoAddMargin": "false",
        "positionSide": "BOTH",
        "notionalValue": "-0.20000000",
        "isolatedWallet": "0",
        "updateTime": row["updateTime"],
    } == row
    assert ("0", "0.0", "0.00000000", "0") == tuple(
        empty[name] for name in ("positionAmt", "entryPrice", "markPrice", "notionalValue")
    )


def test_accounts_add_up(sim: BinanceSimulator) -> None:
    """Wallets, profits and margins of an asset are the sums over its positions, isolated wallets apart."""
    sim.set_price("SOLUSDT", 100)
    sim.set_brackets("SOLUSDT", LINEAR)
    sim.open_position("ETHUSDT", 10, 1_950)  # worth 20000, profit 500, margins 1000 and 300
    sim.open_position("SOLUSDT", -10, 90, leverage=10, isolated_wallet=150)  # worth 1000, profit -100, margins 100, 10
    answer = signed(sim, ACCOUNTS[0]).json()
    usdt, usdc = (next(row for row in answer["assets"] if row["asset"] == name) for name in ("USDT", "USDC"))
    assert {
        "asset": "USDT",
        "walletBalance": "10150.00000000",
        "unrealizedProfit": "400.00000000",
        "marginBalance": "10550.00000000",
        "maintMargin": "310.00000000",
        "initialMargin": "1100.00000000",
        "positionInitialMargin": "1100.00000000",
        "openOrderInitialMargin": "0.00000000",
        "crossWalletBalance": "10000.00000000",
        "crossUnPnl": "500.00000000",
        "availableBalance": "9500.00000000",  # 10000 + 500 - 1000
        "maxWithdrawAmount": "9500.00000000",
        "updateTime": usdt["updateTime"],
    } == usdt
    assert ("10000.00000000", "10000.00000000") == (usdc["walletBalance"], usdc["availableBalance"])
    expected = {f"total{name[0].upper()}{name[1:]}": usdt[name] for name in usdt if name not in NOT_TOTALLED}
    expected |= {name: usdt[name] for name in ("availableBalance", "maxWithdrawAmount")}
    assert {**expected, "assets": answer["assets"], "positions": answer["positions"]} == answer
    eth, sol = answer["positions"]
    assert {
        "symbol": "SOLUSDT",
        "positionSide": "BOTH",
        "positionAmt": "-10.000",
        "unrealizedProfit": "-100.00000000",
        "isolatedMargin": "50.00000000",
        "notional": "-1000.00000000",
        "isolatedWallet": "150.00000000",
        "initialMargin": "100.00000000",
        "maintMargin": "10.00000000",
        "updateTime": sol["updateTime"],
    } == sol
    assert ("0", "0") == (eth["isolatedMargin"], eth["isolatedWallet"])
    second = signed(sim, ACCOUNTS[1]).json()
    assert expected == {name: second[name] for name in expected}
    rows = {row["symbol"]: row for row in second["positions"]}
    more = {
        "leverage": "10",
        "entryPrice": "90.0",
        "breakEvenPrice": "90.0",
        "positionInitialMargin": "100.00000000",
        "openOrderInitialMargin": "0",
        "isolated": True,
        "maxNotional": "1000000",
        "bidNotional": "0",
        "askNotional": "0",
    }
    assert {**sol, **more} == rows["SOLUSDT"]
    assert not rows["BTCUSDT"]["isolated"]
    assert ("0", "0", "0") == tuple(rows["BTCUSDT"][name] for name in ("initialMargin", "maintMargin", "notional"))


def test_the_coin_m_account_is_in_coins(sim: BinanceSimulator) -> None:
    """COIN-M's account has the wallet of each coin, and its positions in contracts."""
    sim.open_position(PERPETUAL, 100, 40_000, leverage=4)
    answer = signed(sim, ACCOUNTS[2]).json()
    btc = next(row for row in answer["assets"] if row["asset"] == "BTC")
    assert ("10.00000000", "0.05000000", "10.05000000", "0.05000000", "0.00200000", "10.00000000") == tuple(
        btc[name]
        for name in (
            "walletBalance", "unrealizedProfit", "marginBalance", "initialMargin", "maintMargin", "availableBalance",
        )
    )  # fmt: skip
    row = next(row for row in answer["positions"] if row["symbol"] == PERPETUAL)
    assert {
        "symbol": PERPETUAL,
        "initialMargin": "0.05000000",
        "maintMargin": "0.00200000",
        "positionInitialMargin": "0.05000000",
        "openOrderInitialMargin": "0",
        "unrealizedProfit": "0.05000000",
        "leverage": "4",
        "isolated": False,
        "entryPrice": "40000.0",
        "breakEvenPrice": "40000.0",
        "maxQty": "1000",
        "positionSide": "BOTH",
        "positionAmt": "100",
        "notionalValue": "0.20000000",
        "isolatedWallet": "0",
        "updateTime": row["updateTime"],
    } == row
    assert {entry["marginAsset"] for entry in sim.contracts.values() if "status" not in entry} == {
        row["asset"] for row in answer["assets"]
    }


def told(position: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(position[name] for name in names)


@pytest.mark.parametrize("unified", [False, True])
@pytest.mark.parametrize("old", [False, True])
def test_ccxt_fetches_linear_positions(sim: BinanceSimulator, old: bool, unified: bool) -> None:
    """ccxt's fetch_positions gives what is held in USD-M, the leverage only by the older endpoint."""
    sim.open_position("ETHUSDT", 10, 1_900, leverage=25, isolated_wallet=900)
    sim.set_price("SOLUSDT", 100)
    sim.set_brackets("SOLUSDT", LINEAR)
    sim.open_position("SOLUSDT", -10, 90, leverage=10)
    params = {**({"useV2": True} if old else {}), **({"subType": "linear"} if unified else {})}
    with exchange_of(sim, ccxt.binance if unified else ccxt.binanceusdm, **keys(sim)) as exchange:
        eth, sol = exchange.fetch_positions(params=params)
    assert ("ETH/USDT:USDT", "long", "isolated", 10, 1900, 2000, 20000, 1000) == told(
        eth, "symbol", "side", "marginMode", "contracts", "entryPrice", "markPrice", "notional", "unrealizedPnl"
    )
    assert ("SOL/USDT:USDT", "short", "cross", 10, 90, 100, 1000, -100) == told(
        sol, "symbol", "side", "marginMode", "contracts", "entryPrice", "markPrice", "notional", "unrealizedPnl"
    )
    # (900 + 100 - 19000) / (10 * (2% - 1)), and (10000 + 100 + 900) / (10 * (2% + 1)): 1078, worth 10,784.
    assert (1836.73469388, 1078.43137255) == (eth["liquidationPrice"], sol["liquidationPrice"])
    assert ((25, 10) if old else (None, None)) == (eth["leverage"], sol["leverage"])
    assert (800, 100) == (eth["initialMargin"], sol["initialMargin"])
    assert (1900, "900.00000000") == (eth["collateral"], eth["info"]["isolatedWallet"])
    # ccxt's own figure there is the rate times the notional, without cum; the third version tells the true one.
    assert (400, 10) == (eth["maintenanceMargin"], sol["maintenanceMargin"])
    assert old or "300.00000000" == eth["info"]["maintMargin"]


@pytest.mark.parametrize("unified", [False, True])
@pytest.mark.parametrize("old", [False, True])
def test_ccxt_fetches_linear_account_positions(sim: BinanceSimulator, old: bool, unified: bool) -> None:
    """The method 'account' gives the true maintenance margin, and by the older endpoint entry and leverage."""
    sim.open_position("ETHUSDT", 10, 1_900, leverage=25, isolated_wallet=900)
    params = {**({"useV2": True} if old else {}), **({"subType": "linear"} if unified else {})}
    with exchange_of(sim, ccxt.binance if unified else ccxt.binanceusdm, **keys(sim)) as exchange:
        (eth,) = exchange.fetch_positions(params={**params, "method": "account", "filterClosed": True})
    assert ("ETH/USDT:USDT", "long", "isolated", 10, 20000, 1000, 300, 800, 1900) == told(
        eth,
        *("symbol", "side", "marginMode", "contracts", "notional", "unrealizedPnl"),
        *("maintenanceMargin", "initialMargin", "collateral"),
    )
    assert ((1900, 25) if old else (None, None)) == told(eth, "entryPrice", "leverage")


@pytest.mark.parametrize("unified", [False, True])
def test_ccxt_fetches_inverse_positions(sim: BinanceSimulator, unified: bool) -> None:
    """ccxt gives what is held in COIN-M by either method."""
    sim.open_position(PERPETUAL, 100, 40_000, leverage=5, isolated_wallet="0.05")
    params = {"subType": "inverse"} if unified else {}
    with exchange_of(sim, ccxt.binance if unified else ccxt.binancecoinm, **keys(sim)) as exchange:
        (risk,) = exchange.fetch_positions(params=params)
        (account,) = exchange.fetch_positions(params={**params, "method": "account", "filterClosed": True})
    names = ("symbol", "side", "marginMode", "contracts", "contractSize", "entryPrice", "leverage")
    names += ("notional", "unrealizedPnl", "maintenanceMargin", "initialMargin")
    expected = ("BTC/USD:BTC", "long", "isolated", 100, 100, 40000, 5, 0.2, 0.05, 0.002, 0.04)
    assert expected == told(risk, *names)
    assert expected == told(account, *names)
    assert (50000, 33666.66666667, 0.1) == told(risk, "markPrice", "liquidationPrice", "collateral")


def test_ccxt_sees_new_brackets_in_the_liquidation_price(sim: BinanceSimulator) -> None:
    """After new brackets the same position comes with another liquidation price and maintenance margin."""
    sim.open_position("ETHUSDT", 10, isolated_wallet=2_000)
    with exchange_of(sim, ccxt.binanceusdm, **keys(sim)) as exchange:

        def seen() -> tuple[float, float]:
            (risk,) = exchange.fetch_positions()
            (account,) = exchange.fetch_positions(params={"method": "account"})
            return risk["liquidationPrice"], account["maintenanceMargin"]

        assert (1826.53061224, 300) == seen()
        sim.set_brackets("ETHUSDT", table((0, 10_000, 0.02, 0, 20), (10_000, 50_000, 0.04, 200, 8)))
        assert (1854.16666667, 600) == seen()


def test_ccxt_fetches_balances(sim: BinanceSimulator) -> None:
    """fetch_balance gives the margin balances of both accounts, and what of them is free."""
    sim.open_position("ETHUSDT", 10, 1_950)
    sim.open_position(PERPETUAL, 100, 40_000, leverage=4)
    with exchange_of(sim, ccxt.binanceusdm, **keys(sim)) as exchange:
        balance = exchange.fetch_balance()
        older = exchange.fetch_balance({"useV2": True})
    assert {"free": 9500, "used": 1000, "total": 10500} == {
        name: balance["USDT"][name] for name in ("free", "used", "total")
    }
    assert balance["USDT"] == older["USDT"]
    assert {"USDT", "USDC"} == set(balance["total"])
    with exchange_of(sim, ccxt.binancecoinm, **keys(sim)) as exchange:
        balance = exchange.fetch_balance()
    assert (10, 0.05, 10.05) == told(balance["BTC"], "free", "used", "total")
    assert 10 == balance["total"]["ETH"]
