"""All contracts, as a journal tells of them, one entry after the other."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..contracts.changes import (
    Market,
    complete,
    is_contract,
    is_gone,
    keep_name,
    market_sub_type,
    with_state,
    with_tiers,
)
from ..contracts.events import Arrival, ContractInfoEvent, PartialEvent, SubType
from ..errors import MalformedEvent
from ..exchange.ready_made import binance
from ..journal.answers import ReadAnswers, tells_coefficients
from ..journal.entries import ANSWERS, bytes_of
from ..markets.table import MarketTable
from ..settings import Settings
from ..venues.messages import InvalidPush
from ..venues.registry import DEFAULT
from ..venues.snapshot import Entry, LeverageBrackets, Snapshot
from .absent import AbsentContracts


class Seen(NamedTuple):
    """What an entry has changed in a contract. The markets are not to be changed."""

    id: str
    before: Market | None
    """None: it was unknown."""
    market: Market
    time: int
    """ms by the venue's clock: the event time of a push; for what an answer of REST has shown, the time of that."""
    is_new: bool
    """Whether the contract is new at the venue: it was unknown, and REST did not have it before."""


class RecordedMarkets:
    """All contracts of the journal's streams, whatever their users chose: a `MarketTable` that gets each entry.

    A contract that only pushes have told of has no symbol yet, and `info` has no ``symbol``, either. Pushes count from
    when they came, also those that waited for a comparison.

    :param only: contract id or unified symbol; others are passed over as soon as they are known to be others, which is
        quick. What `find` says of this one is the same as without, unless `is_in_doubt`
    """

    def __init__(self, only: str | None = None) -> None:
        self.is_in_doubt = False
        """Whether it depends on other contracts what the journal says of this one: many vanished at once."""
        self._is_whole = only is None
        self._only = only or ""
        self._others: set[str] = set()
        """The ids of contracts that are passed over because they have another symbol."""
        self._absent = AbsentContracts()
        self.known_since: dict[str, int] = {}
        """By contract id: when (ms) the journal last said something new of it."""
        self._answers = ReadAnswers()
        self._table = MarketTable(DEFAULT)
        self._settle_time = Settings.settle_time
        self._last: dict[SubType, Snapshot] = {}
        """The last answers, except those that lack contracts which may be there."""
        self._last_brackets: dict[SubType, LeverageBrackets] = {}
        self._compared: set[SubType] = set()
        """The sub-types of which REST has told all contracts, and not only what an exchange had loaded."""

    def contracts(self) -> dict[str, Market]:
        """All contracts by id."""
        return self._table.contracts()

    def find(self, symbol: str) -> Market | None:
        """The contract of this id or unified symbol; ``'BTC/USDT'`` is the perpetual. None: it is unknown."""
        return self._table.find(symbol) or self._table.markets.get(_full_symbol(symbol))

    def take(self, entry: Mapping[str, Any]) -> list[Seen]:
        """Go on with the next entry; returns what it has changed."""
        kind = entry["kind"]
        if kind == "start":
            self._begin(entry["settle_time"])
            return []
        if not self._is_whole:
            entry = self._followed(entry)
        if kind in ANSWERS:
            before, version, time = self.contracts(), self._table.version, entry["server_time"]
            self._answer(entry)
            after = self.contracts() if self._table.version != version else {}
        elif kind == "push" and (event := _event_of(entry)) is not None:
            before, time = self._one(event.id), event.event_time
            self._push(event, entry["clock"])
            after = self._one(event.id)
        else:
            return []
        seen = []
        for id, market in after.items():
            known = before.get(id)
            if market is not known and market != known:
                is_new = known is None and market_sub_type(market) in self._compared
                seen.append(Seen(id, known, market, time, is_new))
        if kind == "rest":
            self._compared.add(entry["universe"])
        self.known_since.update((each.id, entry["time"]) for each in seen)
        return seen

    def _one(self, id: str) -> dict[str, Market]:
        market = self._table.find(id)
        return {} if market is None else {id: market}

    def _begin(self, settle_time: float) -> None:
        """Go on with the next run of a stream. Its clock, by which pushes and answers are newer or older, may begin
        again."""
        self._absent.begin()
        known, self._table = self.contracts(), MarketTable(DEFAULT)
        self._table.publish_mappings(known.values())
        self._settle_time = settle_time

    def _followed(self, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        """What an entry says of the contracts that are not passed over. A push of another one counts as repeated."""
        if entry["kind"] == "push":
            id = _id_of(entry)
            if id is not None:
                self._absent.push(id, entry["clock"])
            return entry if id is not None and self._follows(id) else {**entry, "repeated": True}
        if entry["kind"] not in ANSWERS:
            return entry
        doubtful = self._absent.doubtful(entry, self._settle_time)
        self.is_in_doubt |= not doubtful.isdisjoint(self.contracts())
        followed = {**entry, "entries": [each for each in entry["entries"] if self._follows_told(each)]}
        for name in ("brackets", "coefficients"):
            if entry.get(name):
                followed[name] = {id: each for id, each in entry[name].items() if self._follows(id)}
        return followed

    def _follows(self, id: str) -> bool:
        """Whether this is the contract to follow, or may be it: its symbol is not known yet."""
        return id == self._only or ("/" in self._only and id not in self._others)

    def _follows_told(self, entry: Entry) -> bool:
        """The same of a contract that REST tells."""
        id = entry["symbol"]
        if not id:
            return True  # an answer with an entry that does not say its id shows of no contract that it is gone
        if id != self._only and self._follows(id):
            market = self._parsed(entry)
            if market is not None and market["symbol"] != _full_symbol(self._only):
                self._others.add(id)
                self._table.withdraw(id)
        return self._follows(id)

    def _push(self, event: ContractInfoEvent, clock: float) -> None:
        market = self._table.find(event.id)
        if isinstance(event, PartialEvent) and (market is None or _is_incomplete(market)):
            return  # a part says too little of a contract that REST has not told yet
        if market is None:
            self._table.publish(_unlisted(event))
        self._table.handle(Arrival(event, clock))

    def _answer(self, answer: Mapping[str, Any]) -> None:
        table, sub_type = self._table, answer["universe"]
        self._answers.add(answer)
        for entry in answer["entries"]:
            self._complete(entry)
        brackets = self._answers.leverage_brackets(sub_type)
        if tells_coefficients(answer):
            table.know_coefficients(sub_type, brackets)
        snapshot = self._snapshot(answer)
        back = {id: self._parsed(snapshot.entry(id)) for id in table.unlisted(snapshot)}
        listings = {id: complete(market, DEFAULT.words) for id, market in back.items() if market is not None}
        told = None if answer["brackets"] is None else self._as_before(sub_type, brackets)
        table.compare(snapshot, told, listings, {}, self._settle_time)

    def _snapshot(self, answer: Mapping[str, Any]) -> Snapshot:
        """The whole of an answer. Where it repeats the last one, so do its contents: such answers are compared in no
        time, and a journal has many of them."""
        sub_type, asked, time = answer["universe"], answer["asked"], answer["server_time"]
        entries = self._answers.entries[sub_type]
        unasked = list(self._unasked(answer, entries))
        last = self._last.get(sub_type)
        if last is None or unasked or answer["complete"] or answer["entries"] or answer["gone"]:
            snapshot = DEFAULT.entries.snapshot_of([*entries.values(), *unasked], sub_type, asked, time)
        else:
            snapshot = copy.copy(last)
            snapshot.asked, snapshot.time = asked, time
        self._last.pop(sub_type, None)
        if not unasked:
            self._last[sub_type] = snapshot
        return snapshot

    def _as_before(self, sub_type: SubType, brackets: LeverageBrackets) -> LeverageBrackets:
        """The last brackets, where these are the same."""
        last = self._last_brackets.get(sub_type)
        if last is not None and (last, last.coefficients) == (brackets, brackets.coefficients):
            return last
        self._last_brackets[sub_type] = brackets
        return brackets

    def _complete(self, entry: Entry) -> None:
        """Make a contract of an entry where it is unknown, or only pushes have told of it: these may be newer, and the
        comparison decides that."""
        known = self._table.find(entry["symbol"])
        if known is not None and not _is_incomplete(known):
            return
        market = self._parsed(entry)
        if market is None:
            return
        market = complete(market, DEFAULT.words)
        if known is not None:
            market = with_state(with_tiers(market, known, DEFAULT.words), known, DEFAULT.words)
            if "leverageTiers" in market:  # they had no symbol
                names = {"symbol": market["symbol"], "currency": market["quote"]}
                market["leverageTiers"] = [{**tier, **names} for tier in market["leverageTiers"]]
            self._table.withdraw(known["id"])
        self._table.publish(market)

    def _unasked(self, answer: Mapping[str, Any], entries: Mapping[str, Entry]) -> Iterator[Entry]:
        """Entries of the contracts that an answer lacks without showing that they are gone: those that REST has not
        told yet; and where it has the markets of an exchange, the ones that its user may not have loaded."""
        for id, market in self.contracts().items():
            if id in entries or is_gone(market) or market_sub_type(market) != answer["universe"]:
                continue
            if answer["kind"] == "markets" or _is_incomplete(market):
                yield {**market["info"], "symbol": id}

    def _parsed(self, entry: Entry) -> Market | None:
        """The market that ccxt makes of a raw entry; None where it cannot, and live, the contract was not listed."""
        try:
            DEFAULT.entries.check_precisions(entry)
            market = _parser().parse_market(entry)
        except Exception:
            return None
        if market is None or not is_contract(market):
            return None
        known = self._table.find(market["id"])
        return keep_name(market, None if known is None or _is_incomplete(known) else known, DEFAULT.words)


def _full_symbol(symbol: str) -> str:
    """Add the currency of the margin to a symbol without one, by ccxt's rule for Binance."""
    base, slash, quote = symbol.partition("/")
    if not slash or ":" in quote:
        return symbol
    return f"{symbol}:{base if quote == 'USD' else quote}"


def _event_of(entry: Mapping[str, Any]) -> ContractInfoEvent | None:
    """What can be believed of the push in an entry; None: nothing, or it was not applied."""
    if entry.get("repeated"):
        return None
    try:
        message = DEFAULT.parser()(bytes_of(entry["raw"]))
    except MalformedEvent:
        return None
    if isinstance(message, InvalidPush):
        return message.event
    return message if isinstance(message, ContractInfoEvent) else None


def _id_of(entry: Mapping[str, Any]) -> str | None:
    """The contract of the push in an entry; None: there is none, or it was not applied. Most are not parsed for it."""
    raw = entry["raw"]
    if isinstance(raw, dict) and "data" not in raw and isinstance(raw.get("s"), str) and not entry.get("repeated"):
        return str(raw["s"])
    event = _event_of(entry)
    return None if event is None else event.id


@functools.cache
def _parser() -> Any:
    """An exchange that makes markets of raw entries; it connects to nothing."""
    return binance()


def _is_incomplete(market: Market) -> bool:
    """Whether REST has not told the contract yet."""
    return not market["info"].get("symbol")


def _unlisted(event: ContractInfoEvent) -> Market:
    """A contract of which only a push has told."""
    is_inverse = event.sub_type == "inverse"
    is_dated = DEFAULT.words.is_perpetual(event.contract_type) is False
    market: Market = {
        "id": event.id,
        "symbol": None,
        "quote": None,
        "type": "future" if is_dated else "swap",
        "swap": not is_dated,
        "future": is_dated,
        "linear": not is_inverse,
        "inverse": is_inverse,
        "info": {},
    }
    return complete(market, DEFAULT.words)
