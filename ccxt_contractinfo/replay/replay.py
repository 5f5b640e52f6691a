"""A journal played again: the same pushes and answers of REST, in the same order, the same way into an exchange."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import ccxt

from .. import clock
from ..clock import FOREVER
from ..contracts.changes import Market
from ..contracts.events import SubType
from ..contracts.updates import ContractInfo
from ..exchange.attaching import attach
from ..forking import renew_after_fork
from ..journal.entries import ANSWERS, bytes_of
from ..journal.reading import Line, read_lines
from ..journal.recorder import Recorder
from ..markets.table import Again
from ..public import public
from ..settings import Settings
from ..stream.face import StreamFace, closed_by_user
from ..stream.follower import Follower
from ..stream.freshness import Freshness
from ..stream.intake import Intake
from ..venues.registry import venue_of
from .player import Player

logger = logging.getLogger("ccxt_contractinfo")

LONGEST_WAIT = 60.0
"""s; a wait stands still while the machine sleeps, so none is longer."""


@public
def replay(path: str | os.PathLike[str], exchange: Any, speed: float | None = None) -> Replay:
    """Play a journal into an exchange, which then tells the same updates as it did live.

    ::

        exchange = cci.binanceusdm()
        for update in cci.replay("binance.jsonl.gz", exchange):
            print(update["datetime"], update["symbol"], update["kinds"])

    The exchange's markets become those of the journal's beginning at once. They are loaded from REST only where the
    journal has none, because its stream had no exchange. From then on, the exchange connects nowhere by itself, neither
    to the stream nor to REST: callbacks and ``watch_contract_info()`` hear what is played.

    Two things are missing, since the journal does not have them: what a user did to the markets by hand, and which of
    several exchanges on the stream loaded its markets again, where they did not share them.

    :param path: of the journal, see `read_journal`
    :param exchange: any sync ccxt exchange of Binance's futures, without a stream; `attach` is done where it was not
    :param speed: 1.0: as it came; 60: sixty times as fast; None: at once
    :return: the `Replay`; iterate over it to play the journal
    :raises FileNotFoundError: where there is no such journal
    :raises MalformedJournal: where the journal cannot be read up to its first contracts
    :raises ccxt.BadRequest: for an invalid speed, for an exchange that has a stream already, and for one that trades
        none of the contracts in the journal
    """
    return Replay(path, exchange, speed)


@public
class Replay(StreamFace):
    """A journal that is played; see `replay`. For the exchange it is the stream: ``contract_info_stream()`` returns it,
    and it has the methods of `ContractInfoStream`.

    Iterating plays the journal, in the caller's thread, and gives the updates, each as soon as it is applied. The
    exchange's markets are then as they were at that time. It can be done once, and stops the replay at its end. No
    update is dropped for a slow subscriber. All other methods may be called from any thread.

    Iterating raises `MalformedJournal` when it comes to a line that cannot be read or played; what was before that is
    applied.
    """

    def __init__(self, path: str | os.PathLike[str], exchange: Any, speed: float | None) -> None:
        is_speed = isinstance(speed, int | float) and not isinstance(speed, bool) and 0 < speed < FOREVER
        if speed is not None and not is_speed:
            raise ccxt.BadRequest(f"replay(): speed should be a positive number or None, not {speed!r}")
        super().__init__(limit=sys.maxsize)
        self._path = path
        self._speed = speed
        self._is_started = False
        self._is_playing = False
        self._ended = threading.Event()
        settings = Settings()
        self._recorder = Recorder(settings, self._reports.report, self._reports.report)
        freshness = Freshness(settings, self._reports)
        self._intake = Intake(self._followers, self._events, self._recorder, _NoRest(), self._reports, freshness)
        renew_after_fork(self)
        first = _first_markets(path)  # before the exchange is touched: there may be no such journal
        self._take_over(attach(exchange), first)

    def _take_over(self, exchange: Any, first: dict[SubType, Line]) -> None:
        """Give the exchange the markets of the journal's beginning, and become its stream."""
        self._keeper = exchange._contract_info()
        if first and not self._keeper.sub_types().intersection(first):
            there_are = " and ".join(sorted(first))
            raise ccxt.BadRequest(f"{self._path} has {there_are} contracts, and {exchange.id} trades none of them")
        self._player = Player(venue_of(exchange), self._keeper, self._intake, self._reports)
        markets: list[Market] = []
        for line in first.values():
            with line.blamed():
                markets += self._player.first_markets(line.entry)
        self._keeper.use(cast(Any, self))
        self._keeper.updates.limit = sys.maxsize
        if not first:
            exchange.load_markets()
            return
        with next(iter(first.values())).blamed():
            self._player.put_in(markets)

    def __repr__(self) -> str:
        return f"<Replay {os.fspath(self._path)} {self._state}>"

    def __enter__(self) -> Replay:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __iter__(self) -> Iterator[ContractInfo]:
        """Play it."""
        with self._lock:
            if self._is_playing and not self._ended.is_set():
                raise ccxt.BadRequest("replay(): it is being played already")
            self._is_playing = True
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

    def _wait_until(self, due: float) -> None:
        while (left := due - clock.now()) > 0 and not self._ended.wait(min(left, LONGEST_WAIT)):
            pass

    def _play(self, entry: Mapping[str, Any]) -> None:
        kind = entry["kind"]
        if kind in ANSWERS:
            self._player.answer(entry)
            return
        if kind == "push" and self._is_verbose and not entry.get("repeated"):
            self._show_frame("message", bytes_of(entry["raw"]))
        with self._lock:
            if kind == "state":
                self._set_state(entry["new"])
            else:
                self._player.play(entry)

    def start(self) -> None:
        """Begin, as a stream does; only iterating plays the journal.

        :raises ccxt.ExchangeClosedByUser: where it was played already, or was stopped
        """
        with self._lock:
            if self._ended.is_set():
                raise ccxt.ExchangeClosedByUser("the journal was played to its end, or stopped")
            self._is_started = True

    def stop(self, timeout: float = 5.0) -> None:
        """End the replay, also in a wait between two entries. What was played is still given to the callbacks, for as
        long as the timeout lasts. Waiting ``watch_contract_info()`` calls raise ``ccxt.ExchangeClosedByUser``.

        :param timeout: s; returns after that, whatever the callbacks do
        """
        with self._lock:
            has_ended, followers = self._end(), tuple(self._followers)
        self._finish(followers, clock.now() + timeout, has_ended=has_ended)

    def _end(self) -> bool:
        """End it, and tell the followers; waits for nothing. Returns whether it was running. With the lock."""
        if not self._is_started:
            return False
        try:
            self._intake.release()
        finally:
            self._is_started = False
            self._ended.set()
        self._intake.forget_tables()
        self._set_state("stopped")
        for follower in self._followers:
            follower.stopped(closed_by_user())
        self._reports.tell_repeats()
        return True

    def _finish(self, followers: tuple[Follower, ...], deadline: float, *, has_ended: bool) -> None:
        """Let what was played be told, until `deadline` (s by `clock.now`) at most. Without the lock."""
        for follower in followers:
            follower.finish(deadline)
        if has_ended:
            self._finish_channels(deadline)

    @property
    def error(self) -> None:
        """None: a replay does not fail for good."""
        return None

    def resync(self, timeout: float | None = 10.0) -> bool:
        """False, at once: REST is not asked."""
        return False

    def is_fresh(self, max_age: float | None = None) -> bool:
        """False: markets of the past are not fresh."""
        return False

    def health(self) -> dict[str, Any]:
        """What was played, with the keys of `ContractInfoStream.health`; those of the connection are None or empty."""
        last_event = self._intake.last_event
        return {
            "state": self._state,
            **dict.fromkeys(("connected_since", "last_frame_age", "last_canary_age")),
            "last_event_age": None if last_event is None else clock.now() - last_event,
            "last_resync_age": None,
            **self._counted({}),
        }

    # For those who follow: see `ContractInfoStream`

    @property
    def settle_time(self) -> float:
        """That of the stream that wrote the journal, in s."""
        return self._player.settle_time

    def add(self, follower: Follower) -> None:
        """Let a follower have the events from now on."""
        with self._lock:
            if follower in self._followers:
                return
            self._take_in(follower)
            if self._is_started:
                follower.started()

    def follow(self, follower: Follower, is_over: Callable[[], bool]) -> None:
        """Let a follower have the events from now on, and start; not where `is_over()`."""
        with self._lock:
            if not is_over():
                self.start()
                self.add(follower)
                follower.started()

    def leave(self, follower: Follower, timeout: float, *, is_own: bool, may_return: bool) -> None:
        """Let a follower have no more events; end where it was the last one. The parameters are as in
        `ContractInfoStream.leave`."""
        with self._lock:
            was_followed = follower in self._followers
            is_last = all(each is follower for each in self._followers)
            has_ended = is_last and (was_followed or is_own) and self._end()
            if was_followed and self._is_started:
                follower.stopped(closed_by_user())
            self._let_go(follower)
        self._finish((follower,), clock.now() + timeout, has_ended=has_ended)

    def ask_again(self, delay: float = 0.0) -> None:
        """REST is not asked: its answers are in the journal."""

    def in_order(self) -> contextlib.AbstractContextManager[object]:
        """No journal is written, so that no order has to be kept."""
        return contextlib.nullcontext()

    def after_fork(self) -> None:
        """See `forking`."""
        self._renew_locks()
        if self._is_started:
            self._is_started, self._state = False, "idle"
            self._intake.forget()


class _NoRest:
    """What pushes that need REST are told to: it is not asked, its answers are in the journal."""

    def ask_for(self, again: Again) -> None:
        """It is in the journal."""

    def disbelieve(self, now: float) -> None:
        """It is in the journal."""


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
