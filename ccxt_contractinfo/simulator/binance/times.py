"""Pure: Binance's dates. All are ms since the epoch."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

HOUR = 3_600_000
DAY = 24 * HOUR

NEVER = 4133404800000
"""The delivery date of a contract that is not going to be delivered."""


def delivery_of(date: str) -> int:
    """Delivery time of a dated id: 08:00 UTC of its date.

    :param date: YYMMDD
    :raises ValueError: for an invalid date
    """
    return to_ms(datetime.strptime(date, "%y%m%d").replace(hour=8, tzinfo=timezone.utc))


def quarters(now: int) -> tuple[int, int]:
    """Delivery times of the current and the next quarter: 08:00 UTC of the last Friday of a quarter."""
    moment = datetime.fromtimestamp(now / 1000, timezone.utc)
    found: list[int] = []
    year, month = moment.year, (moment.month - 1) // 3 * 3 + 3
    while len(found) < 2:
        following = datetime(year + month // 12, month % 12 + 1, 1, 8, tzinfo=timezone.utc)
        last = following - timedelta(days=1)
        delivery = to_ms(last - timedelta(days=(last.weekday() - 4) % 7))
        if delivery > now:
            found.append(delivery)
        year, month = (year, month + 3) if month < 12 else (year + 1, 3)
    return found[0], found[1]


def quarter_type(delivery: int, now: int) -> str:
    """The contract type of a future by its delivery time: CURRENT_QUARTER or NEXT_QUARTER."""
    return "CURRENT_QUARTER" if delivery <= quarters(now)[0] else "NEXT_QUARTER"


def to_ms(moment: datetime) -> int:
    """A moment in whole seconds, as ms."""
    return round(moment.timestamp()) * 1000
