"""What lies ahead of contracts is read from their markets."""

from __future__ import annotations

from typing import Any

import pytest

from ccxt_contractinfo.contracts.changes import Market, vanish
from ccxt_contractinfo.contracts.upcoming import Upcoming, upcoming
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.samples import NEVER, entry, market_of, spot_market

NOW = 1_790_000_000_000
DAY = 86400_000
FUTURE = {"contractType": "CURRENT_QUARTER", "deliveryDate": NOW + 3 * DAY}


def market(id: str = "IOTAUSDT", **changes: Any) -> Market:
    return market_of(entry(id, **changes))


def kinds(*markets: Market) -> list[str]:
    return [each.kind for each in upcoming(markets, NOW, NOW + 30 * DAY, WORDS)]


def test_what_is_ahead_comes_in_the_order_of_time() -> None:
    """A listing, a delisting and a delivery are told, the soonest first, whatever the order of the markets."""
    markets = [
        market("BTCUSDT_260924", **FUTURE),
        market("OLDUSDT", deliveryDate=NOW + 2 * DAY),
        market("NEWUSDT", onboardDate=NOW + DAY, status="PENDING_TRADING"),
    ]
    assert [
        Upcoming(NOW + DAY, "NEW/USDT:USDT", "listing", "NEWUSDT", "PENDING_TRADING"),
        Upcoming(NOW + 2 * DAY, "OLD/USDT:USDT", "delisting", "OLDUSDT", "TRADING"),
        Upcoming(NOW + 3 * DAY, markets[0]["symbol"], "delivery", "BTCUSDT_260924", "TRADING"),
    ] == upcoming(markets, NOW, NOW + 30 * DAY, WORDS)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"deliveryDate": NEVER}, [], id="never"),
        pytest.param({"deliveryDate": NOW}, [], id="now"),
        pytest.param({"deliveryDate": NOW + 1}, ["delisting"], id="soon"),
        pytest.param({"deliveryDate": NOW + 30 * DAY}, ["delisting"], id="at the end"),
        pytest.param({"deliveryDate": NOW + 30 * DAY + 1}, [], id="too far ahead"),
        pytest.param({"onboardDate": NOW + 1}, ["listing"], id="not open by its date"),
        pytest.param({"onboardDate": NOW - DAY}, [], id="trades already"),
        pytest.param({"onboardDate": NOW - DAY, "status": "PENDING_TRADING"}, ["listing"], id="pending past its date"),
        pytest.param({"deliveryDate": NOW - DAY, "status": "SETTLING"}, [], id="settled"),
    ],
)
def test_only_what_is_ahead_is_told(changes: dict[str, Any], expected: list[str]) -> None:
    """What is past, or too far ahead, is left out; a contract that is pending is ahead by its status, not the clock."""
    assert expected == kinds(market(**changes))


def test_coin_margined_contracts_are_told_of() -> None:
    """A delisting of a COIN-M contract is ahead, too, with the status under its own name."""
    (found,) = upcoming([market("IOTAUSD_PERP", deliveryDate=NOW + DAY)], NOW, NOW + DAY, WORDS)
    assert ("IOTA/USD:IOTA", "delisting", "TRADING") == (found.symbol, found.kind, found.status)


def test_what_is_no_contract_or_is_gone_is_passed_over() -> None:
    """Neither a spot market nor a contract that exchangeInfo has no more has anything ahead."""
    gone = vanish(market("OLDUSDT", deliveryDate=NOW + DAY), WORDS).market
    assert [] == kinds(spot_market(), gone)
