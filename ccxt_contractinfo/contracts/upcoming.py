"""What lies ahead of contracts, by what their markets say: listings, delistings, deliveries. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from .changes import Market, is_contract, is_gone
from .words import Words

Kind = Literal["listing", "delisting", "delivery"]


class Upcoming(NamedTuple):
    """One thing that is going to happen to a contract."""

    time: int
    """ms since the epoch."""
    symbol: str
    kind: Kind
    """'listing': trading opens; 'delisting': a swap is settled; 'delivery': a dated future is."""
    id: str
    """The venue's id of the contract."""
    status: str | None
    """The venue's word for how the contract is now."""


def upcoming(markets: Iterable[Market], now: int, until: int, words: Words) -> list[Upcoming]:
    """What lies ahead, the soonest first.

    A contract that is still pending is ahead even where its onboard time is past: its status says that it does
    not trade yet, not the clock.

    :param markets: as an exchange with contract info holds them; those that are no contracts are passed over
    :param now: ms; what was before is left out
    :param until: ms; what comes after is left out
    :param words: of their venue
    """
    found = []
    for market in markets:
        if not is_contract(market) or is_gone(market):
            continue
        is_pending = market["status"] == words.pending
        times: dict[Kind, int | None] = {
            "listing": market["created"],
            "delisting": market["delisting"],
            "delivery": market["expiry"],
        }
        found += [
            Upcoming(time, market["symbol"], kind, market["id"], market["status"])
            for kind, time in times.items()
            if time is not None and time <= until and (time > now or (kind == "listing" and is_pending))
        ]
    return sorted(found)
