"""The threads that read: connect, prove by the canary, receive, reconnect; and rotate, which is to prove a new
connection before the old one is let go."""

from __future__ import annotations

import logging
import threading
import time
from typing import Protocol

import ccxt

from .. import clock
from ..backoff import Backoff
from ..clock import FOREVER
from ..errors import CanaryTimeout, PongTimeout
from ..settings import Settings
from ..shown import shown_value
from ..venues.endpoint import Endpoint
from ..venues.venue import Venue
from .connection import PONG, Connection

logger = logging.getLogger("ccxt_contractinfo")

STEADY = 10.0
"""s; a connection that has delivered for so long is not one of a storm of reconnects."""

RETRY = 1.0
"""s; how soon to look again whether a connection can be replaced that is due, but not proven yet."""


class Listener(Protocol):
    """Whoever is told what happens. It is called on the threads that read, and must not wait."""

    def connected(self, session: Session) -> None:
        """The handshake is done."""
        ...

    def proven(self, session: Session) -> None:
        """The connection delivers."""
        ...

    def lost(self, session: Session, error: ccxt.BaseError, tries: int, delay: float) -> None:
        """The connection is gone, or could not be made; there will be another try after `delay` (s), unless this ends
        the reader: so many since the last one that held."""
        ...

    def replacing(self, session: Session, cause: str) -> None:
        """The connection is going to be replaced, and goes on until its successor is proven."""
        ...

    def released(self, session: Session) -> None:
        """A connection that was replaced has been let go."""
        ...

    def ended(self, reader: Reader, error: BaseException | None) -> None:
        """The thread of a reader comes to its end: because it was told to, or by this error."""
        ...

    def received(self, session: Session, data: bytes, now: float) -> None:
        """A message came at `now` (s by `clock.now`)."""
        ...

    def heard(self, now: float) -> None:
        """The peer has shown a sign of life."""
        ...

    def sent(self, text: str) -> None:
        """A message went out."""
        ...

    def due(self) -> float:
        """When (s by `clock.now`) `tick` should be called, at the latest."""
        ...

    def tick(self, now: float) -> None:
        """Time has passed."""
        ...


