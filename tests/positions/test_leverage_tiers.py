"""What leverage tiers mean for a position: leverage, notional, margins and the liquidation price."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import re
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ccxt_contractinfo.contracts.tiers import is_continuous, to_leverage_tiers
from ccxt_contractinfo.positions.leverage_tiers import CumulativeDifference, LeverageTiers
from ccxt_contractinfo.venues.binance.brackets import parse_brackets
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.samples import PUSHED, entry, market_of, push, told_by_rest

Pushed = list[dict[str, Any]]

LINEAR = market_of(entry())
INVERSE = market_of(entry("BTCUSD_PERP"))
D = Decimal


def pushed(*rows: tuple[float, float, float, float]) -> Pushed:
    """Contiguous brackets by the names of the stream, of (cap, rate, cumulative, leverage) each."""
    floors = [0, *(row[0] for row in rows)]
    return [
        {"bs": number, "bnf": floor, "bnc": cap, "mmr": rate, "cf": cumulative, "mi": 1, "ma": leverage}
        for number, (floor, (cap, rate, cumulative, leverage)) in enumerate(zip(floors, rows, strict=False), 1)
    ]


# The tables of https://www.binance.com/en/support/faq/b3c689c1f50a44cabb3a84e663b81d93, with leverages of our own.
BTC = pushed(
    (50_000, 0.004, 0, 125),
    (250_000, 0.005, 50, 100),
    (1_000_000, 0.01, 1300, 50),
    (10_000_000, 0.025, 16300, 20),
    (20_000_000, 0.05, 266300, 10),
    (50_000_000, 0.1, 1266300, 5),
)
ETH = pushed(
    (10_000, 0.005, 0, 100),
    (100_000, 0.0065, 15, 75),
    (500_000, 0.01, 365, 50),
    (1_000_000, 0.02, 5365, 25),
    (2_000_000, 0.05, 35365, 10),
    (5_000_000, 0.1, 135365, 5),
    (10_000_000, 0.125, 260365, 4),
)
WALLET = D("1535443.01")
BTC_LONG = (D("32481.98"), D("109.488"), "long")
ETH_LONG = (D("1456.84"), D("3683.979"), "long")

# The table of https://www.binance.com/en/support/faq/ceccfcfb4e3a45e3b48b0b1bb1a8ae46, in BTC.
BTCUSD = pushed(
    (5, 0.004, 0, 125),
    (10, 0.005, 0.005, 100),
    (20, 0.01, 0.055, 50),
    (50, 0.025, 0.355, 20),
    (100, 0.05, 1.605, 10),
    (200, 0.1, 6.605, 5),
    (400, 0.125, 11.605, 4),
    (1000, 0.15, 21.605, 3),
)

# For figures that are worked by hand: quote currency, and base coin.
QUOTE = pushed((10_000, 0.01, 0, 50), (50_000, 0.02, 100, 25), (200_000, 0.05, 1600, 10))
COIN = pushed((1, 0.01, 0, 50), (10, 0.02, 0.01, 25), (100, 0.05, 0.31, 10))


def with_cumulative(table: Pushed, tier: int, cumulative: float) -> Pushed:
    """The same brackets, but for the cumulative amount of one."""
    return [{**each, "cf": cumulative} if each["bs"] == tier else each for each in table]


def ccxt_tiers(table: Pushed, market: dict[str, Any] = LINEAR) -> list[dict[str, Any]]:
    """ccxt's list of the same brackets."""
    return to_leverage_tiers(parse_brackets(table), market, WORDS)


def tiers(table: Pushed, market: dict[str, Any] | None = None) -> LeverageTiers:
    return LeverageTiers(push(bks=table), market)


# Strategies


def decimals(least: int, most: int, places: int) -> st.SearchStrategy[Decimal]:
    return st.integers(least, most).map(lambda number: D(number).scaleb(-places))


@st.composite
def tables(draw: st.DrawFn, most: int = 6) -> Pushed:
    """Consistent brackets: contiguous, with rising rates, falling leverages and the cumulative amounts they imply."""
    count = draw(st.integers(1, most))
    places = draw(st.integers(0, 3))
    caps = sorted(draw(st.sets(st.integers(1, 10**6), min_size=count, max_size=count)))
    rates = sorted(draw(st.sets(st.integers(1, 9999), min_size=count, max_size=count)))
    leverages = sorted(draw(st.sets(st.integers(1, 150), min_size=count, max_size=count)), reverse=True)
    rows: list[tuple[float, float, float, float]] = []
    floor = cumulative = last = D(0)
    for cap, rate, leverage in zip(caps, rates, leverages, strict=True):
        rate_now = D(rate).scaleb(-4)
        cumulative += floor * (rate_now - last)
        floor, last = D(cap).scaleb(-places), rate_now
        rows.append((float(floor), float(rate_now), float(cumulative), leverage))
    return pushed(*rows)


@st.composite
def stepping_tables(draw: st.DrawFn) -> Pushed:
    """The same, but that the margin may make a step at a bound, up or down."""
    table = draw(tables())
    return [table[0], *({**each, "cf": each["cf"] * draw(st.sampled_from([0, 0.5, 1, 1.5]))} for each in table[1:])]


@st.composite
def loose_tables(draw: st.DrawFn) -> Pushed:
    """Brackets with gaps and overlaps, whose leverage and rate go any way."""
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 9), st.integers(1, 99)),
            min_size=1,
            max_size=6,
        )
    )
    return [
        {"bs": 1, "bnf": floor, "bnc": floor + width + 1, "mmr": rate / 100, "cf": 0, "mi": 1, "ma": leverage}
        for floor, width, leverage, rate in rows
    ]


def cap_of(table: Pushed) -> Decimal:
    return max(D(str(each["bnc"])) for each in table)


def notionals(table: Pushed) -> st.SearchStrategy[Decimal]:
    """Any that is allowed, and often the very bounds."""
    bounds = {D(str(each[name])) for each in table for name in ("bnf", "bnc")} - {D(0)}
    cap = cap_of(table)
    return st.sampled_from(sorted(bounds)) | st.integers(1, 10**6).map(lambda part: cap * part / 10**6)


def margin_by_hand(table: Pushed, notional: Decimal) -> Decimal:
    """Rate and cumulative amount of the last bracket that begins at or below, written out once more."""
    bracket = [each for each in table if D(str(each["bnf"])) <= notional][-1]
    return D(str(bracket["mmr"])) * notional - D(str(bracket["cf"]))


