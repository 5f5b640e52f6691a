"""What the demo compares is the same in a market and in an update."""

from __future__ import annotations

from ccxt_contractinfo.cli.demo.view import Tier, fields_before, fields_now, view_of
from ccxt_contractinfo.contracts.changes import apply_event
from ccxt_contractinfo.contracts.updates import UpdateRecord
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.samples import ONBOARD, PUSHED, SCHEDULED, entry, market_of, push

from ..updates import updates

TIERS = (Tier(0, 5000, 0.01, 50), Tier(5000, 25000, 0.025, 20))


def test_a_market_and_its_update_say_the_same() -> None:
    """What a market is after an update is what the update tells, and what changed is in the update, too."""
    market, event = market_of(entry()), push(bks=PUSHED, dt=SCHEDULED)
    change = apply_event(market, event, WORDS)
    update = UpdateRecord(event, change, "stream", WORDS).update()
    before, after = view_of(market), view_of(change.market)
    assert ("TRADING", True, ONBOARD, None, None, None) == before
    assert ("TRADING", True, ONBOARD, SCHEDULED, TIERS, 50) == after
    assert {name: value for name, value in after._asdict().items() if name != "max_leverage"} == fields_now(update)
    assert {"delisting": None, "tiers": None} == fields_before(update)


def test_an_update_without_tiers_changes_none() -> None:
    """Tiers that were not pushed are neither before nor after an update."""
    (update,) = updates(cs="TRADING_HALT")
    assert {"status": "TRADING", "active": True} == fields_before(update)
    assert fields_now(update)["tiers"] is None
