"""What a journal says of one contract: how it was at some time, and how its leverage tiers changed last."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple, cast

from ..contracts.changes import Market, complete, keep_name
from ..contracts.events import Arrival, ContractInfoEvent, PartialEvent, SubType
from ..contracts.tiers import LeverageTier
from ..errors import MalformedEvent
from ..exchange.ready_made import binance
from ..journal.answers import ReadAnswers, tells_coefficients
from ..journal.entries import ANSWERS, bytes_of
from ..journal.reading import read_lines
from ..markets.cut_off_answers import MissingContracts
from ..markets.table import MarketTable
from ..public import public
from ..settings import Settings
from ..venues.messages import InvalidPush
from ..venues.registry import DEFAULT
from ..venues.snapshot import Entry, LeverageBrackets


@public
def contract_at(path: str | os.PathLike[str], symbol: str, time: int) -> dict[str, Any]:
    """What was known of a contract at some time, by a journal alone.

    :param path: of the journal, see `read_journal`
    :param symbol: contract id (``'BTCUSDT'``), or unified symbol; ``'BTC/USDT'`` is the perpetual
    :param time: ms since the epoch; what came later is ignored
    :return: `id`, `symbol`, `status` (also None where REST did not have the contract any more), `active` (bool),
        `contractType` (str), `created`, `expiry`, `delisting` (ms) as in an update, `tiers` (list of ccxt's leverage
        tiers); and `timestamp`, when (ms) the journal last said something new of it. Each is None where it was unknown
    :raises FileNotFoundError: where there is no such journal
    :raises MalformedJournal: for a line that cannot be read
    """
    history = _History(symbol)
    for line in read_lines(path):
        if line.entry["time"] <= time:
            with line.blamed():
                history.take(line.entry)
    market = history.market or {}
    return {
        "id": market.get("id"),
        "symbol": market.get("symbol"),
        "timestamp": history.timestamp,
        "status": market.get("status"),
        "active": market.get("active"),
        "contractType": market.get("info", {}).get(DEFAULT.words.contract_type),
        "created": market.get("created"),
        "expiry": market.get("expiry"),
        "delisting": market.get("delisting"),
        "tiers": market.get("leverageTiers"),
    }


class LastTierChange(NamedTuple):
    """How the leverage tiers of a contract changed last, by a journal. Each is None where it is unknown."""

    id: str | None
    symbol: str | None
    currency: str | None
    """The currency of the margin, and of notionals."""
    time: int | None
    """When they changed (ms)."""
    before: list[LeverageTier] | None
    tiers: list[LeverageTier] | None


def last_tier_change(path: str | os.PathLike[str], symbol: str) -> LastTierChange:
    """The leverage tiers of a contract before the last time they changed, and since.

    :param path: of the journal, see `read_journal`
    :param symbol: contract id, or unified symbol; ``'BTC/USDT'`` is the perpetual
    :raises FileNotFoundError: where there is no such journal
    :raises MalformedJournal: for a line that cannot be read
    """
    history = _History(symbol)
    before = now = time = None
    for line in read_lines(path):
        with line.blamed():
            history.take(line.entry)
        tiers = (history.market or {}).get("leverageTiers")
        if _raw(tiers) != _raw(now):
            before, time = now, line.entry["time"]
        now = tiers
    market = history.market or {}
    return LastTierChange(market.get("id"), market.get("symbol"), market.get("settle"), time, before, now)


def _raw(tiers: list[LeverageTier] | None) -> list[Any] | None:
    return tiers and [tier["info"] for tier in tiers]


class _History:
    """One contract, as a journal tells of it: a `MarketTable` that has no other."""

    def __init__(self, symbol: str) -> None:
        self.timestamp: int | None = None
        """When (ms) the journal last said something new."""
        self._symbol = _full_symbol(symbol)
        self._id = self._symbol
        """The contract's, once it is known. Until then, pushes of this id make it known."""
        self._answers = ReadAnswers()
        self._run = _Run(Settings.settle_time)

    @property
    def market(self) -> Market | None:
        """The contract, if it is known. Where only pushes have told of it, it has no symbol, and its `info` neither."""
        return self._run.table.find(self._id)

    def take(self, entry: Mapping[str, Any]) -> None:
        """Go on with the next entry."""
        kind, before = entry["kind"], self.market
        if kind == "start":
            self._run = _Run(entry["settle_time"], before)
        elif kind == "push":
            self._push(entry)
        elif kind in ANSWERS:
            self._answers.add(entry)
            self._answer(entry)
        if self.market is not before and self.market != before:
            self.timestamp = entry["time"]

    def _push(self, entry: Mapping[str, Any]) -> None:
        event = None if entry.get("repeated") else _event_of(entry["raw"])
        if event is None or event.id != self._id:
            return
        if isinstance(event, PartialEvent) and self._is_incomplete:
            return  # a part says too little of a contract that REST has not told yet
        if self.market is None:
            self._run.table.publish(_unlisted(event))
        self._run.table.handle(Arrival(event, entry["clock"]))

    def _answer(self, answer: Mapping[str, Any]) -> None:
        table, settle_time = self._run.table, self._run.settle_time
        sub_type, asked, time = answer["universe"], answer["asked"], answer["server_time"]
        entries, brackets = self._answers.entries[sub_type], self._answers.leverage_brackets(sub_type)
        if tells_coefficients(answer):
            table.know_coefficients(sub_type, brackets)
        is_believed = self._run.is_believed(answer, entries.keys())
        told = self._told(answer)
        if told is None and (self._is_incomplete or not is_believed):
            return
        if told is not None and self._is_incomplete:
            market = self._parsed(told)
            if market is None:
                return
            self._id = market["id"]
            table.load([complete(market, DEFAULT.words)], asked, time, {sub_type}, settle_time)
            self._name_tiers()
        snapshot = DEFAULT.entries.snapshot_of([] if told is None else [told], sub_type, asked, time)
        unlisted = {id: self._parsed(snapshot.entry(id)) for id in table.unlisted(snapshot)}
        listings = {id: complete(market, DEFAULT.words) for id, market in unlisted.items() if market is not None}
        raw = {self._id: brackets[self._id]} if self._id in brackets else {}
        ours = None if answer["brackets"] is None else LeverageBrackets(raw, brackets.coefficients)
        table.compare(snapshot, ours, listings, {}, settle_time)

    @property
    def _is_incomplete(self) -> bool:
        """Whether REST has not told the contract yet."""
        return self.market is None or not self.market["info"].get("symbol")

    def _name_tiers(self) -> None:
        """Give tiers that were pushed before the contract had a symbol its symbol."""
        market = self.market
        if market is not None and "leverageTiers" in market:
            names = {"symbol": market["symbol"], "currency": market["quote"]}
            tiers = [{**tier, **names} for tier in market["leverageTiers"]]
            self._run.table.publish({**market, "leverageTiers": tiers})

    def _told(self, answer: Mapping[str, Any]) -> Entry | None:
        """The contract's raw entry, as REST told it last."""
        entries = self._answers.entries[answer["universe"]]
        if self._id in entries:
            return entries[self._id]
        if self.market is None and "/" in self._symbol:
            for entry in answer["entries"]:  # those of before had another symbol
                market = self._parsed(entry)
                if market is not None and market["symbol"] == self._symbol:
                    return cast(Entry, entry)
        return None

    def _parsed(self, entry: Mapping[str, Any]) -> Market | None:
        """The market that ccxt makes of a raw entry; None where it cannot, and live, the contract was not listed."""
        try:
            DEFAULT.entries.check_precisions(entry)
            market = _parser().parse_market(entry)
        except Exception:
            return None
        known = None if self._is_incomplete else self.market
        return None if market is None else keep_name(market, known, DEFAULT.words)


