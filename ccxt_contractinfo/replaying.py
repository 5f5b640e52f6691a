"""A journal played again: the same pushes and answers of REST, in the same order, the same way into an exchange."""

from __future__ import annotations

import functools
import os
import sys
import threading
import time as wall_clock
from collections.abc import Iterator, Mapping
from typing import Any, cast

import ccxt
import orjson

from . import clock
from .clock import FOREVER
from .errors import MalformedEvent
from .events import Arrival, ContractInfoEvent, parse_event
from .exchanges import binance
from .journal import read_journal
from .listings import universe_of
from .markets import (
    Market,
    apply_brackets,
    apply_event,
    complete,
    is_gone,
    keep_name,
    market_universe,
    vanish,
    with_state,
    with_tiers,
)
from .mixin import attach
from .pushes import Pushes
from .resync import Doubts, missed
from .settings import Settings
from .snapshot import Entry, Snapshot, Universe
from .stream import ContractInfoStream
from .updates import ContractInfo

_ANSWERS = ("markets", "rest")

LONGEST_WAIT = 60.0
"""s; a wait stands still while the machine sleeps, so none is longer."""


def replay(path: str | os.PathLike[str], exchange: Any, speed: float | None = None) -> Replay:
    """Play a journal into an exchange, which then tells the same updates as it did live.

    ::

        exchange = cci.binanceusdm()
        for update in cci.replay("binance.jsonl.gz", exchange):
            print(update["datetime"], update["symbol"], update["kinds"])

    The exchange's markets become those of the journal's beginning at once; they are loaded (from REST) only where the
    journal has none, because its stream had no exchange. From then on, the exchange connects nowhere by itself, neither
    to the stream nor to REST: callbacks and ``watch_contract_info()`` hear what is played.

    The same, but for what the journal cannot know: whatever a user did to the markets by hand, and which one of several
    exchanges on the stream, with markets of their own, had them loaded anew.

    :param path: of the journal, see `read_journal`
    :param exchange: any sync ccxt exchange of Binance's futures, without a stream; `attach` is done where it was not
    :param speed: 1.0: as it came; 60: sixty times as fast; None: at once
    :return: the `Replay`; nothing is played before somebody iterates over it
    :raises FileNotFoundError: where there is no such journal
    :raises MalformedJournal: where the journal cannot be read up to its first contracts
    :raises ccxt.BadRequest: for a speed that cannot be meant, for an exchange that has a stream already, and for one
        that trades none of the contracts in the journal
    """
    return Replay(path, exchange, speed)


