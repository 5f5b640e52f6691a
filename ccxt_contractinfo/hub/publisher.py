"""Publishes what a hub's stream hears, while the hub holds the lease; until then, it stands by."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import ccxt

from .. import clock
from ..backoff import Backoff
from ..contracts.events import SubType
from ..errors import RedisLost
from ..journal.answers import WrittenAnswers
from ..journal.entries import FORMAT, entry_line, parse_entry, push_line
from ..venues.snapshot import Entry, Known, Snapshot
from ..venues.venue import Venue
from .link import Link
from .mirror import Mirror
from .published import Published, said
from .wire import CAN_BEGIN, PUBLISH, PUT_SNAPSHOT, RELEASE_LEASE

logger = logging.getLogger("ccxt_contractinfo")

BEATS = 3
"""In one lease, so that a lost one does no harm."""

DEAF = 2
"""Leases; a hub that has not heard the venue for so long lets another one publish."""

WINDOW = 60.0
"""s; what one that stands by keeps of what it heard: at least so much, and four leases."""

SNAPSHOTS = 600.0
"""s between two snapshots."""

_CHUNK = 200
"""How many entries are written in one step."""


class Source(Protocol):
    """The hub's stream, and the markets that it keeps true."""

    @property
    def venue(self) -> Venue:
        """The stream's."""
        ...

    @property
    def state(self) -> str:
        """The stream's state."""
        ...

    @property
    def settle_time(self) -> float:
        """The stream's setting, in s."""
        ...

    @property
    def url(self) -> str:
        """Where the stream is connected, as it may be shown."""
        ...

    @property
    def canary_time(self) -> int:
        """When the venue made the last push of the canary, in ms; without a canary: now."""
        ...

    @property
    def sub_types(self) -> set[SubType]:
        """Those of the hub's markets. Another exchange on the stream may have others."""
        ...

    def is_fresh(self) -> bool:
        """Whether the markets may be trusted now."""
        ...

    def known(self) -> list[Known]:
        """What is known of each sub-type."""
        ...

    def ask(self) -> None:
        """Compare the markets with REST now. Does not wait."""
        ...

    def report(self, error: BaseException) -> None:
        """Give an error to the stream's error callbacks."""
        ...


class _Heard(NamedTuple):
    """A push that was heard: when (s by `clock.now`), and its line."""

    received: float
    line: bytes