class _Run:
    """What counts for one run of a stream: the clock, by which pushes and answers are newer or older, may begin again
    with the next one.

    :param settle_time: s; the stream's setting
    :param market: the contract, if it is known from an earlier run
    """

    def __init__(self, settle_time: float, market: Market | None = None) -> None:
        self.settle_time = settle_time
        self.table = MarketTable(DEFAULT)
        if market is not None:
            self.table.publish(market)
        self._missing = MissingContracts()
        self._known: dict[SubType, set[str]] = {}
        self._gone: dict[SubType, set[str]] = {}

    def is_believed(self, answer: Mapping[str, Any], there: AbstractSet[str]) -> bool:
        """Whether an answer shows that known contracts are gone.

        :param there: the ids of all contracts that it has
        """
        sub_type = answer["universe"]
        known, gone = self._known.setdefault(sub_type, set()), self._gone.setdefault(sub_type, set())
        known.update(answer["gone"])
        missing = frozenset(known - gone - there)
        is_believed = answer["kind"] == "rest" and self._missing.are_believed(sub_type, missing, len(known))
        if is_believed:
            gone.update(missing)
        known.update(there)
        gone.difference_update(there)
        return is_believed


def _full_symbol(symbol: str) -> str:
    """Add the currency of the margin to a symbol without one, by ccxt's rule for Binance."""
    base, slash, quote = symbol.partition("/")
    if not slash or ":" in quote:
        return symbol
    return f"{symbol}:{base if quote == 'USD' else quote}"


def _event_of(raw: dict[str, Any] | str | bytes) -> ContractInfoEvent | None:
    """What can be believed of a push, of the `raw` of its entry; None: nothing."""
    try:
        message = DEFAULT.parser()(bytes_of(raw))
    except MalformedEvent:
        return None
    if isinstance(message, InvalidPush):
        return message.event
    return message if isinstance(message, ContractInfoEvent) else None


@functools.cache
def _parser() -> Any:
    """An exchange that makes markets of raw entries; it connects to nothing."""
    return binance()


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
