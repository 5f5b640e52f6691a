"""The contracts of one `exchange.markets`: where events are applied and new markets published, under one lock."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Container, Iterable, Mapping
from typing import Any, Protocol

from .backoff import Backoff
from .events import Arrival, ContractInfoEvent, Outcome
from .forking import renew_after_fork
from .listings import ListingDesk
from .mapping import LiveMapping
from .markets import Change, Market, apply_event, complete, gone, is_contract, keep_name, pick_contract, with_tiers
from .rest import Universe
from .updates import ContractInfo, make_update


class Sharer(Protocol):
    """An exchange whose markets are those of a table."""

    is_following: bool
    """Whether it follows a stream now; else nothing is told to it."""

    def tell(self, update: ContractInfo) -> None:
        """Take an update for the exchange's subscribers, without waiting."""
        ...

    def failed(self, error: BaseException) -> None:
        """Take an error for whoever listens to them."""
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

    def backoff(self) -> Backoff:
        """A new backoff, for asking REST again."""
        ...

    def fetch_contracts(self, universe: Universe) -> Mapping[str, Any]:
        """Public exchangeInfo's raw entries by contract id. Blocks."""
        ...

    def parse_listing(self, raw: Mapping[str, Any], known: Market | None) -> tuple[Market, Mapping[str, Any]]:
        """A raw entry of exchangeInfo as a complete market, and the currencies that it brings.

        :param known: the contract as it was before it went away, if it was
        """
        ...


