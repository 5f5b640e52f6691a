"""What happened to one contract: as it is kept, and as each user gets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from operator import itemgetter
from typing import Any, Literal, TypedDict, TypeVar

from ..public import public
from .changes import Change, iso8601
from .events import ContractInfoEvent
from .kinds import Kind
from .tier_changes import TIGHTENED, TierChange, directions, tier_changes
from .tiers import LeverageTier
from .words import Words

Source = Literal["stream", "resync"]
T = TypeVar("T")


@public
class ContractInfo(TypedDict):
    """An update, as callbacks and `watch_contract_info()` give it. A plain dict, which belongs to who was given it:
    what is changed in it reaches neither the markets nor the updates of others.

    Times are ms since the epoch; the datetimes are their ISO 8601 texts.
    """

    info: Mapping[str, Any]
    """The raw push; REST's raw entry of the contract, as last seen, where the source is 'resync'."""
    id: str
    """The venue's id of the contract, e.g. 'BTCUSDT'."""
    symbol: str
    """ccxt's unified symbol, e.g. 'BTC/USDT:USDT'."""
    timestamp: int
    datetime: str | None
    contractType: str
    status: str | None
    """The venue's word; None where REST does not have the contract any more."""
    active: bool
    """Whether the contract trades freely."""
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


class UpdateRecord:
    """What an event changed, as much of it as users are told: from it each subscriber's own update is made. It holds
    parts of markets and of other records, so that nothing of it is given to users. Never changed; for any thread."""

    __slots__ = ("_directions", "_state", "_tier_changes", "event", "kinds", "previous", "source", "tiers")

    def __init__(self, event: ContractInfoEvent, change: Change, source: Source, words: Words) -> None:
        market = change.market
        self.event = event
        self.kinds = change.kinds
        self.previous = change.previous
        self.tiers: list[LeverageTier] | None = market.get("leverageTiers")
        self.source: Source = source
        self._state = (
            market["info"].get(words.contract_type, ""),
            *_STATE(market),
        )  # and not the market, which is large
        # Found when a subscriber wants them; where several do at a time, each may find them: they are equal.
        self._directions: set[str] | None = None
        self._tier_changes: list[TierChange] | None = None

    @property
    def id(self) -> str:
        """The contract's."""
        return self.event.id

    @property
    def timestamp(self) -> int:
        """ms."""
        return self.event.event_time

    @property
    def directions(self) -> set[str]:
        """Which way the leverage tiers went: see `tier_directions`."""
        if self._directions is None:
            self._directions = _directions(self.kinds, self.previous.get("leverageTiers"), self.tiers)
        return self._directions

    def _own_tier_changes(self, before: list[LeverageTier], tiers: list[LeverageTier]) -> list[TierChange]:
        if self._tier_changes is None:
            self._tier_changes = tier_changes(before, tiers)
        return [each.copy() for each in self._tier_changes]

    def update(self) -> ContractInfo:
        """Make a new update for one subscriber, who may change it; quick enough to do so for each."""
        event, before, tiers = self.event, self.previous.get("leverageTiers"), self.tiers
        contract_type, symbol, status, active, created, expiry, delisting = self._state
        has_tiers = "tiers" in self.kinds
        return {
            "info": own(event.raw),
            "id": event.id,
            "symbol": symbol,
            "timestamp": event.event_time,
            "datetime": iso8601(event.event_time),
            "contractType": contract_type,
            "status": status,
            "active": active,
            "created": created,
            "expiry": expiry,
            "delisting": delisting,
            "tiers": own_tiers(tiers) if tiers and (event.brackets or has_tiers) else None,
            "tierChanges": self._own_tier_changes(before, tiers) if has_tiers and before and tiers else None,
            "kinds": list(self.kinds),
            "previous": {**self.previous, "leverageTiers": own_tiers(before)} if before else self.previous.copy(),
            "source": self.source,
        }


_STATE = itemgetter("symbol", "status", "active", "created", "expiry", "delisting")


def own(value: T) -> T:
    """A copy of what JSON can say, down to its last dict and list; quicker than `copy.deepcopy`, which asks more."""
    return _own(value) if isinstance(value, dict | list) else value


def _own(value: Any) -> Any:
    if isinstance(value, list):
        if _DICT.issuperset(map(type, value)):
            values = chain.from_iterable(map(dict.values, value))
            if _NESTED.isdisjoint(map(type, values)):  # as of brackets
                return list(map(dict.copy, value))
        return [_own(each) if type(each) in _NESTED else each for each in value]
    items = value.copy()
    if not _NESTED.isdisjoint(map(type, value.values())):  # most have plain values alone
        for name, each in value.items():
            if type(each) in _NESTED:
                items[name] = _own(each)
    return items


_NESTED = frozenset({dict, list})
_DICT = frozenset({dict})


def own_tiers(tiers: list[LeverageTier]) -> list[LeverageTier]:
    """The same of leverage tiers, of which only `info` is nested, and flat; several times as quick."""
    return [{**tier, "info": tier["info"].copy()} if tier.get("info") else tier.copy() for tier in tiers]


def own_event(event: ContractInfoEvent) -> ContractInfoEvent:
    """The same event with a copy of `raw`, for one subscriber."""
    return replace(event, raw=own(event.raw))


def tier_directions(update: ContractInfo) -> set[str]:
    """Which way an update's leverage tiers went: see `tier_changes.DIRECTIONS`. Where they were not known before, they
    may well have tightened, and users who ask for that are told; a listing has none before that could."""
    return _directions(update["kinds"], update["previous"].get("leverageTiers"), update["tiers"])


def _directions(kinds: Sequence[str], before: list[LeverageTier] | None, after: list[LeverageTier] | None) -> set[str]:
    if "tiers" not in kinds or "listed" in kinds:
        return set()
    return directions(before, after) if before and after else {TIGHTENED}