@st.composite
def positions(draw: st.DrawFn, of: st.SearchStrategy[Pushed]) -> tuple[Pushed, tuple[Any, ...]]:
    """A table, and the arguments of a liquidation price by it: from well liquidated at entry to beyond liquidation."""
    table = draw(of)
    is_inverse, side = draw(st.booleans()), draw(st.sampled_from(["long", "short"]))
    price, unit = draw(decimals(1, 10**7, 2)), draw(st.sampled_from([D(1), D(100), D("0.001")]))
    notional = cap_of(table) * draw(st.integers(1, 999)) / 1000
    size = notional * price if is_inverse else notional / price
    contracts = (size / unit).quantize(D("1e-9"), rounding="ROUND_DOWN")
    assume(contracts)
    notional = contracts * unit / price if is_inverse else contracts * unit * price
    balance = margin_by_hand(table, notional) + notional * draw(decimals(-500, 3000, 3))
    return table, (price, contracts, side, balance, unit, is_inverse)


def left_at(table: Pushed, position: tuple[Any, ...], price: Decimal) -> Decimal:
    """What a position has above its maintenance margin."""
    entry_price, contracts, side, balance, unit, is_inverse = position
    with localcontext() as context:
        context.prec = 80
        size = contracts * unit
        gained = size / entry_price - size / price if is_inverse else size * (price - entry_price)
        notional = size / price if is_inverse else size * price
        return balance + (gained if side == "long" else -gained) - margin_by_hand(table, notional)


# Binance's published figures


@pytest.mark.parametrize(
    ("table", "notional", "expected"),
    [
        pytest.param(BTC, D("3500032.458"), D("71200.81145"), id="BTCUSDT"),
        pytest.param(ETH, D("4918775.081"), D("356512.5081"), id="ETHUSDT"),
        # 0.4 BTC are 100 contracts of 100 USD at 25000.
        pytest.param(BTCUSD, D("0.4"), D("0.0016"), id="BTCUSD"),
        # 300 * 12.5 % - 11.605
        pytest.param(BTCUSD, D(300), D("25.895"), id="BTCUSD in the seventh tier"),
    ],
)
def test_maintenance_margin_is_binance_s(table: Pushed, notional: Decimal, expected: Decimal) -> None:
    """The maintenance margin is what Binance's examples come to, to the last digit."""
    assert expected == tiers(table).maintenance_margin(notional)


@pytest.mark.parametrize("table", [BTC, ETH, BTCUSD, QUOTE, COIN], ids=["BTC", "ETH", "BTCUSD", "QUOTE", "COIN"])
def test_published_cumulative_amounts_are_those_implied(table: Pushed) -> None:
    """The cumulative amounts that Binance published are those that floors and rates imply."""
    assert () == tiers(table).cumulative_differences


# Of the other position: its maintenance margin and its unrealised loss, as Binance's example has them.
ETH_TAKES, BTC_TAKES = D("356512.508") + D("448192.89"), D("71200.81144") + D("56354.57")


@pytest.mark.parametrize(
    ("table", "position", "balance", "expected"),
    [
        pytest.param(BTC, BTC_LONG, WALLET, D("18778.73"), id="BTCUSDT, isolated"),
        pytest.param(ETH, ETH_LONG, WALLET, D("1114.78"), id="ETHUSDT, isolated"),
        pytest.param(BTC, BTC_LONG, WALLET - ETH_TAKES, D("26316.89"), id="BTCUSDT, cross"),
        pytest.param(ETH, ETH_LONG, WALLET - BTC_TAKES, D("1153.26"), id="ETHUSDT, cross"),
    ],
)
def test_liquidation_price_is_binance_s(
    table: Pushed, position: tuple[Decimal, Decimal, str], balance: Decimal, expected: Decimal
) -> None:
    """The liquidation price of Binance's example, isolated, and in cross mode beside the other position."""
    price = tiers(table).liquidation_price(*position, balance)
    assert price is not None
    assert expected == price.quantize(D("0.01"))


def test_liquidation_price_of_an_inverse_contract_is_binance_s() -> None:
    """The liquidation price that Binance's COIN-M calculator shows for 100,000 contracts of 100 USD."""
    price = tiers(BTCUSD).liquidation_price(45000, 100_000, "long", 101, 100, inverse=True)
    assert price is not None
    assert 33599.4 == round(price, 1)


# Worked by hand

