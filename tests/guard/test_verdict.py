"""The verdict: each reason by itself, and what an order is worth in each unit."""

from __future__ import annotations

from typing import Any

import pytest

from ccxt_contractinfo.contracts.changes import GONE
from ccxt_contractinfo.guard.settings import EVERYTHING, GuardSettings
from ccxt_contractinfo.guard.verdict import Limits, Verdict, judge, judge_leverage, notional
from ccxt_contractinfo.venues.binance.words import WORDS
from ccxt_contractinfo.venues.orders import Order

NOW = 1_800_000_000_000
TIERS = [{"maxLeverage": "50", "maxNotional": "10000"}, {"maxLeverage": 10, "maxNotional": 50_000}]
LIMITS = Limits.of(TIERS)


def market(**changes: Any) -> dict[str, Any]:
    fields = {"symbol": "ETH/USDT:USDT", "id": "ETHUSDT", "status": "TRADING", "created": 1, "contractSize": 1.0}
    fields |= {"delisting": None, "expiry": None, "linear": True, "inverse": False, "info": {}}
    return {**fields, **changes}


def order(**changes: Any) -> Order:
    return Order("buy", None, 1.0, "base", 2_000.0)._replace(**changes)


def judged(
    changes: dict[str, Any] | None = None,
    of: Order | None = None,
    limits: Limits | None = LIMITS,
    is_fresh: bool = True,
    leverage: float | None = None,
    **settings: Any,
) -> Verdict:
    chosen = GuardSettings(**settings) if settings else EVERYTHING
    return judge(market(**(changes or {})), limits, is_fresh, of or order(), chosen, lambda: NOW, WORDS, leverage)


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, []),
        ({"status": "PENDING_TRADING"}, ["not_started"]),
        ({"status": "TRADING_HALT"}, ["not_trading"]),
        ({"status": "SETTLING"}, ["not_trading"]),
        ({"status": "WHATEVER"}, ["not_trading"]),
        ({"status": "TRADING_CANCEL_ONLY"}, ["cancel_only"]),
        ({"status": "CLOSE"}, ["gone"]),
        ({"status": None, "info": {"status": GONE}}, ["gone"]),
        ({"status": None}, ["unknown"]),
        ({"delisting": NOW + 10**9}, ["delisting"]),
        ({"delisting": NOW + 1_799_000}, ["delisting", "closing"]),
        ({"delisting": NOW - 1}, ["delisting", "closing"]),
        ({"expiry": NOW + 10**9}, []),
        ({"expiry": NOW + 1_800_000}, ["closing"]),
        ({"expiry": NOW + 1_800_001}, []),
    ],
)
def test_status_and_dates(changes: dict[str, Any], reasons: list[str]) -> None:
    """Each status and date has its reason; a future's own end is no delisting."""
    verdict = judged(changes)
    assert reasons == verdict.reasons
    assert (reasons in ([], ["unknown"])) == verdict.as_dict()["allowed"]


@pytest.mark.parametrize("changes", [{"status": "TRADING_HALT"}, {"status": None}, {"delisting": NOW}])
def test_what_closes_has_nothing_against_it(changes: dict[str, Any]) -> None:
    """An order that closes is allowed, whatever is known, unknown or stale."""
    verdict = judged(changes, order(opens=False, amount=None), None, is_fresh=False, leverage=100)
    assert ([], False, True) == (verdict.reasons, verdict.opens, verdict.as_dict()["allowed"])


@pytest.mark.parametrize("opens", [True, None])
def test_sizes(opens: bool | None) -> None:
    """A notional up to the last cap, or up to the cap at the leverage, is allowed; exactly the cap, too."""
    for amount, leverage, reasons in (
        (25, None, []),
        (25.001, None, ["beyond_tier"]),
        (5, 20, []),
        (5.001, 20, ["beyond_tier"]),
        (25, 10, []),
        (1, 51, ["leverage"]),
    ):
        assert reasons == judged(of=order(opens=opens, amount=amount), leverage=leverage).reasons
    assert ["unknown"] == judged(of=order(price=None)).reasons
    assert ["unknown"] == judged(limits=None).reasons == judged(limits=Limits.of([])).reasons
    assert [] == judged(limits=None, mode="refuse", tiers="off").reasons
    assert ["stale"] == judged(of=order(price=None), is_fresh=False).reasons  # what is certain is told alone


@pytest.mark.parametrize("tier", [{"maxLeverage": None, "maxNotional": 1}, {"maxLeverage": 5}, {"maxNotional": "x"}, 5])
def test_tiers_that_cannot_be_read(tier: Any) -> None:
    """They are not known; the other checks are made all the same."""
    assert Limits.of([*TIERS, tier]) is None
    assert ["not_trading"] == judged({"status": "TRADING_HALT"}, limits=Limits.of([tier])).reasons


def test_the_leverage() -> None:
    """Only a leverage beyond the best tier has something against it."""
    for leverage, limits, reasons in ((50, LIMITS, []), (50.5, LIMITS, ["leverage"]), (200, None, ["unknown"])):
        assert reasons == judge_leverage(market(), limits, leverage, EVERYTHING, lambda: NOW).reasons


def test_modes() -> None:
    """A check that is off finds nothing; one that logs refuses nothing."""
    changes = {"status": "TRADING_HALT", "delisting": NOW + 10**9}
    assert ["not_trading"] == judged(changes, mode="refuse", delisting="off").reasons
    assert judged(changes, mode="log", delisting="refuse").refuses
    assert not judged(changes, mode="log").refuses
    assert [] == judged(changes, is_fresh=False, mode="off").reasons


def test_until() -> None:
    """The next date that changes the verdict, if one is known."""
    assert NOW + 5 == judged({"status": "PENDING_TRADING", "created": NOW + 5}).until
    assert judged({"status": "PENDING_TRADING", "created": NOW - 5}).until is None
    assert judged({"status": "PENDING_TRADING", "created": NOW + 5}, is_fresh=False).until is None
    within = {"mode": "refuse", "delisting_within": 1}
    assert NOW + 10**9 - 1_800_000 == judged({"delisting": NOW + 10**9}, **within).until
    assert judged({"delisting": NOW + 10**9}).until is None
    assert judged().until is None


@pytest.mark.parametrize(
    ("unit", "is_inverse", "expected"),
    [
        ("base", False, 6_000),
        ("contracts", False, 600),
        ("quote", False, 3),
        ("base", True, 3),
        ("contracts", True, 0.00015),
        ("quote", True, 0.0015),
    ],
)
def test_units(unit: Any, is_inverse: bool, expected: float) -> None:
    """Tiers of linear contracts are in the quote currency, of inverse ones in the base coin."""
    contract = market(inverse=is_inverse, linear=not is_inverse, contractSize=0.1)
    assert notional(order(amount=3.0, unit=unit), contract) == pytest.approx(expected)
    needs_price = unit != ("base" if is_inverse else "quote")
    assert (notional(order(amount=3.0, unit=unit, price=None), contract) is None) == needs_price
