"""What a change of tiers or dates means for a position that somebody holds."""

from __future__ import annotations

import copy
from decimal import localcontext
from typing import Any

import ccxt
import pytest

from ccxt_contractinfo.contracts.changes import Market, apply_event, complete
from ccxt_contractinfo.positions.impact import PositionImpact, impact_of, is_open
from ccxt_contractinfo.positions.leverage_tiers import LeverageTiers
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.samples import ONBOARD, PUSHED, SCHEDULED, SERVER_TIME, entry, market_of, push

# PUSHED: up to 5000 at 1 %, 50x; up to 25000 at 2.5 % - 75, 20x. In TIGHTER, all rates are twice as high.
TIGHTER = [
    {"bs": 1, "bnf": 0, "bnc": 5000, "mmr": 0.02, "cf": 0, "mi": 11, "ma": 25},
    {"bs": 2, "bnf": 5000, "bnc": 25000, "mmr": 0.05, "cf": 150, "mi": 1, "ma": 10},
]
COIN = [
    {"bs": 1, "bnf": 0, "bnc": 1, "mmr": 0.01, "cf": 0, "mi": 26, "ma": 50},
    {"bs": 2, "bnf": 1, "bnc": 10, "mmr": 0.02, "cf": 0.01, "mi": 1, "ma": 25},
]
TIGHTER_COIN = [
    {"bs": 1, "bnf": 0, "bnc": 1, "mmr": 0.02, "cf": 0, "mi": 11, "ma": 25},
    {"bs": 2, "bnf": 1, "bnc": 10, "mmr": 0.05, "cf": 0.03, "mi": 1, "ma": 10},
]
NOW = SERVER_TIME


def with_brackets(brackets: list[dict[str, Any]], id: str = "IOTAUSDT", **changes: Any) -> Market:
    """A contract with these brackets."""
    return apply_event(market_of(entry(id, **changes)), push(id, bks=brackets), WORDS).market


NEW, NEW_COIN = with_brackets(TIGHTER), with_brackets(TIGHTER_COIN, "BTCUSD_PERP")
BEFORE = {"leverageTiers": with_brackets(PUSHED)["leverageTiers"]}
BEFORE_COIN = {"leverageTiers": with_brackets(COIN, "BTCUSD_PERP")["leverageTiers"]}

# 100 at 100 are 10000, by the mark price 11000 with a profit of 1000; 2125 were put into it, and it opened at 10x. By
# PUSHED it is liquidated at 80: 8000, margin 200 - 75 = 125, loss 2000. By TIGHTER, at
# (2125 + 150 - 10000) / (100 * (0.05 - 1)) = 7725 / 95.
LONG: dict[str, Any] = {
    "symbol": "IOTA/USDT:USDT",
    "contracts": 100.0,
    "contractSize": 1.0,
    "side": "long",
    "hedged": False,
    "entryPrice": 100.0,
    "markPrice": 110.0,
    "notional": 11000.0,
    "unrealizedPnl": 1000.0,
    "collateral": 3125.0,
    "initialMargin": 1100.0,
    "leverage": None,
    "liquidationPrice": 80.0,
    "maintenanceMarginPercentage": 0.025,
    "marginMode": "isolated",
    "info": {"positionInitialMargin": "1100"},
}
# The same the other way round: 2125 - 1000 are left of it. By PUSHED it is liquidated at
# (2125 + 75 + 10000) / (100 * (0.025 + 1)) = 12200 / 102.5, by TIGHTER at (2125 + 150 + 10000) / (100 * 1.05).
SHORT = {**LONG, "side": "short", "unrealizedPnl": -1000.0, "collateral": 1125.0}
# 1000 contracts of 10 USD at 20000 are 0.5 BTC, as they are by the mark price; 0.308 were put into it. By COIN it is
# liquidated at 12500: 0.8 BTC, margin 0.008, loss 0.3. By TIGHTER_COIN, at 10000 * 1.02 / (0.308 + 0.5).
LONG_COIN = {
    **LONG,
    "symbol": "BTC/USD:BTC",
    "contracts": 1000.0,
    "contractSize": 10.0,
    "entryPrice": 20000.0,
    "markPrice": 20000.0,
    "notional": 0.5,
    "unrealizedPnl": 0.0,
    "collateral": 0.308,
    "initialMargin": 0.05,
    "liquidationPrice": 12500.0,
    "maintenanceMarginPercentage": 0.01,
    "info": {},
}
# 0.104 were put into it. By COIN it is liquidated at 25000: 0.4 BTC, margin 0.004, loss 0.1. By TIGHTER_COIN, at
# 10000 * (1 - 0.02) / (0.5 - 0.104).
SHORT_COIN = {**LONG_COIN, "side": "short", "collateral": 0.104, "liquidationPrice": 25000.0}