LIQUIDATIONS = [
    # 300 contracts at 100 are 30000, in tier 2 of QUOTE: at entry the margin is 2 % - 100 = 500.
    # At 90: 27000, margin 440, loss 3000.
    pytest.param(QUOTE, (100, 300, "long", 3440), 90, id="long"),
    # At 30: 9000 in tier 1, margin 90, loss 21000.
    pytest.param(QUOTE, (100, 300, "long", 21090), 30, id="long, into a lower tier"),
    # At 1: 300 in tier 1, margin 3, loss 29700.
    pytest.param(QUOTE, (100, 300, "long", 29703), 1, id="long, almost out of reach"),
    # At 120: 36000, margin 620, loss 6000.
    pytest.param(QUOTE, (100, 300, "short", 6620), 120, id="short"),
    # At 200: 60000 in tier 3, margin 3000 - 1600 = 1400, loss 30000.
    pytest.param(QUOTE, (100, 300, "short", 31400), 200, id="short, into a higher tier"),
    # At 50: 15000, which is tier 2, from 7500 in tier 1: margin 200, loss 7500.
    pytest.param(QUOTE, (25, 300, "short", 7700), 50, id="short, out of the first tier"),
    # At 1000: 300000, by tier 3 although that ends at 200000: margin 15000 - 1600 = 13400, loss 270000.
    pytest.param(QUOTE, (100, 300, "short", 283400), 1000, id="short, beyond the last cap"),
    pytest.param(QUOTE, (100, 3000, "long", 3440, 0.1), 90, id="long, of contracts of a tenth"),
    pytest.param(QUOTE, (100, 0.3, "short", 31400, 1000), 200, id="short, of contracts of a thousand"),
    # At the entry: margin 500.
    pytest.param(QUOTE, (100, 300, "long", 500), 100, id="long, with nothing left at entry"),
    pytest.param(QUOTE, (100, 300, "short", 500), 100, id="short, with nothing left at entry"),
    # At 101: 30300, margin 506, profit 300.
    pytest.param(QUOTE, (100, 300, "long", 206), 101, id="long, liquidated at entry"),
    # At 99: 29700, margin 494, profit 300.
    pytest.param(QUOTE, (100, 300, "short", 194), 99, id="short, liquidated at entry"),
    # At 200: 60000 in tier 3, margin 1400, profit 30000.
    pytest.param(QUOTE, (100, 300, "long", -28600), 200, id="long, liquidated at entry, back in a higher tier"),
    # At 30: 9000 in tier 1, margin 90, profit 21000.
    pytest.param(QUOTE, (100, 300, "short", -20910), 30, id="short, liquidated at entry, back in a lower tier"),
    # At 0 a long of 30000 has lost 30000, and needs no margin.
    pytest.param(QUOTE, (100, 300, "long", 30000), None, id="long, never"),
    pytest.param(QUOTE, (100, 300, "long", 40000), None, id="long, never, with more"),
    # 1000 contracts of 100 USD at 20000 are 5 BTC, in tier 2 of COIN: at entry the margin is 2 % - 0.01 = 0.09.
    # At 12500: 8 BTC, margin 0.15, loss 3.
    pytest.param(COIN, (20000, 1000, "long", 3.15, 100, True), 12500, id="inverse long"),
    # At 5000: 20 BTC in tier 3, margin 1 - 0.31 = 0.69, loss 15.
    pytest.param(COIN, (20000, 1000, "long", 15.69, 100, True), 5000, id="inverse long, into a higher tier"),
    # At 500: 200 BTC, by tier 3 although that ends at 100: margin 10 - 0.31 = 9.69, loss 195.
    pytest.param(COIN, (20000, 1000, "long", 204.69, 100, True), 500, id="inverse long, beyond the last cap"),
    # At 25000: 4 BTC, margin 0.07, loss 1.
    pytest.param(COIN, (20000, 1000, "short", 1.07, 100, True), 25000, id="inverse short"),
    # At 200000: 0.5 BTC in tier 1, margin 0.005, loss 4.5.
    pytest.param(COIN, (20000, 1000, "short", 4.505, 100, True), 200000, id="inverse short, into a lower tier"),
    # At any price, a short of 5 BTC loses less than 5 BTC.
    pytest.param(COIN, (20000, 1000, "short", 5, 100, True), None, id="inverse short, never"),
    # At 25000: 4 BTC, margin 0.07, profit 1.
    pytest.param(COIN, (20000, 1000, "long", -0.93, 100, True), 25000, id="inverse long, liquidated at entry"),
    # At 16000: 6.25 BTC, margin 0.115, profit 1.25.
    pytest.param(COIN, (20000, 1000, "short", -1.135, 100, True), 16000, id="inverse short, liquidated at entry"),
    # Tier 2 told too little: below 10000 the margin is 100, from there on 200. At 100 per contract, a short of 100
    # from 50 has lost 5000, and has 50 left of 5150 below the bound, and 50 too little above.
    pytest.param(with_cumulative(QUOTE, 2, 0), (50, 100, "short", 5150), 100, id="short, by a step up"),
    # The long from 300 has lost 20000: of 20250 it has 50 left at the bound, and 150 below; at 90, 9000 in tier 1,
    # the margin is 90, the loss 21000.
    pytest.param(with_cumulative(QUOTE, 2, 0), (300, 100, "long", 21090), 90, id="long, down a step"),
    # Of 20200 it has nothing left at the bound, by tier 2, and 100 below.
    pytest.param(with_cumulative(QUOTE, 2, 0), (300, 100, "long", 20200), 100, id="long, just at a step down"),
    # Tier 2 told too much: below 10000 the margin is 100, from there on 0. Of 20050, a long from 300 has 50 left at
    # the bound, and 50 too little below.
    pytest.param(with_cumulative(QUOTE, 2, 200), (300, 100, "long", 20050), 100, id="long, by a step up below"),
    # At 90: 9000 in tier 1, margin 90, loss 4000.
    pytest.param(with_cumulative(QUOTE, 2, 200), (50, 100, "short", 4090), 90, id="short, before a step down"),
    # At 150: 15000, margin 300 - 200 = 100, loss 10000.
    pytest.param(with_cumulative(QUOTE, 2, 200), (50, 100, "short", 10100), 150, id="short, after a step down"),
    # Liquidated at 90; at 100 it has gained 1000, and needs 100 below the bound, but nothing above.
    pytest.param(with_cumulative(QUOTE, 2, 200), (90, 100, "long", -950), 100, id="long, back by a step"),
    # Liquidated at 110; at 100 it has gained 1000, and needs 200 above the bound, but 100 below.
    pytest.param(with_cumulative(QUOTE, 2, 0), (110, 100, "short", -850), 100, id="short, back by a step"),
    # 0.5 BTC, 1 BTC at 10000: below, the margin is 0.01, from there on 0.02; loss 0.5.
    pytest.param(
        with_cumulative(COIN, 2, 0), (20000, 100, "long", 0.515, 100, True), 10000, id="inverse long, by a step up"
    ),
    # 2 BTC, 1 BTC at 100000: from there on, the margin is 0, below 0.01; loss 1.
    pytest.param(
        with_cumulative(COIN, 2, 0.02), (50000, 1000, "short", 1.005, 100, True), 100000, id="inverse short, by a step"
    ),
]


@pytest.mark.parametrize("kind", [D, float], ids=["decimal", "float"])
@pytest.mark.parametrize(("table", "position", "expected"), LIQUIDATIONS)
def test_liquidation_price_in_figures(
    table: Pushed, position: tuple[Any, ...], expected: float | None, kind: Callable[[str], Any]
) -> None:
    """The price at which balance and profit are just the maintenance margin, or the bound at which less is left."""
    price, contracts, side, balance, *kinds = position
    numbers = [kind(str(number)) for number in (price, contracts, balance, *kinds[:1])]
    found = tiers(table).liquidation_price(*numbers[:2], side, *numbers[2:], *kinds[1:])
    assert (expected, type(expected) if expected is None else type(numbers[0])) == (found, type(found))


# Up to 1000 at 50 %, then at 100 %. 15 contracts at 100 are 1500: at entry the margin is 1500 - 500 = 1000.
ALL_OF_IT = pushed((1000, 0.5, 0, 2), (2000, 1, 500, 1))


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        # What is left is 200 down to 1000; at 40: 600, margin 300, loss 900.
        pytest.param((100, 15, "long", 1200), 40, id="long"),
        # At 110: 1650, margin 1150, loss 150.
        pytest.param((100, 15, "short", 1300), 110, id="short"),
        # What is missing is 100, however high the price.
        pytest.param((100, 15, "long", 900), 100, id="long, liquidated at entry for good"),
        pytest.param((100, 15, "long", 1000), 100, id="long, with nothing left at entry"),
        pytest.param((100, 1500, "short", 1000, 100, True), 100, id="inverse short, with nothing left at entry"),
        # 150000 USD at 100 are 1500 coins; at 250: 600, margin 300, loss 900.
        pytest.param((100, 1500, "short", 1200, 100, True), 250, id="inverse short"),
    ],
)
def test_liquidation_price_at_a_rate_of_one(position: tuple[Any, ...], expected: float) -> None:
    """Where the margin grows as the profit does, the price that liquidates lies in another tier, or is the entry."""
    assert expected == tiers(ALL_OF_IT).liquidation_price(*position)