class Reader:
    """Reads from an endpoint of a venue, from `start` to `end`: a thread, and one connection after the other."""

    def __init__(self, listener: Listener, venue: Venue, settings: Settings, endpoint: Endpoint) -> None:
        self.listener = listener
        self.venue = venue
        self.settings = settings
        self.endpoint = endpoint
        self._thread = threading.Thread(target=self._run, name="ccxt-contractinfo-reader", daemon=True)
        self._ended = threading.Event()
        self._backoff = Backoff(settings.backoff_base, settings.backoff_max)
        self._rotations = Backoff(settings.backoff_base, settings.backoff_max)
        self._session = Session(self)
        self._old: tuple[Session, threading.Thread] | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def end(self) -> None:
        """Make the threads end, whatever they wait for. From any thread."""
        if not self._ended.is_set():  # a signal handler may stop the stream while this is done
            self._ended.set()
        for session in self._sessions():
            session.connection.wake()

    def is_over(self) -> bool:
        """Whether `end` was called."""
        return self._ended.is_set()

    def join(self, deadline: float) -> None:
        """Wait for the end of the threads, until `deadline` (s by `clock.now`) at most."""
        for thread in (self._thread, *([self._old[1]] if self._old else [])):
            if thread is not threading.current_thread() and thread.is_alive():  # else it was never started, maybe
                thread.join(max(0.0, deadline - clock.now()))

    def abandon(self) -> None:
        """Let go of the sockets without a word on the wire. For the child of a fork: the parent still uses them."""
        for session in self._sessions():
            session.connection.abandon()

    def proven(self, session: Session) -> None:
        """A connection delivers: the one that it replaces is not needed any more, as soon as it has come as far."""
        self.listener.proven(session)
        if self._old is not None and self._old[0] is not session:
            self._old[0].retire(session.last_canary if self.settings.canary else FOREVER)

    def delivers(self, session: Session, now: float) -> None:
        """A connection delivers at `now` (s by `clock.now`): if it is the latest, and has done so for a while, the next
        try need not wait."""
        if session is self._session and now - session.began >= min(STEADY, self.settings.backoff_max):
            self._backoff.reset()

    @property
    def is_alone(self) -> bool:
        """Whether there is but one connection."""
        return self._old is None or not self._old[1].is_alive()

    def is_replaceable(self, session: Session) -> bool:
        """Whether a connection may be replaced now: it is the latest, and the one before it is gone."""
        return session is self._session and self.is_alone

    def delay_of_shutdown(self, session: Session, now: float) -> float:
        """How long (s) to wait before a connection is replaced because the server goes down: not long, but for a server
        that says so to every new one."""
        if now - session.began > self.settings.backoff_max:
            self._rotations.reset()
        return self._rotations.next_delay()

    def _sessions(self) -> list[Session]:
        return [self._session, *([self._old[0]] if self._old else [])]

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._work()
        except BaseException as caught:  # nobody would hear of it; the stream has to say that nothing is read any more
            error = caught
            self._session.connection.close()
        self.listener.ended(self, error)

    def _work(self) -> None:
        while not self.is_over():
            session = self._session
            error = self._live(session)
            if self.is_over():
                session.connection.close()  # it was to go on
                return
            if error is None:
                error = self._let_go(session)
            if error is not None:
                delay = self._backoff.next_delay(error)
                self._tell_lost(session, error, delay)
                if not self._waited(delay):
                    return
            self._session = Session(self, 0.0 if error is None else session.last_canary)

    def _tell_lost(self, session: Session, error: ccxt.BaseError, delay: float) -> None:
        """Tell that a connection is gone; once more where that fails, since the stream must not seem to have it."""
        try:
            self.listener.lost(session, error, self._backoff.tries, delay)
        except Exception as failure:
            logger.exception("contractInfo: that a connection is lost could not be told")
            failed = ccxt.NetworkError(f"{error}; and this could not be told: {shown_value(failure)}")
            self.listener.lost(session, failed, self._backoff.tries, delay)

    def _waited(self, delay: float) -> bool:
        """Wait for so long (s); returns False where the end came before that."""
        until = clock.now() + delay
        while (left := until - clock.now()) > 0:
            if self._ended.wait(min(left, max(0.0, self.listener.due() - clock.now()))):
                return False
            try:
                self.listener.tick(clock.now())
            except Exception:
                logger.exception("contractInfo: the stream failed between two tries")
                return not self._ended.wait(left)
        return not self.is_over()

    def _let_go(self, session: Session) -> ccxt.BaseError | None:
        """Let a connection go on, on a thread of its own, until its successor is proven; returns why that cannot be."""
        thread = threading.Thread(target=self._linger, args=(session,), name="ccxt-contractinfo-rotation", daemon=True)
        self._old = (session, thread)
        try:
            thread.start()
        except RuntimeError as error:  # the system has no more threads
            self._old = None
            session.connection.close()
            return ccxt.NetworkError(f"{self.endpoint.shown}: cannot be replaced without a break: {error}")
        return None

    def _tell_released(self, session: Session) -> ccxt.BaseError | None:
        """Tell that a connection has been let go; returns why that could not be told."""
        try:
            self.listener.released(session)
        except Exception as failure:
            logger.exception("contractInfo: that a connection is let go could not be told")
            what = f"{self.endpoint.shown}: that it is let go could not be told: {shown_value(failure)}"
            return ccxt.NetworkError(what)
        return None

    def _linger(self, session: Session) -> None:
        try:
            error = self._live(session)
            if self.is_over():
                return
            if error is None or session.is_retired:
                error = self._tell_released(session)
            if error is not None:
                self._tell_lost(session, error, 0.0)
        except BaseException as caught:  # the stream would go on to count on this connection
            session.connection.close()
            self.end()
            self.listener.ended(self, caught)

    def _live(self, session: Session) -> ccxt.BaseError | None:
        """Open a connection, or go on with it; returns why it ended; None where it is to be replaced, or has been."""
        try:
            if session.follow():
                return None  # and it stays open
            error = None
        except ccxt.BaseError as caught:
            error = caught
        except Exception as caught:
            logger.exception("contractInfo: the reader failed")
            error = ccxt.NetworkError(f"{self.endpoint.shown}: {shown_value(caught)}")
        session.connection.close()
        return error


