"""Leverage brackets as pushed, and the leverage tiers that ccxt makes of the same ones from REST."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from ccxt.base.precise import Precise
from hypothesis import given, settings
from hypothesis import strategies as st

from ccxt_contractinfo.contracts.events import Bracket
from ccxt_contractinfo.contracts.tiers import (
    are_equal,
    are_equal_limits,
    leverage_limits,
    plain,
    to_leverage_brackets,
    to_leverage_tiers,
    with_number,
)
from ccxt_contractinfo.venues.binance.words import WORDS

IOTA = (Bracket(1, 0, 5000, 0.01, 0, 21, 50), Bracket(2, 5000, 25000, 0.025, 75, 11, 20))
LOOM = (
    Bracket(1, 0, 25000, 0.03, 0, 11, 20),
    Bracket(2, 25000, 200000, 0.05, 500, 6, 10),
    Bracket(3, 200000, 500000, 0.1, 10500, 5, 5),
    Bracket(4, 500000, 1000000, 0.125, 23000, 3, 4),
    Bracket(5, 1000000, 3000000, 0.25, 148000, 2, 2),
    Bracket(6, 3000000, 3500000, 0.5, 898000, 1, 1),
)
FRACTIONS = (Bracket(1, 0, 0.5, 0.004, 0, 76, 125), Bracket(2, 0.5, 1e12, 0.0065, 0.00125, 1, 75))

LINEAR = {"id": "IOTAUSDT", "symbol": "IOTA/USDT:USDT", "base": "IOTA", "quote": "USDT", "settle": "USDT"}
INVERSE = {"id": "BTCUSD_PERP", "symbol": "BTC/USD:BTC", "base": "BTC", "quote": "USD", "settle": "BTC"}


def linear(number: Any = float) -> tuple[Any, dict[str, Any]]:
    exchange = ccxt.binanceusdm({"number": number})
    return exchange, exchange.safe_market_structure(
        {
            **LINEAR,
            "type": "swap",
            "swap": True,
            "linear": True,
            "inverse": False,
            "contract": True,
            "contractSize": exchange.number("1"),
        }
    )


def inverse(number: Any = float) -> tuple[Any, dict[str, Any]]:
    exchange = ccxt.binancecoinm({"number": number})
    return exchange, exchange.safe_market_structure(
        {
            **INVERSE,
            "type": "swap",
            "swap": True,
            "linear": False,
            "inverse": True,
            "contract": True,
            "contractSize": exchange.number("1"),
        }
    )


def rest_entry(id: str, brackets: tuple[Bracket, ...], floor: str, cap: str) -> dict[str, Any]:
    """The brackets as leverageBracket tells them."""
    return {
        "symbol": id,
        "brackets": [
            {
                "bracket": bracket.number,
                "initialLeverage": bracket.max_leverage,
                cap: bracket.notional_cap,
                floor: bracket.notional_floor,
                "maintMarginRatio": bracket.maintenance_margin_rate,
                "cum": bracket.cumulative,
            }
            for bracket in brackets
        ],
    }


BRACKETS = pytest.mark.parametrize("brackets", [IOTA, LOOM, FRACTIONS], ids=["whole", "six of them", "fractions"])


NUMBERS = pytest.mark.parametrize("number", [float, str, Decimal])


@BRACKETS
@NUMBERS
def test_tiers_of_a_linear_contract_are_those_of_ccxt(brackets: tuple[Bracket, ...], number: Any) -> None:
    """Pushed USDⓈ-M brackets become what ccxt makes of REST's, `info` and the type of each number included."""
    exchange, market = linear(number)
    expected = exchange.parse_market_leverage_tiers(
        rest_entry("IOTAUSDT", brackets, "notionalFloor", "notionalCap"), market
    )
    assert repr(expected) == repr(to_leverage_tiers(brackets, market, WORDS))


@BRACKETS
@NUMBERS
def test_tiers_of_an_inverse_contract_are_those_of_ccxt(brackets: tuple[Bracket, ...], number: Any) -> None:
    """Pushed COIN-M brackets become what ccxt makes of REST's, which are named by quantity."""
    exchange, market = inverse(number)
    expected = exchange.parse_market_leverage_tiers(rest_entry("BTCUSD_PERP", brackets, "qtyFloor", "qtyCap"), market)
    assert repr(expected) == repr(to_leverage_tiers(brackets, market, WORDS))


@BRACKETS
@pytest.mark.parametrize("other", [float, str, Decimal])
@NUMBERS
def test_tiers_with_other_numbers(brackets: tuple[Bracket, ...], number: Any, other: Any) -> None:
    """Known tiers can be given the numbers of another type; they are equal, and those that are made of it at once."""
    _, market = linear()
    made, expected = (
        to_leverage_tiers(brackets, market, WORDS, number),
        to_leverage_tiers(brackets, market, WORDS, other),
    )
    assert repr(expected) == repr(with_number(made, other, WORDS))
    assert are_equal(made, expected)
    assert are_equal_limits(leverage_limits(brackets, number), leverage_limits(brackets, other))
    cut = [{**made[0], "maxLeverage": number("1.5")}, *made[1:]]
    assert not are_equal(cut, expected)
    assert not are_equal(made[:-1], expected)
    assert not are_equal(None, expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(5000.0, "5000"), ("5000.0", "5000"), (Decimal("1E+3"), "1000"), (1e-05, "0.00001"), (0.0, "0"), (-0.5, "-0.5"),
     (float("inf"), "Infinity")],
)  # fmt: skip
def test_a_plain_number(value: Any, expected: str) -> None:
    """The text of a number is the shortest one without an exponent, whatever its type was."""
    assert expected == plain(value)