def impact(position: dict[str, Any], market: Market = NEW, before: Any = BEFORE, now: int = NOW) -> PositionImpact:
    """The impact, where there is one."""
    found = impact_of(position, market, before, now)
    assert found is not None
    return found


def prices(
    position: dict[str, Any], market: Market = NEW, before: Any = BEFORE, are_fresh: bool = False
) -> tuple[float | None, float | None]:
    """The liquidation prices, before and now."""
    found = impact_of(position, market, before, NOW, are_fresh=are_fresh)
    assert found is not None
    return found["previousLiquidationPrice"], found["liquidationPrice"]


# What nobody has asked for


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        pytest.param({"contracts": 1.0}, True, id="one"),
        pytest.param({"contracts": 0.001}, True, id="a fraction"),
        pytest.param({"contracts": 0.0}, False, id="none"),
        pytest.param({"contracts": None}, False, id="None"),
        pytest.param({}, False, id="nothing told"),
    ],
)
def test_is_open(position: dict[str, Any], expected: bool) -> None:
    """A position is open that has any contracts."""
    assert expected is is_open(position)


# Tiers


def test_impact_in_full() -> None:
    """All that there is to tell of a position whose contract has got tighter tiers."""
    assert {
        "symbol": "IOTA/USDT:USDT",
        "id": "IOTAUSDT",
        "position": LONG,
        "previous": BEFORE,
        "tierChanges": LeverageTiers.diff(PUSHED, TIGHTER),
        "notional": 11000.0,
        "maintenanceMargin": 400.0,
        "previousMaintenanceMargin": 200.0,
        "leverage": 10.0,
        "maxLeverage": 10.0,
        "previousMaxLeverage": 20.0,
        "liquidationPrice": 7725 / 95,
        "previousLiquidationPrice": 80.0,
        "expiry": None,
        "delisting": None,
        "timeLeft": None,
    } == impact(LONG)
    assert set(PositionImpact.__annotations__) == set(impact(LONG))
    assert impact(LONG)["position"] is LONG


def test_impact_on_an_inverse_position_in_full() -> None:
    """The same of COIN-M, in the base coin."""
    found = impact(LONG_COIN, NEW_COIN, BEFORE_COIN)
    expected = {
        "symbol": "BTC/USD:BTC",
        "id": "BTCUSD_PERP",
        "notional": 0.5,
        "maintenanceMargin": 0.01,
        "previousMaintenanceMargin": 0.005,
        "leverage": 10.0,
        "maxLeverage": 25.0,
        "previousMaxLeverage": 50.0,
        "liquidationPrice": 1275000 / 101,
        "previousLiquidationPrice": 12500.0,
    }
    assert expected == {name: found[name] for name in expected}


@pytest.mark.parametrize(
    ("position", "market", "before", "expected"),
    [
        pytest.param(SHORT, NEW, BEFORE, (12200 / 102.5, 12275 / 105), id="linear"),
        pytest.param(SHORT_COIN, NEW_COIN, BEFORE_COIN, (25000, 9800 / 0.396), id="inverse"),
    ],
)
def test_liquidation_prices_of_isolated_positions(
    position: dict[str, Any], market: Market, before: Any, expected: tuple[float, float]
) -> None:
    """What was put into an isolated position is its collateral without its profit."""
    assert pytest.approx(expected, rel=1e-15) == prices(position, market, before)