@pytest.mark.parametrize(
    ("table", "position"),
    [
        pytest.param(ALL_OF_IT, (100, 15, "long", 900), id="long, at a rate of one"),
        # It cannot gain more than the 30000 that it was sold for.
        pytest.param(QUOTE, (100, 300, "short", -30001), id="short"),
        # It cannot gain more than the 5 BTC that it was bought for.
        pytest.param(COIN, (20000, 1000, "long", -5.1, 100, True), id="inverse long"),
    ],
)
def test_a_position_that_every_price_liquidates(table: Pushed, position: tuple[Any, ...]) -> None:
    """Where nothing is left at any price, the price is the one of entry: None would mean that none liquidates."""
    assert position[0] == tiers(table).liquidation_price(*position)


def test_a_rate_of_nothing_needs_no_margin() -> None:
    """At a rate of 0 a position is liquidated when its balance is lost."""
    table = pushed((1000, 0, 0, 10))
    assert (0, 90, 110) == (
        tiers(table).maintenance_margin(500),
        tiers(table).liquidation_price(100, 5, "long", 50),
        tiers(table).liquidation_price(100, 5, "short", 50),
    )


@pytest.mark.parametrize(
    ("notional", "leverage", "rate", "margin"),
    [
        pytest.param(1, 50, 0.01, 0.01, id="in the first"),
        pytest.param(9_999, 50, 0.01, 99.99, id="at its end"),
        pytest.param(10_000, 50, 0.02, 100, id="at the bound"),
        pytest.param(10_001, 25, 0.02, 100.02, id="beyond it"),
        pytest.param(50_000, 25, 0.05, 900, id="at the next bound"),
        pytest.param(200_000, 10, 0.05, 8400, id="at the last cap"),
    ],
)
def test_terms_at_a_notional(notional: float, leverage: float, rate: float, margin: float) -> None:
    """At a bound the leverage is that of the lower tier, the rate that of the upper one, the margin that of both."""
    held = tiers(QUOTE)
    assert (leverage, rate, margin) == (
        held.max_leverage(notional),
        held.maintenance_margin_rate(notional),
        held.maintenance_margin(notional),
    )


@pytest.mark.parametrize(
    ("leverage", "expected"),
    [(50, 10_000), (49.5, 10_000), (26, 10_000), (25, 50_000), (11, 50_000), (10, 200_000), (0.5, 200_000)],
)
def test_max_notional(leverage: float, expected: float) -> None:
    """The largest notional of a leverage is the last cap that allows as much."""
    assert expected == tiers(QUOTE).max_notional(leverage)


def test_initial_margin() -> None:
    """The initial margin is the notional by the leverage, which may be the highest that is allowed there."""
    held = tiers(QUOTE)
    assert (200.0, 400.0, D(1)) == (
        held.initial_margin(10_000, 50),
        held.initial_margin(10_000, 25),
        held.initial_margin(D("0.5"), D("0.5")),
    )


def test_beside_the_contiguous() -> None:
    """Of tiers with a gap and with a leverage that rises again, a larger position counts as allowed below."""
    held = LeverageTiers(
        [
            {"minNotional": 10, "maxNotional": 20, "maintenanceMarginRate": 0.1, "maxLeverage": 3},
            {"minNotional": 50, "maxNotional": 90, "maintenanceMarginRate": 0.2, "maxLeverage": 7},
        ]
    )
    assert (7, 7, 90) == (held.max_leverage(1), held.max_leverage(90), held.max_notional(5))
    assert (0.1, 0.1, 0.1, 0.2) == tuple(map(held.maintenance_margin_rate, (1, 20, 49, 50)))


def test_the_first_tier_holds_from_zero() -> None:
    """Below the floor of the first tier, its rate and amount hold, and a position can be liquidated there."""
    held = LeverageTiers(
        [{"minNotional": 1000, "maxNotional": 9000, "maintenanceMarginRate": 0.1, "maxLeverage": 5, "info": {"cum": 0}}]
    )
    # 20 at 100 are 2000; at 25: 500, margin 50, loss 1500.
    assert (50, 25) == (held.maintenance_margin(500), held.liquidation_price(100, 20, "long", 1550))


def test_without_end() -> None:
    """Without its end, the last tier holds for any notional, and nothing else changes."""
    held = tiers(QUOTE, LINEAR).without_end()
    assert (float("inf"), 10.0, 48_400.0) == (
        held[-1]["maxNotional"],
        held.max_leverage(1_000_000),
        held.maintenance_margin(1_000_000),
    )
    assert list(tiers(QUOTE, LINEAR))[:-1] == held[:-1]
    assert held == held.without_end() == pickle.loads(pickle.dumps(held))
    assert held != tiers(QUOTE)


# Properties


@settings(deadline=None)
@given(tables())
def test_margin_is_continuous(table: Pushed) -> None:
    """At the floor of each tier, the margin by the tier below is exactly that by the tier itself."""
    held = tiers(table)
    assert () == held.cumulative_differences
    for below, above in itertools.pairwise(table):
        floor = D(str(above["bnf"]))
        by_below = D(str(below["mmr"])) * floor - D(str(below["cf"]))
        assert by_below == held.maintenance_margin(floor)
        least = D("1e-20")
        step = held.maintenance_margin(floor) - held.maintenance_margin(floor - least)
        assert D(str(below["mmr"])) * least == step


@settings(deadline=None)
@given(st.data(), tables() | loose_tables(), st.integers(1, 150))
def test_leverage_and_notional_are_inverses(data: st.DataObject, table: Pushed, leverage: int) -> None:
    """A notional allows a leverage exactly where it is not above the largest notional of it, whatever the table."""
    held, notional = tiers(table), data.draw(notionals(table))
    assert held.max_notional(held.max_leverage(notional)) >= notional
    assume(leverage <= max(each["ma"] for each in table))
    wanted = D(leverage)
    assert (held.max_leverage(notional) >= wanted) is (notional <= held.max_notional(wanted))
    assert held.max_leverage(held.max_notional(wanted)) >= wanted