class Replay(ContractInfoStream):
    """A journal that is played; for the exchange it is the stream, without threads and connections: see `replay`.

    Iterating plays it, in the caller's thread, and gives the updates, each as soon as it is applied; the exchange's
    markets are then as they were at that time. It can be done once. ``stop()``, from any thread, or to close the
    exchange, ends it, also between two entries that are long apart; what it ends by itself, it stops, too. No update is
    dropped for a slow subscriber. `state` is what the journal says it was.

    Raises MalformedJournal, when it comes to such a line; what was before that is applied.
    """

    def __init__(self, path: str | os.PathLike[str], exchange: Any, speed: float | None) -> None:
        is_speed = isinstance(speed, int | float) and not isinstance(speed, bool) and 0 < speed < FOREVER
        if speed is not None and not is_speed:
            raise ccxt.BadRequest(f"replay(): speed should be a positive number or None, not {speed!r}")
        super().__init__(buffer_size=sys.maxsize)
        self._path = path
        self._speed = speed
        self._ended = threading.Event()
        self._settle_time = Settings.settle_time
        self._offset = 0.0
        """s; from the clock of the stream that is played now to `clock.now`, here and as if it were now what it was."""
        self._said = _Said()
        self._begun: set[str] = set()
        """The universes whose markets the stream that is played now has begun with."""
        self._first = _first_markets(path)
        self._exchange = attach(exchange)
        self._keeper = exchange._contract_info()
        if self._first and not self._keeper.universes().intersection(self._first):
            there_are = " and ".join(sorted(self._first))
            raise ccxt.BadRequest(f"{path} has {there_are} contracts, and {exchange.id} trades none of them")
        self._keeper.use(self)
        self._keeper.updates.limit = sys.maxsize
        if not self._first:
            exchange.load_markets()
        for entry in self._first.values():
            self._said.take(entry)
        if self._first:
            self._load_markets()

    def __repr__(self) -> str:
        return f"<Replay {os.fspath(self._path)} {self._state}>"

    def __iter__(self) -> Iterator[ContractInfo]:
        """Play it."""
        watcher = self._keeper.updates.watch()
        self._keeper.follow()
        began, first = clock.now(), None
        try:
            for entry in read_journal(self._path):
                first = entry["time"] if first is None else first
                if self._speed is not None:
                    self._wait_until(began + (entry["time"] - first) / 1000 / self._speed)
                if self._ended.is_set():
                    return
                self._play(entry)
                yield from watcher.taken()
        finally:
            self.stop()

    @property
    def settle_time(self) -> float:
        """That of the stream that wrote the journal, in s."""
        return self._settle_time

    def start(self) -> None:
        """Nothing is started: the journal is played by whoever iterates.

        :raises ccxt.ExchangeClosedByUser: where it has been played already, or was stopped
        """
        with self._condition:
            if self._ended.is_set():
                raise ccxt.ExchangeClosedByUser("the journal was played to its end, or stopped")
            self._run = cast(Any, _Player(self._ended))

    def ask_again(self, delay: float = 0.0) -> None:
        """REST is not asked: what it has answered is in the journal."""

    def _wait_until(self, due: float) -> None:
        while (left := due - clock.now()) > 0 and not self._ended.wait(min(left, LONGEST_WAIT)):
            pass

    def _play(self, entry: Mapping[str, Any]) -> None:
        kind = entry["kind"]
        if kind == "push":
            self._push(entry)
        elif kind == "release":
            with self._condition:
                self._release()
        elif kind == "state":
            with self._condition:
                self._set_state(entry["new"])
        elif kind == "start":
            self._settle_time = entry["settle_time"]
            self._offset = clock.now() - (wall_clock.time() - entry["time"] / 1000) - entry["clock"]
            self._begun.clear()
        elif kind in _ANSWERS:
            self._said.take(entry)
            if kind == "rest":
                self._answer(entry)
            elif entry["universe"] not in self._begun:
                self._begun.add(entry["universe"])
                if entry != self._first.get(entry["universe"]):  # which is there already
                    self._load_markets()

    def _push(self, entry: Mapping[str, Any]) -> None:
        with self._condition:
            if not entry.get("held"):
                self._release()
            elif self._held_back is None:
                self._held_back = []
            self.received(cast(Any, self._run), _as_it_came(entry["raw"]), entry["clock"] + self._offset)

    def _answer(self, entry: Mapping[str, Any]) -> None:
        universe = entry["universe"]
        if universe not in self._keeper.universes():
            return
        asked, doubts = entry["asked"] + self._offset, Doubts()
        snapshot = Snapshot.of(self._said.entries[universe].values(), universe, asked, entry["server_time"])
        brackets = None if entry["brackets"] is None else dict(self._said.brackets[universe])
        brackets_asked = entry["brackets_asked"] + self._offset
        self._keeper.answered(snapshot, brackets, brackets_asked, self.settle_time, doubts)
        for error in doubts.errors:
            self.report(error)

    def _load_markets(self) -> None:
        """Give the exchange the markets that were known to the one that wrote the journal, and nothing else."""
        self._keeper.forget_markets()
        ours = sorted(self._keeper.universes().intersection(self._said.entries))
        parsed = [
            self._exchange.parse_market(entry) for universe in ours for entry in self._said.entries[universe].values()
        ]
        self._exchange.set_markets([market for market in parsed if market is not None])
        for universe in ours:
            self._keeper.know_brackets(self._said.brackets[universe])


class _Player:
    """What a live stream has threads and connections for."""

    not_before = -FOREVER

    def __init__(self, ended: threading.Event) -> None:
        self.reader = self.schedule = self
        self.end = ended.set

    def join(self, until: float) -> None:
        """There is no thread."""

    def abandon(self) -> None:
        """There is no socket."""

    def request(self, delay: float = 0.0) -> None:
        """Nobody is asked."""

    def wait(self, since: float, timeout: float | None) -> bool:
        """Nobody is asked."""
        return False


class _Said:
    """What the answers in a journal have said until now, by universe and contract id."""

    def __init__(self) -> None:
        self.entries: dict[Universe, dict[str, Entry]] = {}
        self.brackets: dict[Universe, dict[str, list[Entry]]] = {}

    def take(self, answer: Mapping[str, Any]) -> None:
        """Go on with the next answer."""
        universe = answer["universe"]
        if answer["complete"]:
            self.entries[universe], self.brackets[universe] = {}, {}
        entries, brackets = self.entries.setdefault(universe, {}), self.brackets.setdefault(universe, {})
        entries.update((entry["symbol"], entry) for entry in answer["entries"])
        brackets.update(answer["brackets"] or {})
        for id in answer["gone"]:
            entries.pop(id, None)
        for id in answer["cleared"]:
            brackets.pop(id, None)


def _first_markets(path: str | os.PathLike[str]) -> dict[Universe, dict[str, Any]]:
    """The first entry of each universe that has all its contracts. Exchanges that join a stream after its first push
    are not looked for where there are others."""
    found: dict[Universe, dict[str, Any]] = {}
    for entry in read_journal(path):
        if entry["kind"] in _ANSWERS and entry["complete"]:
            found.setdefault(entry["universe"], entry)
        elif entry["kind"] == "push" and found:
            break
    return found


def _as_it_came(raw: dict[str, Any] | str | bytes) -> bytes:
    if isinstance(raw, bytes):
        return raw
    return raw.encode() if isinstance(raw, str) else orjson.dumps(raw)