@pytest.mark.parametrize(
    ("position", "market", "before"),
    [
        # A long of 10000 can lose no more than these.
        pytest.param({**LONG, "collateral": 11000.0}, NEW, BEFORE, id="linear"),
        # A short of 0.5 BTC can lose no more than these.
        pytest.param({**SHORT_COIN, "collateral": 0.5}, NEW_COIN, BEFORE_COIN, id="inverse"),
    ],
)
def test_positions_that_no_price_liquidates(position: dict[str, Any], market: Market, before: Any) -> None:
    """A position that has all that it can lose has no liquidation price, before or now."""
    assert (None, None) == prices(position, market, before)


def test_an_isolated_position_in_hedge_mode_has_liquidation_prices() -> None:
    """Each side of an isolated position stands by itself."""
    assert (80.0, 7725 / 95) == prices({**LONG, "hedged": True})


def cross(position: dict[str, Any], margin: str | None = None, **changes: Any) -> dict[str, Any]:
    """A cross position, as positionRisk has it, with the maintenance margin that Binance tells."""
    told = {} if margin is None else {"maintMargin": margin}
    price = changes.get("liquidationPrice", position["liquidationPrice"])
    info = {**position["info"], "liquidationPrice": str(price), **told}
    return {**position, "marginMode": "cross", "collateral": 7.0, "info": info, **changes}


SHORT_AT_120 = {**SHORT, "liquidationPrice": 120.0}
# By PUSHED: 8000, margin 125, loss 2000: 2125 stand behind it.
OF_THE_OLD = (80, 7725 / 95)
# By TIGHTER: 8000, margin 250, loss 2000: 2250 stand behind it; (2250 + 75 - 10000) / (100 * (0.025 - 1)).
OF_THE_NEW = (7675 / 97.5, 80)


@pytest.mark.parametrize(
    ("position", "market", "before", "expected"),
    [
        pytest.param(cross(LONG, "200.00000000"), NEW, BEFORE, OF_THE_OLD, id="by the old"),
        pytest.param(cross(LONG, "400.00000000"), NEW, BEFORE, OF_THE_NEW, id="by the new"),
        # By PUSHED: 12000, margin 225, loss 2000: 2225; (2225 + 150 + 10000) / (100 * 1.05).
        pytest.param(cross(SHORT_AT_120, "200"), NEW, BEFORE, (120, 12375 / 105), id="short, by the old"),
        # By TIGHTER: 12000, margin 450, loss 2000: 2450; (2450 + 75 + 10000) / (100 * 1.025).
        pytest.param(cross(SHORT_AT_120, "400"), NEW, BEFORE, (12525 / 102.5, 120), id="short, by the new"),
        pytest.param(
            cross(LONG_COIN, "0.005"), NEW_COIN, BEFORE_COIN, (12500, 10200 / 0.808), id="inverse, by the old"
        ),
        # By TIGHTER_COIN: 0.8 BTC, margin 0.016, loss 0.3: 0.316; 10000 * 1.01 / (0.316 + 0.5).
        pytest.param(
            cross(LONG_COIN, "0.010"), NEW_COIN, BEFORE_COIN, (10100 / 0.816, 12500), id="inverse, by the new"
        ),
        # By COIN: 0.4 BTC, margin 0.004, loss 0.1: 0.104.
        pytest.param(
            cross(SHORT_COIN, "0.005"), NEW_COIN, BEFORE_COIN, (25000, 9800 / 0.396), id="inverse short, by the old"
        ),
    ],
)
def test_liquidation_prices_of_cross_positions(
    position: dict[str, Any], market: Market, before: Any, expected: tuple[float, float]
) -> None:
    """What stands behind a cross position is worked out from its liquidation price, by the tiers whose maintenance
    margin Binance tells with it, whenever it was fetched."""
    for are_fresh in (False, True):
        assert pytest.approx(expected, rel=1e-15) == prices(position, market, before, are_fresh)


@pytest.mark.parametrize("margin", [None, "7"], ids=["untold", "by neither"])
def test_a_cross_position_of_tiers_that_nobody_knows(margin: str | None) -> None:
    """Where Binance does not tell by which tiers a liquidation price was made, there is an estimate only where the
    position was fetched after they changed."""
    assert (None, None) == prices(cross(LONG, margin))
    assert pytest.approx(OF_THE_NEW, rel=1e-15) == prices(cross(LONG, margin), are_fresh=True)