class Session:
    """One connection of a reader, and what is known of it. One thread at a time follows it.

    :param lost_at: the event time (ms) of the last push of the canary on the connection that was lost before this one
    """

    def __init__(self, reader: Reader, lost_at: float = 0.0) -> None:
        settings = reader.settings
        waits = (settings.canary_timeout, settings.ping_interval, settings.ping_timeout)
        self.reader = reader
        self.connection = Connection(
            reader.endpoint,
            connect_timeout=settings.connect_timeout,
            max_frame_size=settings.max_frame_size,
            tick=min(1.0, min(waits) / 4),
        )
        self.began = 0.0
        """When (s by `clock.now`) it was connected; `since` is the same in ms since the epoch."""
        self.since = 0
        self.is_proven = False
        self.last_canary = 0.0
        """The event time (ms) of the last push of the canary."""
        self._lost_at = lost_at
        self._retired_by = FOREVER
        self._canary_due = self._ping_due = self._pong_due = FOREVER
        self._rotate_due = self._retire_due = FOREVER
        self._cause = "rotation"

    @property
    def is_retired(self) -> bool:
        """Whether its successor is proven."""
        return self._retire_due < FOREVER

    def retire(self, canary: float) -> None:
        """Let it end when it has delivered all that its successor cannot have: what was pushed before the successor's
        first canary push, which had this event time (ms)."""
        settings = self.reader.settings
        self._retired_by = canary
        self._retire_due = clock.now() + (settings.canary_timeout if settings.canary else settings.ping_timeout)

    def follow(self) -> bool:
        """Connect if it is not, and receive, until the reader ends, or until it is to be replaced, which returns True,
        or until it has been, which returns False. Raises what it was lost by."""
        reader, settings, connection = self.reader, self.reader.settings, self.connection
        listener = reader.listener
        if not self.began:
            self._open()
        while not reader.is_over():
            dues = (self._ping_due, self._pong_due, self._canary_due, self._rotate_due, self._retire_due)
            message = connection.receive(min(*dues, listener.due()) - clock.now())
            now = clock.now()
            if message is PONG:
                self._pong_due = FOREVER
            if message is not None:
                listener.heard(now)
            if isinstance(message, bytes):
                listener.received(self, message, now)
            if not settings.canary and message is not None:
                reader.delivers(self, now)
                if not self.is_proven:
                    self._prove()
            listener.tick(now)
            if self.is_retired and (now >= self._retire_due or self.last_canary >= self._retired_by):
                return False
            if now >= self._rotate_due:
                if self.is_proven and reader.is_replaceable(self):
                    self._rotate_due = FOREVER
                    listener.replacing(self, self._cause)
                    return True
                self._rotate_due = now + RETRY
            if now >= self._ping_due:
                connection.ping()
                self._pong_due = min(self._pong_due, now + settings.ping_timeout)
                self._ping_due = now + settings.ping_interval
            self._check_signs_of_life(now, is_behind=message is not None)
        return False

    def _check_signs_of_life(self, now: float, *, is_behind: bool) -> None:
        """Raise where a pong or a canary push is overdue at `now` (s by `clock.now`).

        :param is_behind: something else has just been read, so what is awaited may have come already, behind it, and
            gets as much time again; not more, for whoever sends without an end may send nothing else
        """
        settings, url = self.reader.settings, self.reader.endpoint.shown
        if now >= self._pong_due + (settings.ping_timeout if is_behind else 0.0):
            raise PongTimeout(f"{url}: no pong within {settings.ping_timeout:g} s, so it is dead")
        if now >= self._canary_due + (settings.canary_timeout if is_behind else 0.0):
            raise CanaryTimeout(
                f"{url}: no {settings.canary} within {settings.canary_timeout:g} s, so it is dead, "
                f"or delivers nothing on this path ({self.reader.venue.advice})"
            )

    def canary(self, event_time: float, now: float) -> None:
        """A push of the canary came, with this event time (ms; 0: it tells none). One that has come before proves
        nothing."""
        if not event_time:
            return
        before, self.last_canary = self.last_canary, event_time
        if event_time <= before or event_time == self._lost_at:
            return
        self._canary_due = now + self.reader.settings.canary_timeout
        self.reader.delivers(self, now)
        if not self.is_proven:
            self._prove()

    def server_shuts_down(self, now: float) -> None:
        """The server has said that it will close the connection."""
        if self._rotate_due < FOREVER and self._cause == "rotation":
            self._cause = "server_shutdown"
            self._rotate_due = min(self._rotate_due, now + self.reader.delay_of_shutdown(self, now))

    def _open(self) -> None:
        settings = self.reader.settings
        self.connection.open()
        self.began, self.since = clock.now(), time.time_ns() // 1_000_000
        self.reader.listener.connected(self)
        self._subscribe()
        self._ping_due = self.began + settings.ping_interval
        self._rotate_due = self.began + settings.rotate_after
        if settings.canary:
            self._canary_due = self.began + settings.canary_timeout
        else:
            self.connection.ping()  # whatever comes back shows that the subscription was heard
            self._pong_due = self.began + settings.ping_timeout

    def _subscribe(self) -> None:
        reader = self.reader
        for request in reader.venue.subscription(reader.endpoint.url, reader.settings.canary):
            self.connection.send(request)
            reader.listener.sent(request)

    def _prove(self) -> None:
        self.is_proven = True
        self.reader.proven(self)
