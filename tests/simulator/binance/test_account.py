"""The simulator's account comes to what Binance's formulas say, in each shape that its endpoints have."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import ccxt
import pytest
import requests

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.test_simulator import CANARY, FOR_EVER, Client, exchange_of, get, signed

RISKS = ("/fapi/v3/positionRisk", "/fapi/v2/positionRisk", "/dapi/v1/positionRisk")
ACCOUNTS = ("/fapi/v3/account", "/fapi/v2/account", "/dapi/v1/account")
PERPETUAL = "BTCUSD_PERP"
NOT_TOTALLED = ("asset", "availableBalance", "maxWithdrawAmount", "updateTime")

Table = list[dict[str, Any]]


def table(*rows: tuple[float, float, float, float, int]) -> Table:
    """Brackets of (floor, cap, rate, cum, highest leverage)."""
    names = ("bnf", "bnc", "mmr", "cf", "ma")
    return [dict(zip(names, row, strict=True)) for row in rows]


LINEAR = table((0, 10_000, 0.01, 0, 50), (10_000, 50_000, 0.02, 100, 25), (50_000, 1_000_000, 0.05, 1_600, 10))
INVERSE = table((0, 5, 0.01, 0, 50), (5, 20, 0.02, 0.05, 25), (20, 1_000, 0.05, 0.65, 10))

# Those of the day of Binance's published example.
BTC = table(
    (0, 50_000, 0.004, 0, 125),
    (50_000, 250_000, 0.005, 50, 100),
    (250_000, 1_000_000, 0.01, 1_300, 50),
    (1_000_000, 10_000_000, 0.025, 16_300, 20),
    (10_000_000, 20_000_000, 0.05, 266_300, 10),
    (20_000_000, 50_000_000, 0.1, 1_266_300, 5),
)
ETH = table(
    (0, 10_000, 0.005, 0, 100),
    (10_000, 100_000, 0.0065, 15, 75),
    (100_000, 500_000, 0.01, 365, 50),
    (500_000, 1_000_000, 0.02, 5_365, 25),
    (1_000_000, 2_000_000, 0.05, 35_365, 10),
    (2_000_000, 5_000_000, 0.1, 135_365, 5),
    (5_000_000, 10_000_000, 0.125, 260_365, 4),
)


@pytest.fixture
def sim() -> Iterator[BinanceSimulator]:
    """A started simulator whose prices stand still, with brackets and prices that are easy to reckon with."""
    with BinanceSimulator(canary_interval=FOR_EVER) as simulator:
        for contract_id, brackets, price in (("ETHUSDT", LINEAR, 2_000), (PERPETUAL, INVERSE, 50_000)):
            simulator.set_brackets(contract_id, brackets)
            simulator.set_price(contract_id, price)
        yield simulator


def risks(sim: BinanceSimulator, path: str = RISKS[0], **params: str) -> dict[str, dict[str, Any]]:
    """The rows of a positionRisk that are about a position, by contract id."""
    rows = signed(sim, path, **params).json()
    return {row["symbol"]: row for row in rows if Decimal(row["positionAmt"])}


def stated(sim: BinanceSimulator, path: str = ACCOUNTS[0]) -> dict[str, dict[str, Any]]:
    """The rows of an account that are about a position, by contract id."""
    return {row["symbol"]: row for row in signed(sim, path).json()["positions"] if Decimal(row["positionAmt"])}


def assets(sim: BinanceSimulator, path: str = ACCOUNTS[0]) -> dict[str, dict[str, Any]]:
    return {row["asset"]: row for row in signed(sim, path).json()["assets"]}


def publish(sim: BinanceSimulator) -> None:
    """Hold the two positions of Binance's published example of a cross margin account."""
    for contract_id, brackets in (("BTCUSDT", BTC), ("ETHUSDT", ETH)):
        sim.set_brackets(contract_id, brackets)
    sim.set_balance("USDT", "1535443.01")
    # Notionals of 3,500,032.458 and 4,918,775.081.
    sim.set_price("BTCUSDT", "31967.27")
    sim.set_price("ETHUSDT", "1335.18")
    sim.open_position("BTCUSDT", "109.488", "32481.98", leverage=20)
    sim.open_position("ETHUSDT", "3683.979", "1456.84", leverage=5)


def future(sim: BinanceSimulator, contract_type: str) -> str:
    """The id of BTC's COIN-M future of the current or the next quarter."""
    (found,) = [
        contract_id
        for contract_id, entry in sim.contracts.items()
        if (entry["pair"], entry["contractType"]) == ("BTCUSD", contract_type)
    ]
    return found