def test_a_cross_position_whose_margin_is_the_same_by_both() -> None:
    """Where the margin is the same by old and new tiers, but not at the liquidation price, there is no estimate."""
    market = with_brackets([{**TIGHTER[0]}, {**PUSHED[1]}])
    at_4000 = cross(LONG, "200", liquidationPrice=40.0)
    assert (None, None) == prices(at_4000, market)
    assert (80.0, 80.0) == prices(cross(LONG, "200"), market)


def test_a_cross_position_that_ccxt_has_reckoned() -> None:
    """A liquidation price that is not Binance's own, as in ccxt's account positions, is nothing to go by."""
    account = {**cross(LONG), "info": {"maintMargin": "200"}}
    assert (None, None) == prices(account, are_fresh=True)


def test_a_cross_position_keeps_its_price_where_only_leverage_changed() -> None:
    """Where the rates are as before, so is the liquidation price."""
    market = with_brackets([{**each, "ma": 5} for each in PUSHED])
    assert (80.0, 80.0) == prices(cross(LONG), market)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"hedged": True}, id="hedged"),
        pytest.param({"liquidationPrice": None}, id="no liquidation price"),
        pytest.param({"liquidationPrice": 0.0}, id="a liquidation price of 0"),
        pytest.param({"entryPrice": None}, id="no entry price"),
    ],
)
def test_cross_positions_without_an_estimate(changes: dict[str, Any]) -> None:
    """In hedge mode, or without a price, a cross position has no estimate, but the rest."""
    found = impact(cross(LONG, "200", **changes))
    assert (None, None, 200.0, 400.0, 20.0, 10.0) == (
        found["previousLiquidationPrice"],
        found["liquidationPrice"],
        found["previousMaintenanceMargin"],
        found["maintenanceMargin"],
        found["previousMaxLeverage"],
        found["maxLeverage"],
    )


@pytest.mark.parametrize("changes", [{"entryPrice": None}, {"collateral": None}, {"entryPrice": 0}])
def test_isolated_positions_without_an_estimate(changes: dict[str, Any]) -> None:
    """Without an entry price or a collateral, an isolated position has no estimate, but the rest."""
    found = impact({**LONG, **changes})
    assert (None, None, 200.0, 400.0, 11000.0) == (
        found["previousLiquidationPrice"],
        found["liquidationPrice"],
        found["previousMaintenanceMargin"],
        found["maintenanceMargin"],
        found["notional"],
    )


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        pytest.param(LONG, 7725 / 95, id="isolated"),
        pytest.param(cross(LONG, "400"), 80.0, id="cross, by the new"),
        pytest.param(cross(LONG), None, id="cross, by nobody knows which"),
    ],
)
def test_tiers_that_were_not_known_before(position: dict[str, Any], expected: float) -> None:
    """Where the tiers were not known before there is nothing by them, nor ranges, but what holds now."""
    found = impact(position, before={"leverageTiers": None})
    assert (None, None, None, None) == (
        found["tierChanges"],
        found["previousMaintenanceMargin"],
        found["previousMaxLeverage"],
        found["previousLiquidationPrice"],
    )
    assert ({"leverageTiers": None}, 400.0, 10.0, expected) == (
        found["previous"],
        found["maintenanceMargin"],
        found["maxLeverage"],
        found["liquidationPrice"],
    )


def test_a_position_larger_than_any_tier() -> None:
    """Beyond the last cap no leverage is allowed, but the margin and the price are those of the last tier."""
    # 300 at 100 are 30000: margins 750 - 75 and 1500 - 150. By PUSHED it is liquidated at 80, 24000, margin 525, loss
    # 6000; by TIGHTER at (6525 + 150 - 30000) / (300 * -0.95).
    found = impact({**LONG, "contracts": 300.0, "notional": 30000.0, "unrealizedPnl": 0.0, "collateral": 6525.0})
    assert (None, None, 675.0, 1350.0, 80.0, 23325 / 285) == (
        found["previousMaxLeverage"],
        found["maxLeverage"],
        found["previousMaintenanceMargin"],
        found["maintenanceMargin"],
        found["previousLiquidationPrice"],
        found["liquidationPrice"],
    )


