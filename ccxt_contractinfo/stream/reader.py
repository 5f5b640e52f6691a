"""The threads that read: connect, prove by the canary, receive, reconnect. To rotate, they prove a new connection
before they let the old one go."""

from __future__ import annotations

import logging
import threading

import ccxt

from .. import clock
from ..backoff import Backoff
from ..clock import FOREVER
from ..errors import CanaryTimeout, PongTimeout
from ..settings import Settings
from ..shown import shown_value
from ..venues.endpoint import Endpoint
from ..venues.listener import Listener
from ..venues.rest import Answers
from ..venues.venue import Venue
from .connection import PONG, Connection

logger = logging.getLogger("ccxt_contractinfo")

STEADY = 10.0
"""s; a connection that delivers for so long is not part of a storm of reconnects."""

RETRY = 1.0
"""s; how soon to look again at a connection that is due to be replaced, but not proven yet."""


class Reader:
    """Reads from a venue's endpoint, from `start` to `end`, on a thread, over one connection after the other."""

    def __init__(self, listener: Listener, venue: Venue, settings: Settings, endpoint: Endpoint) -> None:
        self.listener = listener
        self.venue, self.parse = venue, venue.parser()
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
            if thread is not threading.current_thread() and thread.is_alive():  # it may never have been started
                thread.join(max(0.0, deadline - clock.now()))

    def abandon(self) -> None:
        """Let go of the sockets without sending anything. For the child of a fork: the parent still uses them."""
        for session in self._sessions():
            session.connection.abandon()

    def proven(self, session: Session) -> None:
        """A connection delivers: the one that it replaces may go as soon as that has delivered as much."""
        self.listener.proven(session)
        if self._old is not None and self._old[0] is not session:
            self._old[0].retire(session.last_canary if self.settings.canary else FOREVER)

    def delivers(self, session: Session, now: float) -> None:
        """A connection delivers at `now` (s by `clock.now`): if it is the latest, and was connected a while ago, the
        next try need not wait."""
        if session is self._session and now - session.began >= min(STEADY, self.settings.backoff_max):
            self._backoff.reset()

    is_fresh = True

    def answers(self) -> Answers:
        """See `Reads`: REST."""
        return Answers()

    @property
    def is_alone(self) -> bool:
        """Whether there is only one connection."""
        return self._old is None or not self._old[1].is_alive()

    def is_replaceable(self, session: Session) -> bool:
        """Whether a connection may be replaced now: it is the latest, and the one before it is gone."""
        return session is self._session and self.is_alone

    def delay_of_shutdown(self, session: Session, now: float) -> float:
        """How long (s) to wait before replacing a connection because the server goes down: briefly, unless the server
        says so on every new connection."""
        if now - session.began > self.settings.backoff_max:
            self._rotations.reset()
        return self._rotations.next_delay()

    def _sessions(self) -> list[Session]:
        return [self._session, *([self._old[0]] if self._old else [])]

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._work()
        except BaseException as caught:  # else it would be lost; the stream has to say that nothing is read any more
            error = caught
            self._session.connection.close()
        self.listener.ended(self, error)

    def _work(self) -> None:
        while not self.is_over():
            session = self._session
            error = self._live(session)
            if self.is_over():
                session.connection.close()  # if it was to be replaced, it is still open
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
        """Tell that a connection is gone; if that fails, once more: the stream must not seem to have it still."""
        try:
            self.listener.lost(session, error, self._backoff.tries, delay)
        except Exception as failure:
            logger.exception("contractInfo: that a connection is lost could not be told")
            failed = ccxt.NetworkError(f"{error}; and this could not be told: {shown_value(failure)}")
            self.listener.lost(session, failed, self._backoff.tries, delay)

    def _waited(self, delay: float) -> bool:
        """Wait for `delay` (s); returns False if the reader was ended before that."""
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
        """Let a connection go on, on its own thread, until its successor is proven; returns the error if it cannot."""
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
        """Tell that a connection has been let go; returns the error if that fails."""
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
        except BaseException as caught:  # else the stream would go on to count on this connection
            session.connection.close()
            self.end()
            self.listener.ended(self, caught)

    def _live(self, session: Session) -> ccxt.BaseError | None:
        """Open a connection, or go on with it. Returns why it ended; None if it is to be replaced, or has been."""
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
    """One connection of a reader, and its state. One thread at a time follows it.

    :param lost_at: the event time (ms) of the last push of the canary on the previous connection, if that was lost
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
        """Let it end when it has delivered all that its successor may lack: what was pushed before the successor's
        first push of the canary, whose event time (ms) is `canary`."""
        settings = self.reader.settings
        self._retired_by = canary
        self._retire_due = clock.now() + (settings.canary_timeout if settings.canary else settings.ping_timeout)

    def follow(self) -> bool:
        """Connect if needed, and receive. Returns True when the connection is to be replaced; False when it has been
        replaced, or the reader has ended. Raises the error by which the connection was lost."""
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
            if isinstance(message, list):
                for text in message:
                    listener.received(self, text, now)
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
        """Raise if a pong or a canary push is overdue at `now` (s by `clock.now`).

        :param is_behind: something else has just been read, so what is overdue may have come already, behind it. It
            gets as much time again, but no more: a peer that sends without end may never send it
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
        """A push of the canary came, with this event time (ms; 0: it has none). A repeated push proves nothing."""
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
        self.began, self.since = clock.now(), clock.epoch_ms()
        self.reader.listener.connected(self)
        self._subscribe()
        self._ping_due = self.began + settings.ping_interval
        self._rotate_due = self.began + settings.rotate_after
        if settings.canary:
            self._canary_due = self.began + settings.canary_timeout
        else:
            self.connection.ping()  # any reply shows that the subscription was heard
            self._pong_due = self.began + settings.ping_timeout

    def _subscribe(self) -> None:
        reader = self.reader
        for request in reader.venue.subscription(reader.endpoint.url, reader.settings.canary):
            self.connection.send(request)
            reader.listener.sent(request)

    def _prove(self) -> None:
        self.is_proven = True
        self.reader.proven(self)