def contract_at(path: str | os.PathLike[str], symbol: str, time: int) -> dict[str, Any]:
    """What was known of a contract at some time, by a journal alone.

    :param path: of the journal, see `read_journal`
    :param symbol: contract id (``'BTCUSDT'``), or unified symbol
    :param time: ms since the epoch; what came later is not considered
    :return: `id`, `symbol`, `status` (None, too, where exchangeInfo did not have it any more), `active` (bool),
        `contractType` (str), `created`, `expiry`, `delisting` (ms) as in an update, `tiers` (list of ccxt's leverage
        tiers); and `timestamp`, when (ms) the journal last said something of it. Each is None where it was unknown
    :raises FileNotFoundError: where there is no such journal
    :raises MalformedJournal: for a line before that time that cannot be read
    """
    history = _History(symbol)
    for entry in read_journal(path):
        if entry["time"] > time:
            break
        history.take(entry)
    market = history.market or {}
    return {
        "id": market.get("id"),
        "symbol": market.get("symbol"),
        "timestamp": history.timestamp,
        "status": market.get("status"),
        "active": market.get("active"),
        "contractType": market.get("info", {}).get("contractType"),
        "created": market.get("created"),
        "expiry": market.get("expiry"),
        "delisting": market.get("delisting"),
        "tiers": market.get("leverageTiers"),
    }


class _History:
    """One contract, as a journal tells of it, by the rules of `MarketTable`."""

    def __init__(self, symbol: str) -> None:
        self.market: Market | None = None
        self.timestamp: int | None = None
        self._symbol = symbol
        self._parser = _parser()
        self._settle_time = Settings.settle_time
        self._pushes = Pushes()
        self._said = _Said()

    def take(self, entry: Mapping[str, Any]) -> None:
        """Go on with the next entry."""
        kind, before = entry["kind"], self.market
        if kind == "start":
            self._settle_time, self._pushes = entry["settle_time"], Pushes()
        elif kind == "push":
            self._push(entry)
        elif kind in _ANSWERS:
            self._said.take(entry)
            self._answer(entry)
        if self.market != before:
            self.timestamp = entry["time"]

    def _push(self, entry: Mapping[str, Any]) -> None:
        try:
            event = parse_event(_as_it_came(entry["raw"]))
        except MalformedEvent:
            return
        if self.market is None and event.id == self._symbol:
            self.market = _unlisted(event)
        if self.market is None or event.id != self.market["id"]:
            return
        if self._pushes.is_news(event):
            self.market = apply_event(self.market, event).market
        elif self._pushes.has_news_of_brackets(event):
            self.market = apply_brackets(self.market, event).market
        self._pushes.remember(Arrival(event, entry["clock"]))

    def _answer(self, answer: Mapping[str, Any]) -> None:
        universe, asked = answer["universe"], answer["asked"]
        told = self._told(answer)
        if told is None:
            if answer["kind"] == "rest" and self._is_gone(universe, asked):
                self.market = vanish(self.market or {}).market
            return
        id = told["symbol"]
        if self.market is None or not self.market["info"].get("symbol"):  # pushed, but not completed yet
            listed = complete(keep_name(self._parser.parse_market(told)))
            known = self.market
            self.market = listed if known is None else with_tiers(with_state(listed, known), known)
        raw = None if answer["brackets"] is None else self._said.brackets[universe].get(id)
        snapshot = Snapshot.of([told], universe, asked, answer["server_time"])
        brackets = None if raw is None else {id: raw}
        for news in missed({id: self.market}, snapshot, brackets, self._pushes, self._settle_time)[0]:
            self.market = news.change.market

    def _is_gone(self, universe: str, asked: float) -> bool:
        """Whether an answer that does not have the contract is news."""
        market = self.market
        return (
            market is not None
            and market_universe(market) == universe
            and bool(market["info"].get("symbol"))
            and not is_gone(market)
            and self._pushes.unsettled_until(market["id"], asked, self._settle_time) is None
        )

    def _told(self, answer: Mapping[str, Any]) -> Entry | None:
        """The contract's raw entry, as REST has told it last."""
        entries = self._said.entries[answer["universe"]]
        if self.market is not None:
            return entries.get(self.market["id"])
        if self._symbol in entries:
            return entries[self._symbol]
        if "/" in self._symbol:
            for entry in answer["entries"]:  # those of before had another symbol
                market = self._parser.parse_market(entry)
                if market is not None and keep_name(market)["symbol"] == self._symbol:
                    return cast(Entry, entry)
        return None


@functools.cache
def _parser() -> Any:
    """An exchange that makes markets of raw entries; it connects to nothing."""
    return binance()


def _unlisted(event: ContractInfoEvent) -> Market:
    """A contract of which only a push has told."""
    is_inverse = universe_of(event) == "inverse"
    is_dated = "QUARTER" in event.contract_type or "MONTH" in event.contract_type
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