@settings(deadline=None)
@given(positions(tables()))
def test_nothing_is_left_at_the_liquidation_price(case: tuple[Pushed, tuple[Any, ...]]) -> None:
    """There, balance and profit together are the maintenance margin, to 40 digits of the notional."""
    table, position = case
    price = tiers(table).liquidation_price(*position)
    if price is None:
        assert left_at(table, position, position[0]) > 0
        return
    scale = abs(position[3]) + cap_of(table)
    assert abs(left_at(table, position, price)) < scale * D("1e-40")


@settings(deadline=None)
@given(positions(stepping_tables()), st.lists(decimals(1, 999, 3), min_size=1, max_size=30))
def test_something_is_left_before_the_liquidation_price(
    case: tuple[Pushed, tuple[Any, ...]], parts: list[Decimal]
) -> None:
    """From entry to the liquidation price something is left; where nothing is at entry, nothing is until there; and
    where no price liquidates, something is left at any."""
    table, position = case
    price, start = tiers(table).liquidation_price(*position), position[0]
    is_left = left_at(table, position, start) > 0
    if price is None:
        # A long's price may fall to nothing, an inverse short's may rise without end.
        ways = [start * part for part in parts] + [start / part for part in parts]
        assert {True} == {left_at(table, position, way) > 0 for way in ways}
        return
    is_up = price > start
    assert is_left is (is_up is (position[2] == "short")) or price == start
    for part in parts:
        way = start + (price - start) * part
        if way not in (start, price):
            assert is_left is (left_at(table, position, way) > 0)


@settings(deadline=None)
@given(st.data(), positions(tables()))
def test_floats_are_the_decimals_they_are_printed_as(data: st.DataObject, case: Any) -> None:
    """A result of floats is that of the decimals that they are printed as, rounded once."""
    table, (price, contracts, side, balance, unit, is_inverse) = case
    held = tiers(table)
    notional = float(data.draw(notionals(table)))
    for method in (held.max_leverage, held.maintenance_margin_rate, held.maintenance_margin):
        exact = method(D(str(notional)))
        assert (float, Decimal) == (type(method(notional)), type(exact))
        assert float(exact) == method(notional)
    leverage = min(3.7, held.max_leverage(notional))
    assert float(held.initial_margin(D(str(notional)), D(str(leverage)))) == held.initial_margin(notional, leverage)
    assert float(held.max_notional(D(str(leverage)))) == held.max_notional(leverage)
    floats = [float(number) for number in (price, contracts, balance, unit)]
    for_exact = [D(str(number)) for number in floats]
    by_exact = held.liquidation_price(*for_exact[:2], side, *for_exact[2:], is_inverse)
    by_floats = held.liquidation_price(*floats[:2], side, *floats[2:], is_inverse)
    assert (None if by_exact is None else float(by_exact)) == by_floats


def test_one_decimal_makes_a_decimal() -> None:
    """A result is a Decimal where any of several arguments is one, and a float of whole numbers."""
    held = tiers(QUOTE)
    assert [Decimal, Decimal, float, Decimal, float] == [
        type(held.initial_margin(D(100), 10)),
        type(held.initial_margin(100, D(10))),
        type(held.initial_margin(100, 10)),
        type(held.liquidation_price(100, 300, "long", 3440, D(1))),
        type(held.max_leverage(100)),
    ]


def test_the_thread_s_decimal_context_does_not_matter() -> None:
    """Results are exact, and messages name the numbers, in whatever decimal context they are asked for."""
    table = with_cumulative(BTC, 2, 54.321)
    held = tiers(table, LINEAR)
    with localcontext() as context:
        context.prec = 2
        assert D("71200.81145") == held.maintenance_margin(D("3500032.458"))
        assert D("18778.7259") == held.liquidation_price(*BTC_LONG, WALLET).quantize(
            D("0.0001"), context=type(context)(prec=20)
        )
        assert (CumulativeDifference(2, D("54.321"), D(50), D("4.321")),) == tiers(table).cumulative_differences[:1]
        with pytest.raises(ValueError, match="125x at most"):
            held.max_notional(126)


# Forms


@settings(deadline=None)
@given(tables())
def test_every_form_gives_the_same(table: Pushed) -> None:
    """A push in any form, REST's answer of either universe and ccxt's own list of the same brackets are equal."""
    event = push(bks=table)
    by_hand = tiers(table)
    forms: list[Any] = [
        event,
        event.raw,
        json.dumps(event.raw),
        json.dumps(event.raw).encode(),
        {"stream": "!contractInfo", "data": event.raw},
        event.brackets,
        iter(event.brackets),
        table,
        {"symbol": "IOTAUSDT", "brackets": told_by_rest(table)},
        told_by_rest(table),
        told_by_rest(table, "inverse"),
        tuple(told_by_rest(table)),
        ccxt_tiers(table),
        ccxt_tiers(table, INVERSE),
        by_hand,
        table[::-1],
        ccxt_tiers(table)[::-1],
        [{**tier, "info": {}} for tier in ccxt_tiers(table)],
        [{**tier, "info": None} for tier in ccxt_tiers(table)],
    ]
    for form in forms:
        held = LeverageTiers(form, LINEAR)
        assert by_hand == held
        assert hash(by_hand) == hash(held)
        assert [1.0 + index for index in range(len(table))] == [tier["tier"] for tier in held]
    assert ccxt_tiers(table) == list(LeverageTiers(told_by_rest(table), LINEAR))
    assert ccxt_tiers(table, INVERSE) == list(LeverageTiers(told_by_rest(table, "inverse"), INVERSE))


def test_the_source_is_left_alone() -> None:
    """What the tiers were made of is not changed, nor are they by what happens to it."""
    source = ccxt_tiers(QUOTE)[::-1]
    before = copy.deepcopy(source)
    held = LeverageTiers(source)
    assert before == source
    source[0]["maxLeverage"], source[0]["info"]["cum"] = 1.0, 7
    source.clear()
    assert before[::-1] == list(held)


def test_names_of_a_market() -> None:
    """Tiers have symbol and currency of the market, None without one, and those of ccxt's tiers their own."""
    assert [("IOTA/USDT:USDT", "USDT"), (None, None), ("BTC/USD:BTC", "USD")] == [
        (held[0]["symbol"], held[0]["currency"])
        for held in (tiers(QUOTE, LINEAR), tiers(QUOTE), LeverageTiers(ccxt_tiers(QUOTE, INVERSE), LINEAR))
    ]


