"""The stream: its state, counts, callbacks and followers. It knows no exchange; `reader` does the networking."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import ccxt

from .. import clock
from ..backoff import Backoff, is_final
from ..clock import FOREVER
from ..contracts.events import ContractInfoEvent
from ..errors import MalformedEvent, NoThreadError
from ..forking import renew_after_fork
from ..hub.urls import is_hub
from ..journal.recorder import Recorder
from ..public import public
from ..resync import NOTHING, ResyncResult
from ..settings import Settings, stream_settings
from ..shown import MESSAGE, shown, shown_value, without_secrets
from ..venues.endpoint import Endpoint
from ..venues.listener import Reads, Session
from ..venues.messages import Canary, InvalidPush, Refusal, Shutdown
from ..venues.registry import DEFAULT, venue_of
from ..venues.rest import Answers
from ..venues.venue import Venue
from ..weak_list import WeakList
from .comparison import Comparison
from .dial import proxy_address
from .face import StreamFace, closed_by_user
from .follower import Follower
from .freshness import Freshness
from .intake import Intake
from .schedule import Schedule
from .told import Told

logger = logging.getLogger("ccxt_contractinfo")

LOOK = 1.0
"""s; how often to look whether the stream is still needed."""


@public
class ContractInfoStream(StreamFace):
    """Binance's ``!contractInfo``, received on its own thread: it connects, proves delivery and reconnects.

    Without an exchange it gives parsed events (`on_event`); exchanges follow it through ``contract_info_stream()`` or
    ``attach(exchange, stream=...)``. All methods may be called from any thread, callbacks included.

    :param url: base (``wss://host``) or full WebSocket URL; or the URL of the Redis that a `Hub` publishes to; None:
        Binance's production
    :param str|None canary: the chatty stream on the same connection that proves delivery (Binance acknowledges
        subscriptions that deliver nothing, and `!contractInfo` may be silent for hours); None: no proof
    :param float canary_timeout: s; a connection without a canary push for so long counts as dead or misrouted
    :param float ping_interval: s between the client's pings
    :param float ping_timeout: s to wait for a pong
    :param float connect_timeout: s, for DNS, TCP, TLS and handshake together
    :param float rotate_after: s; the connection is replaced after that, without a gap, because Binance cuts it after 24
        hours
    :param float|None resync_interval: s between comparisons of the markets with REST, besides those after connecting;
        None: only those
    :param float settle_time: s; an answer from REST that was asked for less than this after a push does not undo the
        push
    :param float backoff_base: s; reconnecting waits for a random time up to ``backoff_base * 2**tries``...
    :param float backoff_max: s; ...and up to this
    :param int buffer_size: items kept for a slow subscriber; beyond that, only the latest of each contract is kept
    :param int max_frame_size: bytes; a larger frame drops the connection
    :param str|os.PathLike|None journal: path of a file to which the stream appends each push, each change of the
        connection, and what REST answers, as it comes; gzip if the path ends in ``.gz``. Only one stream may write to
        it: starting another one with the same path raises ccxt.BadRequest. `read_journal` reads it, `replay` plays it.
        If it cannot be written to, the stream gives the error to `on_error`, and goes on
    :param int|None journal_max_size: bytes; a file of this size is set aside, with the time in its name, and a new one
        begins. Nothing is ever deleted. None: no limit
    :param float|None journal_max_age: s; the same for a file whose first line is this old. None (the default): no
        limit. A quiet stream writes about a MB a day, most of it the contracts with which each file begins, so
        `journal_max_size` is enough
    :param Callable|None contracts: on an exchange, in ``options['contractInfo']``: a function that takes a market and
        returns whether to keep it, for loading, listings, comparisons and updates. It may be called on a thread of the
        plugin. None: all
    :param bool fallback: with a hub's URL: while no hub is heard, go to the venue itself, and then back
    :param str prefix: with a hub's URL: the hub's `prefix`
    :param proxy: URL of an HTTP or SOCKS proxy
    :param verify: TLS verification: True, False, or the path of a CA bundle
    :param headers: HTTP headers of the handshake
    :raises ccxt.BadRequest: for a setting that does not exist or has an invalid value
    :raises ccxt.InvalidProxySettings: for a proxy that cannot be read
    :raises ccxt.NotSupported: for a SOCKS proxy without the library for it
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        proxy: str | None = None,
        verify: bool | str = True,
        headers: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self.venue = DEFAULT
        self._settings = Settings.named({"url": url, **settings})
        endpoint = Endpoint(_address(self.venue, url), proxy, verify, headers or {})
        if proxy is not None:
            proxy_address(proxy)
        self._endpoint = endpoint
        self._find_endpoint: Callable[[], Endpoint] = lambda: endpoint
        self._find_venue: Callable[[], Endpoint] = lambda: endpoint._replace(url=self.venue.full_url(None))
        """Where to connect while no hub is heard."""
        super().__init__(self._settings.buffer_size)
        self._error: ccxt.BaseError | None = None
        self._left: WeakList[Follower] = WeakList()
        """The followers that come back when a user starts the stream by hand."""
        self._needed: tuple[Follower, ...] = ()
        """Those that have subscribers, which keeps them alive."""
        self._look_due = -FOREVER
        self._owner: weakref.ref[Any] | None = None
        self._run: _Run | None = None
        self._is_ending = False
        """Whether the end of a run has begun, and is not complete."""
        self._proven: set[Session] = set()
        self._recorder = Recorder(self._settings, self._reports.report, self._journal_failed)
        self._freshness = Freshness(self._settings, self._reports)
        self._comparison = Comparison(self._followers, self._settings.settle_time)
        self._intake = Intake(
            self._followers,
            self._events,
            self._recorder,
            self._comparison,
            self._reports,
            self._freshness,
            self._settings.settle_time,
        )
        self._told: Told | None = None
        """The pushes that were told, if they may come again: a hub keeps them."""
        self._rest_not_before = -FOREVER
        self._reconnects: Counter[str] = Counter()
        self._connected_since: int | None = None
        self.canary_time = 0
        """When the venue made the last push of the canary (ms); 0: none came."""
        self._apart = ""
        """The last warning that REST takes another route."""
        renew_after_fork(self)

    @classmethod
    def of(cls, exchange: Any) -> ContractInfoStream:
        """The stream for an exchange: its ``options['contractInfo']``, urls, environment, proxies, verify, headers."""
        url, owner, venue = Settings.of(exchange).url, weakref.ref(exchange), venue_of(exchange)

        def find(url: str | None = url) -> Endpoint:
            there = owner()
            endpoint = stream._endpoint if there is None else venue.endpoint_of(there)
            return endpoint._replace(url=_address(venue, url or endpoint.url))

        first = venue.endpoint_of(exchange)
        settings = {**stream_settings(exchange), "url": _address(venue, url or first.url), "contracts": None}
        stream = cls(**settings, proxy=first.proxy, verify=first.verify, headers=first.headers)
        stream.venue = venue
        stream._find_venue = lambda: find(None)
        stream._find_endpoint = find  # the exchange may be switched to another environment before the next start
        stream._owner = owner
        return stream

    def __enter__(self) -> ContractInfoStream:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<ContractInfoStream {self._endpoint.shown} {self._state}>"

    # Start and stop

    def start(self) -> None:
        """Begin to connect, on a new thread; returns at once. Does nothing if the stream runs. A stopped or failed
        stream begins again. From then on, it keeps the markets of all its exchanges true."""
        with self._lock:
            self._finish_end()
            if self._run is not None:
                return
            for follower in self._left:
                self.add(follower)
            self._start()

    def _start(self) -> None:
        """The same, for the followers that there are. If it is interrupted, for example by Ctrl-C, the stream does not
        run. With the lock."""
        self._endpoint = self._find_endpoint()
        self._recorder.open(self._endpoint.shown, self.settle_time)
        run = _Run(self, self._settings, self._endpoint)
        if is_hub(self._endpoint.url) and self._told is None:
            self._told = Told(self._settings.buffer_size)
        run.schedule.not_before = self._rest_not_before
        before, error_before = self._state, self._error
        try:
            self._run, self._comparison.asker = run, run.schedule
            run.reader.start()
            self._error, self._reports.last_error = None, ""
            self._freshness.begin()
            self._comparison.begin_again()
            self._set_state("connecting")
            self._keep_needed()
            for follower in self._followers:
                follower.started()
                self._recorder.markets(follower.known)
            self._tell_apart(self._endpoint.apart)
        except BaseException as error:
            self._end(before, closed_by_user())
            self._error = error_before
            if isinstance(error, RuntimeError):
                raise NoThreadError(f"contractInfo: the stream cannot be started: {error}") from error
            raise

    def _tell_apart(self, apart: str) -> None:
        """Warn once that the stream cannot take REST's route, and say what to set; it connects all the same."""
        if apart and apart != self._apart:
            self._apart = apart
            text = f"{apart}, which the stream cannot follow; set wssProxy, wsProxy or wsSocksProxy to lead it there"
            logger.warning("contractInfo: connecting directly: %s", text)
            self._reports.channel.publish(ccxt.NotSupported(f"contractInfo: connecting directly: {text}"))

    def stop(self, timeout: float = 5.0) -> None:
        """Close the connection and end the threads. The callbacks are still given what was received, for as long as the
        timeout lasts. Waiting ``watch_contract_info()`` calls raise ``ccxt.ExchangeClosedByUser``.

        :param timeout: s; returns after that, whatever the network and the callbacks do. Only a journal on a file
            system that hangs can take longer
        """
        with self._lock:
            run = self._end("stopped", closed_by_user())
            followers = tuple(self._followers)
        self._finish(run, followers, clock.now() + timeout)

    def _end(self, state: str, error: ccxt.BaseError) -> _Run | None:
        """End the run, if there is one, and tell the followers; waits for nothing. If this is interrupted, the reader's
        thread does the rest: see `ended`. With the lock."""
        run = self._run
        if run is not None:
            try:
                self._intake.release()
            finally:
                self._is_ending = True
                run.end()
            self._rest_not_before = run.schedule.not_before
            self._proven.clear()
            self._comparison.end()
            self._intake.end_overlap()
            self._intake.forget_tables()
            self._connected_since = None
            self._needed = ()
            self._set_state(state)
            self._recorder.close()
            for follower in self._followers:
                self._tell_stopped(follower, error)
            self._run, self._is_ending = None, False
            self._reports.tell_repeats()
        return run

    def _finish_end(self) -> None:
        """Do the rest of an end that was interrupted, before the reader's thread comes to it. With the lock."""
        if self._is_ending:
            self._end("stopped", closed_by_user())

    def _tell_stopped(self, follower: Follower, error: ccxt.BaseError) -> None:
        try:
            follower.stopped(error)
        except Exception as failure:  # the others have to hear of it, too
            logger.exception("contractInfo: an exchange could not be told that the stream has ended")
            self._reports.report(failure)

    def _finish(self, run: _Run | None, followers: tuple[Follower, ...], deadline: float) -> None:
        """Wait for what `_end` has ended, until `deadline` (s by `clock.now`) at most. Without the lock."""
        if run is not None:
            run.source.join(deadline)
            run.reader.join(deadline)
            run.schedule.join(deadline - clock.now())
        for follower in followers:
            follower.finish(deadline)
        if run is not None:
            self._finish_channels(deadline)

    @property
    def error(self) -> ccxt.BaseError | None:
        """Why the stream failed for good; None otherwise."""
        return self._error

    def resync(self, timeout: float | None = 10.0) -> bool:
        """Compare the markets with REST now, and apply what was missed.

        :param timeout: s to wait for the end of the comparison; 0: do not wait; None: for ever
        :return: True once a comparison that began after this call has succeeded; False if none has succeeded in time
            (the stream tries again, and gives the errors to `on_error`), or if the stream does not run. Without an
            exchange, there is nothing to compare
        """
        run, now = self._run, clock.now()
        if run is None:
            return False
        run.schedule.request()
        return run.schedule.wait(now, timeout)

    def is_fresh(self, max_age: float | None = None) -> bool:
        """Whether the markets may be trusted now: the stream is 'live', its last message is not old, no comparison with
        REST is overdue (the last one that succeeded is not older than two times `resync_interval`, if that is set), and
        no unbelievable push waits for one.

        :param max_age: s; how old the last push of the canary may be by Binance's clock, see `health` (without a
            canary: how long ago the last frame of any kind may have come). None: `canary_timeout` (without a canary:
            `ping_interval` and `ping_timeout` together)
        """
        run, is_young = self._run, self._freshness.is_young(clock.now(), max_age)
        is_sure = run is not None and run.source.is_fresh and not self._comparison.is_doubtful
        return self._state == "live" and is_young and is_sure

    def health(self) -> dict[str, Any]:
        """The health of the stream, as a plain dict of these.

        - `state` (str); `connected_since` (ms since the epoch, or None)
        - `last_frame_age`, `last_event_age`: s since the last frame, or the last event, came, or None
        - `last_canary_age`: s since Binance made the canary's last push, or None. This is by Binance's time in the
          push, less the smallest delay that any push has shown, so it shows whether data come late
        - `last_resync_age`: s since the last successful comparison with REST began, or None
        - `events`, `duplicates`, `malformed`, `unknown_values`, `callback_errors`, `dropped_updates`: counts;
          `reconnects`: counts by cause; with a journal, `journal_lost`: count of lines that could not be written to it
        - `guard`: what the order guards of all exchanges of the stream have counted: orders that were `checked`,
          `refused`, `logged` (they would be refused) or `unknown` (something could not be judged), and their `reasons`
        - `tiers_error`: why the leverage tiers of an exchange with an API key are unknown, or may be old (str; None:
          they are neither, or there is no API key). No other entry of the dict depends on it
        """
        now, journal = clock.now(), self._recorder.journal
        return {
            "state": self._state,
            "connected_since": self._connected_since,
            "last_frame_age": self._freshness.age("frame", now),
            "last_canary_age": self._freshness.canary_age(now),
            "last_event_age": None if self._intake.last_event is None else now - self._intake.last_event,
            "last_resync_age": self._freshness.age("resync", now),
            **self._counted(dict(self._reconnects)),
            **({} if journal is None else {"journal_lost": journal.lost}),
        }

    # For followers

    @property
    def shown_url(self) -> str:
        """Where it connects, as it may be shown."""
        return self._endpoint.shown

    @property
    def venue_time(self) -> int | None:
        """The time at the venue (ms), if its messages have told it."""
        return self._freshness.venue.time(clock.now())

    @property
    def settle_time(self) -> float:
        """The setting of this name, in s."""
        return self._comparison.settle_time

    def add(self, follower: Follower) -> None:
        """Give a follower the events from now on, whenever the stream runs. The stream is not 'live' before the
        follower's markets have been compared."""
        with self._lock:
            self._left.discard(follower)
            if follower in self._followers:
                return
            self._take_in(follower)
            if self._run is not None:
                self._comparison.add(follower, is_proven=bool(self._proven))
                self._recorder.markets(follower.known)
                self._compare_uncompared()
                follower.started()

    def follow(self, follower: Follower, is_over: Callable[[], bool]) -> None:
        """Give a follower the events from now on, and start the stream; but not if `is_over()`. That is asked when no
        other thread can stop the stream, and says whether the stream was already stopped for the caller."""
        with self._lock:
            if is_over():
                return
            self._finish_end()
            if self._state == "failed" and self._error is not None:
                raise copy.copy(self._error)
            if self._run is None:
                self._start()
            self.add(follower)
            follower.started()
            self._keep_needed()

    def leave(self, follower: Follower, timeout: float, *, is_own: bool, may_return: bool) -> None:
        """Give a follower no more events; stop the stream if no other follower has them.

        :param timeout: s, see `stop`
        :param is_own: the stream was made for this follower, and stops even if it was started without it
        :param may_return: it gets events again after a later start by hand, but not after a start by another follower
        """
        with self._lock:
            was_followed = follower in self._followers
            is_last = all(each is follower for each in self._followers)
            run = self._end("stopped", closed_by_user()) if is_last and (was_followed or is_own) else None
            if was_followed and self._run is not None:
                self._tell_stopped(follower, closed_by_user())
            self._let_go(follower)
            if may_return:
                self._left.add(follower)
            self._comparison.discard(follower)
            self._update_state()
        self._finish(run, (follower,), clock.now() + timeout)

    def ask_again(self, delay: float = 0.0) -> None:
        """Compare with REST once more, after `delay` (s); does nothing if the stream does not run."""
        self._comparison.ask(delay)

    def in_order(self) -> contextlib.AbstractContextManager[object]:
        """With a journal or a hub, no push is taken inside this context, so that these have the order in which things
        are applied. Enter it before taking the lock of the markets."""
        return self._lock if self._recorder.writers else contextlib.nullcontext()

    # For the threads that read: see `listener.HubListener`

    def connected(self, session: Session) -> None:
        """The handshake is done."""
        with self._lock:
            if self._is_current(session):
                self._note_connection("opened")
            if self._is_current(session) and not self._proven:
                if len(self._followers):
                    self._intake.hold_back()
                self._connected_since = session.since
                self._set_state("syncing")

    def proven(self, session: Session) -> None:
        """The connection delivers."""
        with self._lock:
            if self._is_current(session):
                self._proven.add(session)
                if self._run is not None and session.reader is self._run.reader:
                    self._come_back()
                self._connected_since = session.since
                self._comparison.proven()
                self._compare_uncompared()

    def lost(self, session: Session, error: ccxt.BaseError, tries: int, delay: float) -> None:
        """The connection is gone, or could not be made; another try follows, or none.

        :param tries: how many have failed since the last connection that held
        :param delay: s until the next one
        """
        with self._lock:
            if not self._is_current(session):
                return
            cause = getattr(error, "cause", "other")
            self._proven.discard(session)
            self._forget_overlap()
            self._note_connection("lost", cause=cause, error=shown(error, MESSAGE))
            is_stand_in = self._run is not None and session.reader is self._run.stand_in
            if is_final(error) and not self._proven and not is_stand_in:
                self._error = error
                logger.error("contractInfo: failed for good: %s", error)
                self._end("failed", error)
            else:
                self._reconnects[cause] += 1
                logger.warning("contractInfo: reconnecting, try %d in %.1f s: %s", tries, delay, error)
                if not self._proven:
                    self._intake.release()
                    self._comparison.begin_again()
                    self._connected_since = None
                    self._set_state("reconnecting")
                if self._settings.fallback and not is_stand_in and is_hub(self._endpoint.url):
                    self._fall_back()
        self._reports.report(error)

    def _fall_back(self) -> None:
        """Go to the venue itself while no hub is heard. With the lock."""
        run = self._run
        if run is not None and run.stand_in is None:
            endpoint = self._find_venue()
            logger.warning("contractInfo: no hub is heard; going to %s meanwhile", endpoint.shown)
            run.stand_in = _reader(self, self._settings, endpoint)
            run.stand_in.start()

    def _come_back(self) -> None:
        """A hub is heard: leave the venue. With the lock."""
        run = self._run
        if run is not None and run.stand_in is not None:
            logger.info("contractInfo: a hub is heard again")
            self._proven = {session for session in self._proven if session.reader is not run.stand_in}
            run.stand_in.end()
            run.stand_in = None

    def _stand_in_ended(self, error: BaseException) -> None:
        """The venue is not read any more, though no hub is heard: the next lost connection to a hub begins again. With
        the lock."""
        run = self._run
        assert run is not None
        self._proven = {session for session in self._proven if session.reader is not run.stand_in}
        run.stand_in = None
        if not self._proven:
            self._intake.release()
            self._comparison.begin_again()
            self._set_state("reconnecting")
        failure = ccxt.NetworkError(f"contractInfo: the reader has ended by an error: {shown_value(error)}")
        logger.error("contractInfo: the venue is not read any more: %s", failure)
        self._reports.report(failure)

    def ended(self, reader: Reads, error: BaseException | None) -> None:
        """A reader's thread ends: on request, or by an error."""
        with self._lock:
            if self._run is not None and self._run.stand_in is reader and error is not None:
                self._stand_in_ended(error)
            if self._run is None or self._run.reader is not reader:
                return
            if error is None:
                self._end("stopped", closed_by_user())
                return
            reason = shown_value(error)
            self._error = ccxt.NetworkError(f"contractInfo: the reader has ended by an error: {reason}; start it again")
            self._end("failed", self._error)
            logger.error("contractInfo: failed for good: %s", self._error)
            self._reports.report(self._error)

    def replacing(self, session: Session, cause: str) -> None:
        """The connection will be replaced; it goes on until its successor is proven."""
        with self._lock:
            if self._is_current(session):
                logger.info("contractInfo: a new connection is made beside the old one: %s", cause)
                self._note_connection("replacing", cause=cause)
                self._reconnects[cause] += 1
                self._intake.begin_overlap()

    def released(self, session: Session) -> None:
        """A replaced connection has been let go."""
        with self._lock:
            self._proven.discard(session)
            self._forget_overlap()
            self._note_connection("released")

    def received(self, session: Session, data: bytes, now: float) -> None:
        """Take a message that came at `now` (s by `clock.now`). Never raises."""
        if self._is_verbose:
            self._show_frame("message", data)
        try:
            self._understood(session, data, now)
        except ccxt.BaseError as error:
            if isinstance(error, MalformedEvent):
                with self._lock:
                    if self._is_current(session):
                        self._intake.not_understood(data, now)
            self._reports.complain(error, getattr(error, "field", None), now)

    def outdated(self) -> None:
        """A hub has said something that no push says: compare the markets."""
        self._comparison.ask()

    def heard(self, now: float) -> None:
        """The peer has shown a sign of life."""
        self._freshness.heard("frame", now)

    def sent(self, text: str) -> None:
        """A message went out."""
        if self._is_verbose:
            self._show_frame("sending", text)

    def due(self) -> float:
        """When (s by `clock.now`) `tick` should be called, at the latest."""
        return min(self._intake.release_due, self._look_due, self._reports.due)

    def tick(self, now: float) -> None:
        """Release pushes that have waited long enough, end what is no longer needed, and tell of repeats."""
        if now >= self._intake.release_due:
            with self._lock:
                self._intake.release()
        if now >= self._look_due:
            with self._lock:
                self._look()
        if now >= self._reports.due:
            self._reports.tell_repeats()

    def _keep_needed(self) -> None:
        """Keep the exchanges alive that have subscribers. With the lock."""
        self._look_due = clock.now() + LOOK
        self._needed = tuple(each for each in self._followers if each.is_needed())

    def _look(self) -> None:
        """End the stream if it was made for an exchange, and no exchange and no callback needs it any more. With the
        lock."""
        self._keep_needed()
        self._intake.forget_tables()  # of exchanges that are collected
        is_unused = self._owner is not None and not len(self._followers)
        if is_unused and not any(
            channel.is_subscribed for channel in (self._events, self._states, self._reports.channel)
        ):
            logger.info("contractInfo: no exchange follows the stream any more")
            self._end("stopped", closed_by_user())

    def _understood(self, session: Session, data: bytes, now: float) -> None:
        message = session.reader.parse(data)
        if isinstance(message, ContractInfoEvent):
            self._pushed(session, message, None, data, now)
            return
        match message:
            case InvalidPush(event, error):
                self._pushed(session, event, error, data, now)
            case Canary(time):
                self.canary(session, time, now)
            case Refusal(reason):
                said = shown(without_secrets(reason, self._endpoint.url))
                raise ccxt.BadRequest(f"contractInfo: {self._endpoint.shown} refused a subscription: {said}")
            case Shutdown():
                session.server_shuts_down(now)

    def _pushed(
        self, session: Session, event: ContractInfoEvent | None, error: MalformedEvent | None, data: bytes, now: float
    ) -> None:
        with self._lock:
            # A push that is applied but told to no subscriber would be lost; the next run finds it out from REST.
            if self._is_current(session):
                is_repeated = event is not None and self._told is not None and not self._told.add(event)
                self._intake.take(event, error, data, now, is_repeated=is_repeated)

    def canary(self, session: Session, time: float, now: float) -> None:
        """The venue made a push of the canary at `time` (ms)."""
        if time:  # without a time, it proves nothing
            with self._lock:
                if len(self._proven) < 2 and session in self._proven and session.reader.is_alone:
                    self._intake.end_overlap()  # what came before this push, on either connection, has been seen
                self._freshness.canary(time, now, self._endpoint.shown)
                self.canary_time = int(time)
        session.canary(time, now)

    # Comparisons with REST

    def _compare_uncompared(self) -> None:
        """Have the markets compared that are not compared yet. With the lock."""
        if self._proven and len(self._followers):
            self._comparison.ask()
        self._update_state()

    def _compare(self, run: _Run) -> ResyncResult:
        """Compare the markets of all followers with REST. On the thread of the schedule."""
        answers, began = run.source.answers(), clock.now()
        result = self._comparison.compare(answers, began, self._lock, lambda: run is not self._run)
        return self._concluded(result, answers, began) if run is self._run else NOTHING

    def _concluded(self, result: ResyncResult, answers: Answers, began: float) -> ResyncResult:
        for error in {id(error): error for error in result.errors}.values():  # several exchanges may share an answer
            logger.warning("contractInfo: in the comparison with REST: %s", error)
            self._reports.report(error)
        with self._lock:
            for time, came in answers.times:
                self._freshness.answered(time, came, self._endpoint.shown)
            released = self._intake.release()
            if result.failure is None:
                self._freshness.heard("resync", began)
            concluded = self._comparison.concluded(result, began, released, answers)
            self._update_state()
            # Reported already; and a traceback would keep an exchange that its user drops.
            return dataclasses.replace(concluded, errors=())

    def _journal_failed(self, error: OSError) -> None:
        logger.error("contractInfo: the journal cannot be written to, and is tried again and again: %s", error)
        self._reports.channel.publish(error)

    def _note_connection(self, event: str, **fields: str) -> None:
        self._recorder.note("connection", event=event, url=self._endpoint.shown, **fields)

    # State

    def _forget_overlap(self) -> None:
        """End the overlap now if there is no canary to show when it ends. With the lock."""
        if not self._settings.canary:
            self._intake.end_overlap()

    def _is_current(self, session: Session) -> bool:
        run = self._run
        return run is not None and (session.reader is run.reader or session.reader is run.stand_in)

    def _update_state(self) -> None:
        """With the lock."""
        if self._proven:
            self._set_state("live" if self._comparison.is_done else "syncing")

    def after_fork(self) -> None:
        """Begin again in the child of a fork: the connection is the parent's."""
        run, self._run = self._run, None
        if run is not None:
            run.reader.abandon()
            if run.stand_in is not None:
                run.stand_in.abandon()
            self._state, self._connected_since = "idle", None
            self._freshness.forget()
            self._proven.clear()
            self._comparison.end()
            self._intake.forget()
            self._intake.last_event = None
            self._needed = ()
        self._renew_locks()


class _Run:
    """One run of a stream, from `start` to its end: what reads, and what compares with REST."""

    def __init__(self, stream: ContractInfoStream, settings: Settings, endpoint: Endpoint) -> None:
        backoff = Backoff(settings.backoff_base, settings.backoff_max)
        self.reader = _reader(stream, settings, endpoint)
        self.stand_in: Reads | None = None
        """Reads the venue while `reader` hears no hub."""
        self.schedule = Schedule(lambda: stream._compare(self), settings.resync_interval, backoff)

    def end(self) -> None:
        """Make the threads end, whatever they wait for. From any thread."""
        self.schedule.end()
        self.reader.end()
        if self.stand_in is not None:
            self.stand_in.end()

    @property
    def source(self) -> Reads:
        """What reads now."""
        return self.stand_in or self.reader


def _address(venue: Venue, url: str | None) -> str:
    """Where to connect: to the hub at this URL, or to the venue."""
    return url if url is not None and is_hub(url) else venue.full_url(url)


def _reader(stream: ContractInfoStream, settings: Settings, endpoint: Endpoint) -> Reads:
    """What reads from there. A program that only imports this package need not wait for the libraries."""
    if is_hub(endpoint.url):
        from ..hub.reader import HubReader

        return HubReader(stream, stream.venue, settings, endpoint.url)
    from .reader import Reader

    return Reader(stream, stream.venue, settings, endpoint)
