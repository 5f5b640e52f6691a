"""From one push to the markets: held back, told apart from repeats, applied to each table, and told."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Protocol

from ..clock import FOREVER
from ..contracts.events import Arrival, ContractInfoEvent, Outcome, PartialEvent
from ..contracts.tiers import is_continuous
from ..delivery.channel import Channel
from ..errors import CumulativeMismatch, MalformedEvent, PushContradicted
from ..journal.recorder import Recorder
from ..markets.table import IGNORED, Again, Handled, MarketTable
from ..positions.leverage_tiers import LeverageTiers
from ..weak_list import WeakList
from .follower import Follower
from .freshness import Freshness
from .reports import Reports

logger = logging.getLogger("ccxt_contractinfo")

HOLD_BACK = 1.0
"""How long (s) pushes wait at most for the first comparison on a new connection, to be told behind what was missed."""

_OF_NO_EFFECT = (Outcome.DUPLICATE, Outcome.IGNORED)  # a tuple: an Outcome is slow to hash


class Doubts(Protocol):
    """What is told that REST has to be asked: the stream's comparison."""

    def ask_for(self, again: Again) -> None:
        """A push needs REST."""
        ...

    def disbelieve(self, now: float) -> None:
        """A push came that cannot be believed."""
        ...


class Intake:
    """Takes the pushes of a stream into the tables that follow it. Times are s by `clock.now`.

    It is used with the stream's lock.

    :param followers: those whose tables are kept true
    :param events: the channel on which each event is told, after the tables
    """

    def __init__(
        self,
        followers: WeakList[Follower],
        events: Channel,
        recorder: Recorder,
        doubts: Doubts,
        reports: Reports,
        freshness: Freshness,
    ) -> None:
        self.knows_tables = False
        """To be set to False where a follower may have another table, or markets that a user has set."""
        self._tables: tuple[MarketTable, ...] = ()
        self.last_event: float | None = None
        """When the last push came."""
        self.counts: Counter[str] = Counter()
        self.release_due = FOREVER
        """When what is held back has to be released."""
        self._followers = followers
        self._events = events
        self._recorder = recorder
        self._doubts = doubts
        self._reports = reports
        self._freshness = freshness
        self._held_back: list[Arrival] | None = None
        self._overlap: set[bytes] | None = None
        """What has come while two connections deliver the same."""

    def begin_overlap(self) -> None:
        """From now on, two connections deliver the same."""
        self._overlap = set()

    def end_overlap(self) -> None:
        """All that two connections delivered has come."""
        self._overlap = None

    def hold_back(self) -> None:
        """Let pushes wait until `release`, for `HOLD_BACK` at most."""
        if self._held_back is None:
            self._held_back = []

    def forget(self) -> None:
        """Let go of what waits, without a word: this is another process now, or a journal's stream was killed."""
        self._held_back, self._overlap, self.release_due = None, None, FOREVER
        self.forget_tables()

    def forget_tables(self) -> None:
        """Look for the tables before the next push. Until then, none is kept that only this would hold."""
        self.knows_tables, self._tables = False, ()

    def take(self, event: ContractInfoEvent | None, error: MalformedEvent | None, data: bytes, now: float) -> None:
        """Take a push.

        :param event: what of it can be believed; None: nothing
        :param error: what cannot; None: all can
        :param data: as it came, at `now`
        """
        self.last_event = now
        is_repeated = self._overlap is not None and data in self._overlap
        if self._recorder.journal is not None:
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
        """A message came that may have been a push of anything."""
        self._recorder.push(data, now, is_held=self._held_back is not None, is_whole=False)
        self._doubts.disbelieve(now)

    def release(self) -> list[Arrival]:
        """Deliver what was held back; returns what of it has changed anything."""
        held, self._held_back, self.release_due = self._held_back or [], None, FOREVER
        if held:
            self._recorder.note("release")
        return [arrival for arrival in held if self._deliver(arrival)]

    def _deliver(self, arrival: Arrival) -> bool:
        """Apply a push to all tables, then tell it; returns whether it has changed anything."""
        tables = self._tables if self.knows_tables else self._find_tables()
        handled = [self._handled(table, arrival) for table in tables]
        while not self.knows_tables:  # a reload has put another one in the place of one whose lock was waited for
            before, tables = tables, self._find_tables()
            handled += [self._handled(table, arrival) for table in tables if table not in before]
        outcomes = [each.outcome for each in handled]
        if Outcome.DUPLICATE in outcomes and all(each in _OF_NO_EFFECT for each in outcomes):
            self.counts["duplicates"] += 1
        if not isinstance(arrival.event, PartialEvent):
            self._events.publish(arrival.event)
        for each in handled:
            for again in each.again:
                self._doubts.ask_for(again)
        contradicted = next((each.contradicts for each in handled if each.contradicts is not None), None)
        if contradicted is not None:
            self._contradicted(arrival, contradicted)
        return Outcome.APPLIED in outcomes

    def _find_tables(self) -> tuple[MarketTable, ...]:
        self.knows_tables = True  # before they are looked for: they may change meanwhile
        self._tables = tuple({follower.in_step(): None for follower in self._followers})
        return self._tables

    def _handled(self, table: MarketTable, arrival: Arrival) -> Handled:
        try:
            return table.handle(arrival)
        except Exception as error:
            logger.exception("contractInfo: %s could not be applied", arrival.event)
            self._reports.report(error)
            self._doubts.ask_for(Again.SETTLED)
            return IGNORED

    def _contradicted(self, arrival: Arrival, known: ContractInfoEvent) -> None:
        """A push says otherwise than `known`, which came before it and claims to be newer."""
        id, now = arrival.event.id, arrival.received
        venue_time = self._freshness.venue.time(now)
        self._reports.complain(PushContradicted(id, arrival.event.event_time, known.event_time, venue_time), id, now)
        self._doubts.disbelieve(now)

    def _report_differences(self, event: ContractInfoEvent, now: float) -> None:
        if differences := LeverageTiers(event).cumulative_differences:
            self._reports.complain(CumulativeMismatch(event.id, differences), event.id, now)
