"""The two mappings of markets that readers see, and who shares them: how a change is published and told."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from ..contracts.changes import Change, Market, is_contract, is_gone
from ..contracts.events import Bracket, ContractInfoEvent, SubType
from ..contracts.updates import Source, UpdateRecord
from ..forking import renew_after_fork
from ..venues.venue import Venue
from ..weak_list import WeakList
from .live_dict import LiveDict

_by_copy: weakref.WeakValueDictionary[int, PublishedMarkets] = weakref.WeakValueDictionary()
"""The `PublishedMarkets` that keep plain dicts of markets in step, by the ``id()`` of the dict."""


class Sharer(Protocol):
    """An exchange that has the markets of a table."""

    is_following: bool
    """Whether it follows a stream now."""

    @property
    def has_key(self) -> bool:
        """Whether it can ask REST for the account's own leverage brackets."""
        ...

    def trades(self, sub_type: SubType) -> bool:
        """Whether it loads contracts of a sub-type."""
        ...

    def publish_brackets(self, market: Market, brackets: tuple[Bracket, ...]) -> None:
        """Keep ``options['leverageBrackets']`` in step."""
        ...

    def publish_currencies(self, currencies: Mapping[str, Any]) -> None:
        """Add to the exchange's `currencies` those that it lacks."""
        ...

    def publish_names(self) -> None:
        """Bring the exchange's `symbols` and `ids` up to its markets."""
        ...


class Told(Protocol):
    """What is told of each change, such as a channel."""

    def publish(self, record: UpdateRecord) -> None:
        """Take what happened, without waiting."""
        ...


