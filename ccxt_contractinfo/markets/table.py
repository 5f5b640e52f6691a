"""The contracts of one `exchange.markets`: applies pushes and answers from REST, the newer over the older."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum
from typing import Any, NamedTuple, get_args

import ccxt

from .. import clock
from ..clock import FOREVER
from ..contracts.changes import (
    Change,
    Market,
    all_markets,
    apply_brackets,
    apply_event,
    complete,
    filled_in,
    is_contract,
    is_gone,
    is_relisted,
    keep_name,
    market_sub_type,
    with_state,
    with_tiers,
)
from ..contracts.events import Arrival, ContractInfoEvent, Outcome, PartialEvent, SubType
from ..errors import MalformedEvent
from ..resync import NOTHING, ResyncResult, latest, merged
from ..venues.snapshot import Contents, Entry, Snapshot, State
from ..venues.venue import Venue
from .adjusted_brackets import AdjustedBrackets
from .choice import Choice
from .cut_off_answers import MissingContracts, are_many
from .live_dict import LiveDict
from .missed_changes import (
    Finding,
    brackets_told,
    differs,
    listed,
    malformed,
    missed,
    missed_brackets,
    unreadable,
    vanished,
)
from .newest_pushes import NewestPushes
from .pending_listings import PendingListings
from .views import PublishedMarkets

LONG_AGO = float("-inf")


class Again(Enum):
    """When REST has to be asked because of a push."""

    SOON = "soon"
    """Soon, for what only REST has."""
    SETTLED = "settled"
    """Once REST's answer is newer than the push."""


class Handled(NamedTuple):
    """What became of a push; when REST has to be asked because of it; and the newest push of the contract, if that
    contradicts it and claims to be newer: then some clock was wrong, and only REST can tell which."""

    outcome: Outcome
    again: tuple[Again, ...] = ()
    contradicts: ContractInfoEvent | None = None


IGNORED = Handled(Outcome.IGNORED)
_APPLIED = Handled(Outcome.APPLIED)
_DUPLICATE = Handled(Outcome.DUPLICATE)


