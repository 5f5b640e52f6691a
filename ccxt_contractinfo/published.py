"""The two mappings of markets that readers see, and who shares them: how a change is published and told."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Protocol

from .events import ContractInfoEvent
from .forking import renew_after_fork
from .mapping import LiveMapping
from .markets import Change, Market, is_contract, pick_contract
from .updates import ContractInfo, Source, make_update
from .weakly import Weakly


class Sharer(Protocol):
    """An exchange whose markets are those of a table."""

    is_following: bool
    """Whether it follows a stream now."""

    def tell(self, update: ContractInfo) -> None:
        """Take an update, for the exchange's subscribers if it follows a stream, without waiting."""
        ...

    def publish_brackets(self, market: Market, event: ContractInfoEvent) -> None:
        """Keep ``options['leverageBrackets']`` in step."""
        ...

    def publish_currencies(self, currencies: Mapping[str, Any]) -> None:
        """Add to the exchange's `currencies` those that it does not have."""
        ...

    def publish_names(self) -> None:
        """Bring the exchange's `symbols` and `ids` up to its markets."""
        ...


class PublishedMarkets:
    """The mappings `markets` (by symbol) and `by_id`, for one exchange or several. Readers need no lock; whoever
    changes something holds `lock`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.sharers: Weakly[Sharer] = Weakly()
        self.version = 0
        """Grows with each change."""
        self.ever: set[str] = set()
        """The ids of all contracts that have ever been here."""
        self.copies: tuple[dict[str, Market], dict[str, list[Market]]] | None = None
        """Plain dicts that somebody may hold, kept in step; or None."""
        self.publish_mappings({})
        renew_after_fork(self)

    def after_fork(self) -> None:
        """See `forking`."""
        self.lock = threading.RLock()

    def contracts(self) -> dict[str, Market]:
        """All contracts by id."""
        return {market["id"]: market for market in self.markets.values() if is_contract(market)}

    def find(self, id: str) -> Market | None:
        """The contract of this id, or None. A spot market of the same id is passed over."""
        return pick_contract(self.by_id.get(id, ()))

    def publish(self, market: Market) -> None:
        """Put a market in its place, in both mappings. With the lock."""
        # The new dict is whole before either view shows it; readers take no lock.
        self.version += 1
        id, symbol = market["id"], market["symbol"]
        self.ever.add(id)
        alike = self.by_id.get(id)  # mostly one, which is quick
        if alike is not None and len(alike) == 1 and alike[0]["symbol"] == symbol:
            alike[0] = market
        else:
            self.by_id[id] = [*(other for other in alike or () if other["symbol"] != symbol), market]
        self.markets[symbol] = market
        if self.copies:
            self.keep_copies(market)

    def publish_names(self) -> None:
        """Bring the sharers' lists of names up to the markets. With the lock."""
        for sharer in self.sharers:
            sharer.publish_names()

    def keep_copies(self, market: Market) -> None:
        """Bring the `copies` up to a market. With the lock."""
        # Only replaced, never added: these are plain dicts, and somebody may be iterating over them.
        if self.copies:
            markets, by_id = self.copies
            if market["symbol"] in markets:
                markets[market["symbol"]] = market
            if market["id"] in by_id:
                by_id[market["id"]] = self.by_id[market["id"]]

    def publish_mappings(self, markets: Mapping[str, Market]) -> None:
        """Begin anew with these markets by symbol, in new mappings. With the lock."""
        by_id: dict[str, list[Market]] = {}
        for market in sorted(markets.values(), key=lambda market: not market.get("spot")):  # spot first, as ccxt does
            by_id.setdefault(market["id"], []).append(market)
        self.version += 1
        self.ever.update(market["id"] for market in markets.values() if is_contract(market))
        self.markets, self.by_id = LiveMapping(markets), LiveMapping(by_id)
        self.markets.table = self.by_id.table = self
        self.copies = None

    def tell(self, event: ContractInfoEvent, change: Change, source: Source) -> None:
        """Tell the sharers of a change that is published."""
        # With the lock, so that every subscriber hears of a contract's changes in the order of their publication. This
        # waits for nobody: telling ends in a backlog.
        self.publish_brackets(change.market, event)
        if change.kinds:
            update = make_update(event, change, source)
            for sharer in self.sharers:
                sharer.tell(update)

    def publish_brackets(self, market: Market, event: ContractInfoEvent) -> None:
        """Let the sharers keep ccxt's own brackets in step. With the lock."""
        if event.brackets:
            for sharer in self.sharers:
                sharer.publish_brackets(market, event)