def test_repr() -> None:
    """A representation names the contract where it is known, how many tiers there are, and the highest leverage."""
    assert ["<LeverageTiers of IOTA/USDT:USDT: 3, up to 50x>", "<LeverageTiers of the contract: 3, up to 50x>"] == [
        repr(tiers(QUOTE, LINEAR)),
        repr(tiers(QUOTE)),
    ]


# As a value and a sequence


@pytest.mark.parametrize("name", ["_tiers", "_steps", "other"])
def test_attributes_cannot_be_set(name: str) -> None:
    """Nothing can be set, and what was there stays."""
    held = tiers(QUOTE)
    with pytest.raises(AttributeError, match="never change"):
        setattr(held, name, ())
    assert tiers(QUOTE) == held


def test_attributes_cannot_be_deleted() -> None:
    """Nothing can be deleted, and what was there stays."""
    held = tiers(QUOTE)
    with pytest.raises(AttributeError):
        del held._steps
    assert 50 == held.max_leverage(1)


@pytest.mark.parametrize(
    "take",
    [
        pytest.param(lambda held: held[0], id="an index"),
        pytest.param(lambda held: held[:][0], id="a slice"),
        pytest.param(lambda held: next(iter(held)), id="iteration"),
        pytest.param(lambda held: next(reversed(held)), id="backwards"),
    ],
)
def test_what_is_given_is_a_copy(take: Callable[[LeverageTiers], dict[str, Any]]) -> None:
    """To change a tier that was given, or its nested info, changes nothing in what gave it."""
    held = tiers(QUOTE)
    given_one = take(held)
    given_one["maxLeverage"], given_one["info"]["cum"] = 999.0, 7
    assert list(tiers(QUOTE)) == list(held)
    assert tiers(QUOTE) == held


def test_it_is_a_sequence() -> None:
    """It has a length, indices from both ends, slices that are lists, iteration either way, `in` and `index`."""
    held, expected = tiers(QUOTE, LINEAR), ccxt_tiers(QUOTE)
    assert isinstance(held, Sequence)
    assert (3, True) == (len(held), bool(held))
    assert expected == list(held)
    assert expected[::-1] == list(reversed(held))
    assert (expected[0], expected[2], expected[2]) == (held[0], held[2], held[-1])
    assert (expected[1:], expected[::-2], []) == (held[1:], held[::-2], held[5:])
    assert expected[1] in held
    assert {**expected[1], "maxLeverage": 1.0} not in held
    assert (1, 1) == (held.index(expected[1]), held.count(expected[1]))
    with pytest.raises(IndexError):
        held[3]


@pytest.mark.parametrize(
    "copied",
    [
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deep copy"),
        *(
            pytest.param(lambda held, to=to: pickle.loads(pickle.dumps(held, to)), id=f"pickle {to}")
            for to in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
        pytest.param(LeverageTiers, id="built of itself"),
        pytest.param(lambda held: LeverageTiers(json.loads(json.dumps(list(held)))), id="JSON"),
    ],
)
def test_copies_are_equal(copied: Callable[[LeverageTiers], LeverageTiers]) -> None:
    """A copy has equal numbers, an equal hash, and the same tiers with their info."""
    held = tiers(QUOTE, LINEAR)
    again = copied(held)
    assert held == again
    assert (hash(held), list(held), 1) == (hash(again), list(again), len({held, again}))


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(QUOTE[:2], id="fewer"),
        pytest.param(with_cumulative(QUOTE, 2, 101), id="cumulative"),
        pytest.param([{**QUOTE[0], "ma": 51}, *QUOTE[1:]], id="leverage"),
        pytest.param([{**QUOTE[0], "mmr": 0.011}, *QUOTE[1:]], id="rate"),
        pytest.param([*QUOTE[:2], {**QUOTE[2], "bnc": 200_001}], id="cap"),
    ],
)
def test_other_numbers_are_unequal(table: Pushed) -> None:
    """Tiers of which a number differs are unequal, as is what is no LeverageTiers at all."""
    assert tiers(QUOTE) != tiers(table)
    assert tiers(QUOTE) != ccxt_tiers(QUOTE)
    assert tiers(QUOTE) != 7


def test_names_do_not_make_tiers_unequal() -> None:
    """The numbers count, not the symbol, the currency or how they are written."""
    in_floats = [{name: number if name == "bs" else float(number) for name, number in each.items()} for each in QUOTE]
    assert 1 == len({tiers(QUOTE, LINEAR), tiers(QUOTE, INVERSE), tiers(QUOTE), tiers(in_floats)})


# Refusals

NO_POSITIVE_NUMBER = [
    pytest.param(0, id="zero"),
    pytest.param(-1, id="negative"),
    pytest.param(D("-0.1"), id="negative decimal"),
    pytest.param(float("nan"), id="NaN"),
    pytest.param(D("NaN"), id="NaN decimal"),
    pytest.param(D("sNaN"), id="signalling NaN"),
    pytest.param(float("inf"), id="infinity"),
    pytest.param(D("-Infinity"), id="minus infinity"),
    pytest.param(True, id="bool"),
    pytest.param("100", id="text"),
    pytest.param(None, id="None"),
    pytest.param([100], id="list"),
]


@pytest.mark.parametrize("number", NO_POSITIVE_NUMBER)
@pytest.mark.parametrize("method", ["max_leverage", "maintenance_margin_rate", "maintenance_margin"])
def test_notionals_that_are_none(method: str, number: Any) -> None:
    """What is no positive number is refused as a notional, and the message says so and shows it."""
    with pytest.raises(ValueError, match=r"the notional should be (positive|a number)") as caught:
        getattr(tiers(QUOTE), method)(number)
    assert repr(number) in str(caught.value)


@pytest.mark.parametrize("number", NO_POSITIVE_NUMBER)
def test_leverages_that_are_none(number: Any) -> None:
    """What is no positive number is refused as a leverage, and the message says so and shows it."""
    held = tiers(QUOTE)
    for ask in (held.max_notional, lambda leverage: held.initial_margin(100, leverage)):
        with pytest.raises(ValueError, match=r"the leverage should be (positive|a number)") as caught:
            ask(number)
        assert repr(number) in str(caught.value)
    with pytest.raises(ValueError, match="the notional should be"):
        held.initial_margin(number, 10)