class Publisher:
    """Writes entries to Redis, on its own thread. It is a `Writer` of the hub's stream; all methods may be called from
    any thread. It is started once.

    :param name: of the hub; no other one has it
    :param lease: s
    :param keep: s for which entries are kept in Redis
    :param most: how many pushes are kept while they cannot be published
    """

    def __init__(
        self, source: Source, link: Link, name: str, *, lease: float, keep: float, most: int, backoff: Backoff
    ) -> None:
        self.name = name
        self.is_publishing = False
        """Whether this hub has written last, and had the lease then."""
        self.is_connected = False
        """Whether Redis answers."""
        self.published = 0
        """How many entries were written, beats aside."""
        self._source = source
        self._link = link
        self._lease = lease
        self._keep = keep
        self._backoff = backoff
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_over = False
        self._heard: deque[_Heard] = deque(maxlen=most)
        self._queue: deque[bytes] = deque()
        self._last: tuple[Snapshot, Mapping[str, list[Entry]] | None] | None = None
        self._mirror = Mirror(source.venue)
        """What those who follow know."""
        self._unsaid: set[SubType] = set()
        """The sub-types on which REST has not answered since this hub took over."""
        self._published = Published(source.venue, link)
        self._is_writing = False
        """Whether what comes is going to be written."""
        self._end = b""
        """The id of the entry that was written last, or with which another hub has ended."""
        self._pushes = 0
        """How many were heard."""
        self._canary: tuple[int, float] = 0, -clock.FOREVER
        """The time of the canary's last push (ms), and when it was seen first (s by `clock.now`)."""
        self._beat_due = self._snapshot_due = self._forget_due = -clock.FOREVER
        self._asked = 0.0, -clock.FOREVER
        """For pushes since when REST was asked to decide, and when."""

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread = threading.Thread(target=self._work, name="ccxt-contractinfo-hub", daemon=True)
        self._thread.start()

    def stop(self, deadline: float) -> None:
        """Publish what was heard, and let another hub have the lease; until `deadline` (s by `clock.now`) at most."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - clock.now()))

    def wait_until_connected(self, deadline: float) -> bool:
        """Wait until Redis answers, until `deadline` (s by `clock.now`) at most; returns whether it does."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.is_connected or self._is_over,
                None if deadline == clock.FOREVER else deadline - clock.now(),
            )
            return self.is_connected

    # What the stream tells: see `Writer`

    def push(
        self, data: bytes, received: float, *, is_held: bool = False, is_repeated: bool = False, is_whole: bool = True
    ) -> None:
        """A push has come. That it is held back makes no difference to those who follow: the newer counts."""
        if is_repeated:
            return
        came = clock.epoch_ms(received)
        line = push_line(data, came, received, is_object=is_whole).rstrip(b"\n")
        with self._changed:
            self._pushes += 1
            self._heard.append(_Heard(received, line))
            self._put(line)

    def note(self, kind: str, **fields: Any) -> None:
        """Something else has happened; the states are published."""
        if kind == "state":
            with self._changed:
                self._put(_line(kind, fields))

    def markets(
        self,
        snapshot: Snapshot,
        brackets: Mapping[str, list[Entry]],
        left_out: list[str] | None = None,
        since: int | None = None,
    ) -> None:
        """What an exchange knows is in the snapshot."""

    def rest(
        self,
        snapshot: Snapshot,
        brackets: Mapping[str, list[Entry]] | None,
        brackets_asked: float,
        is_parted: bool = False,
    ) -> None:
        """An answer of REST is going to be applied. It is published even if nothing has changed: it shows until when
        all is known."""
        is_repeated = self._last is not None and self._last[0] is snapshot and self._last[1] is brackets
        if not self._is_writing or is_repeated:  # several exchanges on the stream apply the same answer
            return
        if snapshot.sub_type not in self._source.sub_types:
            return
        self._last = snapshot, brackets
        with self._changed:
            self._unsaid.discard(snapshot.sub_type)
            self._put(_line("rest", self._verdict(snapshot, brackets, brackets_asked)))

    # The thread

    def _work(self) -> None:
        while not self._is_over:
            try:
                self._serve()
            except ccxt.BaseError as error:
                self._lost(error)
            except Exception as error:
                logger.exception("contractInfo: the hub failed")
                self._lost(error)
        try:
            if self._is_writing:
                self._flush()
            self._link.run(RELEASE_LEASE, [self._link.keys.lease], self.name)
        except ccxt.BaseError as error:
            logger.warning("contractInfo: the lease could not be given back: %s", error)
        self._stand_by()
        self.is_connected = False
        self._link.close()

    def _lost(self, error: BaseException) -> None:
        """Redis is gone, or something else went wrong: begin again later."""
        self._stand_by()
        if not isinstance(error, RedisLost):
            with contextlib.suppress(ccxt.BaseError):  # another hub may be able to publish
                self._link.run(RELEASE_LEASE, [self._link.keys.lease], self.name)
        self._link.close()
        delay = self._backoff.next_delay()
        logger.warning("contractInfo: the hub cannot publish, try %d in %.1f s: %s", self._backoff.tries, delay, error)
        self._source.report(error)
        with self._changed:
            self.is_connected = False
            self._changed.wait_for(lambda: self._is_over, delay)

    def _serve(self) -> None:
        """Publish, or stand by, for as long as Redis answers."""
        self._link.check()
        while not self._is_over:
            if self._is_writing:
                self._publish(hears=self._hears())
            else:
                self._published.catch_up(self._oldest + self._window)
                if self._hears() and self._link.holder() in (None, self.name.encode()):
                    self._take_over()
            self._forget()
            self._backoff.reset()
            with self._changed:
                if not self.is_connected:
                    self.is_connected = True
                    self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._queue) or self._is_over, self._lease / BEATS)

    def _hears(self) -> bool:
        """Whether this hub hears the venue. Its stream is 'live' for some time after the venue has fallen silent."""
        now, canary = clock.now(), self._source.canary_time
        if canary != self._canary[0]:
            self._canary = canary, now
        return self._source.state == "live" and now - self._canary[1] < DEAF * self._lease

    def _publish(self, *, hears: bool) -> None:
        """Write what waits, a beat if it is time, and a snapshot."""
        now = clock.now()
        self._ask_for_verdicts(now)
        is_beat = hears and now >= self._beat_due
        if is_beat:
            self._beat_due = now + self._lease / BEATS
            pushes, canary = self._pushes, self._source.canary_time
            is_fresh = not self._unsaid and self._source.is_fresh()
            with self._changed:  # a push that came meanwhile may have made the difference
                is_fresh = is_fresh and pushes == self._pushes and not self._mirror.is_in_doubt
                self._put(_line("beat", {"clock": clock.now(), "canary": canary, "fresh": is_fresh}))
        if not self._flush():
            return
        if not hears:  # another hub may hear the venue
            self._link.run(RELEASE_LEASE, [self._link.keys.lease], self.name)
            self._stand_by()
        elif now >= self._snapshot_due or (is_beat and not self._can_begin()):
            self._put_snapshot()

    def _ask_for_verdicts(self, now: float) -> None:
        """Have REST asked once its answer decides on pushes. If it fails, the stream asks again by itself."""
        since, (asked_since, asked) = self._mirror.confirmable(), self._asked
        wait = SNAPSHOTS if since == asked_since else max(self._source.settle_time, self._lease)
        if now >= max(since, asked + wait):
            self._asked = since, now
            self._source.ask()

    def _can_begin(self) -> bool:
        """Whether others can begin with the snapshot that is there."""
        return bool(self._link.run(CAN_BEGIN, [self._link.keys.stream, self._link.keys.snapshot]))

    def _take_over(self) -> None:
        """Begin to publish: first the pushes that others have not heard of, and what else this hub knows. Then REST is
        asked, and until it has answered, nothing counts as fresh."""
        published = self._published
        if published.problem:
            logger.warning(
                "contractInfo: all is published again, because what was cannot be read: %s", published.problem
            )
        own = {known.snapshot.sub_type: known for known in self._source.known()}
        others = published.mirror.known()
        if lacking := sorted(others.keys() - own.keys()):
            raise ccxt.BadRequest(
                f"contractInfo: another hub has published {' and '.join(lacking)} contracts, which this one lacks: "
                f"give both the same exchange, or another prefix"
            )
        pushes = published.pushes
        with self._changed:
            self._is_writing, self._end = True, published.end
            self._queue.clear()
            self._mirror, self._unsaid = published.mirror, set(own)
            self._mirror.offsets = {self.name: 0.0}
            self._asked = 0.0, -clock.FOREVER
            self._put(self._start_line())
            for heard in [*self._heard]:
                push = parse_entry(heard.line)
                if said(push) in pushes:
                    continue
                if self._mirror.is_news(said(push), push["time"]):
                    self._put(heard.line)
                else:  # others are never told of it
                    self._heard.remove(heard)
        for sub_type, known in own.items():
            asked = others[sub_type].brackets_asked if sub_type in others else -clock.FOREVER
            brackets = known.brackets if known.brackets_asked > asked else None  # others may have newer ones
            with self._changed:
                fields = self._verdict(known.snapshot, brackets, max(known.brackets_asked, known.snapshot.asked))
                if any(fields.get(name) for name in ("complete", "entries", "gone", "brackets", "coefficients")):
                    self._put(_line("rest", fields))
        self._published.forget()
        self._beat_due = self._snapshot_due = -clock.FOREVER
        self._publish(hears=True)
        if self._is_writing:
            logger.info("contractInfo: this hub, %s, publishes now", self.name)
            self._source.ask()

    @property
    def _oldest(self) -> float:
        """How long ago (s) the oldest push came that is kept."""
        with self._changed:
            return clock.now() - self._heard[0].received if self._heard else 0.0

    def _flush(self) -> bool:
        """Write what waits; returns whether it is this hub's turn."""
        while True:
            with self._changed:
                lines = [self._queue[index] for index in range(min(_CHUNK, len(self._queue)))]
            if not lines:
                return True
            keys, keep = self._link.keys, int(self._keep * 1000)
            end = self._link.run(PUBLISH, [keys.stream, keys.lease], *self._turn, keep, *lines)
            if not end:
                self._lost_turn()
                return False
            self._end, self.is_publishing = end, True
            with self._changed:
                for _ in lines:
                    self._queue.popleft()
            self.published += sum(not line.startswith(b'{"kind":"beat"') for line in lines)

    def _put_snapshot(self) -> None:
        """Write from where others can begin: what those know who follow."""
        self._snapshot_due = clock.now() + min(SNAPSHOTS, self._keep / 4)
        lines, known = [self._start_line()], list(self._mirror.known().values())
        if not known:  # it has just begun again
            return
        for snapshot, brackets, brackets_asked, *_ in known:
            asked = max(brackets_asked, snapshot.asked)
            lines.append(_line("markets", WrittenAnswers().fields(snapshot, brackets, asked)))
        since = self._unsettled_since(known)
        with self._changed:
            lines += [heard.line for heard in self._heard if heard.received > since]
        keys = self._link.keys
        if not self._link.run(PUT_SNAPSHOT, [keys.stream, keys.lease, keys.snapshot], *self._turn, b"\n".join(lines)):
            self._lost_turn()

    @property
    def _turn(self) -> tuple[str, bytes, int]:
        """With this, the scripts find out whether it is this hub's turn."""
        return self.name, self._end, max(1, int(self._lease * 1000))

    def _lost_turn(self) -> None:
        logger.warning("contractInfo: something else has written, and this hub, %s, stands by", self.name)
        self._stand_by()

    def _stand_by(self) -> None:
        with self._changed:
            self._is_writing = self.is_publishing = False
            self._queue.clear()
            self._unsaid.clear()
        self._last = None

    def _forget(self) -> None:
        """Forget what was heard long ago, and before REST was asked for what is known."""
        now = clock.now()
        if now < self._forget_due:
            return
        self._forget_due = now + self._window
        until = min(now - self._window, self._unsettled_since(self._source.known()))
        with self._changed:
            while self._heard and self._heard[0].received < until:
                self._heard.popleft()

    def _unsettled_since(self, known: Iterable[Known]) -> float:
        """Since when pushes may be newer than what REST has answered."""
        return min((each.snapshot.asked for each in known), default=-clock.FOREVER) - self._source.settle_time

    def _put(self, line: bytes) -> None:
        """Have a line written, if this hub publishes. With the lock."""
        if self._is_writing:
            self._queue.append(line)
            self._changed.notify_all()
            try:
                self._mirror.play(parse_entry(line))
            except Exception as error:
                logger.warning("contractInfo: %s; REST's next answer is published whole", error)
                self._mirror = Mirror(self._source.venue)
                self._mirror.play(parse_entry(self._start_line()))

    def _verdict(
        self, snapshot: Snapshot, brackets: Mapping[str, list[Entry]] | None, brackets_asked: float
    ) -> dict[str, Any]:
        """The fields of a ``rest`` entry: what an answer says else than those know who follow, and what it says of the
        contracts on whose pushes it decides. With the lock."""
        written, sub_type = WrittenAnswers(), snapshot.sub_type
        if (known := self._mirror.known().get(sub_type)) is not None:
            written.add(known.snapshot, known.brackets)
        fields = {**written.fields(snapshot, brackets, brackets_asked), "cleared": []}  # without a key, none are known
        named = {entry["symbol"] for entry in fields["entries"]} | set(fields["gone"])
        for id in self._mirror.unconfirmed(snapshot.asked, sub_type):
            if id in snapshot.states and id not in named:
                fields["entries"].append(snapshot.entry(id))
            elif snapshot.lacks(id) and id not in named:
                fields["gone"].append(id)
        if brackets is not None:
            ids = self._mirror.unconfirmed_brackets(brackets_asked, sub_type)
            fields["brackets"].update({id: brackets[id] for id in ids if id in brackets})
        return fields

    def _start_line(self) -> bytes:
        source = self._source
        fields = {"url": source.url, "settle_time": source.settle_time, "format": FORMAT, "clock": clock.now()}
        return _line("start", {**fields, "hub": self.name})

    @property
    def _window(self) -> float:
        return max(WINDOW, 4 * self._lease)


def _line(kind: str, fields: Mapping[str, Any]) -> bytes:
    return entry_line(kind, clock.epoch_ms(), fields).rstrip(b"\n")
