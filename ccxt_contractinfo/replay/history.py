"""What a journal says of one contract: how it was at some time, and how its leverage tiers changed last."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from ..contracts.changes import (
    Market,
    apply_brackets,
    apply_event,
    complete,
    filled_in,
    is_gone,
    keep_name,
    market_sub_type,
    vanish,
    with_state,
    with_tiers,
)
from ..contracts.events import (
    Arrival,
    ContractInfoEvent,
    PartialEvent,
)
from ..contracts.tiers import LeverageTier
from ..errors import MalformedEvent
from ..exchange.exchanges import binance
from ..journal.answers import ReadAnswers
from ..journal.entries import ANSWERS, bytes_of
from ..journal.reading import read_lines
from ..markets.adjusted import AdjustedBrackets
from ..markets.missed import missed
from ..markets.newest import NewestPushes
from ..settings import Settings
from ..venues.binance.pushes import decode, parse_event, salvage_event, unwrap
from ..venues.binance.venue import BINANCE
from ..venues.binance.words import WORDS
from ..venues.snapshot import Entry


def contract_at(path: str | os.PathLike[str], symbol: str, time: int) -> dict[str, Any]:
    """What was known of a contract at some time, by a journal alone.

    :param path: of the journal, see `read_journal`
    :param symbol: contract id (``'BTCUSDT'``), or unified symbol; ``'BTC/USDT'`` is the perpetual
    :param time: ms since the epoch; what came later is not considered
    :return: `id`, `symbol`, `status` (None, too, where exchangeInfo did not have it any more), `active` (bool),
        `contractType` (str), `created`, `expiry`, `delisting` (ms) as in an update, `tiers` (list of ccxt's leverage
        tiers); and `timestamp`, when (ms) the journal last said something of it. Each is None where it was unknown
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
        "contractType": market.get("info", {}).get(WORDS.contract_type),
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
    """That of the margin, in which notionals are."""
    time: int | None
    """ms; when the tiers came to be as they are."""
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
    """One contract, as a journal tells of it, by the rules of `MarketTable`."""

    def __init__(self, symbol: str) -> None:
        self.market: Market | None = None
        self.timestamp: int | None = None
        self._symbol = _full_symbol(symbol)
        self._parser = _parser()
        self._settle_time = Settings.settle_time
        self._pushes = NewestPushes()
        self._adjusted = AdjustedBrackets()
        self._said = ReadAnswers()
        self._is_doubted = False
        """Whether the last answer lacked the contract together with many others."""

    def take(self, entry: Mapping[str, Any]) -> None:
        """Go on with the next entry."""
        kind, before = entry["kind"], self.market
        if kind == "start":
            self._settle_time, self._pushes, self._adjusted = entry["settle_time"], NewestPushes(), AdjustedBrackets()
        elif kind == "push":
            self._push(entry)
        elif kind in ANSWERS:
            self._said.add(entry)
            self._answer(entry)
        if self.market != before:
            self.timestamp = entry["time"]

    def _push(self, entry: Mapping[str, Any]) -> None:
        if entry.get("repeated"):
            return
        event = _event_of(entry["raw"])
        if event is None:
            return
        is_whole = not isinstance(event, PartialEvent)
        if self.market is None and event.id == self._symbol and is_whole:
            self.market = _unlisted(event)
        if self.market is None or event.id != self.market["id"]:
            return
        if isinstance(event, PartialEvent):
            if is_gone(self.market) or not self.market["info"].get("symbol"):
                return
            event = filled_in(event, self.market, WORDS)
        event = self._adjusted.believed(Arrival(event, entry["clock"])).event
        if self._pushes.is_news(event):
            self.market = apply_event(self.market, event, WORDS).market
        elif self._pushes.has_news_of_brackets(event):
            self.market = apply_brackets(self.market, event, WORDS).market
        self._pushes.remember(Arrival(event, entry["clock"]))

    def _answer(self, answer: Mapping[str, Any]) -> None:
        sub_type, asked = answer["universe"], answer["asked"]
        if answer["brackets"] is not None or "coefficients" in answer:
            self._adjusted.learn(sub_type, self._said.leverage_brackets(sub_type), self._pushes)
        told = self._told(answer)
        if told is None:
            if answer["kind"] == "rest" and self._is_gone(sub_type, asked) and self._is_believed(answer):
                self.market = vanish(self.market or {}, WORDS).market
            return
        self._is_doubted = False
        id = told["symbol"]
        if self.market is None or not self.market["info"].get("symbol"):  # pushed, but not completed yet
            parsed = self._parsed(told)
            if parsed is None:
                return
            listed = complete(parsed, WORDS)
            self.market = listed if self.market is None else _completed(listed, self.market)
        raw = None if answer["brackets"] is None else self._said.brackets[sub_type].get(id)
        snapshot = BINANCE.entries.snapshot_of([told], sub_type, asked, answer["server_time"])
        brackets = None if raw is None else {id: raw}
        for news in missed({id: self.market}, snapshot, brackets, self._pushes, self._settle_time, BINANCE.entries)[0]:
            self.market = news.change.market

    def _is_gone(self, sub_type: str, asked: float) -> bool:
        """Whether an answer that does not have the contract is news."""
        market = self.market
        return (
            market is not None
            and market_sub_type(market) == sub_type
            and bool(market["info"].get("symbol"))
            and not is_gone(market)
            and self._pushes.unsettled_until(market["id"], asked, self._settle_time) is None
        )

    def _is_believed(self, answer: Mapping[str, Any]) -> bool:
        """Whether an answer is believed that does not have the contract: where it lacks many more at once, it may have
        been cut off, and the next one has to say so, too."""
        was_doubted, known = self._is_doubted, len(self._said.entries[answer["universe"]]) + len(answer["gone"])
        self._is_doubted = not was_doubted and len(answer["gone"]) > max(5, known // 20)
        return not self._is_doubted

    def _told(self, answer: Mapping[str, Any]) -> Entry | None:
        """The contract's raw entry, as REST has told it last."""
        entries = self._said.entries[answer["universe"]]
        if self.market is not None:
            return entries.get(self.market["id"])
        if self._symbol in entries:
            return entries[self._symbol]
        if "/" in self._symbol:
            for entry in answer["entries"]:  # those of before had another symbol
                market = self._parsed(entry)
                if market is not None and market["symbol"] == self._symbol:
                    return cast(Entry, entry)
        return None

    def _parsed(self, entry: Mapping[str, Any]) -> Market | None:
        """The market that ccxt makes of a raw entry; None where it cannot, and live, the contract was not listed."""
        try:
            BINANCE.entries.check_precisions(entry)
            market = self._parser.parse_market(entry)
        except Exception:
            return None
        return None if market is None else keep_name(market, None, WORDS)


def _full_symbol(symbol: str) -> str:
    """A symbol without the currency of its margin with it, by ccxt's rule for Binance; others stay as they are."""
    base, slash, quote = symbol.partition("/")
    if not slash or ":" in quote:
        return symbol
    return f"{symbol}:{base if quote == 'USD' else quote}"


def _event_of(raw: dict[str, Any] | str | bytes) -> ContractInfoEvent | None:
    """What is whole in a push, of what a journal has as its `raw`."""
    payload = None
    try:
        payload = unwrap(decode(bytes_of(raw)))
        return parse_event(payload)
    except MalformedEvent:
        return salvage_event(payload)


@functools.cache
def _parser() -> Any:
    """An exchange that makes markets of raw entries; it connects to nothing."""
    return binance()


def _completed(listed: Market, known: Market) -> Market:
    """A contract that REST has completed, with what was pushed before."""
    market = with_tiers(with_state(listed, known, WORDS), known, WORDS)
    names = {"symbol": listed["symbol"], "currency": listed["quote"]}
    if "leverageTiers" in market:
        market["leverageTiers"] = [{**tier, **names} for tier in market["leverageTiers"]]
    return market


def _unlisted(event: ContractInfoEvent) -> Market:
    """A contract of which only a push has told."""
    is_inverse = event.sub_type == "inverse"
    is_dated = WORDS.is_perpetual(event.contract_type) is False
    return {
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
