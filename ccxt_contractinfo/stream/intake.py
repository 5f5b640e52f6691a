"""What happens to a push: it is held back, checked for repeats, applied to each table, and told."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from ..clock import FOREVER
from ..contracts.events import Arrival, ContractInfoEvent, Outcome, PartialEvent
from ..contracts.tiers import is_continuous
from ..delivery.channel import Channel
from ..errors import CumulativeMismatch, MalformedEvent, PushContradicted
from ..journal.recorder import Recorder
from ..markets.table import Again, Handled, MarketTable
from ..positions.leverage_tiers import LeverageTiers
from ..weak_list import WeakList
from .follower import Follower
from .freshness import Freshness
from .reports import Reports

logger = logging.getLogger("ccxt_contractinfo")

HOLD_BACK = 1.0
"""How long (s) pushes wait at most for a new connection's first comparison, to be told after what was missed."""

_LOOKS = 10
"""How often to look for other tables before a push is told."""

_OF_NO_EFFECT = (Outcome.DUPLICATE, Outcome.IGNORED)  # a tuple: an Outcome is slow to hash


class Doubts(Protocol):
    """What asks REST because of a push: the stream's comparison."""

    def ask_for(self, again: Again) -> None:
        """A push needs REST."""
        ...

    def disbelieve(self, now: float) -> None:
        """A push came that cannot be believed."""
        ...


