"""The update that users get: what happened to one contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from .events import ContractInfoEvent
from .markets import Change, Kind, iso8601
from .tierchanges import TIGHTENED, TierChange, directions, tier_changes
from .tiers import LeverageTier

Source = Literal["stream", "resync"]


class ContractInfo(TypedDict):
    """An update, as callbacks and `watch_contract_info()` give it. A plain dict; treat it as read-only.

    Times are ms since the epoch; the datetimes are their ISO 8601 texts.
    """

    info: Mapping[str, Any]
    """The raw push; the raw entry of exchangeInfo, as last seen, where the source is 'resync'."""
    id: str
    """Binance's id of the contract, e.g. 'BTCUSDT'."""
    symbol: str
    """ccxt's unified symbol, e.g. 'BTC/USDT:USDT'."""
    timestamp: int
    datetime: str | None
    contractType: str
    status: str | None
    """Binance's word; None where exchangeInfo does not have the contract any more."""
    active: bool
    """True only for the status TRADING."""
    created: int | None
    """The onboard time."""
    expiry: int | None
    """The delivery time of a dated future; None for swaps."""
    delisting: int | None
    """The scheduled delivery time of a swap, or None; None for futures."""
    tiers: list[LeverageTier] | None
    """ccxt's leverage tiers, where this update carried brackets."""
    tierChanges: list[TierChange] | None
    """Where the kind is 'tiers': the ranges of notional in which the maximum leverage or the maintenance margin rate
    changed. None for another kind, and where the tiers were not known before."""
    kinds: list[Kind]
    """What changed: some of `KINDS`, in their order. Never empty."""
    previous: dict[str, Any]
    """The market fields that changed, with the values they had. Empty for a listing."""
    source: Source
    """'stream' for a push; 'resync' for what a comparison with REST has shown."""


def make_update(event: ContractInfoEvent, change: Change, source: Source) -> ContractInfo:
    """The update that tells of what `event` changed."""
    market, before = change.market, change.previous.get("leverageTiers")
    return {
        "info": event.raw,
        "id": event.id,
        "symbol": market["symbol"],
        "timestamp": event.event_time,
        "datetime": iso8601(event.event_time),
        "contractType": market["info"].get("contractType", ""),
        "status": market["status"],
        "active": market["active"],
        "created": market["created"],
        "expiry": market["expiry"],
        "delisting": market["delisting"],
        "tiers": market["leverageTiers"] if event.brackets or "tiers" in change.kinds else None,
        "tierChanges": tier_changes(before, market["leverageTiers"]) if "tiers" in change.kinds and before else None,
        "kinds": change.kinds,
        "previous": change.previous,
        "source": source,
    }


def tier_directions(update: ContractInfo) -> set[str]:
    """Which way an update's leverage tiers went: see `tierchanges.DIRECTIONS`. Where they were not known before, they
    may well have tightened, so that whoever asks for that is told; a listing has none before that could."""
    if "tiers" not in update["kinds"] or "listed" in update["kinds"]:
        return set()
    before, after = update["previous"].get("leverageTiers"), update["tiers"]
    return directions(before, after) if before and after else {TIGHTENED}
