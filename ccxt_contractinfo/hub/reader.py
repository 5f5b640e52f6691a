"""Reads from a hub instead of a venue: its snapshot, then each entry of its stream, on a thread."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

import ccxt

from .. import clock
from ..backoff import Backoff
from ..clock import FOREVER
from ..errors import HubGap, HubSilent, MalformedEvent
from ..journal.entries import ANSWERS, bytes_of
from ..settings import Settings
from ..shown import shown_url, shown_value
from ..venues.listener import HubListener
from ..venues.messages import InvalidPush, Message
from ..venues.rest import Answers
from ..venues.venue import Venue
from .answers import HubAnswers
from .link import Link
from .mirror import APART, Mirror
from .wire import Keys, Place, StreamEntry

logger = logging.getLogger("ccxt_contractinfo")

TICK = 1.0
"""s; a wait for entries takes no longer, so that the reader can end."""


class HubReader:
    """Follows a hub, from `start` to `end`, over one connection after the other.

    Where entries are missing, or this is the first time, the mirror begins with the hub's snapshot. The markets are
    compared with the mirror, and each push is told that comes after the snapshot: the markets know which are older.
    """

    is_alone = True

    def __init__(self, listener: HubListener, venue: Venue, settings: Settings, url: str) -> None:
        self.listener = listener
        self.settings = settings
        self.shown = shown_url(url)
        self._parse = venue.parser()
        self.mirror = Mirror(venue)
        self.is_fresh = False
        self._link = Link(url, Keys.of(settings.prefix, venue.name), settings.connect_timeout, settings.ping_timeout)
        self._tick = min(TICK, settings.canary_timeout / 4)
        self._thread = threading.Thread(target=self._run, name="ccxt-contractinfo-reader", daemon=True)
        self._ended = threading.Event()
        self._backoff = Backoff(settings.backoff_base, settings.backoff_max)
        self._place: Place | None = None
        """The last entry that was read; None: begin with the snapshot."""
        self._offsets: deque[float] = deque(maxlen=3)
        """From the hub's clock to `clock.now`, as the last beats have shown it."""
        self._session = HubSession(self)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def end(self) -> None:
        """Make the thread end, within a second. From any thread."""
        self._ended.set()

    def is_over(self) -> bool:
        """Whether `end` was called."""
        return self._ended.is_set()

    def join(self, deadline: float) -> None:
        """Wait for the end of the thread, until `deadline` (s by `clock.now`) at most."""
        if self._thread is not threading.current_thread() and self._thread.is_alive():
            self._thread.join(max(0.0, deadline - clock.now()))

    def abandon(self) -> None:
        """Do nothing: redis-py makes another connection in the child of a fork."""

    def parse(self, data: bytes) -> Message:
        """See `Reads`. A push that cannot be believed whole makes the hub ask REST; until it says so, nothing counts as
        fresh here."""
        try:
            message = self._parse(data)
        except MalformedEvent:
            self.is_fresh = False
            raise
        if isinstance(message, InvalidPush):
            self.is_fresh = False
        return message

    def answers(self) -> Answers:
        """See `Reads`: what the hub knows now."""
        return HubAnswers(self.mirror, self.shown)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._work()
        except BaseException as caught:  # the stream has to say that nothing is read any more
            error = caught
        finally:
            self._link.close()
        self.listener.ended(self, error)

    def _work(self) -> None:
        while not self.is_over():
            error = self._follow()
            if error is None:
                return
            self._link.close()
            self.is_fresh = False
            if isinstance(error, HubGap):
                self._place = None
            delay = self._backoff.next_delay(error)
            self.listener.lost(self._session, error, self._backoff.tries, delay)
            self._wait(delay)
            self._session = HubSession(self)

    def _wait(self, delay: float) -> None:
        until = clock.now() + delay
        while (left := until - clock.now()) > 0 and not self.is_over():
            self._ended.wait(min(left, max(0.0, self.listener.due() - clock.now())))
            self.listener.tick(clock.now())

    def _follow(self) -> ccxt.BaseError | None:
        """Follow the hub until it is lost; returns the error, or None at the end."""
        session = self._session
        try:
            self._link.check()
            self._catch_up(session)
            session.begin()
            self.listener.connected(session)
            self._read(session)
        except ccxt.BaseError as error:
            return error
        except Exception as error:
            logger.exception("contractInfo: the reader failed")
            return ccxt.NetworkError(f"{self.shown}: {shown_value(error)}")
        return None

    def _catch_up(self, session: HubSession) -> None:
        """Read what was published until now."""
        if self._place is not None and not self._link.has(self._place):
            self._place = None
            raise HubGap(f"{self.shown}: the hub's stream does not have the last entry that was read any more")
        if self._place is None:
            self._begin(session)
        if self._place is not None:
            for entry in self._link.after(self._place):
                self._take(session, entry)

    def _begin(self, session: HubSession) -> None:
        """Begin with the snapshot."""
        due = clock.now() + self.settings.canary_timeout
        while (snapshot := self._link.snapshot()) is None or not self._link.has(snapshot.place):
            if clock.now() >= due:
                raise HubSilent(f"{self.shown}: no hub has published anything to begin with")
            self._wait(self._tick)
            if self.is_over():
                return
        written = self._link.when(snapshot.time)
        with self.mirror.lock:
            self.mirror.begin(snapshot.entries, written)
            for entry in snapshot.entries:
                if entry["kind"] == "push":
                    self._tell(session, entry)
        self._place = snapshot.place

    def _read(self, session: HubSession) -> None:
        """Read entries as they come."""
        while not self.is_over():
            assert self._place is not None
            entries = self._link.wait(self._place, self._tick)
            now = clock.now()
            self.listener.heard(now)
            for entry in entries:
                self._take(session, entry, is_live=True)
            self.listener.tick(now)
            if not entries and not self._link.has(self._place):
                raise HubGap(f"{self.shown}: the hub's stream was emptied, or restored from an earlier state")
            session.check(clock.now())

    def _take(self, session: HubSession, read: StreamEntry, *, is_live: bool = False) -> None:
        """Take an entry.

        :param is_live: it was written just now
        """
        entry, kind = read.entry, read.entry["kind"]
        written = self._link.when(read.time) if kind == "start" else None
        with self.mirror.lock:  # a comparison sees both or neither
            if kind == "start":
                self._offsets.clear()
                session.begins()
            if kind == "push":
                self._tell(session, entry)
            try:
                self.mirror.play(entry, written)
            except Exception as error:  # what is in Redis may be anything
                logger.exception("contractInfo: an entry of the hub cannot be applied")
                raise HubGap(f"{self.shown}: the entry {read.place.id!r} cannot be applied: {error!r}") from error
        self._place = read.place
        if kind == "beat":
            self.is_fresh = entry["fresh"]
            if is_live:
                self._check_clock(read)
                self.listener.canary(session, entry["canary"], clock.now())
        elif kind in ANSWERS:
            self.listener.outdated()

    def _tell(self, session: HubSession, push: Mapping[str, Any]) -> None:
        # By the hub's clock, like the times of REST's answers, but not in the future.
        received = min(clock.now(), push["clock"] + self.mirror.offset)
        self.listener.received(session, bytes_of(push["raw"]), received)

    def _check_clock(self, beat: StreamEntry) -> None:
        """Raise `HubGap` if a beat shows that the times of the hub's entries were taken for other ones: then all that
        it knows is read again. Redis's clock, by which they were taken, may have been set meanwhile."""
        mirror, offset = self.mirror, clock.now() - beat.entry["clock"]
        if abs(offset - mirror.offset) > APART:
            offset = self._link.when(beat.time) - beat.entry["clock"]  # this machine may be busy
        self._offsets.append(offset)
        shown = min(self._offsets)  # each is too large by the time that the beat was on its way
        if abs(shown - mirror.offset) > APART:
            mirror.offsets = {mirror.hub: shown}
            raise HubGap(
                f"{self.shown}: the hub's clock is {abs(shown - mirror.offset):.1f} s off what was taken for it"
            )