class Intake:
    """Applies the pushes of a stream to the tables of its followers. Times are s by `clock.now`.

    The caller holds the stream's lock.

    :param followers: the followers whose tables are kept true
    :param events: the channel that gets each event, after the tables
    :param settle_time: s; see `MarketTable.handle`
    """

    def __init__(
        self,
        followers: WeakList[Follower],
        events: Channel,
        recorder: Recorder,
        doubts: Doubts,
        reports: Reports,
        freshness: Freshness,
        settle_time: float = FOREVER,
    ) -> None:
        self.knows_tables = False
        """Set it to False when a follower may have another table, or markets that a user has set."""
        self._tables: tuple[MarketTable, ...] = ()
        self._has_failed = False
        """Whether the markets of a follower could not be taken over."""
        self.last_event: float | None = None
        """When the last push came."""
        self.counts: Counter[str] = Counter()
        self.release_due = FOREVER
        """When to release the pushes that are held back."""
        self._followers = followers
        self._events = events
        self._recorder = recorder
        self._doubts = doubts
        self._reports = reports
        self._freshness = freshness
        self._settle_time = settle_time
        self._held_back: list[Arrival] | None = None
        self._overlap: set[bytes] | None = None
        """The pushes that came while two connections deliver the same; None at other times."""

    def begin_overlap(self) -> None:
        """From now on, two connections deliver the same."""
        self._overlap = set()

    def end_overlap(self) -> None:
        """Everything has come that both connections delivered."""
        self._overlap = None

    def hold_back(self) -> None:
        """Let pushes wait until `release`, for `HOLD_BACK` at most."""
        if self._held_back is None:
            self._held_back = []

    def forget(self) -> None:
        """Drop what waits, and tell nothing: this is another process now, or a journal's stream was killed."""
        self._held_back, self._overlap, self.release_due = None, None, FOREVER
        self.forget_tables()

    def forget_tables(self) -> None:
        """Look the tables up again before the next push. Until then, do not keep them alive."""
        self.knows_tables, self._tables = False, ()

    def take(
        self,
        event: ContractInfoEvent | None,
        error: MalformedEvent | None,
        data: bytes,
        now: float,
        *,
        is_repeated: bool = False,
    ) -> None:
        """Take a push.

        :param event: the part that can be believed; None: no part
        :param error: what is wrong with the rest; None: nothing
        :param data: the message as it came, at `now`
        :param is_repeated: it has come before, over another way
        """
        self.last_event = now
        is_repeated = is_repeated or (self._overlap is not None and data in self._overlap)
        if self._recorder.writers:
            self._recorder.push(data, now, is_held=self._held_back is not None, is_repeated=is_repeated)
        is_whole = event is not None and not isinstance(event, PartialEvent)
        self.counts["events"] += is_whole
        if event is not None and is_whole:
            self.counts["unknown_values"] += event.has_unknown_value
        if is_repeated:
            self.counts["duplicates"] += is_whole
            return
        if self._overlap is not None:
            self._overlap.add(data)
        if error is not None:
            self._reports.complain(error, (None if event is None else event.id, error.field), now)
            self._doubts.disbelieve(now)
        if event is None:
            return
        if event.brackets and not is_continuous(event.brackets):
            self._report_differences(event, now)
        arrival = Arrival(event, now)
        if self._held_back is None:
            self._deliver(arrival)
            return
        if not self._held_back:
            self.release_due = now + HOLD_BACK
        self._held_back.append(arrival)

    def not_understood(self, data: bytes, now: float) -> None:
        """An unreadable message came: it may have been a push of any contract."""
        self._recorder.push(data, now, is_held=self._held_back is not None, is_whole=False)
        self._doubts.disbelieve(now)

    def release(self) -> list[Arrival]:
        """Deliver what was held back; returns the pushes that changed something."""
        held, self._held_back, self.release_due = self._held_back or [], None, FOREVER
        if held:
            self._recorder.note("release")
        changed, interruption = [], None
        for arrival in held:
            try:
                if self._deliver(arrival):
                    changed.append(arrival)
            except BaseException as error:  # such as Ctrl-C; the others are delivered all the same
                interruption = error
        if interruption is not None:
            raise interruption
        return changed

    def _deliver(self, arrival: Arrival) -> bool:
        """Apply a push to all tables, then tell it; returns whether it changed something."""
        tables = self._tables if self.knows_tables else self._find_tables()
        handled: list[Handled] = []
        interruption = self._hand_to(tables, arrival, handled)
        for _ in range(_LOOKS):  # a reload may replace a table while this waits for its lock
            if self.knows_tables:
                break
            before, tables = tables, self._find_tables()
            others = [table for table in tables if table not in before]
            interruption = self._hand_to(others, arrival, handled) or interruption
        self.knows_tables = self.knows_tables and not self._has_failed
        if not isinstance(arrival.event, PartialEvent):
            self._events.publish(arrival.event)
        is_applied = is_duplicate = has_effect = False
        contradicted = None
        for outcome, asks, contradicts in handled:
            is_applied |= outcome is Outcome.APPLIED
            is_duplicate |= outcome is Outcome.DUPLICATE
            has_effect |= outcome not in _OF_NO_EFFECT
            contradicted = contradicted or contradicts
            for again in asks:
                self._doubts.ask_for(again)
        if is_duplicate and not has_effect:
            self.counts["duplicates"] += 1
        if contradicted is not None:
            self._contradicted(arrival, contradicted)
        if interruption is not None:
            raise interruption
        return is_applied

    def _find_tables(self) -> tuple[MarketTable, ...]:
        """The tables of all followers, except those whose markets cannot be taken over: a user's own may hold anything.
        These are reported, and tried again at the next push."""
        self.knows_tables, self._has_failed = True, False  # before the search: they may change meanwhile
        tables: dict[MarketTable, None] = {}
        for follower in self._followers:
            try:
                tables[follower.in_step()] = None
            except Exception as error:
                self._has_failed = True
                logger.exception("contractInfo: the markets of an exchange cannot be taken over")
                self._reports.report(error)
                self._doubts.ask_for(Again.SETTLED)
        self._tables = tuple(tables)
        return self._tables

    def _hand_to(self, tables: Iterable[MarketTable], arrival: Arrival, handled: list[Handled]) -> BaseException | None:
        """Have tables apply a push, and add to `handled` what became of it. Returns what has interrupted one of them,
        such as Ctrl-C; the others have the push all the same."""
        interruption = None
        for table in tables:
            try:
                handled.append(table.handle(arrival, self._settle_time))
            except Exception as error:
                logger.exception("contractInfo: %s could not be applied", arrival.event)
                self._reports.report(error)
                self._doubts.ask_for(Again.SETTLED)
            except BaseException as error:
                interruption = error
                self._doubts.ask_for(Again.SETTLED)
        return interruption

    def _contradicted(self, arrival: Arrival, known: ContractInfoEvent) -> None:
        """A push contradicts `known`, which came before it and claims to be newer."""
        id, now = arrival.event.id, arrival.received
        venue_time = self._freshness.venue.time(now)
        self._reports.complain(PushContradicted(id, arrival.event.event_time, known.event_time, venue_time), id, now)
        self._doubts.disbelieve(now)

    def _report_differences(self, event: ContractInfoEvent, now: float) -> None:
        if differences := LeverageTiers(event).cumulative_differences:
            self._reports.complain(CumulativeMismatch(event.id, differences), event.id, now)