class MarketTable(PublishedMarkets):
    """The markets of one exchange or several, and what else is known about their contracts.

    Exchanges that share markets share one table; each event is applied once and told to all of them. All methods may
    be called from any thread. Readers of the mappings need no lock.

    Of two pushes, the one with the later event time is newer; of two answers from REST, the one that was asked for
    later. A push is newer than an answer that was asked for before the push came, or less than `settle_time` (s) after
    that. Times are s by `clock.now`, unless they are said to be ms.

    A contract is news when it is new at the venue. Contracts that a user left out stay out, without updates, until the
    user loads them: see `Choice`.

    :param attached_at: ms; markets of unknown age count as loaded then
    """

    def __init__(self, venue: Venue, attached_at: int = 0) -> None:
        super().__init__(venue)
        self.choice = Choice(attached_at)
        self.waiting = PendingListings(venue.words)
        self.adjusted = AdjustedBrackets()
        self._pushes = NewestPushes()
        self._asked: dict[str, float] = {}
        """When the newest answer on each sub-type was asked for."""
        self._answered_at: dict[str | None, int] = {}
        """The time (ms, by the venue's clock) of that answer."""
        self._listed: dict[str, float] = {}
        """By contract: when the answer that listed it was asked for. An older answer has an older contract."""
        self._brackets: dict[str, tuple[float, ContractInfoEvent]] = {}
        """By contract: when REST was asked for brackets that were unknown, and the event that has them."""
        self._brackets_asked: dict[str, float] = {}
        """When the newest brackets of each sub-type were asked for."""
        self._missing = MissingContracts()
        self._agreed: dict[str, tuple[Contents, Mapping[str, list[Entry]] | None, int]] = {}
        """What the last answer on each sub-type said, and the version of the markets that it agreed with."""
        self._was_kept_up = False

    def named(self, markets: Iterable[Market]) -> list[Market]:
        """Freshly parsed markets under the symbols that users know."""
        known = self.contracts()
        words = self._words
        return [keep_name(each, known.get(each["id"]), words) if is_contract(each) else each for each in markets]

    def fork(self) -> MarketTable:
        """A separate table for a sharer that parts from the others: the same contracts, in new mappings."""
        with self.lock:
            table = MarketTable(self.venue)
            table.publish_mappings(self.all())
            table.choice = self.choice.copy()
            table.adjusted = self.adjusted.copy()
            table._pushes = self._pushes.copy()
            table._asked = dict(self._asked)
            table._answered_at = dict(self._answered_at)
            table._brackets, table._listed = dict(self._brackets), dict(self._listed)
            table._brackets_asked = dict(self._brackets_asked)
            table._was_kept_up = self._is_kept_up
            for sub_type, arrival in self.waiting.all():
                table.waiting.hold(arrival, sub_type)
            return table

    @property
    def _is_kept_up(self) -> bool:
        """Whether our state is newer than markets of unknown age."""
        sharers = list(self.sharers)
        return any(sharer.is_following for sharer in sharers) if sharers else self._was_kept_up

    # A push

    def handle(self, arrival: Arrival, settle_time: float = FOREVER) -> Handled:
        """Apply a push, and tell of it.

        :param settle_time: s; of a push that came longer than this before REST was asked for what is known, only the
            brackets count. A hub may bring such pushes, since it keeps them
        """
        event = arrival.event
        with self.lock:
            market = self._contracts.get(event.id)
            if market is None or event.id in self.waiting.arrivals or self._is_back(market, event):
                return self._unknown_contract(arrival)
            if arrival.received + settle_time <= self._asked.get(market_sub_type(market), LONG_AGO):
                return self._apply_older(market, arrival)
            if isinstance(event, PartialEvent):
                return self._apply_part(market, event, arrival)
            return self._apply(market, arrival)

    def asked(self, sub_type: SubType) -> float:
        """When the newest answer on a sub-type was asked for."""
        return self._asked.get(sub_type, LONG_AGO)

    def brackets_asked(self, sub_type: SubType) -> float:
        """When the newest brackets of a sub-type were asked for."""
        return self._brackets_asked.get(sub_type, LONG_AGO)

    def is_newest(self, event: ContractInfoEvent) -> bool:
        """Whether neither this push nor a newer one of the contract has come."""
        with self.lock:
            return self._pushes.is_news(event)

    def _apply_older(self, market: Market, arrival: Arrival) -> Handled:
        """Apply the brackets of a push that is older than REST's answer."""
        event = self.adjusted.believed(arrival).event
        if isinstance(event, PartialEvent) or not self._pushes.has_news_of_brackets(event):
            return _DUPLICATE
        change = apply_brackets(market, event, self._words)
        self._pushes.remember(arrival)
        if not change.changed:
            return _DUPLICATE
        self.publish_change(event, change, "stream")
        return _APPLIED

    def _is_back(self, market: Market, event: ContractInfoEvent) -> bool:
        """Whether a contract that went away is back as a new one."""
        if market["status"] is not None:
            return False
        return is_relisted(market, event.status, event.onboard_time, self._words) and self._pushes.is_news(event)

    def _unknown_contract(self, arrival: Arrival) -> Handled:
        """Handle a push of a contract that is unknown, or is back: only REST can complete it."""
        event, sub_type = arrival.event, arrival.event.sub_type
        if isinstance(event, PartialEvent):
            return IGNORED
        if not self.markets or event.id in self.choice.left_out:
            self._pushes.remember(arrival)  # for when the contract is loaded
            return IGNORED
        if sub_type is None or not self._trades(sub_type):
            return IGNORED
        is_first = self.waiting.hold(arrival, sub_type)
        return Handled(Outcome.UNLISTED, (Again.SOON,)) if is_first else Handled(Outcome.HELD)

    def _trades(self, sub_type: SubType) -> bool:
        """Whether an exchange that has these markets loads contracts of a sub-type."""
        sharers = list(self.sharers)
        return not sharers or any(sharer.trades(sub_type) for sharer in sharers)

    def keep_out(self, id: str) -> None:
        """Leave out a contract that the user does not want."""
        with self.lock:
            self.choice.leave_out(id)
            self._wait_no_more(id)

    def _wait_no_more(self, id: str) -> None:
        """Stop waiting for a contract; its pushes are remembered for when it is loaded."""
        if id in self.waiting:
            for arrival in self.waiting.release(id):
                self._pushes.remember(arrival)

    def _apply(self, market: Market, arrival: Arrival) -> Handled:
        if arrival.event.id not in self.adjusted.ids:
            return self._applied(market, arrival)
        handled = self._applied(market, self.adjusted.believed(arrival))
        # A push has the public brackets; only REST has the account's.
        asks = bool(arrival.event.brackets) and any(sharer.has_key for sharer in self.sharers)
        return handled._replace(again=(*handled.again, Again.SOON)) if asks else handled

    def _applied(self, market: Market, arrival: Arrival) -> Handled:
        event, contradicts = arrival.event, None
        if self._pushes.accept(arrival):
            change = apply_event(market, event, self._words)
        else:
            contradicts = self._contradicted(market, event)
            if not self._pushes.has_news_of_brackets(event):
                return _DUPLICATE if contradicts is None else Handled(Outcome.DUPLICATE, (), contradicts)
            change = apply_brackets(market, event, self._words)
            self._pushes.remember(arrival)
        if event.brackets:
            self._brackets.pop(event.id, None)
        if not change.changed:
            return _DUPLICATE if contradicts is None else Handled(Outcome.DUPLICATE, (), contradicts)
        self.publish_change(event, change, "stream")
        # The event is older than an answer from REST that was applied before it.
        is_doubtful = event.event_time <= self._answered_at.get(event.sub_type, -1)
        if contradicts is None and not is_doubtful:
            return _APPLIED
        return Handled(Outcome.APPLIED, (Again.SETTLED,) if is_doubtful else (), contradicts)

    def _contradicted(self, market: Market, event: ContractInfoEvent) -> ContractInfoEvent | None:
        """The newest push of the contract, if that claims to be newer and this one would change something."""
        newer = self._pushes.newer(event)
        return newer if newer is not None and apply_event(market, event, self._words).changed else None

    def _apply_part(self, market: Market, event: PartialEvent, arrival: Arrival) -> Handled:
        """Apply the valid parts of a push over what is known; of a contract that is gone, only REST can tell."""
        if is_gone(market):
            return IGNORED
        return self._apply(market, arrival._replace(event=filled_in(event, market, self._words)))

    # A snapshot

    def know_coefficients(self, sub_type: SubType, brackets: Mapping[str, list[Entry]]) -> None:
        """Note which contracts have adjusted brackets, as what was known already."""
        with self.lock:
            self.adjusted.learn(sub_type, brackets, self._pushes)

    def has_newer(self, snapshot: Snapshot) -> bool:
        """Whether an answer that was asked for later has been applied."""
        return snapshot.asked < self._asked.get(snapshot.sub_type, LONG_AGO)

    def unlisted(self, snapshot: Snapshot) -> list[str]:
        """The contracts of a snapshot that `compare` needs complete, because they are unknown or back."""
        with self.lock:
            if self._agrees(snapshot):
                return []
            self._leave_out(snapshot)
            return self._unknown(snapshot)

    def compare(
        self,
        snapshot: Snapshot,
        brackets: Mapping[str, list[Entry]] | None,
        listings: Mapping[str, Market],
        currencies: Mapping[str, Any],
        settle_time: float,
        brackets_asked: float | None = None,
        *,
        are_brackets_apart: bool = False,
    ) -> ResyncResult:
        """Apply what a snapshot shows was missed, and tell all sharers.

        :param brackets: raw leverage brackets by contract id, asked for with the snapshot; None if they are unknown
        :param listings: the contracts that were `unlisted`, complete, by id
        :param currencies: those that the listings bring
        :param brackets_asked: when the brackets were asked for, if that was later than the snapshot
        :param are_brackets_apart: the brackets count even if the snapshot is older than what is known
        """
        with self.lock:
            sub_type, asked = snapshot.sub_type, snapshot.asked
            if asked < self._asked.get(sub_type, LONG_AGO):  # a loading or another stream has brought a newer answer
                if brackets is None or not are_brackets_apart:
                    return NOTHING
                return self._compare_brackets(snapshot, brackets, settle_time, brackets_asked or asked)
            self._asked[sub_type] = asked
            if brackets is not None:
                before = self._brackets_asked.get(sub_type, LONG_AGO)
                self._brackets_asked[sub_type] = max(brackets_asked or asked, before)
                self.adjusted.learn(sub_type, brackets, self._pushes)
            if self._agrees(snapshot, brackets):
                return NOTHING
            is_first = self.choice.was_never_loaded(sub_type)
            self._leave_out(snapshot)
            for sharer in self.sharers:
                sharer.publish_currencies(currencies)
            unknown = self._unknown(snapshot)
            for id in [id for id in unknown if id in self.waiting]:
                if id in listings:
                    self._list(id, listings[id], asked, settle_time)
                    self._listed[id] = asked
                else:
                    self.waiting.refuse(id)
            back = [id for id in self.waiting.ids() if id in self._contracts and id in snapshot.states]
            undecided = latest(*[self._waits_until(id, asked, settle_time) for id in back])
            known = self._settled_contracts(snapshot)
            news, result = missed(known, snapshot, brackets, self._pushes, settle_time, self.venue.entries)
            results = [result, ResyncResult(again=undecided)]
            dropped = self.choice.dropped(sub_type)
            news += [vanished(each, snapshot.time, self._words) for id, each in dropped.items() if snapshot.lacks(id)]
            gone = frozenset(event.id for event, change in news if is_gone(change.market))
            disbelief = self._disbelief(sub_type, gone, len(known) + len(dropped))
            if disbelief is None:
                shown = dropped if snapshot.is_clear else dropped.keys() & snapshot.states.keys()
                self.choice.shown(shown, dropped.keys() & gone)
            else:
                results.append(ResyncResult(errors=(disbelief,), again=asked + settle_time))
                news = [each for each in news if each.event.id not in gone]
            unheard: list[Finding] = []
            for id in [id for id in unknown if id in listings and id not in known]:
                with contextlib.suppress(MalformedEvent):  # it is noted already
                    told, errors = brackets_told((brackets or {}).get(id), id, self.venue.entries)
                    results.append(ResyncResult(errors=errors))
                    found = listed(listings[id], snapshot.event(id, told), self._words)
                    (unheard if is_first else news).append(found)
                    self._listed[id] = asked
            result = merged(results)
            if is_first:
                self.choice.made_up_for(sub_type)
            if not news and result.is_clear and snapshot.states.keys() - known.keys() <= self.choice.left_out:
                self._agreed[sub_type] = (snapshot.contents, brackets, self.version)
            self._answered_at[sub_type] = snapshot.time
            for event, change in [*unheard, *news]:
                self.publish(change.market)
                self._pushes.forget_future(event.id, snapshot.time)
                if event.brackets:
                    self._brackets[event.id] = (brackets_asked or asked, event)
            self.order_alike(snapshot.states)
            if unheard or not gone.isdisjoint(dropped):
                self.publish_names()
            self.announce(news)
            return result

    def _compare_brackets(
        self, snapshot: Snapshot, brackets: Mapping[str, list[Entry]], settle_time: float, asked: float
    ) -> ResyncResult:
        """Apply the brackets beside a snapshot that is older than what is known, if they are newer."""
        if asked <= self._brackets_asked.get(snapshot.sub_type, LONG_AGO):
            return NOTHING
        self._brackets_asked[snapshot.sub_type] = asked
        self.adjusted.learn(snapshot.sub_type, brackets, self._pushes)
        news, result = missed_brackets(
            self._settled_contracts(snapshot), snapshot, brackets, self._pushes, settle_time, self.venue.entries
        )
        for event, change in news:
            self.publish(change.market)
            self._brackets[event.id] = (asked, event)
        self.announce(news)
        return result

    def _leave_out(self, snapshot: Snapshot) -> None:
        """Find out what the user left out, from the first answer on markets of the user's choice."""
        sub_type = snapshot.sub_type
        known = [id for id, market in self._contracts.items() if market_sub_type(market) == sub_type]
        missing = sum(id not in snapshot.states for id in known)
        if self.choice.is_open(sub_type) and (are_many(missing, len(known)) or not snapshot.is_clear):
            return  # the answer may be cut off; then the next one would be full of news
        announced = {id for id in self.waiting.ids() if self.waiting.is_announced(id)}
        for id in self.choice.decide(snapshot, self._contracts.keys() | announced):
            self._wait_no_more(id)

    def _unknown(self, snapshot: Snapshot) -> list[str]:
        """The contracts of a snapshot that are to be listed."""
        is_open = self.choice.is_open(snapshot.sub_type)
        unknown = []
        for id, state in snapshot.states.items():
            market = self._contracts.get(id)
            if market is not None:
                if is_relisted(market, state.status, state.onboard_date, self._words):
                    unknown.append(id)
            elif id not in self.choice.left_out and (not is_open or self._is_surely_new(id, state, snapshot.sub_type)):
                unknown.append(id)
        return unknown

    def _is_surely_new(self, id: str, state: State, sub_type: SubType) -> bool:
        """Whether a contract is news, whatever the user turns out to have left out."""
        announced = id in self.waiting and self.waiting.is_announced(id)
        return announced or self.choice.is_later(sub_type, state.onboard_date)

    def _waits_until(self, id: str, asked: float | None, settle_time: float) -> float | None:
        """Until when to wait for a new contract that was pushed under the id of one that went away, if an answer asked
        for at `asked` has the old one. None: no longer, because the push has settled."""
        if id not in self.waiting:
            return None
        settled = self.waiting.newest(id).received + settle_time
        if asked is not None and asked >= settled:
            self._wait_no_more(id)
            return None
        return settled

    def _agrees(self, snapshot: Snapshot, *brackets: Mapping[str, list[Entry]] | None) -> bool:
        """Whether a snapshot repeats an earlier one that had nothing new, and the markets have not changed since."""
        if snapshot.sub_type not in self._agreed:
            return False
        contents, known, version = self._agreed[snapshot.sub_type]
        return contents is snapshot.contents and version == self.version and all(each is known for each in brackets)

    def _disbelief(self, sub_type: str, missing: frozenset[str], known: int) -> ccxt.BadResponse | None:
        """Why not to believe an answer that lacks these known contracts: see `MissingContracts`. None: it is
        believed."""
        if self._missing.are_believed(sub_type, missing, known):
            return None
        return ccxt.BadResponse(
            f"{self.venue.entries.answer} lacks {len(missing)} of {known} {sub_type} contracts at once: asked again"
        )

    def announce(self, news: list[Finding]) -> None:
        """Tell all sharers the findings of an answer from REST, now that they are published."""
        if any("listed" in change.kinds for _, change in news):
            self.publish_names()
        for event, change in news:
            self.notify(event, change, "resync")

    # Markets that come as a whole

    def load(
        self,
        markets: Iterable[Market],
        asked: float | None,
        now: int,
        sub_types: set[SubType],
        settle_time: float,
        *,
        is_whole: bool = True,
        unwanted: Iterable[str] = (),
        sick: Collection[Any] = (),
    ) -> tuple[list[Finding], ResyncResult]:
        """Take over freshly loaded markets, as new mappings.

        What is newer than they are, and what REST does not tell, is kept: pushes and later answers, leverage tiers, and
        contracts of `sub_types` that went away (inactive). Spot markets are taken as they are.

        :param markets: ccxt's markets, in its order, under the symbols that `named` gave them
        :param asked: when the loading began; None if unknown: then only contracts that were onboarded since the
            exchange was attached are news
        :param now: ms; the time of the news
        :param is_whole: they are all that the venue has; otherwise, or if `asked` is None, they are the user's choice
        :param unwanted: the ids of contracts that the user does not want at all
        :param sick: the entries that ccxt could not make markets of: the venue has their contracts
        :return: the findings, to be announced once the exchange has the mappings; and what came of the loading
        """
        with self.lock:
            known, taken = self.contracts(), []
            news: list[Finding] = []
            results: list[ResyncResult] = []
            known_sub_types = {market_sub_type(market) for market in known.values()}
            fresh = {market["id"] for market in markets if is_contract(market)}
            is_venues = is_whole and asked is not None
            silent = self._silent(markets, known, sub_types) if is_venues else set()
            answered = sub_types - silent
            results += [_silence(sub_type) for sub_type in sorted(silent)]
            for market in markets:
                if not is_contract(market):
                    taken.append(market)
                    continue
                id = market["id"]
                is_first = market_sub_type(market) not in known_sub_types
                kept_market, told, result = self._taken(
                    complete(market, self._words), known.get(id), is_first, asked, now, settle_time
                )
                taken.append(kept_market)
                results.append(result)
                news += told if id not in self.waiting else []
            missing = {id: each for id, each in known.items() if id not in fresh and market_sub_type(each) in sub_types}
            sick_ids = [self.venue.entries.id_of(entry) for entry in sick]
            unread = [unreadable(id, entry) for id, entry in zip(sick_ids, sick, strict=True)]
            results += [ResyncResult(errors=(error,), again=LONG_AGO) for error in unread]
            stay = missing.keys() if None in sick_ids else missing.keys() & set(sick_ids)
            there = {id: missing[id] for id in stay}
            kept = missing if is_venues else self.choice.kept(missing, taken, is_loaded=asked is not None) | there
            kept = {id: market for id, market in kept.items() if id not in unwanted}
            if is_venues:
                told, result = self._gone(kept, there, known, answered, asked, now, settle_time)
                news += told
                results.append(result)
                brought = {market_sub_type(market) for market in markets if is_contract(market)}
                self.choice.take_all(fresh, brought & answered, unwanted)
            else:
                loaded_at = None if asked is None else now - int((clock.now() - asked) * 1000)
                left = {id: each for id, each in missing.items() if id not in kept and id not in unwanted}
                self.choice.choose(fresh, sub_types, left, unwanted, loaded_at)
            if asked is None:
                is_news = self.choice.is_news
                news = [each for each in news if "listed" in each.change.kinds and is_news(each.change.market)]
            copies = self.copies
            self.publish_mappings(_in_order(kept, taken))
            if copies is not None:
                self.keep_in_step(*copies)
            if asked is not None:
                for sub_type in answered:
                    self._asked[sub_type] = max(asked, self._asked.get(sub_type, LONG_AGO))
            return news, merged(results)

    def _gone(
        self,
        kept: dict[str, Market],
        there: Mapping[str, Market],
        known: Mapping[str, Market],
        answered: set[SubType],
        asked: float | None,
        now: int,
        settle_time: float,
    ) -> tuple[list[Finding], ResyncResult]:
        """The findings about contracts that a whole loading lacks, except those in `there`. Contracts that are gone are
        marked as gone in `kept`."""
        found: list[Finding] = []
        results: list[ResyncResult] = []
        for market in kept.values():
            if market_sub_type(market) not in answered or is_gone(market) or market["id"] in there:
                continue
            is_newer, again = self._is_newer(market, asked, settle_time)
            results.append(ResyncResult(again=again))
            if not is_newer:
                found.append(vanished(market, now, self._words))
        news: list[Finding] = []
        for sub_type in sorted(answered):
            here = [each for each in found if market_sub_type(each.change.market) == sub_type]
            count = sum(market_sub_type(market) == sub_type for market in known.values())
            disbelief = self._disbelief(sub_type, frozenset(each.event.id for each in here), count)
            if disbelief is None:
                kept.update((each.event.id, each.change.market) for each in here)
                news += here
            else:
                results.append(ResyncResult(errors=(disbelief,), again=asked))
        return news, merged(results)

    def list_known(self, asked: float | None, settle_time: float) -> None:
        """List the awaited contracts that `load` has brought; `asked` is as in `load`."""
        with self.lock:
            known = self.contracts()
            for id in list(self.waiting.ids()):
                if id in known and known[id]["status"] is not None:
                    self._list(id, known[id], asked, settle_time)

    def brackets_newer_than(self, asked: float, settle_time: float) -> list[tuple[Market, ContractInfoEvent]]:
        """The contracts whose brackets are newer than an answer asked for at `asked`, each with the event of its
        brackets. Of contracts with the same symbol, only the one that is shown."""
        newer = self._pushes.brackets_newer_than(asked, settle_time)
        newer.update((id, event) for id, (when, event) in self._brackets.items() if asked < when)
        return [(each, newer[id]) for id, each in self.contracts().items() if id in newer and self.is_shown(each)]

    def adopt(
        self,
        markets: dict[str, Market],
        by_id: dict[str, list[Market]],
        now: int = 0,
        is_wanted: Callable[[Market], bool] = lambda market: True,
    ) -> list[Finding]:
        """Take over markets that were put in place of this table's own, under the symbols that users know. Others may
        hold those dicts, so they are kept in step from now on.

        :param now: ms; the time of the news
        :param is_wanted: whether the user wants a contract at all
        :return: the findings, to be announced once the exchange has the mappings: contracts that were onboarded since
            it was attached
        """
        with self.lock:
            known, taken, unwanted = self.contracts(), [], set()
            for market in all_markets(markets, by_id, self._words):
                if not is_contract(market):
                    taken.append(market)
                elif is_wanted(market):
                    taken.append(self._adopted(market, known.get(market["id"])))
                else:
                    unwanted.add(market["id"])
            new = [each for each in taken if is_contract(each) and each["id"] not in known] if known else []
            news = [found for each in new if self.choice.is_news(each) for found in self._as_listed(each, now)]
            fresh = {market["id"] for market in taken if is_contract(market)}
            missing = {id: each for id, each in known.items() if id not in fresh and id not in unwanted}
            kept = self.choice.kept(missing, taken, is_loaded=False)
            left = {id: each for id, each in missing.items() if id not in kept}
            self.choice.choose(fresh, get_args(SubType), left, unwanted, None)
            self.publish_mappings(_in_order(kept, taken))
            self.keep_in_step(markets, by_id)
            return news

    def _adopted(self, market: Market, old: Market | None) -> Market:
        """A contract that was put in from outside, with what else is known of it."""
        if old is None:
            return complete(market, self._words)
        new = with_tiers(complete(keep_name(market, old, self._words), self._words), old, self._words)
        return with_state(new, old, self._words) if self._is_kept_up else new

    # What a user does to the mappings

    def put_by_user(self, mapping: LiveDict, key: str, value: Any) -> None:
        """See `LiveDict`: a contract that a user puts in is followed, too."""
        with self.lock:
            if mapping is self.markets:
                value = [{**value, "symbol": key}] if isinstance(value, dict) else []
            elif mapping is not self.by_id or not isinstance(value, list):
                value = []
            for market in value:
                if isinstance(market, dict) and is_contract(market) and {"id", "symbol"} <= market.keys():
                    self.publish(self._adopted(market, self.find(market["id"])))
                    self.choice.put_in(market["id"])

    def deleted_by_user(self, mapping: LiveDict, key: str, value: Any) -> None:
        """See `LiveDict`: a contract that a user deletes from either view is left out."""
        with self.lock:
            ids = []
            if mapping is self.markets:
                ids = [id for id, market in self._contracts.items() if market["symbol"] == key]
            elif mapping is self.by_id and key in self._contracts:
                ids = [key]
            for id in ids:
                self.withdraw(id)
                self.choice.leave_out(id)

    def all(self) -> list[Market]:
        """All markets, in ccxt's order."""
        return all_markets(self.markets, self.by_id, self._words)

    def _silent(self, fresh: Iterable[Market], known: Mapping[str, Market], sub_types: set[SubType]) -> set[SubType]:
        """The sub-types that have known contracts, but no loaded ones: ccxt takes an unexpected answer for an empty
        list of markets."""
        here = {market_sub_type(market) for market in fresh if is_contract(market)}
        return {market_sub_type(market) for market in known.values()} & sub_types - here

    def _taken(
        self,
        market: Market,
        old: Market | None,
        is_first: bool,
        asked: float | None,
        now: int,
        settle_time: float,
    ) -> tuple[Market, list[Finding], ResyncResult]:
        """A market that was just loaded, with what else is known of it; the findings in it; and what came of it.

        :param old: the same contract as it is known, if it is
        :param is_first: no contract of its sub-type is known, so that this one is not news
        """
        id, sub_type, words = market["id"], market_sub_type(market), self._words
        if old is None:
            # If a newer answer lacks it, REST is asked again.
            again = asked if asked is not None and asked < self._asked.get(sub_type, LONG_AGO) else None
            if is_gone(market) and asked is None:
                return market, [], NOTHING  # which pushes are newer is not known
            if is_first or is_gone(market) or not self.choice.is_new(market):
                market, unsettled = self._pushed(market, asked, settle_time)
                return market, [], ResyncResult(again=latest(again, unsettled))
            return self._as_news(market, market, None, now, again)
        if asked is not None and asked < self._listed.get(id, LONG_AGO):
            return old, [], NOTHING
        kept, state = with_tiers(market, old, words), self.venue.entries.state_of(market["info"], sub_type)
        if not differs(old, state, self.venue.entries):
            is_newer, _ = self._is_newer(old, asked, settle_time)
            # The numbers may differ and mean the same: several mean "never".
            return with_state(kept, old, words) if is_newer else kept, [], NOTHING
        kept = with_state(kept, old, words)
        if not is_relisted(old, state.status, state.onboard_date, words):
            waits = self._waits_until(id, asked, settle_time)
            if waits is not None:
                return kept, [], ResyncResult(again=waits)
        is_newer, again = self._is_newer(old, asked, settle_time)
        if is_newer:
            return kept, [], ResyncResult(again=again)
        if is_gone(market):
            return with_tiers(market, old, words), [vanished(old, now, words)], NOTHING
        return self._as_news(market, kept, old, now, None)

    def _as_news(
        self, market: Market, kept: Market, old: Market | None, now: int, again: float | None
    ) -> tuple[Market, list[Finding], ResyncResult]:
        """What `_taken` returns for a market that says something new; with `kept` if it cannot be understood."""
        try:
            event = self.venue.entries.event_of(market["info"], market_sub_type(market), now)
        except MalformedEvent as error:
            # A comparison applies its valid parts.
            return kept, [], ResyncResult(errors=(malformed(market["id"], error),), again=latest(again, LONG_AGO))
        result, words = NOTHING if again is None else ResyncResult(again=again), self._words
        if old is None or is_relisted(old, event.status, event.onboard_time, words):
            return market, [listed(market, event, words)], result
        return with_tiers(market, old, words), [Finding(event, apply_event(old, event, words))], result

    def _as_listed(self, market: Market, now: int) -> list[Finding]:
        """The finding that a contract is new at `now` (ms); none if it is gone, or its entry says too little."""
        if is_gone(market):
            return []
        with contextlib.suppress(MalformedEvent):
            event = self.venue.entries.event_of(market["info"], market_sub_type(market), now)
            return [listed(market, event, self._words)]
        return []

    def _pushed(self, market: Market, asked: float | None, settle_time: float) -> tuple[Market, float | None]:
        """A contract that causes no findings, with the pushes that are newer than an answer asked for at `asked`; and
        until when they are newer."""
        since = LONG_AGO if asked is None else asked
        for event in self._pushes.newer_than(market["id"], since, settle_time):
            market = apply_event(market, event, self._words).market
        return market, self._pushes.unsettled_until(market["id"], since, settle_time)

    def _is_newer(self, known: Market, asked: float | None, settle_time: float) -> tuple[bool, float | None]:
        """Whether what is known of a contract is newer than an answer asked for at `asked`; and when to ask again, if a
        push is the reason."""
        if asked is None:
            return self._is_kept_up, None
        unsettled = self._pushes.unsettled_until(known["id"], asked, settle_time)
        return unsettled is not None or asked < self._asked.get(market_sub_type(known), LONG_AGO), unsettled

    def _list(self, id: str, market: Market, asked: float | None, settle_time: float) -> None:
        """Publish a contract that REST has just completed, and apply the pushes that waited for it. Of pushes that are
        older than REST's answer, only the brackets count."""
        arrivals = [self.adjusted.believed(arrival) for arrival in self.waiting.release(id)]
        older: list[Arrival] = []
        newer: list[Arrival] = []
        for arrival in arrivals:
            is_older = asked is None or arrival.received + settle_time <= asked
            (older if is_older else newer).append(arrival)
        bracketed = None
        for arrival in older:
            if self._pushes.has_news_of_brackets(arrival.event):
                market, bracketed = apply_brackets(market, arrival.event, self._words).market, arrival.event
            self._pushes.remember(arrival)
        first = arrivals[0].event
        if older:
            change = Change(market, ["listed", "tiers"] if "leverageTiers" in market else ["listed"], {}, True)
        else:
            change = apply_event(market, first, self._words, listed=True)
            self._pushes.remember(newer.pop(0))
        self.publish(change.market)
        self.publish_names()
        self.notify(first, change, "stream")
        if bracketed is not None:
            self.publish_brackets(change.market, bracketed.brackets)
        for arrival in newer:
            self._apply(self._contracts[id], arrival)

    def _settled_contracts(self, snapshot: Snapshot) -> dict[str, Market]:
        """The contracts of a snapshot's sub-type by id, except those that it has to complete."""
        states = snapshot.states
        return {
            id: market
            for id, market in self.contracts().items()
            if market_sub_type(market) == snapshot.sub_type
            and id not in self.waiting
            and not (id in states and is_relisted(market, states[id].status, states[id].onboard_date, self._words))
        }


def _in_order(kept: Mapping[str, Market], markets: Iterable[Market]) -> list[Market]:
    """The new markets and the contracts that stay beside them: of those with the same symbol, ccxt shows the last."""
    markets = list(markets)
    symbols = {market["symbol"] for market in markets}
    hidden = [market for market in kept.values() if market["symbol"] in symbols]
    return [*hidden, *markets, *(market for market in kept.values() if market["symbol"] not in symbols)]


def _silence(sub_type: SubType) -> ResyncResult:
    """What came of a loading that has brought no contracts of a sub-type, though some are known."""
    error = ccxt.BadResponse(f"load_markets() has brought no {sub_type} contracts: the known stay")
    return ResyncResult(errors=(error,), again=LONG_AGO)