def test_caps_that_shrink_below_a_position() -> None:
    """A position that the new caps do not allow had a leverage before, and has none now."""
    found = impact(LONG, with_brackets(PUSHED[:1]))
    # By the only tier, 1 %: (2125 - 10000) / (100 * -0.99).
    assert (20.0, None, 200.0, 110.0, 80.0, 7875 / 99) == (
        found["previousMaxLeverage"],
        found["maxLeverage"],
        found["previousMaintenanceMargin"],
        found["maintenanceMargin"],
        found["previousLiquidationPrice"],
        found["liquidationPrice"],
    )
    changes = found["tierChanges"]
    assert changes is not None
    assert [(5000.0, 25000.0, None)] == [
        (each["minNotional"], each["maxNotional"], each["maxLeverage"]) for each in changes
    ]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"leverageTiers": NEW["leverageTiers"]}, id="tiers"),
        pytest.param({"leverageTiers": copy.deepcopy(NEW["leverageTiers"]), "created": ONBOARD}, id="tiers and dates"),
        pytest.param({"delisting": None, "expiry": None}, id="dates"),
    ],
)
def test_changes_that_were_undone(before: dict[str, Any]) -> None:
    """Where the contract has all its values again, there is no impact."""
    assert None is impact_of(LONG, NEW, before, NOW)


def test_some_changes_that_were_undone() -> None:
    """Of several changes those are told that still hold."""
    found = impact(LONG, before={**BEFORE, "created": ONBOARD, "delisting": SCHEDULED})
    assert {**BEFORE, "delisting": SCHEDULED} == found["previous"]
    found = impact(LONG, before={"leverageTiers": NEW["leverageTiers"], "delisting": SCHEDULED})
    assert ({"delisting": SCHEDULED}, None) == (found["previous"], found["tierChanges"])


def test_nothing_is_changed() -> None:
    """Position, market and previous values are left as they were, though they are given on."""
    given_ones = (copy.deepcopy(LONG), copy.deepcopy(NEW), copy.deepcopy(BEFORE))
    impact(LONG)
    assert given_ones == (LONG, NEW, BEFORE)


# Dates


def test_dates_alone() -> None:
    """Where only dates changed, all that follows from the tiers is as before, and nothing is said of their change."""
    market = apply_event(NEW, push(dt=SCHEDULED), WORDS).market
    found = impact(LONG, market, {"delisting": None})
    assert ({"delisting": None}, None) == (found["previous"], found["tierChanges"])
    assert (400.0, 400.0, 10.0, 10.0, 7725 / 95, 7725 / 95) == (
        found["previousMaintenanceMargin"],
        found["maintenanceMargin"],
        found["previousMaxLeverage"],
        found["maxLeverage"],
        found["previousLiquidationPrice"],
        found["liquidationPrice"],
    )


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(SCHEDULED - 3_600_000, 3_600_000, id="in an hour"),
        pytest.param(SCHEDULED, 0, id="now"),
        pytest.param(SCHEDULED + 1, 0, id="past"),
    ],
)
def test_time_left(now: int, expected: int) -> None:
    """The time left of a swap is that until its delisting, and 0 once that is past."""
    found = impact(LONG, apply_event(NEW, push(dt=SCHEDULED), WORDS).market, {"delisting": None}, now)
    assert (None, SCHEDULED, expected) == (found["expiry"], found["delisting"], found["timeLeft"])


def test_time_left_of_a_future() -> None:
    """The time left of a future is that until its expiry, which may have moved."""
    future = entry("IOTAUSDT_260921", contractType="CURRENT_QUARTER", deliveryDate=SCHEDULED)
    market = complete(market_of(future), WORDS)
    found = impact(LONG, market, {"expiry": SCHEDULED + 7}, SCHEDULED - 5)
    assert (SCHEDULED, None, 5) == (found["expiry"], found["delisting"], found["timeLeft"])
    assert {"expiry": SCHEDULED + 7} == found["previous"]


def test_a_delisting_that_was_called_off() -> None:
    """Where no delivery is scheduled any more, no time is told, but the one that was."""
    found = impact(LONG, NEW, {"delisting": SCHEDULED})
    assert ({"delisting": SCHEDULED}, None, None) == (found["previous"], found["delisting"], found["timeLeft"])