# ---- the arithmetic


def test_binances_published_example_comes_out() -> None:
    """Both liquidation prices of the published cross margin account are those published."""
    with BinanceSimulator(canary_interval=FOR_EVER) as sim:
        publish(sim)
        btc, eth = risks(sim).values()
    assert "71200.81144400" == btc["maintMargin"]  # 3500032.458 * 2.5% - 16300
    assert "356512.50812200" == eth["maintMargin"]  # 4918775.081 * 10% - 135365
    assert "-56354.56848000" == btc["unRealizedProfit"]
    assert "-448192.88514000" == eth["unRealizedProfit"]
    # (1535443.01 - 356512.508 - 448192.885 + 16300 - 109.488 * 32481.98) / (109.488 * (2.5% - 1))
    assert "26316.89" == f"{Decimal(btc['liquidationPrice']):.2f}"
    # (1535443.01 - 71200.811 - 56354.568 + 135365 - 3683.979 * 1456.84) / (3683.979 * (10% - 1))
    assert "1153.26" == f"{Decimal(eth['liquidationPrice']):.2f}"


def test_isolated_positions_and_other_assets_have_no_part_in_a_cross_liquidation() -> None:
    """A cross position is liquidated where it would be without what is isolated or margined with another asset."""
    with BinanceSimulator(canary_interval=FOR_EVER) as sim:
        publish(sim)
        before = risks(sim)
        for contract_id, wallet in (("SOLUSDT", 5), ("ETHUSDC", None)):
            sim.set_price(contract_id, 100)
            sim.open_position(contract_id, 1, 110, isolated_wallet=wallet)
        after = risks(sim)
        sim.close_position("ETHUSDT")
        alone = risks(sim)
    assert {"SOLUSDT", "ETHUSDC"} == set(after) - set(before)
    assert before == {contract_id: after[contract_id] for contract_id in before}
    # (1535443.01 + 16300 - 109.488 * 32481.98) / (109.488 * (2.5% - 1)); at it a notional of 2,058,120.
    expected = (Decimal("1535443.01") + 16_300 - Decimal("109.488") * Decimal("32481.98")) / Decimal("-106.7508")
    assert f"{expected:.8f}" == alone["BTCUSDT"]["liquidationPrice"]


@pytest.mark.parametrize(
    ("amount", "price", "wallet", "maintenance", "liquidation"),
    [
        # (2000 + 100 - 10 * 2000) / (10 * (2% - 1)) = 17900 / 9.8, at which it is worth 18,265.
        pytest.param(10, 2000, 2000, "300.00000000", "1826.53061224", id="long"),
        # Worth 10,500 when opened, but (1000 + 0 - 10500) / (10 * (1% - 1)) = 9500 / 9.9, where it is worth 9,596.
        pytest.param(10, 1050, 1000, "110.00000000", "959.59595960", id="long, down a bracket"),
        # (5000 + 100 + 10 * 2000) / (10 * (2% + 1)) = 25100 / 10.2, at which it is worth 24,608.
        pytest.param(-10, 2000, 5000, "300.00000000", "2460.78431373", id="short"),
        # Worth 49,000 when opened, but (5000 + 1600 + 49000) / (10 * (5% + 1)) = 55600 / 10.5: worth 52,952.
        pytest.param(-10, 4900, 5000, "880.00000000", "5295.23809524", id="short, up a bracket"),
        # All of it is paid for.
        pytest.param(1, 2000, 2000, "20.00000000", "0", id="never"),
    ],
)
def test_an_isolated_linear_position_is_liquidated_within_its_bracket_there(
    sim: BinanceSimulator, amount: int, price: int, wallet: int, maintenance: str, liquidation: str
) -> None:
    """USD-M: rate and cum are those of the bracket at the mark price for the margin, else of that at liquidation."""
    sim.set_price("ETHUSDT", price)
    sim.open_position("ETHUSDT", amount, isolated_wallet=wallet)
    (row,) = risks(sim).values()
    assert (maintenance, liquidation) == (row["maintMargin"], row["liquidationPrice"])