def test_tiers_in_figures() -> None:
    """The documented push gives these tiers, in ccxt's names and with floats."""
    _, market = linear()
    first, second = to_leverage_tiers(IOTA, market, WORDS)
    assert {
        "tier": 1.0,
        "symbol": "IOTA/USDT:USDT",
        "currency": "USDT",
        "minNotional": 0.0,
        "maxNotional": 5000.0,
        "maintenanceMarginRate": 0.01,
        "maxLeverage": 50.0,
        "info": {
            "bracket": 1,
            "initialLeverage": 50,
            "notionalCap": 5000,
            "notionalFloor": 0,
            "maintMarginRatio": 0.01,
            "cum": 0,
        },
    } == first
    assert (2.0, 5000.0, 25000.0, 0.025, 20.0) == (
        second["tier"],
        second["minNotional"],
        second["maxNotional"],
        second["maintenanceMarginRate"],
        second["maxLeverage"],
    )
    numbers = ("tier", "minNotional", "maxNotional", "maintenanceMarginRate", "maxLeverage")
    assert {float} == {type(tier[name]) for tier in (first, second) for name in numbers}


def test_tiers_ascend_whatever_the_order_of_the_push() -> None:
    """The lowest notional comes first in tiers and in ccxt's brackets, also where the push began at the other end."""
    _, market = linear()
    shuffled = LOOM[::-1]
    assert to_leverage_tiers(LOOM, market, WORDS) == to_leverage_tiers(shuffled, market, WORDS)
    assert to_leverage_brackets(LOOM) == to_leverage_brackets(shuffled)


def test_tiers_are_plain_data() -> None:
    """Tiers survive JSON unchanged."""
    _, market = linear()
    tiers = to_leverage_tiers(FRACTIONS, market, WORDS)
    assert tiers == json.loads(json.dumps(tiers))


def test_no_brackets_are_no_tiers() -> None:
    """Of no brackets there are no tiers and no pairs."""
    _, market = linear()
    assert ([], []) == (to_leverage_tiers((), market, WORDS), to_leverage_brackets(()))


@pytest.mark.parametrize(
    ("floor", "cap", "brackets"),
    [
        pytest.param("notionalFloor", "notionalCap", IOTA, id="linear"),
        pytest.param("qtyFloor", "qtyCap", LOOM, id="inverse"),
    ],
)
def test_brackets_are_those_that_ccxt_loads(floor: str, cap: str, brackets: tuple[Bracket, ...]) -> None:
    """The pairs are what ccxt's load_leverage_brackets() would have kept of REST's answer."""
    exchange, market = linear() if floor == "notionalFloor" else inverse()
    exchange.markets = {market["symbol"]: market}
    exchange.markets_by_id = {market["id"]: [market]}
    exchange.symbols, exchange.ids = [market["symbol"]], [market["id"]]
    # As over the wire: ccxt reads the numbers as they are in the JSON.
    answer = json.loads(json.dumps([rest_entry(market["id"], brackets, floor, cap)]))
    for method in ("fapiPrivateGetLeverageBracket", "dapiPrivateV2GetLeverageBracket"):
        setattr(exchange, method, lambda params={}: answer)
    loaded = exchange.load_leverage_brackets(True, {"type": "swap", "subType": exchange.options["defaultSubType"]})
    expected = [[Decimal(each) for each in pair] for pair in loaded[market["symbol"]]]
    assert expected == [[Decimal(each) for each in pair] for pair in to_leverage_brackets(brackets)]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        pytest.param(0, "0", id="zero"),
        pytest.param(5000, "5000", id="whole"),
        pytest.param(25000.0, "25000.0", id="whole as a float"),
        pytest.param(0.004, "0.004", id="rate"),
        pytest.param(1e-07, "0.0000001", id="below repr's exponent"),
        pytest.param(1e16, "10000000000000000", id="above repr's exponent"),
        pytest.param(10**20, "100000000000000000000", id="beyond 64 bits"),
    ],
)
def test_decimals_have_no_exponent(number: float, expected: str) -> None:
    """The pairs are decimal strings that ccxt's exact arithmetic reads for what they are."""
    ((floor, _),) = to_leverage_brackets([Bracket(1, number, 10**21, 0.01, 0, 1, 1)])
    assert expected == floor


@settings(deadline=None)
@given(floor=st.floats(0, 1e290) | st.integers(0, 10**30), rate=st.floats(0, 1))
def test_decimals_are_exact_for_ccxt(floor: float, rate: float) -> None:
    """Whatever number is pushed, ccxt's Precise finds it in the pairs, without an exponent and without loss."""
    ((low, maintenance),) = to_leverage_brackets([Bracket(1, floor, 1e299, rate, 0, 1, 1)])
    assert (floor, rate) == (type(floor)(low), float(maintenance))
    assert set() == (set(low) | set(maintenance)) - set("0123456789.")
    assert Precise.string_eq(Precise.string_add(low, "1"), str(Precise(low).add(Precise("1"))))


@pytest.mark.parametrize(
    ("brackets", "expected"),
    [
        pytest.param(IOTA, {"min": 11.0, "max": 50.0}, id="two"),
        pytest.param(LOOM[::-1], {"min": 1.0, "max": 20.0}, id="six, descending"),
        pytest.param(IOTA[:1], {"min": 21.0, "max": 50.0}, id="one"),
    ],
)
def test_leverage_limits_span_all_brackets(brackets: tuple[Bracket, ...], expected: dict[str, float]) -> None:
    """The least and the greatest leverage of all brackets, as floats, from anything that can be iterated."""
    limits = leverage_limits(iter(brackets))
    assert expected == limits
    assert {float} == {type(limit) for limit in limits.values()}