def test_tiers_that_are_not_known_at_all() -> None:
    """Where no tiers are known, dates, notional and leverage are told without them."""
    market = apply_event(market_of(entry()), push(dt=SCHEDULED), WORDS).market
    for position in (LONG, cross(LONG, "200")):
        found = impact(position, market, {"delisting": None})
        told = {name for name, value in found.items() if value is not None}
        assert {"symbol", "id", "position", "previous", "notional", "leverage", "delisting", "timeLeft"} == told
        assert (11000.0, 10.0, SCHEDULED - NOW) == (found["notional"], found["leverage"], found["timeLeft"])


# What positions tell


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"leverage": 7}, 7.0, id="told"),
        pytest.param({"leverage": 12.5}, 12.5, id="told, no whole number"),
        # 11000 / 1099.9 is 10.0009.
        pytest.param({"info": {"positionInitialMargin": "1099.9"}}, 10.0, id="by the margin of the position"),
        pytest.param(
            {"info": {"positionInitialMargin": "550.3"}, "initialMargin": 1100.0}, 20.0, id="before the whole"
        ),
        pytest.param({"info": {}, "initialMargin": 3667.0}, 3.0, id="by the initial margin"),
        pytest.param({"info": None, "initialMargin": 3667.0}, 3.0, id="without info"),
        pytest.param({"info": {}, "initialMargin": 0.0}, None, id="no margin"),
        pytest.param({"info": {"positionInitialMargin": "0"}, "initialMargin": None}, None, id="a margin of 0"),
        pytest.param({"info": {}, "initialMargin": None}, None, id="untold"),
    ],
)
def test_leverage_of_a_position(changes: dict[str, Any], expected: float | None) -> None:
    """The leverage of a position is the one it tells, else the whole number that its initial margin comes to."""
    leverage = impact({**LONG, **changes})["leverage"]
    assert (expected, type(expected)) == (leverage, type(leverage))


@pytest.mark.parametrize(
    ("position", "market", "before", "changes", "expected"),
    [
        pytest.param(LONG, NEW, BEFORE, {}, 11000.0, id="told"),
        pytest.param(SHORT, NEW, BEFORE, {"notional": -11000.0}, 11000.0, id="told, negative"),
        pytest.param(LONG, NEW, BEFORE, {"notional": None, "markPrice": 120.0}, 12000.0, id="by the mark price"),
        pytest.param(LONG, NEW, BEFORE, {"notional": 0.0, "markPrice": None}, 10000.0, id="by the entry price"),
        pytest.param(
            LONG_COIN, NEW_COIN, BEFORE_COIN, {"notional": None, "markPrice": 40000.0}, 0.25, id="inverse, by the mark"
        ),
        pytest.param(
            LONG_COIN, NEW_COIN, BEFORE_COIN, {"notional": None, "markPrice": 0.0}, 0.5, id="inverse, by the entry"
        ),
    ],
)
def test_notional_of_a_position(
    position: dict[str, Any], market: Market, before: Any, changes: dict[str, Any], expected: float
) -> None:
    """The notional is the one that is told, without its sign, else that of the mark price, else of the entry price."""
    assert expected == impact({**position, **changes}, market, before)["notional"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"notional": "much"}, id="notional, a text"),
        pytest.param({"notional": float("nan")}, id="notional, NaN"),
        pytest.param({"notional": None, "markPrice": None, "entryPrice": None}, id="no price at all"),
        pytest.param({"notional": float("inf")}, id="notional, infinite"),
        pytest.param({"contracts": float("nan")}, id="contracts, NaN"),
        pytest.param({"notional": [1]}, id="notional, a list"),
        pytest.param({"entryPrice": "high"}, id="entry price, a text"),
        pytest.param({"entryPrice": -1.0}, id="entry price, negative"),
        pytest.param({"contracts": -100.0}, id="contracts, negative"),
        pytest.param({"contracts": "few"}, id="contracts, a text"),
        pytest.param({"side": None}, id="side, None"),
        pytest.param({"side": "buy"}, id="side, another"),
        pytest.param({"collateral": "some"}, id="collateral, a text"),
        pytest.param({"unrealizedPnl": "lots"}, id="profit, a text"),
        pytest.param({"leverage": "high"}, id="leverage, a text"),
        pytest.param({"info": {"positionInitialMargin": "-"}}, id="margin, a text"),
        pytest.param(cross(LONG, liquidationPrice="low"), id="liquidation price, a text"),
        pytest.param(cross(LONG, "some"), id="maintenance margin, a text"),
    ],
)
def test_positions_that_cannot_be_read(changes: dict[str, Any]) -> None:
    """A position that holds no numbers where it should is refused, with its symbol and the cause."""
    with pytest.raises(ccxt.BadRequest, match="the position in IOTA/USDT:USDT cannot be read: ") as caught:
        impact_of({**LONG, **changes}, NEW, BEFORE, NOW)
    assert isinstance(caught.value.__cause__, (TypeError, ValueError, ArithmeticError))


