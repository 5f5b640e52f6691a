"""The calendar file is what RFC 5545 asks for."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import icalendar
import pytest

from ccxt_contractinfo.cli.calendar_file import calendar_of, events_of
from ccxt_contractinfo.contracts.upcoming import Kind, Upcoming

NOW = 1_790_000_000_123
DELIVERY = 1_798_185_600_000  # 2026-12-25 08:00 UTC
AHEAD = [
    Upcoming(NOW + 60_000, "币安人生/USDT:USDT", "listing", "币安人生USDT", "PENDING_TRADING"),
    Upcoming(NOW + 120_000, f"{'LONG' * 30}/USDT:USDT", "delisting", f"{'LONG' * 30}USDT", "TRADING"),
    Upcoming(DELIVERY, "BTC/USDT:USDT-261225", "delivery", "BTCUSDT_261225", "TRADING"),
]


def events(content: bytes) -> list[Any]:
    calendar = icalendar.Calendar.from_ical(content)
    assert [] == calendar.errors
    return calendar.walk("VEVENT")


def of(time: int, kind: Kind = "delivery", now: int = NOW) -> Any:
    (event,) = events(calendar_of([Upcoming(time, "BTC/USDT:USDT-261225", kind, "BTCUSDT_261225", "TRADING")], now))
    return event


def test_it_can_be_read_and_says_what_is_ahead() -> None:
    """Another program finds one event each, at its time in UTC."""
    delivery = events(calendar_of(AHEAD, NOW))[2]
    assert "BTC/USDT:USDT-261225 is delivered" == delivery["summary"]
    assert datetime(2026, 12, 25, 8, tzinfo=timezone.utc) == delivery["dtstart"].dt
    assert "BTCUSDT_261225, delivery at 2026-12-25 08:00 UTC, status TRADING" == delivery["description"]
    assert [each.symbol for each in AHEAD] == [event["summary"].split()[0] for event in events(calendar_of(AHEAD, NOW))]


def test_everything_that_is_required_is_there() -> None:
    """VERSION and PRODID of the calendar, UID, DTSTAMP and DTSTART of each event, each once."""
    calendar = icalendar.Calendar.from_ical(calendar_of(AHEAD, NOW))
    assert "2.0" == calendar["version"]
    assert calendar["prodid"]
    for event in calendar.walk("VEVENT"):
        names = [name for name, _ in event.property_items(recursive=False)]
        assert [1, 1, 1] == [names.count(name) for name in ("UID", "DTSTAMP", "DTSTART")]
        assert datetime.fromtimestamp(NOW // 1000, timezone.utc) == event["dtstamp"].dt


def test_lines_end_and_fold_as_they_should() -> None:
    """Lines end with CR LF, are 75 octets long at most, and no letter is cut in two."""
    content = calendar_of(AHEAD, NOW)
    assert content.endswith(b"END:VCALENDAR\r\n")
    lines = content.split(b"\r\n")
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert 75 >= max(map(len, lines))
    assert any(line.startswith(b" ") for line in lines)
    for line in lines:
        line.decode("utf-8")


def test_what_is_imported_again_takes_its_old_place() -> None:
    """A delivery that was moved keeps its UID, with a greater sequence; other kinds and contracts have other UIDs."""
    before, moved = of(DELIVERY), of(DELIVERY + 3600_000, now=NOW + 60_000)
    assert before["uid"] == moved["uid"]
    assert before["sequence"] < moved["sequence"]
    assert before["uid"] != of(DELIVERY, "listing")["uid"]
    assert len(AHEAD) == len({event["uid"] for event in events(calendar_of(AHEAD, NOW))})


@pytest.mark.parametrize("kind", ["listing", "delisting", "delivery"])
def test_every_kind_has_its_words(kind: Kind) -> None:
    """The summary says what happens to which contract."""
    assert of(DELIVERY, kind)["summary"].startswith("BTC/USDT:USDT-261225 ")


def test_nothing_ahead_is_an_empty_calendar() -> None:
    """Without events there is still a calendar that can be read."""
    assert [] == events(calendar_of([], NOW))


def test_every_event_reminds() -> None:
    """A day and an hour before, a calendar program shows what is going to happen."""
    for event in events(calendar_of(AHEAD, NOW)):
        alarms = event.walk("VALARM")
        assert [timedelta(days=-1), timedelta(hours=-1)] == [alarm["trigger"].dt for alarm in alarms]
        assert {("DISPLAY", event["summary"])} == {(alarm["action"], alarm["description"]) for alarm in alarms}


def after(earlier: bytes, ahead: list[Upcoming], now: int, sub_types: Any = ("linear", "inverse")) -> list[Any]:
    return events(calendar_of(ahead, now, events_of(earlier), sub_types))


def test_what_was_withdrawn_is_cancelled_until_its_time_is_past() -> None:
    """An event that lies ahead no more keeps UID and time, is CANCELLED with a greater SEQUENCE, and does not remind;
    it stays so, and goes when its time is past."""
    (_, delisting, delivery) = events(before := calendar_of(AHEAD, NOW))
    listing = AHEAD[:1]
    content = calendar_of(listing, NOW + 1000, events_of(before))
    (_, cancelled, other) = events(content)
    assert [delisting["uid"], delivery["uid"]] == [cancelled["uid"], other["uid"]]
    assert ("CANCELLED", delisting["dtstart"].dt) == (cancelled["status"], cancelled["dtstart"].dt)
    assert delisting["summary"] == cancelled["summary"]
    assert cancelled["sequence"] > delisting["sequence"]
    assert [] == cancelled.walk("VALARM")
    again = after(content, listing, NOW + 2000)[1]
    assert (cancelled["status"], cancelled["sequence"]) == (again["status"], again["sequence"])
    later = after(content, [], NOW + 121_000)  # when the delisting would have been, and the listing has been
    assert [delivery["uid"]] == [event["uid"] for event in later]


def test_what_is_announced_again_is_confirmed_again() -> None:
    """A delisting that was withdrawn and is scheduled again, within a minute, takes the place of its cancellation."""
    cancelled = calendar_of([], NOW + 1000, events_of(calendar_of(AHEAD, NOW)))
    again = after(cancelled, AHEAD[1:2], NOW + 2000)[0]
    assert ("CONFIRMED", 2) == (again["status"], len(again.walk("VALARM")))
    assert again["sequence"] > events(cancelled)[1]["sequence"]


def test_events_of_the_other_sub_type_stay_as_they_are() -> None:
    """The events of COIN-M are not cancelled by a look at USD-M."""
    inverse = Upcoming(DELIVERY, "BTC/USD:BTC-261225", "delivery", "BTCUSD_261225", "TRADING")
    before = calendar_of([AHEAD[2], inverse], NOW)
    assert ["CANCELLED", "CONFIRMED"] == [event["status"] for event in after(before, [], NOW + 1000, {"linear"})]
    assert ["CONFIRMED", "CANCELLED"] == [event["status"] for event in after(before, [], NOW + 1000, {"inverse"})]


@pytest.mark.parametrize(
    "content",
    [
        b"Buy milk.\n",
        b"\xff\xfe",
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//other//EN\r\nEND:VCALENDAR\r\n",
        b"BEGIN:VCALENDAR\r\nPRODID:-//ccxt-contractinfo//calendar//EN\r\nBEGIN:VEVENT\r\n",
    ],
)
def test_what_is_no_calendar_of_ours_is_refused(content: bytes) -> None:
    """Text, another program's calendar and a torn file are told apart from what was written here."""
    with pytest.raises(ValueError, match=r"program|[Cc]ontent line|components"):
        events_of(content)
