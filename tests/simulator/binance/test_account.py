"""The simulator's account comes to what Binance's formulas say."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from ccxt_contractinfo.simulator import BinanceSimulator
from tests.simulator.binance.accounts import (
    ACCOUNTS,
    INVERSE,
    PERPETUAL,
    RISKS,
    future,
    risks,
    stated,
    table,
    with_round_numbers,
)
from tests.simulator.clients import FOR_EVER, signed

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
def sim(sim: BinanceSimulator) -> BinanceSimulator:
    """One whose prices stand still, with brackets and prices that are easy to reckon with."""
    return with_round_numbers(sim)


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
    """An invalid position is a ValueError that says why, and the open position stays."""
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
