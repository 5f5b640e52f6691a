"""What happened to one contract: as it is kept, and as each user gets it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict, TypeVar

from .events import ContractInfoEvent
from .markets import Change, Kind, iso8601
from .tierchanges import TIGHTENED, TierChange, directions, tier_changes
from .tiers import LeverageTier

Source = Literal["stream", "resync"]
T = TypeVar("T")


class ContractInfo(TypedDict):
    """An update, as callbacks and `watch_contract_info()` give it. A plain dict, which belongs to who was given it:
    what is changed in it reaches neither the markets nor the updates of others.

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


@dataclass(frozen=True, eq=False)
class UpdateRecord:
    """That `event` made a `change`; from it each subscriber's own update is made. It holds parts of markets and of
    other records, so that nothing of it is given to users."""

    event: ContractInfoEvent
    change: Change
    source: Source

    @property
    def id(self) -> str:
        """The contract's."""
        return self.event.id

    @property
    def timestamp(self) -> int:
        """ms."""
        return self.event.event_time

    @property
    def kinds(self) -> list[Kind]:
        """What changed."""
        return self.change.kinds

    @functools.cached_property
    def directions(self) -> set[str]:
        """Which way the leverage tiers went: see `tier_directions`."""
        return _directions(
            self.kinds, self.change.previous.get("leverageTiers"), self.change.market.get("leverageTiers")
        )


def make_update(record: UpdateRecord) -> ContractInfo:
    """An update of its own for whoever asks; quick enough for each subscriber to make one. From any thread."""
    event, change = record.event, record.change
    market, before = change.market, change.previous.get("leverageTiers")
    return {
        "info": own(event.raw),
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
        "tiers": own(market["leverageTiers"]) if event.brackets or "tiers" in change.kinds else None,
        "tierChanges": tier_changes(before, market["leverageTiers"]) if "tiers" in change.kinds and before else None,
        "kinds": list(change.kinds),
        "previous": own(change.previous),
        "source": record.source,
    }


def own(value: T) -> T:
    """A copy of what JSON can say, down to its last dict and list; quicker than `copy.deepcopy`, which asks more."""
    if isinstance(value, dict):
        return {name: own(each) for name, each in value.items()}  # type: ignore[return-value]
    if isinstance(value, list):
        return [own(each) for each in value]  # type: ignore[return-value]
    return value


def own_event(event: ContractInfoEvent) -> ContractInfoEvent:
    """The same event with a `raw` of its own, for one subscriber."""
    return replace(event, raw=own(event.raw))


def tier_directions(update: ContractInfo) -> set[str]:
    """Which way an update's leverage tiers went: see `tierchanges.DIRECTIONS`. Where they were not known before, they
    may well have tightened, so that whoever asks for that is told; a listing has none before that could."""
    return _directions(update["kinds"], update["previous"].get("leverageTiers"), update["tiers"])


def _directions(kinds: Sequence[str], before: list[LeverageTier] | None, after: list[LeverageTier] | None) -> set[str]:
    if "tiers" not in kinds or "listed" in kinds:
        return set()
    return directions(before, after) if before and after else {TIGHTENED}