@pytest.mark.parametrize(
    ("amount", "entry", "wallet", "profit", "maintenance", "liquidation"),
    [
        # 10,000 dollars: (10000 * 1% + 10000) / (0.05 + 10000 / 40000) = 10100 / 0.3, at which it is worth 0.297.
        pytest.param(100, 40_000, "0.05", "0.05000000", "0.00200000", "33666.66666667", id="long"),
        # (10000 * 1% - 10000) / (0.1 - 10000 / 40000) = 9900 / 0.15, at which it is worth 0.15.
        pytest.param(-100, 40_000, "0.1", "-0.05000000", "0.00200000", "66000.00000000", id="short"),
        # 200,000 dollars, 4 BTC when opened, but (200000 * 2% + 200000) / (1.5 + 0.05 + 4) = 204000 / 5.55: 5.44 BTC.
        pytest.param(2_000, 50_000, "1.5", "0.00000000", "0.04000000", "36756.75675676", id="long, up a bracket"),
        # 300,000 dollars, 6 BTC when opened, but (300000 * 1% - 300000) / (2 - 6) = 297000 / 4: 4.04 BTC.
        pytest.param(-3_000, 50_000, "2", "0.00000000", "0.07000000", "74250.00000000", id="short, down a bracket"),
        # A short without leverage: all of it is paid for.
        pytest.param(-100, 40_000, "0.25", "-0.05000000", "0.00200000", "0", id="never"),
    ],
)
def test_an_isolated_inverse_position_is_liquidated_within_its_bracket_there(
    sim: BinanceSimulator, amount: int, entry: int, wallet: str, profit: str, maintenance: str, liquidation: str
) -> None:
    """COIN-M: contracts of so many dollars are worth more coins the lower the price."""
    sim.open_position(PERPETUAL, amount, entry, isolated_wallet=wallet)
    (row,) = risks(sim, RISKS[2]).values()
    assert (profit, liquidation) == (row["unRealizedProfit"], row["liquidationPrice"])
    assert maintenance == stated(sim, ACCOUNTS[2])[PERPETUAL]["maintMargin"]


def test_a_cross_linear_short_counts_on_the_balance(sim: BinanceSimulator) -> None:
    """USD-M: the balance of the margin asset covers a cross position."""
    sim.set_price("ETHUSDT", 2_100)
    sim.open_position("ETHUSDT", -10, 2_000)
    (row,) = risks(sim).values()
    assert {
        "symbol": "ETHUSDT",
        "positionSide": "BOTH",
        "positionAmt": "-10.000",
        "entryPrice": "2000.0",
        "breakEvenPrice": "2000.0",
        "markPrice": "2100.00000000",
        "unRealizedProfit": "-1000.00000000",  # -10 * (2100 - 2000)
        "liquidationPrice": "2950.98039216",  # (10000 + 100 + 10 * 2000) / (10 * (2% + 1)) = 30100 / 10.2
        "isolatedMargin": "0",
        "notional": "-21000.00000000",
        "marginAsset": "USDT",
        "isolatedWallet": "0",
        "initialMargin": "1050.00000000",  # 21000 / 20
        "maintMargin": "320.00000000",  # 21000 * 2% - 100
        "positionInitialMargin": "1050.00000000",
        "openOrderInitialMargin": "0",
        "adl": 2,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": row["updateTime"],
    } == row
    assert abs(time.time() * 1000 - row["updateTime"]) < 60_000


def test_cross_inverse_positions_share_their_coin(sim: BinanceSimulator) -> None:
    """COIN-M: cross positions with the same margin asset cover each other; an isolated one stands alone."""
    current, following = future(sim, "CURRENT_QUARTER"), future(sim, "NEXT_QUARTER")
    for contract_id, price in ((current, 40_000), (following, 45_000)):
        sim.set_brackets(contract_id, INVERSE)
        sim.set_price(contract_id, price)
    sim.set_balance("BTC", 1)
    sim.open_position(PERPETUAL, 100, 40_000)  # worth 0.2, profit 0.25 - 0.2, maintenance 0.002
    sim.open_position(current, -1_000, 50_000)  # worth 2.5, profit 2.5 - 2, maintenance 0.025
    sim.open_position(following, 100, 50_000, isolated_wallet="0.1")
    found = {key: row["liquidationPrice"] for key, row in risks(sim, RISKS[2]).items()}
    assert {
        PERPETUAL: "5855.07246377",  # 10000 * 1.01 / (1 - 0.025 + 0.5 + 0.25) = 10100 / 1.725
        current: "103991.59663866",  # 100000 * -0.99 / (1 - 0.002 + 0.05 - 2) = 99000 / 0.952
        following: "33666.66666667",  # 10000 * 1.01 / (0.1 + 0.2) = 10100 / 0.3
    } == found


