"""Upcoming events as an iCalendar file (RFC 5545). It needs icalendar."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from icalendar import Alarm, Calendar, Event

from ..contracts.events import SubType
from ..contracts.upcoming import Upcoming
from ..shown import shown
from . import formatting

SUMMARIES = {
    "listing": "{} opens for trading",
    "delisting": "{} is delisted",
    "delivery": "{} is delivered",
}

REMINDERS = (timedelta(days=1), timedelta(hours=1))
"""So long before an event, a calendar program reminds the user of it."""

_PRODUCT = "-//ccxt-contractinfo//calendar//EN"
_DOMAIN = "@ccxt-contractinfo"


def uid_of(each: Upcoming) -> str:
    """The UID by which a calendar program finds the event again when the file is imported again."""
    return f"{shown(each.id)}-{each.kind}{_DOMAIN}"


def events_of(content: bytes) -> dict[str, Any]:
    """The events of a calendar that `calendar_of` has made, by their UIDs. Events that others have added are left out.

    :raises ValueError: where `calendar_of` has not made it
    """
    calendar: Any = Calendar.from_ical(content)
    if calendar.name != "VCALENDAR" or calendar.get("prodid") != _PRODUCT:
        raise ValueError("this calendar was made by another program")
    events = {str(event.get("uid")): event for event in calendar.walk("VEVENT")}
    return {uid: event for uid, event in events.items() if uid.endswith(_DOMAIN)}


def calendar_of(
    ahead: Iterable[Upcoming],
    now: int,
    earlier: Mapping[str, Any] | None = None,
    sub_types: Collection[SubType] = ("linear", "inverse"),
) -> bytes:
    """The content of the file. When it is imported again, an event whose time has moved replaces the one before.

    :param ahead: all that lies ahead
    :param now: ms; the time at which `ahead` was true
    :param earlier: the events of the previous file. One that still lies ahead but is not in `ahead` was withdrawn: it
        stays, as cancelled, until its time is past, so that calendar programs remove it
    :param sub_types: of the contracts in `ahead`; earlier events of other contracts stay as they are
    """
    calendar, left = Calendar(), dict(earlier or {})
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", "Binance futures")
    for each in ahead:
        calendar.add_component(_event(each, now, left.pop(uid_of(each), None)))
    for event in left.values():
        if event["dtstart"].dt > _utc(now):
            is_void = event.get("status") != "CANCELLED" and _sub_type(event) in sub_types
            calendar.add_component(_cancelled(event, now) if is_void else event)
    content: bytes = calendar.to_ical()
    return content


def _event(each: Upcoming, now: int, earlier: Any) -> Event:
    event, summary = Event(), SUMMARIES[each.kind].format(shown(each.symbol))
    event.add("uid", uid_of(each))
    event.add("dtstamp", _utc(now))
    event.add("dtstart", _utc(each.time))
    event.add("sequence", _sequence(now, earlier))
    event.add("summary", summary)
    event.add(
        "description", f"{shown(each.id)}, {each.kind} at {formatting.date(each.time)}, status {shown(each.status)}"
    )
    event.add("categories", [each.kind])
    event.add("status", "CONFIRMED")
    event.add("transp", "TRANSPARENT")  # the user is not busy at that time
    for before in REMINDERS:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", summary)
        alarm.add("trigger", -before)
        event.add_component(alarm)
    return event


def _cancelled(earlier: Any, now: int) -> Event:
    event = Event()
    for name in ("uid", "dtstart", "summary", "categories", "transp"):
        event[name] = earlier[name]
    event.add("dtstamp", _utc(now))
    event.add("sequence", _sequence(now, earlier))
    event.add("description", "withdrawn: it will not happen at this time")
    event.add("status", "CANCELLED")
    return event


def _sequence(now: int, earlier: Any) -> int:
    """A number that has grown: else calendar programs ignore the new version of an event."""
    return max(now // 60_000, 0 if earlier is None else int(earlier.get("sequence", 0)) + 1)


def _sub_type(event: Any) -> SubType:
    """The sub-type of the contract of an event."""
    symbol = str(event["summary"]).split()[0]
    quote, _, settle = symbol.partition("/")[2].partition(":")
    return "linear" if settle.partition("-")[0] == quote else "inverse"


def _utc(time: int) -> datetime:
    return datetime.fromtimestamp(time // 1000, timezone.utc)
