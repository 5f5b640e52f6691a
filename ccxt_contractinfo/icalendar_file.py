"""Upcoming events as an iCalendar file (RFC 5545). It needs icalendar."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from icalendar import Calendar, Event

from . import words
from .upcoming import Upcoming

SUMMARIES = {
    "listing": "{} opens for trading",
    "delisting": "{} is delisted",
    "delivery": "{} is delivered",
}


def calendar_of(ahead: Iterable[Upcoming], now: int) -> bytes:
    """The file. Imported again, an event whose time has moved takes the place of what was imported before.

    :param now: ms; when the events were as they are
    """
    calendar = Calendar()
    calendar.add("prodid", "-//ccxt-contractinfo//calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", "Binance futures")
    for each in ahead:
        event = Event()
        event.add("uid", f"{each.id}-{each.kind}@ccxt-contractinfo")
        event.add("dtstamp", _utc(now))
        event.add("dtstart", _utc(each.time))
        event.add("sequence", now // 60_000)  # calendar programs believe a later one only if this has grown
        event.add("summary", SUMMARIES[each.kind].format(each.symbol))
        event.add("description", f"{each.id}, {each.kind} at {words.date(each.time)}, status {each.status}")
        event.add("categories", [each.kind])
        event.add("transp", "TRANSPARENT")  # nobody is busy meanwhile
        calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content


def _utc(time: int) -> datetime:
    return datetime.fromtimestamp(time // 1000, timezone.utc)