def test_new_brackets_move_the_margin_and_nothing_else(sim: BinanceSimulator) -> None:
    """After a bracket cut an open position has its old leverage, a new maintenance margin and liquidation price."""
    sim.open_position("ETHUSDT", 10, isolated_wallet=2_000)
    (before,) = risks(sim).values()
    sim.set_brackets(
        "ETHUSDT", table((0, 10_000, 0.02, 0, 20), (10_000, 50_000, 0.04, 200, 8), (50_000, 100_000, 0.1, 3_200, 5))
    )
    (after,) = risks(sim).values()
    new = {
        "maintMargin": "600.00000000",  # 20000 * 4% - 200
        "liquidationPrice": "1854.16666667",  # (2000 + 200 - 20000) / (10 * (4% - 1)) = 17800 / 9.6
    }
    assert {**before, **new} == after
    (row,) = risks(sim, RISKS[1], symbol="ETHUSDT").values()
    # The leverage that the position keeps is now allowed up to 10,000 only.
    assert ("20", "10000", "1854.16666667") == (row["leverage"], row["maxNotionalValue"], row["liquidationPrice"])
    with pytest.raises(ValueError, match="leverage of 1 to 8"):
        sim.open_position("ETHUSDT", 10)
    assert after == risks(sim)["ETHUSDT"]


def test_brackets_can_leave_a_position_out(sim: BinanceSimulator) -> None:
    """A position that is worth less than where the brackets begin needs no margin, and is not liquidated there."""
    sim.open_position("ETHUSDT", 10, isolated_wallet=2_000)
    sim.set_brackets("ETHUSDT", table((50_000, 1_000_000, 0.05, 1_600, 10)))
    (row,) = risks(sim).values()
    assert ("0", "0") == (row["maintMargin"], row["liquidationPrice"])
    (empty,) = signed(sim, RISKS[1], symbol="BTCUSDT").json()
    assert "20" == empty["leverage"]
    sim.close_position("ETHUSDT")
    (empty,) = signed(sim, RISKS[1], symbol="ETHUSDT").json()
    assert ("10", "1000000") == (empty["leverage"], empty["maxNotionalValue"])


# ---- the endpoints


@pytest.mark.parametrize("path", [*RISKS, *ACCOUNTS])
def test_the_private_endpoints_check_key_and_signature(sim: BinanceSimulator, path: str) -> None:
    """Each refuses a wrong key, signature and time with Binance's own error."""

    def refusal(response: requests.Response) -> tuple[int, int]:
        return response.status_code, response.json()["code"]

    late = round(time.time() * 1000) - 20_000
    assert 200 == signed(sim, path).status_code
    assert (401, -2014) == refusal(get(sim, path))
    assert (401, -2015) == refusal(signed(sim, path, key="another"))
    assert (400, -1022) == refusal(signed(sim, path, secret="another"))
    assert (400, -1021) == refusal(signed(sim, path, timestamp=late))


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
    """`symbol` picks one contract, and one that there is not is an invalid symbol."""
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


# ---- the face


def test_a_position_replaces_and_is_closed(sim: BinanceSimulator) -> None:
    """One contract has one position; its entry is the mark price unless it is told."""
    sim.open_position("ETHUSDT", "0.1", leverage=50)
    assert ("0.100", "2000.0") == (risks(sim)["ETHUSDT"]["positionAmt"], risks(sim)["ETHUSDT"]["entryPrice"])
    sim.open_position("ETHUSDT", -0.3, Decimal("2000.5"))
    assert ("-0.300", "2000.5") == (risks(sim)["ETHUSDT"]["positionAmt"], risks(sim)["ETHUSDT"]["entryPrice"])
    for _ in range(2):
        sim.close_position("ETHUSDT")
        assert {} == risks(sim)


def test_a_removed_contract_takes_its_position_along(sim: BinanceSimulator) -> None:
    """The position vanishes with the contract, from every sum, and does not come back with a namesake."""
    sim.open_position("ETHUSDT", 10, 1_900)
    sim.remove_contract("ETHUSDT")
    assert {} == risks(sim)
    assert {} == stated(sim)
    assert "0.00000000" == assets(sim)["USDT"]["unrealizedProfit"]
    sim.list_contract("ETHUSDT", status="TRADING")
    assert {} == risks(sim)


def test_a_balance_can_be_set(sim: BinanceSimulator) -> None:
    """The cross wallet balance of an asset is what it was set to, at the time when it was."""
    before = assets(sim)
    sim.set_balance("USDT", "123.456")
    after = assets(sim)
    assert ("10000.00000000", "123.45600000") == (before["USDT"]["walletBalance"], after["USDT"]["walletBalance"])
    assert before["USDC"] == after["USDC"]
    assert 0 < before["USDT"]["updateTime"] <= after["USDT"]["updateTime"]