class MarketTable:
    """The two mappings of an exchange's markets, and what is known about their contracts beyond them.

    Exchanges that share markets share one table; each event is applied once and told to all of them. All methods may
    be called from any thread. Readers of the mappings need no lock.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.sharers: weakref.WeakSet[Any] = weakref.WeakSet()
        self.newest: dict[str, Arrival] = {}
        self.desk = ListingDesk(self.lock, self._fetch, self._parse, self._list, self._failed, self._backoff)
        self._gone: set[str] = set()
        self._last: tuple[ContractInfoEvent | None, Outcome] = (None, Outcome.IGNORED)
        # Plain dicts that somebody may hold, kept in step.
        self._copies: tuple[dict[str, Market], dict[str, list[Market]]] | None = None
        self._publish_mappings({})
        renew_after_fork(self)

    def load(self, markets: Mapping[str, Market], since: float | None, universes: Container[str]) -> None:
        """Take over freshly loaded markets, as new mappings.

        What REST does not tell is kept: leverage tiers, contracts of `universes` that went away (inactive), and what
        was pushed since (monotonic, s) the loading began. Spot markets stay as they are.

        :param markets: ccxt's markets by symbol, under the symbols that `named` gave them
        """
        with self.lock:
            known = self.contracts()
            merged = self._merged(markets, known, since)
            here = {market["id"] for market in merged.values() if is_contract(market)}
            self._gone = set()
            for id, market in known.items():
                if id not in here and market["subType"] in universes and market["symbol"] not in merged:
                    is_newer = self._is_newer(id, since)
                    merged[market["symbol"]] = market if is_newer else gone(market)
                    self._gone.update(() if is_newer else (id,))
            self._publish_mappings(merged)

    def list_known(self, since: float | None) -> None:
        """Tell of the contracts that were waited for and that a user's own load_markets() brought meanwhile.

        :param since: monotonic, s; when the loading began: what was pushed before is not newer than what it brought
        """
        with self.lock:
            for id, market in self.contracts().items():
                if id in self.desk and id not in self._gone:
                    arrivals = self.desk.release(id)
                    newer = [each for each in arrivals if since is not None and each.received >= since]
                    older = arrivals[: len(arrivals) - len(newer)]
                    for arrival in older:
                        market = with_tiers(market, apply_event(market, arrival.event).market)
                    kinds = ["listed", "tiers"] if "leverageTiers" in market else ["listed"]
                    self._publish_listing(arrivals[0], Change(market, kinds, {}, True), {})
                    for arrival in older:
                        self._publish_brackets(market, arrival.event)
                    self.newest[id] = max(older or arrivals[:1], key=lambda arrival: arrival.event.event_time)
                    for arrival in newer:
                        self._apply_again(arrival)

    def adopt(self, markets: dict[str, Market], by_id: dict[str, list[Market]]) -> None:
        """Take over markets that somebody put in place of this table's own; those dicts, which others may hold, are
        from now on kept in step for the contracts that they have."""
        with self.lock:
            self._gone.difference_update(market["id"] for market in markets.values() if is_contract(market))
            self._publish_mappings(self._merged(markets, self.contracts(), None))
            self._copies = (markets, by_id)
            for market in self.contracts().values():
                self._update_copies(market)

    def named(self, markets: Iterable[Market]) -> list[Market]:
        """Freshly parsed markets under the symbols that users know."""
        known = self.contracts()
        return [keep_name(market, known.get(market["id"])) if is_contract(market) else market for market in markets]

    def fork(self) -> MarketTable:
        """A table of its own for a sharer that parts from the others: the same contracts, in new mappings."""
        with self.lock:
            table = MarketTable()
            table._publish_mappings(self.markets)
            table.newest = dict(self.newest)
            table._gone = set(self._gone)
            for universe, arrival in self.desk.held():
                table.desk.hold(arrival, universe)
            return table

    def contracts(self) -> dict[str, Market]:
        """All contracts by id."""
        return {market["id"]: market for market in self.markets.values() if is_contract(market)}

    def find(self, id: str) -> Market | None:
        """The contract of this id, or None. A spot market of the same id is passed over."""
        return pick_contract(self.by_id.get(id, ()))

    def handle(self, event: ContractInfoEvent, received: float, universe: Universe | None) -> Outcome:
        """Apply a push that came at `received` (monotonic, s), and tell all sharers.

        :param universe: the one the event belongs to, or None where the exchange does not trade it
        """
        with self.lock:
            if event is self._last[0]:  # another sharer on the same stream was here with it
                return self._last[1]
            arrival = Arrival(event, received)
            market = self.find(event.id)
            is_back = event.id in self._gone and event.status in ("PENDING_TRADING", "TRADING")
            if market is not None and event.id not in self.desk and not is_back:
                outcome = self._apply(market, arrival)
            elif universe is not None:
                self.desk.hold(arrival, universe)
                outcome = Outcome.HELD
            else:
                outcome = Outcome.IGNORED
            self._last = (event, outcome)
            return outcome

    def after_fork(self) -> None:
        """See `forking`."""
        self.lock = threading.RLock()
        self.desk.after_fork(self.lock)

    def _apply(self, market: Market, arrival: Arrival) -> Outcome:
        event = arrival.event
        newest = self.newest.get(event.id)
        if newest is not None and event.event_time < newest.event.event_time:
            return Outcome.DUPLICATE
        change = apply_event(market, event)
        self.newest[event.id] = arrival
        if not change.changed:
            return Outcome.DUPLICATE
        self._publish(change.market)
        self._tell(event, change)
        return Outcome.APPLIED

    def _publish(self, market: Market) -> None:
        # The new dict is whole before either view shows it; readers take no lock.
        id, symbol = market["id"], market["symbol"]
        others = [other for other in self.by_id.get(id, ()) if other["symbol"] != symbol]
        self.by_id[id] = [*others, market]
        self.markets[symbol] = market
        self._update_copies(market)

    def _update_copies(self, market: Market) -> None:
        # Only replaced, never added: these are plain dicts, and somebody may be iterating over them.
        if self._copies:
            markets, by_id = self._copies
            if market["symbol"] in markets:
                markets[market["symbol"]] = market
            if market["id"] in by_id:
                by_id[market["id"]] = self.by_id[market["id"]]

    def _tell(self, event: ContractInfoEvent, change: Change) -> None:
        # With the lock, so that every subscriber hears of a contract's changes in the order of their publication. This
        # waits for nobody: telling ends in a backlog.
        self._publish_brackets(change.market, event)
        if change.kinds:
            update = make_update(event, change)
            for sharer in list(self.sharers):
                if sharer.is_following:
                    sharer.tell(update)

    def _publish_brackets(self, market: Market, event: ContractInfoEvent) -> None:
        for sharer in list(self.sharers) if event.brackets else ():
            sharer.publish_brackets(market, event)

    def _fetch(self, universe: Universe) -> Mapping[str, Any]:
        entries: Mapping[str, Any] = self._sharer().fetch_contracts(universe)
        return entries

    def _parse(self, raw: Mapping[str, Any]) -> tuple[Market, Mapping[str, Any]]:
        listing: tuple[Market, Mapping[str, Any]] = self._sharer().parse_listing(raw, self.find(raw["symbol"]))
        return listing

    def _list(self, id: str, listing: tuple[Market, Mapping[str, Any]]) -> None:
        """Publish a contract that REST has just told of; then apply what waited behind."""
        market, currencies = listing
        first, *rest = self.desk.release(id)
        # REST's answer may be newer than the push; the push that made it so waits behind, or is on its way.
        self._publish_listing(first, apply_event(market, first.event, listed=True), currencies)
        for arrival in rest:
            self._apply_again(arrival)

    def _publish_listing(self, arrival: Arrival, change: Change, currencies: Mapping[str, Any]) -> None:
        id = arrival.event.id
        self._gone.discard(id)
        self.newest[id] = arrival
        for sharer in list(self.sharers):
            sharer.publish_currencies(currencies)
        self._publish(change.market)
        for sharer in list(self.sharers):
            sharer.publish_names()
        self._tell(arrival.event, change)

    def _apply_again(self, arrival: Arrival) -> None:
        market = self.find(arrival.event.id)
        assert market is not None
        self._apply(market, arrival)

    def _sharer(self) -> Any:
        """One that follows a stream, if any does: the others may not even be able to connect."""
        return max(self.sharers, key=lambda sharer: sharer.is_following)

    def _backoff(self) -> Backoff:
        backoff: Backoff = self._sharer().backoff()
        return backoff

    def _failed(self, error: BaseException) -> None:
        for sharer in list(self.sharers):
            sharer.failed(error)

    def _is_newer(self, id: str, since: float | None) -> bool:
        return since is not None and id in self.newest and self.newest[id].received >= since

    def _merged(
        self, markets: Mapping[str, Market], known: Mapping[str, Market], since: float | None
    ) -> dict[str, Market]:
        """Markets by symbol, their contracts complete with what is known (by id) and REST does not tell."""
        merged = dict(markets)
        for symbol, market in markets.items():
            if is_contract(market):
                merged[symbol] = complete(market)
                if market["id"] in known:
                    merged[symbol] = with_tiers(merged[symbol], known[market["id"]])
                    if self._is_newer(market["id"], since):
                        merged[symbol] = apply_event(merged[symbol], self.newest[market["id"]].event).market
        return merged

    def _publish_mappings(self, markets: Mapping[str, Market]) -> None:
        by_id: dict[str, list[Market]] = {}
        for market in sorted(markets.values(), key=lambda market: not market.get("spot")):  # spot first, as ccxt does
            by_id.setdefault(market["id"], []).append(market)
        self.markets, self.by_id = LiveMapping(markets), LiveMapping(by_id)
        self.markets.table = self.by_id.table = self
        self._copies = None