@pytest.mark.parametrize("name", ["notional", "entryPrice", "collateral"])
def test_what_cannot_be_read_is_shown(name: str) -> None:
    """The refusal shows the value that is no number."""
    with pytest.raises(ccxt.BadRequest, match="'a lot'"):
        impact_of({**LONG, name: "a lot"}, NEW, BEFORE, NOW)


@pytest.mark.parametrize("notional", [float("nan"), float("inf")])
def test_notionals_that_are_no_numbers_without_tiers(notional: float) -> None:
    """A notional that is no number is refused also where there are no tiers to ask about it."""
    market = apply_event(market_of(entry()), push(dt=SCHEDULED), WORDS).market
    with pytest.raises(ccxt.BadRequest, match="IOTA/USDT:USDT"):
        impact_of({**LONG, "notional": notional}, market, {"delisting": None}, NOW)


@pytest.mark.parametrize("name", ["side", "entryPrice", "markPrice", "info", "collateral", "unrealizedPnl", "hedged"])
def test_positions_that_lack_a_name(name: str) -> None:
    """A position that lacks what another would have None for is told of as far as it goes, or refused by symbol."""
    position = {key: value for key, value in LONG.items() if key != name}
    if name == "side":
        with pytest.raises(ccxt.BadRequest, match="IOTA/USDT:USDT"):
            impact_of(position, NEW, BEFORE, NOW)
    else:
        assert 400.0 == impact(position)["maintenanceMargin"]


def test_the_thread_s_decimal_context_does_not_matter() -> None:
    """The figures are the same in whatever decimal context they are asked for."""
    expected = [impact(each) for each in (LONG, cross(LONG, "200"), {**LONG, "notional": None, "markPrice": 111.11})]
    with localcontext() as context:
        context.prec = 2
        found = [impact(each) for each in (LONG, cross(LONG, "200"), {**LONG, "notional": None, "markPrice": 111.11})]
    assert expected == found


def test_positions_of_ccxt() -> None:
    """What ccxt parses of Binance's answers, isolated and cross, is read."""
    exchange = ccxt.binanceusdm()
    exchange.markets, exchange.markets_by_id = {NEW["symbol"]: NEW}, {NEW["id"]: [NEW]}
    exchange.options["leverageBrackets"] = {NEW["symbol"]: [["0", "0.02"], ["5000", "0.05"]]}
    raw = {
        "symbol": "IOTAUSDT",
        "positionSide": "BOTH",
        "positionAmt": "100",
        "entryPrice": "100",
        "markPrice": "110",
        "unRealizedProfit": "1000",
        "liquidationPrice": "81.31578947368421",
        "isolatedMargin": "3125",
        "isolatedWallet": "2125",
        "notional": "11000",
        "initialMargin": "1100",
        "positionInitialMargin": "1100",
        "maintMargin": "400",
        "updateTime": 1722062678998,
    }
    isolated = exchange.parse_position_risk(raw, NEW)
    assert (80.0, 7725 / 95, 10.0, 11000.0) == (
        *prices(isolated),
        impact(isolated)["leverage"],
        impact(isolated)["notional"],
    )
    cross = exchange.parse_position_risk({**raw, "isolatedMargin": "0", "isolatedWallet": "0"}, NEW)
    assert "cross" == cross["marginMode"]
    assert pytest.approx((80.0, 7725 / 95), rel=1e-14) == prices(cross)
    short = exchange.parse_position_risk({**raw, "positionAmt": "-100", "notional": "-11000"}, NEW)
    assert ("short", 11000.0) == (impact(short)["position"]["side"], impact(short)["notional"])