@pytest.mark.parametrize("number", NO_POSITIVE_NUMBER)
@pytest.mark.parametrize(
    ("index", "name"), [(0, "entry_price"), (1, "contracts"), (4, "contract_size")], ids=["price", "contracts", "size"]
)
def test_positions_that_are_none(index: int, name: str, number: Any) -> None:
    """Entry price, contracts and contract size must be positive numbers, and the message names the one that is not."""
    position: list[Any] = [100, 300, "long", 3440, 1]
    position[index] = number
    with pytest.raises(ValueError, match=f"{name} should be (positive|a number)"):
        tiers(QUOTE).liquidation_price(*position)


@pytest.mark.parametrize("balance", [float("nan"), float("inf"), D("NaN"), True, "100", None])
def test_balances_that_are_none(balance: Any) -> None:
    """A wallet balance must be a number."""
    with pytest.raises(ValueError, match="wallet_balance should be a number"):
        tiers(QUOTE).liquidation_price(100, 300, "long", balance)


@pytest.mark.parametrize("side", ["buy", "LONG", "both", "", None, 1])
def test_sides_that_are_none(side: Any) -> None:
    """A side is 'long' or 'short'."""
    with pytest.raises(ValueError, match="side should be 'long' or 'short'"):
        tiers(QUOTE).liquidation_price(100, 300, side, 3440)


@pytest.mark.parametrize(
    "notional", [200_000.01, 200_001, D("200000.0000000000000000000000000000000000001"), 300_000.5]
)
@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda held, notional: held.max_leverage(notional), id="leverage"),
        pytest.param(lambda held, notional: held.maintenance_margin_rate(notional), id="rate"),
        pytest.param(lambda held, notional: held.maintenance_margin(notional), id="margin"),
        pytest.param(lambda held, notional: held.initial_margin(notional, 1), id="initial margin"),
        pytest.param(lambda held, notional: held.liquidation_price(notional, 1, "long", 7), id="liquidation price"),
    ],
)
def test_notionals_beyond_the_last_cap(ask: Callable[[LeverageTiers, Any], Any], notional: Any) -> None:
    """A notional beyond the last cap is refused; the message names the contract, the cap and the notional."""
    with pytest.raises(
        ValueError, match=re.escape(f"IOTA/USDT:USDT allows a notional of 200000 at most, not {notional}")
    ):
        ask(tiers(QUOTE, LINEAR), notional)


@pytest.mark.parametrize("leverage", [50.1, 51, D("50.00001")])
def test_leverages_above_the_highest(leverage: Any) -> None:
    """A leverage above the highest is refused; the message names the contract, the highest and the leverage."""
    with pytest.raises(ValueError, match=f"IOTA/USDT:USDT allows 50x at most, not {leverage}x"):
        tiers(QUOTE, LINEAR).max_notional(leverage)


def test_leverages_above_the_highest_of_a_notional() -> None:
    """An initial margin at a leverage that its notional does not allow is refused, with the one that it does."""
    with pytest.raises(ValueError, match="IOTA/USDT:USDT allows 25x at most at a notional of 10001, not 26x"):
        tiers(QUOTE, LINEAR).initial_margin(10001, 26)


CCXT_TIER = ccxt_tiers(QUOTE)[0]
MALFORMED = [
    pytest.param({"brackets": [7]}, id="REST entry with a number for a bracket"),
    pytest.param({"brackets": None}, id="REST entry with null"),
    pytest.param([{**told_by_rest(QUOTE)[0], "notionalCap": None}], id="REST, no cap"),
    pytest.param([{**told_by_rest(QUOTE)[0], "maintMarginRatio": "0.01"}], id="REST, a text"),
    pytest.param([{**told_by_rest(QUOTE)[0], "cum": None}], id="REST, no cumulative amount"),
    pytest.param([*told_by_rest(QUOTE), 7], id="REST, a number behind"),
    pytest.param([{**QUOTE[0], "bnc": None}], id="pushed, no cap"),
    pytest.param([{**QUOTE[0], "mmr": 1.5}], id="pushed, a rate above one"),
    pytest.param([{**QUOTE[0], "bnf": 10_001}], id="pushed, a cap below the floor"),
    pytest.param([*QUOTE, None], id="pushed, null behind"),
    pytest.param([{}], id="an empty object"),
    pytest.param({"e": "contractInfo"}, id="half a push"),
    pytest.param({}, id="no push"),
    pytest.param("{", id="no JSON"),
    pytest.param(b"[]", id="JSON, but no push"),
    pytest.param(7, id="a number"),
    pytest.param(None, id="None"),
    pytest.param([None], id="a list of None"),
    pytest.param([{**CCXT_TIER, "minNotional": None}], id="ccxt's, no floor"),
    pytest.param([{**CCXT_TIER, "maxNotional": None}], id="ccxt's, no cap"),
    pytest.param([{**CCXT_TIER, "maxNotional": -1.0}], id="ccxt's, a cap below the floor"),
    pytest.param([{**CCXT_TIER, "maxNotional": float("nan")}], id="ccxt's, a cap of NaN"),
    pytest.param([{**CCXT_TIER, "minNotional": float("inf")}], id="ccxt's, an infinite floor"),
    pytest.param([{**CCXT_TIER, "maintenanceMarginRate": None}], id="ccxt's, no rate"),
    pytest.param([{**CCXT_TIER, "maintenanceMarginRate": 1.01}], id="ccxt's, a rate above one"),
    pytest.param([{**CCXT_TIER, "maintenanceMarginRate": -0.01}], id="ccxt's, a rate below zero"),
    pytest.param([{**CCXT_TIER, "maxLeverage": "fifty"}], id="ccxt's, a text"),
    pytest.param([{**CCXT_TIER, "info": {"cum": "no"}}], id="ccxt's, a text for the cumulative amount"),
    pytest.param([{**CCXT_TIER, "info": [7]}], id="ccxt's, a list for info"),
    pytest.param([CCXT_TIER, 7], id="ccxt's, a number behind"),
    pytest.param([*parse_brackets(QUOTE), 7], id="parsed, a number behind"),
]


@pytest.mark.parametrize("source", MALFORMED)
def test_malformed_sources(source: Any) -> None:
    """What holds no leverage tiers that can be understood is refused with a ValueError, and no other error."""
    with pytest.raises(ValueError, match=r"\w+"):
        LeverageTiers(source, LINEAR)


@pytest.mark.parametrize(
    "source", [push(), push().raw, [], (), {"symbol": "IOTAUSDT", "brackets": []}, iter(())], ids=lambda each: ""
)
def test_no_tiers(source: Any) -> None:
    """A push of a status, and an empty list, hold no tiers, and the message says so."""
    with pytest.raises(ValueError, match="there are no leverage tiers here"):
        LeverageTiers(source)