class PublishedMarkets:
    """The mappings `markets` (by symbol) and `by_id`, for one exchange or several. Readers need no lock; a thread that
    changes something holds `lock`.

    Contracts are identified by id. If several have the same symbol, `by_id` has all of them, and `markets` has the one
    that ccxt would have there: the last in REST's answer.
    """

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self._words = venue.words
        self.lock = threading.RLock()
        self.sharers: WeakList[Sharer] = WeakList()
        self.told: WeakList[Told] = WeakList()
        """What is told of each change, in this order."""
        self.version = 0
        """Grows with each change."""
        self.copies: tuple[dict[str, Market], dict[str, list[Market]]] | None = None
        """Plain dicts that others may hold, kept in step; or None."""
        self.publish_mappings(())
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Begin again in the child of a fork."""
        self.lock = threading.RLock()

    def contracts(self) -> dict[str, Market]:
        """All contracts by id."""
        return self._contracts.copy()

    def find(self, id: str) -> Market | None:
        """The contract of this id, or None. A spot market of the same id is passed over."""
        return self._contracts.get(id)

    def publish(self, market: Market) -> None:
        """Put a contract in its place, in both mappings. With the lock."""
        # The new dict is complete before either view shows it, because readers take no lock.
        self.version += 1
        id, symbol = market["id"], market["symbol"]
        self._contracts[id] = market
        alike = self.by_id.get(id)  # mostly one, which is quick
        if alike is not None and len(alike) == 1 and alike[0]["symbol"] == symbol:
            alike[0] = market
        else:
            self.by_id.put(id, [*(other for other in alike or () if other["symbol"] != symbol), market])
        shown = self.markets.get(symbol)
        if shown is None or (shown["id"] == id and symbol not in self._alike):
            dict.__setitem__(self.markets, symbol, market)  # as `put` does
        else:
            ids = self._alike.setdefault(symbol, [shown["id"]])
            if id not in ids:
                ids.append(id)
            self._show(symbol)
        if self.copies:
            self._keep_copies(market)

    def order_alike(self, ids: Iterable[str]) -> None:
        """Of contracts with the same symbol, show the last in this order. With the lock."""
        if self._alike:
            places = {id: place for place, id in enumerate(ids)}
            for symbol, alike in self._alike.items():
                if not places.keys().isdisjoint(alike):
                    alike.sort(key=lambda id: places.get(id, -1))
                    self._show(symbol)

    def withdraw(self, id: str) -> None:
        """Take a contract out of both mappings. With the lock."""
        market = self._contracts.pop(id, None)
        if market is None:
            return
        self.version += 1
        symbol = market["symbol"]
        others = [other for other in self.by_id.get(id, ()) if other["symbol"] != symbol]
        if others:
            self.by_id.put(id, others)
        else:
            self.by_id.remove(id)
        alike = [other for other in self._alike.pop(symbol, ()) if other != id]
        if len(alike) > 1:
            self._alike[symbol] = alike
        if alike:
            self._show(symbol, alike)
        else:
            self.markets.remove(symbol)

    def publish_names(self) -> None:
        """Bring the sharers' lists of names up to the markets. With the lock."""
        for sharer in self.sharers:
            sharer.publish_names()

    def publish_mappings(self, markets: Iterable[Market]) -> None:
        """Begin again with these markets, in ccxt's order, in new mappings. With the lock."""
        markets = list(markets)
        self.version += 1
        self._contracts: dict[str, Market] = {market["id"]: market for market in markets if is_contract(market)}
        by_id: dict[str, list[Market]] = {}
        for market in sorted(markets, key=lambda market: not market.get("spot")):  # spot first, as ccxt does
            by_id.setdefault(market["id"], []).append(market)
        ids: dict[str, list[str]] = {}
        for market in self._contracts.values():
            ids.setdefault(market["symbol"], []).append(market["id"])
        self._alike = {symbol: alike for symbol, alike in ids.items() if len(alike) > 1}
        """By symbol: the ids of several contracts that have it. The last one that is not gone is shown."""
        self.markets, self.by_id = LiveDict({market["symbol"]: market for market in markets}), LiveDict(by_id)
        for symbol in self._alike:
            self._show(symbol)
        self.markets.table = self.by_id.table = self
        self.copies = None

    def keep_in_step(self, markets: dict[str, Market], by_id: dict[str, list[Market]]) -> None:
        """From now on, keep these plain dicts, which others may hold, in step: their items, and new listings. With the
        lock."""
        # Only its own table keeps a live dict true, if at all: to write into it would wait for that table's lock.
        self.copies = (_plain(markets), _plain(by_id))
        self._other_names = {
            market["id"]: symbol
            for symbol, market in list(markets.items())
            if is_contract(market) and self._contracts.get(market["id"], market)["symbol"] != symbol
        }
        """By contract id: the symbol that has the contract in the plain dict, if it is not the contract's own."""
        _by_copy[id(self.copies[0])] = self
        for market in self.contracts().values():
            self._keep_copies(market)

    @staticmethod
    def of_copy(markets: dict[str, Market]) -> PublishedMarkets | None:
        """The `PublishedMarkets` that keep this plain dict in step, or None."""
        table = _by_copy.get(id(markets))
        return table if table is not None and table.copies is not None and table.copies[0] is markets else None

    def publish_change(self, event: ContractInfoEvent, change: Change, source: Source) -> None:
        """Put a changed contract in its place, and tell of it. With the lock."""
        self.publish(change.market)
        self.notify(event, change, source)

    def notify(self, event: ContractInfoEvent, change: Change, source: Source) -> None:
        """Tell of a change that is published."""
        # With the lock, so that every subscriber hears of a contract's changes in the order of their publication. This
        # waits for no subscriber: what is told goes into a backlog.
        if event.brackets:
            self.publish_brackets(change.market, event.brackets)
        if change.kinds:
            record, interruption = UpdateRecord(event, change, source, self._words), None
            for ref in self.told.refs:
                try:
                    if (each := ref()) is not None:
                        each.publish(record)
                except BaseException as error:  # such as Ctrl-C; the others are told all the same
                    interruption = error
            if interruption is not None:
                raise interruption

    def publish_brackets(self, market: Market, brackets: tuple[Bracket, ...]) -> None:
        """Let the sharers keep ccxt's own brackets in step, which are by symbol. With the lock."""
        if self.is_shown(market):
            for sharer in self.sharers:
                sharer.publish_brackets(market, brackets)

    def is_shown(self, market: Market) -> bool:
        """Whether `markets` has this contract under its symbol, or none."""
        shown: Market = self.markets.get(market["symbol"], market)
        return bool(shown["id"] == market["id"])

    def _show(self, symbol: str, ids: list[str] | None = None) -> None:
        ids = self._alike[symbol] if ids is None else ids
        shown = self._contracts[next((id for id in reversed(ids) if not is_gone(self._contracts[id])), ids[-1])]
        before = self.markets.get(symbol)
        if before is not shown:
            self.version += 1
            self.markets.put(symbol, shown)
            if before is not None and before["id"] != shown["id"] and "leverageTiers" in shown:
                raw = [tier["info"] for tier in shown["leverageTiers"]]
                self.publish_brackets(shown, self.venue.entries.brackets_of(raw))

    def _keep_copies(self, market: Market) -> None:
        assert self.copies is not None
        markets, by_id = self.copies
        id, symbol = market["id"], market["symbol"]
        markets[symbol] = self.markets[symbol]
        if id in self._other_names:
            markets[self._other_names[id]] = market
        by_id[id] = self.by_id[id]


def _plain(mapping: dict[str, Any]) -> dict[str, Any]:
    return {} if isinstance(mapping, LiveDict) else mapping
