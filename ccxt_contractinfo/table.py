"""The contracts of one `exchange.markets`: where pushes and answers of REST are applied, the newer over the older."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import ccxt

from .adjusted import AdjustedBrackets
from .errors import MalformedEvent
from .events import Arrival, ContractInfoEvent, Outcome
from .listings import WaitingRoom
from .markets import (
    Change,
    Market,
    apply_brackets,
    apply_event,
    complete,
    is_back,
    is_contract,
    is_gone,
    keep_name,
    market_universe,
    with_state,
    with_tiers,
)
from .published import PublishedMarkets
from .pushes import Pushes
from .resync import Doubts, News, brackets_told, differs, listed, missed, vanished
from .snapshot import Contents, Entry, Snapshot, Universe, event_of, state_of

LONG_AGO = float("-inf")


class MarketTable(PublishedMarkets):
    """The markets of one exchange or several, and what is known about their contracts beyond them.

    Exchanges that share markets share one table; each event is applied once and told to all of them. All methods may
    be called from any thread. Readers of the mappings need no lock.

    Of two pushes, the one with the later event time is newer; of two answers of REST, the one that was asked for later;
    and a push is newer than an answer that was asked for before it came, or less than `settle_time` (s) after it came.
    Times are s by `clock.now`, unless they are said to be ms.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waiting = WaitingRoom()
        self.adjusted = AdjustedBrackets()
        self._pushes = Pushes()
        self._asked: dict[str, float] = {}
        """When the newest answer on each universe was asked for."""
        self._answered_at: dict[str | None, int] = {}
        """Of what time (ms, by Binance's clock) that answer was."""
        self._brackets: dict[str, tuple[float, ContractInfoEvent]] = {}
        """When REST was asked for brackets that were not known, and the event that has them."""
        self._missing: dict[str, frozenset[str]] = {}
        """What each universe's last answer lacked of what is known."""
        self._agreed: dict[str, tuple[Contents, Mapping[str, list[Entry]] | None, int]] = {}
        """What the last answer on each universe said, and the version of the markets that it agreed with."""
        self._was_kept_up = False
        self._last: ContractInfoEvent | None = None
        self._outcome = Outcome.IGNORED
        """What was made of the last push."""

    def named(self, markets: Iterable[Market]) -> list[Market]:
        """Freshly parsed markets under the symbols that users know."""
        known = self.contracts()
        return [keep_name(market, known.get(market["id"])) if is_contract(market) else market for market in markets]

    def fork(self) -> MarketTable:
        """A table of its own for a sharer that parts from the others: the same contracts, in new mappings."""
        with self.lock:
            table = MarketTable()
            table.publish_mappings(self.markets)
            table.adjusted = self.adjusted.copy()
            table._pushes = self._pushes.copy()
            table._asked = dict(self._asked)
            table._answered_at = dict(self._answered_at)
            table._brackets = dict(self._brackets)
            table.ever = set(self.ever)
            table._was_kept_up = self._is_kept_up
            for universe, arrival in self.waiting.all():
                table.waiting.hold(arrival, universe)
            return table

    @property
    def _is_kept_up(self) -> bool:
        """Whether what is known is not older than markets that come from nobody knows when."""
        sharers = list(self.sharers)
        return any(sharer.is_following for sharer in sharers) if sharers else self._was_kept_up

    # A push

    def handle(
        self, arrival: Arrival, universe: Universe | None, trades: Callable[[Universe | None], bool] = bool
    ) -> Outcome:
        """Apply a push, and tell all sharers.

        :param universe: the one the event belongs to, or None where it belongs to none
        :param trades: whether the exchange trades a universe
        """
        event = arrival.event
        with self.lock:
            if event is self._last:  # another sharer on the same stream was here with it
                return self._outcome
            market = self.find(event.id)
            is_known = market is not None and not (is_back(market, event.status) and self._pushes.is_news(event))
            if market is not None and is_known and event.id not in self.waiting:
                outcome = self._apply(market, arrival)
            elif universe is not None and trades(universe):
                outcome = Outcome.UNLISTED if self.waiting.hold(arrival, universe) else Outcome.HELD
            else:
                outcome = Outcome.IGNORED
            self._last, self._outcome = event, outcome
            return outcome

    def is_doubtful(self, event: ContractInfoEvent, universe: Universe | None) -> bool:
        """Whether an event that was applied is older than what REST has told since, so that REST has to be asked."""
        with self.lock:
            return event.event_time <= self._answered_at.get(universe, -1)

    def _apply(self, market: Market, arrival: Arrival) -> Outcome:
        if arrival.event.id in self.adjusted.ids:
            arrival = self.adjusted.believed(arrival)
        event = arrival.event
        if self._pushes.is_news(event):
            change = apply_event(market, event)
        elif self._pushes.has_news_of_brackets(event):
            change = apply_brackets(market, event)
        else:
            return Outcome.DUPLICATE
        self._pushes.remember(arrival)
        if event.brackets:
            self._brackets.pop(event.id, None)
        if not change.changed:
            return Outcome.DUPLICATE
        self.publish(change.market)
        self.tell(event, change, "stream")
        return Outcome.APPLIED

    # A snapshot

    def know_coefficients(self, universe: Universe, brackets: Mapping[str, list[Entry]]) -> None:
        """Know already which contracts have brackets of the account's own."""
        with self.lock:
            self.adjusted.learn(universe, brackets, self._pushes)

    def has_newer(self, snapshot: Snapshot) -> bool:
        """Whether an answer was applied that was asked for later."""
        return snapshot.asked < self._asked.get(snapshot.universe, LONG_AGO)

    def unlisted(self, snapshot: Snapshot) -> list[str]:
        """The contracts of a snapshot that `compare` has to be given, because they are not known, or are back."""
        with self.lock:
            if self._agrees(snapshot):
                return []
            known = self._settled_contracts(snapshot)
            return [id for id in snapshot.states if id not in known]

    def compare(
        self,
        snapshot: Snapshot,
        brackets: Mapping[str, list[Entry]] | None,
        listings: Mapping[str, Market],
        currencies: Mapping[str, Any],
        settle_time: float,
        brackets_asked: float | None = None,
    ) -> Doubts:
        """Apply what a snapshot shows was missed, and tell all sharers.

        :param brackets: raw leverage brackets by contract id, asked for with the snapshot; None where they are unknown
        :param listings: the contracts that were `unlisted`, complete, by id
        :param currencies: those that they bring
        :param brackets_asked: when the brackets were asked for, if that was later than the snapshot
        """
        with self.lock:
            universe, asked = snapshot.universe, snapshot.asked
            if asked < self._asked.get(universe, LONG_AGO):
                return Doubts()  # another stream has brought a newer one
            self._asked[universe] = asked
            if brackets is not None:
                self.adjusted.learn(universe, brackets, self._pushes)
            if self._agrees(snapshot, brackets):
                return Doubts()
            for sharer in self.sharers:
                sharer.publish_currencies(currencies)
            for id in [id for id in self.waiting.ids() if id in listings]:
                self._list(id, listings[id], asked, settle_time)
            known = self._settled_contracts(snapshot)
            news, doubts = missed(known, snapshot, brackets, self._pushes, settle_time)
            gone = frozenset(event.id for event, change in news if is_gone(change.market))
            if not self._is_believed(universe, gone, len(known), doubts):
                doubts.unsettled(asked + settle_time)
                news = [each for each in news if each.event.id not in gone]
            unheard: list[News] = []  # there is no news in a contract that was here before, or in the first ones of all
            for id in [id for id in listings if id not in known]:
                with doubts.about(id):
                    told = brackets_told((brackets or {}).get(id), id, doubts)
                    is_news = bool(known) and (id not in self.ever or self.find(id) is not None)
                    (news if is_news else unheard).append(listed(listings[id], snapshot.event(id, told)))
            if not news and doubts.are_none() and snapshot.states.keys() <= known.keys():
                self._agreed[universe] = (snapshot.contents, brackets, self.version)
            self._answered_at[universe] = snapshot.time
            for event, change in [*unheard, *news]:
                self.publish(change.market)
                self._pushes.forget_future(event.id, snapshot.time)
                if event.brackets:
                    self._brackets[event.id] = (brackets_asked or asked, event)
            if unheard:
                self.publish_names()
            self.announce(news)
            return doubts

    def _agrees(self, snapshot: Snapshot, *brackets: Mapping[str, list[Entry]] | None) -> bool:
        """Whether a snapshot says what another one did that had nothing new, and the markets are the same since."""
        if snapshot.universe not in self._agreed:
            return False
        contents, known, version = self._agreed[snapshot.universe]
        return contents is snapshot.contents and version == self.version and all(each is known for each in brackets)

    def _is_believed(self, universe: str, missing: frozenset[str], known: int, doubts: Doubts) -> bool:
        """Whether an answer is believed that lacks these of so many known contracts. Where they are many, a second
        answer has to say so, too: the first may be cut off somewhere."""
        is_believed = len(missing) <= max(5, known // 20) or self._missing.get(universe) == missing
        self._missing[universe] = missing
        if not is_believed:
            error = f"exchangeInfo lacks {len(missing)} of {known} {universe} contracts at once: asked again"
            doubts.errors.append(ccxt.BadResponse(error))
        return is_believed

    def announce(self, news: list[News]) -> None:
        """Tell all sharers what an answer of REST's has brought, now that it is published."""
        if any("listed" in change.kinds for _, change in news):
            self.publish_names()
        for event, change in news:
            self.tell(event, change, "resync")

    # Markets that come as a whole

    def load(
        self, markets: Mapping[str, Market], asked: float | None, now: int, universes: set[Universe], settle_time: float
    ) -> tuple[list[News], Doubts]:
        """Take over freshly loaded markets, as new mappings.

        What is newer than they are, or what REST does not tell, is kept: pushes and later answers, leverage tiers, and
        contracts of `universes` that went away (inactive). Spot markets stay as they are.

        :param markets: ccxt's markets by symbol, under the symbols that `named` gave them
        :param asked: when the loading began; None where nobody knows: then nothing is news
        :param now: ms; the time of the news
        :return: what is news, to be announced once the mappings are the exchange's
        """
        with self.lock:
            known, merged = self.contracts(), dict(markets)
            news, doubts = [], Doubts()
            known_universes = {market_universe(market) for market in known.values()}
            fresh = {market["id"]: complete(market) for market in markets.values() if is_contract(market)}
            answered = self._answered(fresh, known, universes, doubts)
            for id, market in fresh.items():
                is_first = market_universe(market) not in known_universes
                taken, told = self._taken(market, known.get(id), is_first, asked, now, settle_time, doubts)
                merged[market["symbol"]] = taken
                news += told if id not in self.waiting else []
            gone = []
            for id, market in known.items():
                if id in fresh or market_universe(market) not in universes or market["symbol"] in merged:
                    continue
                merged[market["symbol"]] = market
                is_answered = asked is not None and market_universe(market) in answered
                if is_answered and not is_gone(market) and not self._is_newer(market, asked, settle_time, doubts):
                    gone.append(vanished(market, now))
            for universe in sorted(answered):
                here = [each for each in gone if market_universe(each.change.market) == universe]
                missing = frozenset(each.event.id for each in here)
                count = sum(market_universe(market) == universe for market in known.values())
                if self._is_believed(universe, missing, count, doubts):
                    merged.update((each.change.market["symbol"], each.change.market) for each in here)
                    news += here
                else:
                    doubts.unsettled(asked)
            self.publish_mappings(merged)
            if asked is None:
                return [], doubts
            self._asked.update((universe, max(asked, self._asked.get(universe, LONG_AGO))) for universe in answered)
            return news, doubts

    def list_known(self, asked: float | None, settle_time: float) -> None:
        """List the contracts that were waited for and that `load` has brought; `asked` is as there."""
        with self.lock:
            known = self.contracts()
            for id in list(self.waiting.ids()):
                if id in known and known[id]["status"] is not None:
                    self._list(id, known[id], asked, settle_time)

    def brackets_newer_than(self, asked: float, settle_time: float) -> list[tuple[Market, ContractInfoEvent]]:
        """The contracts, with the event of their brackets, whose brackets are newer than an answer asked for then."""
        newer = self._pushes.brackets_newer_than(asked, settle_time)
        newer.update((id, event) for id, (when, event) in self._brackets.items() if asked < when)
        return [(market, newer[id]) for id, market in self.contracts().items() if id in newer]

    def adopt(self, markets: dict[str, Market], by_id: dict[str, list[Market]]) -> None:
        """Take over markets that somebody put in place of this table's own; those dicts, which others may hold, are
        from now on kept in step for the contracts that they have."""
        with self.lock:
            known, merged = self.contracts(), dict(markets)
            for symbol, market in markets.items():
                if is_contract(market):
                    old = known.get(market["id"])
                    merged[symbol] = complete(market) if old is None else with_tiers(complete(market), old)
                    if old is not None and self._is_kept_up:
                        merged[symbol] = with_state(merged[symbol], old)
            self.publish_mappings(merged)
            self.copies = (markets, by_id)
            for market in self.contracts().values():
                self.keep_copies(market)

    def _answered(
        self, fresh: Mapping[str, Market], known: Mapping[str, Market], universes: set[Universe], doubts: Doubts
    ) -> set[Universe]:
        """The universes that markets were really loaded of: where REST answers with something else than exchangeInfo,
        ccxt takes that for no markets at all."""
        here = {market_universe(market) for market in fresh.values()}
        silent = {market_universe(market) for market in known.values() if market_universe(market) in universes} - here
        for universe in sorted(silent):
            doubts.errors.append(
                ccxt.BadResponse(f"load_markets() has brought no {universe} contracts: the known stay")
            )
            doubts.unsettled(LONG_AGO)
        return universes - silent

    def _taken(
        self,
        market: Market,
        old: Market | None,
        is_first: bool,
        asked: float | None,
        now: int,
        settle_time: float,
        doubts: Doubts,
    ) -> tuple[Market, list[News]]:
        """A market that was just loaded, with what is known beyond it, and what is news in it.

        :param old: the same contract as known, if it is
        :param is_first: no other contract of its universe is known, so that it is not news that there is this one
        """
        id, universe, kept = market["id"], market_universe(market), market
        if old is None:
            if asked is not None and asked < self._asked.get(universe, LONG_AGO):
                doubts.unsettled(asked)  # a newer answer did not have it
            if is_first:
                return market, []
        else:
            kept = with_tiers(market, old)
            if not differs(old, state_of(market["info"], universe)):
                return kept, []
            kept = with_state(kept, old)
            if self._is_newer(old, asked, settle_time, doubts):
                return kept, []
        try:
            event = event_of(market["info"], universe, now)
        except MalformedEvent as error:
            doubts.malformed(id, error)
            return kept, []
        if old is None or is_back(old, event.status):
            return market, [listed(market, event)]
        return with_tiers(market, old), [News(event, apply_event(old, event))]

    def _is_newer(self, known: Market, asked: float | None, settle_time: float, doubts: Doubts) -> bool:
        """Whether what is known of a contract is newer than an answer that was asked for then."""
        if asked is None:
            return self._is_kept_up
        is_unsettled = doubts.unsettled(self._pushes.unsettled_until(known["id"], asked, settle_time))
        return is_unsettled or asked < self._asked.get(market_universe(known), LONG_AGO)

    def _list(self, id: str, market: Market, asked: float | None, settle_time: float) -> None:
        """Publish a contract that REST has just told of, and apply what waited for it. Pushes that REST's answer is
        newer than have nothing more to say but their brackets."""
        arrivals = [self.adjusted.believed(arrival) for arrival in self.waiting.release(id)]
        older: list[Arrival] = []
        newer: list[Arrival] = []
        for arrival in arrivals:
            is_older = asked is None or arrival.received + settle_time <= asked
            (older if is_older else newer).append(arrival)
        bracketed = None
        for arrival in older:
            if self._pushes.has_news_of_brackets(arrival.event):
                market, bracketed = apply_brackets(market, arrival.event).market, arrival.event
            self._pushes.remember(arrival)
        first = arrivals[0].event
        if older:
            change = Change(market, ["listed", "tiers"] if "leverageTiers" in market else ["listed"], {}, True)
        else:
            change = apply_event(market, first, listed=True)
            self._pushes.remember(newer.pop(0))
        self.publish(change.market)
        self.publish_names()
        self.tell(first, change, "stream")
        if bracketed is not None:
            self.publish_brackets(change.market, bracketed)
        for arrival in newer:
            self._apply(self.markets[market["symbol"]], arrival)

    def _settled_contracts(self, snapshot: Snapshot) -> dict[str, Market]:
        """The contracts of a snapshot's universe by id, but for those that it has to complete."""
        states = snapshot.states
        return {
            id: market
            for id, market in self.contracts().items()
            if market_universe(market) == snapshot.universe
            and id not in self.waiting
            and not (id in states and is_back(market, states[id].status))
        }