@pytest.mark.parametrize(
    "fail",
    [
        pytest.param(lambda: LeverageTiers(push(), LINEAR), id="no tiers"),
        pytest.param(lambda: LeverageTiers([{**QUOTE[0], "bnc": None}], LINEAR), id="malformed push"),
        pytest.param(lambda: LeverageTiers([{**told_by_rest(QUOTE)[0], "cum": None}], LINEAR), id="malformed REST"),
        pytest.param(lambda: LeverageTiers([{**CCXT_TIER, "maxNotional": None}]), id="malformed ccxt"),
        pytest.param(lambda: tiers(QUOTE, LINEAR).max_leverage(0), id="notional"),
        pytest.param(lambda: tiers(QUOTE, LINEAR).max_notional("7"), id="leverage"),
        pytest.param(lambda: tiers(QUOTE, LINEAR).liquidation_price(100, 300, "buy", 7), id="side"),
    ],
)
def test_refusals_name_the_contract(fail: Callable[[], Any]) -> None:
    """Whatever is refused, the message names the contract where that is known."""
    with pytest.raises(ValueError, match="IOTA/USDT:USDT"):
        fail()


# Cumulative amounts


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        pytest.param(QUOTE, (), id="consistent"),
        pytest.param(with_cumulative(QUOTE, 3, 1600.0), (), id="consistent, as a float"),
        # 100 + 50000 * 0.03 = 1600.
        pytest.param(
            with_cumulative(QUOTE, 3, 1599.5), (CumulativeDifference(3, D("1599.5"), D(1600), D("-0.5")),), id="less"
        ),
        # The next is measured by what was told: 110 + 50000 * 0.03 = 1610.
        pytest.param(
            with_cumulative(QUOTE, 2, 110),
            (CumulativeDifference(2, D(110), D(100), D(10)), CumulativeDifference(3, D(1600), D(1610), D(-10))),
            id="more, and the next",
        ),
        pytest.param(with_cumulative(QUOTE, 1, 3)[:1], (CumulativeDifference(1, D(3), D(0), D(3)),), id="the first"),
        pytest.param(with_cumulative(COIN, 2, 0.01000001)[:2], (), id="one of the eighth decimal, which is rounding"),
        pytest.param(
            with_cumulative(COIN, 2, 0.01000002)[:2],
            (CumulativeDifference(2, D("0.01000002"), D("0.01"), D("2e-8")),),
            id="two of the eighth decimal",
        ),
    ],
)
def test_cumulative_differences(table: Pushed, expected: tuple[CumulativeDifference, ...]) -> None:
    """Each tier whose cumulative amount is not, but for rounding, what the tier below implies is told, exactly."""
    assert expected == tiers(table).cumulative_differences
    assert expected == LeverageTiers(ccxt_tiers(table)).cumulative_differences


def test_the_cumulative_amount_that_was_told_is_used() -> None:
    """The maintenance margin takes off what was told, though something else is implied."""
    held = tiers(with_cumulative(QUOTE, 2, 110))
    assert (490, 1900) == (held.maintenance_margin(30_000), held.maintenance_margin(70_000))


def test_the_implied_cumulative_amount_is_used_where_none_is_told() -> None:
    """Where ccxt's tiers tell no cumulative amount, or only some do, the rest is implied."""
    untold = [{name: value for name, value in tier.items() if name != "info"} for tier in ccxt_tiers(QUOTE)]
    mixed = [ccxt_tiers(with_cumulative(QUOTE, 1, 3))[0], *untold[1:]]
    # 3 + 100 + 1500
    assert (3500 - 1600, 3500 - 1603) == (
        LeverageTiers(untold).maintenance_margin(70_000),
        LeverageTiers(mixed).maintenance_margin(70_000),
    )
    assert () == LeverageTiers(untold).cumulative_differences


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        pytest.param(QUOTE, True, id="whole"),
        pytest.param(COIN[::-1], True, id="fractions, descending"),
        pytest.param(BTCUSD, True, id="published"),
        pytest.param([], True, id="none"),
        pytest.param(with_cumulative(COIN, 2, 0.010000005), True, id="half of the eighth decimal"),
        pytest.param(
            with_cumulative(with_cumulative(COIN, 2, 0.010000009), 3, 0.310000018), True, id="rounded again and again"
        ),
        pytest.param(with_cumulative(COIN, 2, 0.01000002), False, id="two of the eighth decimal"),
        pytest.param(with_cumulative(QUOTE, 2, 100.01), False, id="more"),
        pytest.param(with_cumulative(QUOTE, 3, 1599.99), False, id="less"),
        pytest.param(with_cumulative(QUOTE, 1, 1), False, id="the first"),
    ],
)
def test_is_continuous(table: Pushed, expected: bool) -> None:
    """Brackets are continuous where all cumulative amounts are implied, but for Binance's rounding to 8 decimals."""
    assert expected is is_continuous(parse_brackets(table))


@settings(deadline=None)
@given(tables(), st.booleans())
def test_is_continuous_agrees_with_the_differences(table: Pushed, is_rounded: bool) -> None:
    """Consistent brackets are continuous, also rounded to 8 decimals; those with a difference beyond are not."""
    coarse = [{**each, "cf": round(each["cf"], 8)} for each in table] if is_rounded else table
    assert is_continuous(parse_brackets(coarse))
    last = table[-1]
    moved = [*table[:-1], {**last, "cf": last["cf"] + max(1.0, last["cf"])}]
    assert not is_continuous(parse_brackets(moved))
    assert (len(table),) == tuple(each.tier for each in tiers(moved).cumulative_differences)


@settings(deadline=None)
@given(stepping_tables())
def test_differences_are_steps_of_the_margin(table: Pushed) -> None:
    """A difference is exactly the step that the margin makes down, on the way up, at the floor of its tier."""
    steps = {each.tier: each.difference for each in tiers(table).cumulative_differences}
    for below, above in itertools.pairwise(table):
        floor = D(str(above["bnf"]))
        step = margin_by_hand([below], floor) - margin_by_hand(table, floor)
        assert step == steps.get(above["bs"], 0)
    assert bool(steps) or is_continuous(parse_brackets(table))


def test_pushed_brackets_of_the_documentation() -> None:
    """The brackets of the documented push allow 50x up to 5000 and 20x up to 25000."""
    held = tiers(PUSHED)
    assert (50, 20, 550) == (held.max_leverage(5000), held.max_leverage(25000), held.maintenance_margin(25000))
