"""Times as users give them. Pure."""

from __future__ import annotations

from datetime import datetime, timezone


def milliseconds(time: int | str) -> int:
    """A time in ms since the epoch.

    :param time: in ms, or a text: ISO 8601, in UTC where it names no time zone, or digits of ms
    :raises ValueError: for anything else
    """
    if type(time) is int:
        return time
    if not isinstance(time, str):
        raise ValueError(f"{time!r} is neither ms nor a text")
    if time.isascii() and time.isdecimal():
        return int(time)
    moment = datetime.fromisoformat(time[:-1] + "+00:00" if time[-1:] in ("Z", "z") else time)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return round(moment.timestamp() * 1000)