def test_a_pinned_price_no_longer_drifts(sim: BinanceSimulator) -> None:
    """A price that was set is pushed and answered as it is, another drifts with its pushes."""
    with Client(sim, f"/market/ws/{CANARY}/ethusdt@markPrice") as client:

        def pushed() -> dict[str, str]:
            sim.push_canary()
            return {push["s"]: push["p"] for push in (client.json(), client.json())}

        first, second = pushed(), pushed()
        assert "2000.00000000" == first["ETHUSDT"] == second["ETHUSDT"]
        assert first["BTCUSDT"] != second["BTCUSDT"]
        sim.open_position("BTCUSDT", "0.001")
        assert second["BTCUSDT"] == risks(sim)["BTCUSDT"]["markPrice"]
        sim.set_price("BTCUSDT", 90_000.5)
        assert "90000.50000000" == pushed()["BTCUSDT"] == risks(sim)["BTCUSDT"]["markPrice"]


def test_the_account_can_be_filled_before_the_start() -> None:
    """What was opened before the start is there after it."""
    sim = BinanceSimulator()
    sim.open_position("ETHUSDT", 1)
    with sim:
        assert {"ETHUSDT"} == set(risks(sim))


def test_unknown_names_are_key_errors(sim: BinanceSimulator) -> None:
    """An id or an asset that there is not is a KeyError that names it."""
    for call in (
        lambda: sim.open_position("NONEUSDT", 1),
        lambda: sim.close_position("NONEUSDT"),
        lambda: sim.set_price("NONEUSDT", 1),
        lambda: sim.set_balance("NONE", 1),
    ):
        with pytest.raises(KeyError, match="NONE"):
            call()


@pytest.mark.parametrize(
    ("words", "amount", "options"),
    [
        pytest.param("other than zero", 0, {}, id="nothing"),
        pytest.param("no number", "much", {}, id="word"),
        pytest.param("no sensible number", float("nan"), {}, id="nan"),
        pytest.param("no sensible number", "1e15", {}, id="huge"),
        pytest.param("at most 3 decimals", "0.0001", {}, id="off the step"),
        pytest.param("entry price must be above zero", 1, {"entry_price": 0}, id="free"),
        pytest.param("isolated wallet must be above zero", 1, {"isolated_wallet": 0}, id="empty wallet"),
        pytest.param("leverage of 1 to 50", 5, {"leverage": 51}, id="leverage"),
        pytest.param("leverage of 1 to 25", "5.001", {"leverage": 26}, id="leverage of the second bracket"),
        pytest.param("leverage of 1 to 10", 500, {}, id="default leverage"),
        pytest.param("leverage of 1 to 50", 1, {"leverage": 0}, id="no leverage"),
        pytest.param("leverage of 1 to 50", 1, {"leverage": 2.5}, id="broken leverage"),
        pytest.param("no bracket of ETHUSDT allows a notional of 1000002", "500.001", {"leverage": 1}, id="too large"),
    ],
)
def test_an_impossible_position_is_refused(
    sim: BinanceSimulator, words: str, amount: Any, options: dict[str, Any]
) -> None:
    """What cannot be meant is a ValueError that says why, and the open position stays."""
    sim.open_position("ETHUSDT", 5, leverage=50)
    before = risks(sim)
    with pytest.raises(ValueError, match=words):
        sim.open_position("ETHUSDT", amount, **options)
    assert before == risks(sim)


def test_contracts_of_coin_m_are_whole(sim: BinanceSimulator) -> None:
    """There is no half of a contract."""
    with pytest.raises(ValueError, match="at most 0 decimals"):
        sim.open_position(PERPETUAL, 0.5)


@pytest.mark.parametrize("value", [0, -1, "0.000000001", float("inf"), "cheap"])
def test_an_impossible_price_is_refused(sim: BinanceSimulator, value: Any) -> None:
    """A price is a number above zero within eight decimals."""
    with pytest.raises(ValueError, match="the price"):
        sim.set_price("ETHUSDT", value)


@pytest.mark.parametrize("value", [-1, float("nan"), "much"])
def test_an_impossible_balance_is_refused(sim: BinanceSimulator, value: Any) -> None:
    """A balance is a number that is not negative."""
    with pytest.raises(ValueError, match="the balance"):
        sim.set_balance("USDT", value)


# ---- ccxt


def keys(sim: BinanceSimulator) -> dict[str, str]:
    return {"apiKey": sim.api_key, "secret": sim.secret}


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


# ---- orders


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
    """What is no reduce-only market order against an open position is refused, and changes nothing."""
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
