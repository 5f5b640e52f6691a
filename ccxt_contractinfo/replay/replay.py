"""A journal played again: the same pushes and answers of REST, in the same order, the same way into an exchange."""

from __future__ import annotations

import os
import sys
import threading
import time as wall_clock
from collections.abc import Iterator, Mapping
from typing import Any, cast

import ccxt

from .. import clock
from ..clock import FOREVER
from ..contracts.changes import Market
from ..contracts.events import SubType
from ..contracts.updates import ContractInfo
from ..exchange.sync import attach
from ..journal.answers import ReadAnswers
from ..journal.entries import ANSWERS, bytes_of
from ..journal.reading import Line, read_lines
from ..stream.stream import ContractInfoStream
from ..venues.binance.venue import BINANCE

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
        self._has_begun = False
        self._offset = 0.0
        """s; from the clock of the stream that is played now to `clock.now`, here and as if it were now what it was."""
        self._said = ReadAnswers()
        self._begun: set[str] = set()
        """The sub-types whose markets the stream that is played now has begun with."""
        first = _first_markets(path)
        self._first = {sub_type: line.entry for sub_type, line in first.items()}
        self._exchange = attach(exchange)
        self._keeper = exchange._contract_info()
        if self._first and not self._keeper.sub_types().intersection(self._first):
            there_are = " and ".join(sorted(self._first))
            raise ccxt.BadRequest(f"{path} has {there_are} contracts, and {exchange.id} trades none of them")
        markets: list[Market] = []
        for line in first.values():
            with line.blamed():
                self._said.add(line.entry)
                markets += self._markets_of(line.entry["universe"], line.entry["kind"])
        self._keeper.use(self)
        self._keeper.updates.limit = sys.maxsize
        if not first:
            exchange.load_markets()
            return
        with next(iter(first.values())).blamed():
            self._put_in(markets)

    def __repr__(self) -> str:
        return f"<Replay {os.fspath(self._path)} {self._state}>"

    def __iter__(self) -> Iterator[ContractInfo]:
        """Play it."""
        with self._lock:
            if self._has_begun and not self._ended.is_set():
                raise ccxt.BadRequest("replay(): it is being played already")
            self._has_begun = True
        watcher = self._keeper.updates.watch()
        self._keeper.follow()
        began, first = clock.now(), None
        try:
            for line in read_lines(self._path):
                time = line.entry["time"]
                first = time if first is None else first
                if self._speed is not None:
                    self._wait_until(began + (time - first) / 1000 / self._speed)
                if self._ended.is_set():
                    return
                with line.blamed():
                    self._play(line.entry)
                    updates = watcher.taken()
                yield from updates
        finally:
            self.stop()

    def _start(self) -> None:
        """Nothing is started: the journal is played by whoever iterates.

        :raises ccxt.ExchangeClosedByUser: where it has been played already, or was stopped
        """
        with self._lock:
            if self._ended.is_set():
                raise ccxt.ExchangeClosedByUser("the journal was played to its end, or stopped")
            self._run = cast(Any, _Player(self._ended))

    def _wait_until(self, due: float) -> None:
        while (left := due - clock.now()) > 0 and not self._ended.wait(min(left, LONGEST_WAIT)):
            pass

    def _play(self, entry: Mapping[str, Any]) -> None:
        kind = entry["kind"]
        if kind == "push":
            self._push(entry)
        elif kind == "release":
            with self._lock:
                self._intake.release()
        elif kind == "state":
            with self._lock:
                self._set_state(entry["new"])
        elif kind == "start":
            self._intake.forget()  # a process that was killed has never applied what it held back
            self._comparison.settle_time = entry["settle_time"]
            self._offset = clock.now() - (wall_clock.time() - entry["time"] / 1000) - entry["clock"]
            self._begun.clear()
        elif kind in ANSWERS:
            self._said.add(entry)
            if kind == "rest":
                self._answer(entry)
            elif entry["universe"] in self._keeper.sub_types() and entry["universe"] not in self._begun:
                self._begin_with(entry)

    def _begin_with(self, entry: Mapping[str, Any]) -> None:
        """Go on with the markets that a stream has begun with: all of them, or those of a sub-type that joins it."""
        sub_type, is_first = entry["universe"], not self._begun
        self._begun.add(sub_type)
        if entry == self._first.get(sub_type):
            return  # they are there already
        if is_first:
            self._put_in([market for sub_type in self._ours() for market in self._markets_of(sub_type)])
        else:
            self._answer(entry)

    def _push(self, entry: Mapping[str, Any]) -> None:
        if entry.get("repeated"):
            return
        with self._lock:
            if not entry.get("held"):
                self._intake.release()
            else:
                self._intake.hold_back()
            self.received(cast(Any, self._run), bytes_of(entry["raw"]), entry["clock"] + self._offset)

    def _answer(self, entry: Mapping[str, Any]) -> None:
        sub_type = entry["universe"]
        if sub_type not in self._keeper.sub_types():
            return
        asked = entry["asked"] + self._offset
        told = self._said.entries[sub_type].values()
        snapshot = BINANCE.entries.snapshot_of(told, sub_type, asked, entry["server_time"])
        brackets = None if entry["brackets"] is None else self._said.leverage_brackets(sub_type)
        brackets_asked = entry["brackets_asked"] + self._offset
        has_account = brackets is not None or "coefficients" not in entry
        settle_time = self._comparison.settle_time
        result = self._keeper.comparing.apply(snapshot, brackets, brackets_asked, settle_time, has_account=has_account)
        for error in result.errors:
            self._reports.report(error)

    def _ours(self) -> list[SubType]:
        """The sub-types in the journal that the exchange trades."""
        return sorted(self._keeper.sub_types().intersection(self._said.entries))

    def _markets_of(self, sub_type: SubType, kind: str = "markets") -> list[Market]:
        """The markets that were known in a sub-type; none where the exchange does not trade it. What ccxt cannot
        understand of an answer of REST's is left out, as it was live."""
        markets = []
        for entry in self._said.entries[sub_type].values() if sub_type in self._ours() else ():
            try:
                BINANCE.entries.check_precisions(entry)
                markets.append(self._exchange.parse_market(entry))
            except Exception as error:
                if kind != "rest":
                    raise
                self._keeper.report(error)
        return [market for market in markets if market is not None]

    def _put_in(self, markets: list[Market]) -> None:
        """Give the exchange the markets that were known to the one that wrote the journal, and nothing else."""
        self._keeper.forget_markets()
        self._exchange.set_markets(markets)
        for sub_type in self._ours():
            self._keeper.know_brackets(sub_type, self._said.leverage_brackets(sub_type))
            self._keeper.know_choice(sub_type, *self._said.choices.get(sub_type, ((), None)))


class _Player:
    """What a live stream has threads and connections for."""

    not_before = -FOREVER
    is_alone = True

    def __init__(self, ended: threading.Event) -> None:
        self.reader = self.schedule = self
        self.end = ended.set

    def canary(self, time: int, now: float) -> None:
        """There is no connection to be proven."""

    def server_shuts_down(self, now: float) -> None:
        """There is no connection to be replaced."""

    def join(self, until: float) -> None:
        """There is no thread."""

    def abandon(self) -> None:
        """There is no socket."""

    def request(self, delay: float = 0.0) -> None:
        """Nobody is asked."""

    def wait(self, since: float, timeout: float | None) -> bool:
        """Nobody is asked."""
        return False


def _first_markets(path: str | os.PathLike[str]) -> dict[SubType, Line]:
    """The first line of each sub-type that has all its contracts. Exchanges that join a stream after its first push
    are not looked for where there are others."""
    found: dict[SubType, Line] = {}
    for line in read_lines(path):
        entry = line.entry
        if entry["kind"] in ANSWERS and entry["complete"]:
            found.setdefault(entry["universe"], line)
        elif entry["kind"] == "push" and found:
            break
    return found
