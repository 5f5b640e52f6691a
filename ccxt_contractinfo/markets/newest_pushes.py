"""The newest push of each contract: which of two is newer, and until when an answer may not undo one. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Set as AbstractSet

from ..contracts.events import Arrival, ContractInfoEvent, PartialEvent
from ..venue_clock import FAR_OFF


class NewestPushes:
    """The newest push of each contract, and the newest one that carried brackets.

    Pushes are ordered by event time, on whatever connection and in whatever order they came. Times are s by
    `clock.now`. Not thread-safe.
    """

    def __init__(self) -> None:
        self._newest: dict[str, Arrival] = {}
        self._bracketed: dict[str, Arrival] = {}
        self._whole: dict[str, Arrival] = {}
        """For contracts whose newest push is a `PartialEvent`: the newest push before it that is not one."""

    def copy(self) -> NewestPushes:
        """An independent copy."""
        other = NewestPushes()
        other._newest, other._bracketed, other._whole = dict(self._newest), dict(self._bracketed), dict(self._whole)
        return other

    def remember(self, arrival: Arrival) -> None:
        """Take note of a push, if it is the newest."""
        if _is_news(arrival.event, self._newest):
            self._remember(arrival)
        self._remember_brackets(arrival)

    def accept(self, arrival: Arrival) -> bool:
        """Whether neither a newer push of the contract nor this one has come before; if so, take note of it."""
        event = arrival.event
        known = self._newest.get(event.id)
        if known is not None and not _is_later(event, known.event):
            return False
        self._remember(arrival)
        if event.brackets:
            self._remember_brackets(arrival)
        return True

    def _remember(self, arrival: Arrival) -> None:
        event = arrival.event
        if isinstance(event, PartialEvent):
            self._newest[event.id] = self._beside_the_last(arrival)
        else:
            self._newest[event.id] = arrival
            if self._whole:
                self._whole.pop(event.id, None)

    def _remember_brackets(self, arrival: Arrival) -> None:
        if self.has_news_of_brackets(arrival.event):
            self._bracketed[arrival.event.id] = arrival

    def _beside_the_last(self, arrival: Arrival) -> Arrival:
        """A partial event as it is remembered: what the last partial event told counts as told by this one, too."""
        event, last = arrival.event, self._newest.get(arrival.event.id)
        if last is None or not isinstance(event, PartialEvent):
            return arrival
        if isinstance(last.event, PartialEvent):
            return arrival._replace(event=dataclasses.replace(event, untold=event.untold & last.event.untold))
        self._whole[event.id] = last
        return arrival

    def is_news(self, event: ContractInfoEvent) -> bool:
        """Whether neither a newer push of the contract nor this one has come before."""
        return _is_news(event, self._newest)

    def newer(self, event: ContractInfoEvent) -> ContractInfoEvent | None:
        """The newest push of the contract, if that claims to be newer than this one."""
        known = self._newest.get(event.id)
        return known.event if known is not None and known.event.event_time > event.event_time else None

    def has_news_of_brackets(self, event: ContractInfoEvent) -> bool:
        """Whether it has brackets, and no newer ones have come: a newer push without brackets may have overtaken it."""
        return bool(event.brackets) and _is_news(event, self._bracketed)

    def forget_future(self, id: str, now: int) -> None:
        """If the newest push of a contract claims a time that has not come yet at `now` (ms, by the venue's clock),
        forget it, so that the next push counts whatever its event time is."""
        for newest in (self._newest, self._bracketed, self._whole):
            if id in newest and newest[id].event.event_time > now + FAR_OFF * 1000:
                del newest[id]

    def forget_brackets(self, id: str) -> Arrival | None:
        """Forget a contract's newest push with brackets; returns it."""
        return self._bracketed.pop(id, None)

    def unsettled_until(
        self, id: str, asked: float, settle_time: float, differing: AbstractSet[str] | None = None
    ) -> float | None:
        """Until when an answer from REST does not count against the newest push of a contract. None if an answer that
        was asked for at `asked` counts: that is `settle_time` or more after the push.

        :param differing: the names of the event's fields in which the answer differs from what is known; None: all of
            them. If the newest push tells none of them, the answer undoes nothing of it
        """
        newest = self._newest.get(id)
        if newest is not None and isinstance(newest.event, PartialEvent) and differing is not None:
            newest = self._whole.get(id) if differing <= newest.event.untold else newest
        return _unsettled(newest, asked, settle_time)

    def unsettled_brackets_until(self, id: str, asked: float, settle_time: float) -> float | None:
        """The same for the newest push with brackets."""
        return _unsettled(self._bracketed.get(id), asked, settle_time)

    def newer_than(self, id: str, asked: float, settle_time: float) -> list[ContractInfoEvent]:
        """The newest push of a contract and its newest one with brackets, the older first; without those that an answer
        asked for at `asked` undoes."""
        events = [
            newest[id].event
            for newest in (self._bracketed, self._newest)
            if _unsettled(newest.get(id), asked, settle_time) is not None
        ]
        return events[:1] if len(events) > 1 and events[0] is events[1] else events

    def brackets_newer_than(self, asked: float, settle_time: float) -> dict[str, ContractInfoEvent]:
        """The newest pushes with brackets, by contract, that an answer asked for at `asked` does not undo."""
        return {
            id: arrival.event
            for id, arrival in self._bracketed.items()
            if _unsettled(arrival, asked, settle_time) is not None
        }


def _is_news(event: ContractInfoEvent, newest: dict[str, Arrival]) -> bool:
    return event.id not in newest or _is_later(event, newest[event.id].event)


def _is_later(event: ContractInfoEvent, known: ContractInfoEvent) -> bool:
    return event.event_time > known.event_time or (event.event_time == known.event_time and event.raw != known.raw)


def _unsettled(arrival: Arrival | None, asked: float, settle_time: float) -> float | None:
    if arrival is None or asked >= arrival.received + settle_time:
        return None
    return arrival.received + settle_time
