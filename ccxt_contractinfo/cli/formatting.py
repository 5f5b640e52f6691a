"""Numbers and times as text for people. Pure."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

from ..contracts.tier_changes import TierChange

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def leverage(value: float | None) -> str:
    """75.0 is '75x'."""
    return "unknown" if value is None else f"{float(value):g}x"


def percent(rate: float) -> str:
    """0.01 is '1.0 %', 0.0065 is '0.65 %'."""
    text = f"{float(rate) * 100:.4f}".rstrip("0")
    return f"{text}0 %" if text.endswith(".") else f"{text} %"


def amount(value: float) -> str:
    """50000.0 is '50,000', 0.25 is '0.25'; never with an exponent."""
    return f"{Decimal(str(value)).normalize():,f}"


def date(time: int | None) -> str:
    """A time in ms as UTC to the minute; one that no calendar has, as it is."""
    if time is None:
        return "none"
    try:
        return f"{datetime.fromtimestamp(time / 1000, timezone.utc):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{time} ms"


def currency(symbol: str | None) -> str:
    """The currency of a contract's margin and notionals, by its symbol. A contract known by pushes alone has none."""
    return (symbol or "").partition(":")[2].partition("-")[0] or "the margin's currency"


def duration(seconds: float) -> str:
    """In the two largest units: 6725 is '1 h 52 min'. Below 0, it is '0 s'."""
    left = max(0, int(seconds))
    first = next((index for index, (_, size) in enumerate(_UNITS) if left >= size), len(_UNITS) - 1)
    parts = []
    for name, size in _UNITS[first : first + 2]:
        count, left = divmod(left, size)
        parts.append(f"{count} {name}")
    return " ".join(parts)


def notional_range(change: TierChange, currency: str) -> str:
    """The range of notionals for which a tier has changed."""
    end = f"{amount(change['maxNotional'])} {currency}"
    return f"{amount(change['minNotional'])} to {end}" if float(change["minNotional"]) else f"up to {end}"


def terms(change: TierChange) -> tuple[str, str]:
    """The leverage and the margin rate of a range before a change, and after it: only what differs."""
    was = (change["previousMaxLeverage"], change["previousMaintenanceMarginRate"])
    now = (change["maxLeverage"], change["maintenanceMarginRate"])
    return _terms(was, now), _terms(now, was)


def _terms(these: tuple[float | None, float | None], others: tuple[float | None, float | None]) -> str:
    value, rate = these
    if value is None or rate is None:
        return "not allowed"
    if value != others[0] and rate != others[1]:
        return leverage_and_margin(value, rate)
    return leverage(value) if value != others[0] else f"margin {percent(rate)}" if rate != others[1] else ""


def leverage_and_margin(value: float, rate: float) -> str:
    """75.0 and 0.01 are '75x, margin 1.0 %'."""
    return f"{leverage(value)}, margin {percent(rate)}"