class HubSession:
    """One connection of a reader to a hub."""

    def __init__(self, reader: HubReader) -> None:
        self.reader = reader
        self.is_open = False
        self.since = 0
        """When (ms since the epoch) it was connected."""
        self._is_proven = False
        self._last = 0.0
        self._due = FOREVER

    def begin(self) -> None:
        """All was read that was published until now."""
        self.is_open, self.since = True, clock.epoch_ms()
        self._due = clock.now() + self.reader.settings.canary_timeout

    def begins(self) -> None:
        """Another hub publishes, whose time of the canary may be behind that of the one before."""
        self._last = 0.0

    def canary(self, event_time: float, now: float) -> None:
        """A hub says that the venue has pushed the canary, with this event time (ms)."""
        before, self._last = self._last, max(self._last, event_time)
        if event_time <= before:
            return
        self._due = now + self.reader.settings.canary_timeout
        if not self._is_proven:
            self._is_proven = True
            self.reader._backoff.reset()
            self.reader.listener.proven(self)

    def check(self, now: float) -> None:
        """Raise `HubSilent` if no hub has said for too long that it hears the venue."""
        if now >= self._due:
            timeout = self.reader.settings.canary_timeout
            raise HubSilent(f"{self.reader.shown}: for {timeout:g} s no hub has said that it hears the venue")

    def server_shuts_down(self, now: float) -> None:
        """No hub says so."""
