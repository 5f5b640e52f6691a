"""Updates for tests of what is shown of them."""

from __future__ import annotations

from typing import Any

from ccxt_contractinfo.contracts.changes import apply_event
from ccxt_contractinfo.contracts.updates import ContractInfo, UpdateRecord
from ccxt_contractinfo.venues.binance.words import WORDS
from tests.samples import SERVER_TIME, entry, market_of, push


def updates(id: str = "IOTAUSDT", listed: bool = False, **changes: Any) -> list[ContractInfo]:
    """The updates of pushes that follow each other, the brackets of which are `changes['bks']`, one after another."""
    market, made = market_of(entry(id)), []
    for count, brackets in enumerate(changes.pop("bks", [None])):
        event = push(id, SERVER_TIME + count, **changes, **({"bks": brackets} if brackets else {}))
        change = apply_event(market, event, WORDS, listed=listed)
        market = change.market
        made.append(UpdateRecord(event, change, "stream", WORDS).update())
    return made
